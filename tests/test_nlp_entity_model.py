"""The entity model that ships: what it reads, finds, costs and keeps to itself."""

from __future__ import annotations

import itertools
import logging
import socket
import time
from pathlib import Path

import numpy as np
import pytest
import spacy

from pipeline.domain import Document, Mention, Page
from pipeline.errors import CatalogError
from pipeline.nlp import annotate, load_nlp
from pipeline.nlp.entity_model import EntityModel
from pipeline.nlp.viterbi import best_path
from pipeline.nlp.wordpiece import WordPieces, shape

MODELS = Path(__file__).parent.parent / "models"
SHIPPED = MODELS / "ner" / "entities"
ASK = "components.optional_ner.packages"


@pytest.fixture(scope="module")
def model() -> EntityModel:
    return EntityModel(SHIPPED)


@pytest.fixture
def reader(tmp_path: Path) -> WordPieces:
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "car", "##cin", "##oma", "pt", "##2", "2", "/", "uber"]
    (tmp_path / "vocab.txt").write_text("\n".join(pieces) + "\n", encoding="utf-8")
    return WordPieces(tmp_path / "vocab.txt")


def found(model: EntityModel, text: str, head: str) -> list[tuple[str, str]]:
    return [(text[e.start : e.end], e.kind) for e in model.find(text, [(0, len(text))]) if e.head == head]


# ------------------------------------------------------------------ words and pieces


def test_words_keep_their_place_and_shape(reader: WordPieces) -> None:
    text = "x Carcinoma\n\tpT2/2"
    words = [(text[w.start : w.end], w.pieces, w.shape) for w in reader.read(text, 2, len(text))]
    assert words == [("Carcinoma", (4, 5, 6), 1), ("pT2", (7, 8), 3), ("/", (10,), 0), ("2", (9,), 0)]


@pytest.mark.parametrize(
    ("word", "pieces"),
    [("Über", (11,)), ("carx", (1,)), ("CAR", (4,)), ("c" * 101, (1,)), ("car" + "cin" * 32, (4, *[5] * 32))],
)
def test_pieces_are_those_of_the_plain_word(reader: WordPieces, word: str, pieces: tuple[int, ...]) -> None:
    assert reader.pieces(word) == pieces


@pytest.mark.parametrize(
    ("word", "number"), [("tumor", 0), ("12", 0), (".", 0), ("Tumor", 1), ("T", 1), ("TNM", 2), ("pT", 3)]
)
def test_the_shape_of_a_word(word: str, number: int) -> None:
    assert shape(word) == number


# ------------------------------------------------------------------ the best row of labels


@pytest.mark.parametrize("words", [1, 2, 5])
def test_the_best_path_is_the_best_of_all_paths(words: int) -> None:
    chance = np.random.default_rng(words)
    scores, steps, starts = (
        chance.normal(size=size).astype(np.float32) for size in ((words, 3), (3, 3), (3,))
    )

    def total(path: tuple[int, ...]) -> float:
        along = sum(steps[a, b] for a, b in itertools.pairwise(path))
        return float(starts[path[0]] + along + sum(scores[i, label] for i, label in enumerate(path)))

    assert tuple(best_path(scores, steps, starts)) == max(
        itertools.product(range(3), repeat=words), key=total
    )


# ------------------------------------------------------------------ the model that ships


@pytest.mark.parametrize(
    ("text", "cancer", "organ"),
    [
        ("She had gastric carcinoma; the liver was clear.", "gastric carcinoma", "liver"),
        ("Colorectal cancer had spread to the liver.", "Colorectal cancer", "liver"),
        ("MELANOMA OF THE SKIN WAS EXCISED.", "MELANOMA", "SKIN"),
    ],
)
def test_tumours_and_organs(model: EntityModel, text: str, cancer: str, organ: str) -> None:
    entities = found(model, text, "BioNLP13CG")
    assert (cancer, "Cancer") in entities
    assert (organ, "Organ") in entities


def test_diseases_and_chemicals(model: EntityModel) -> None:
    text = "Cisplatin caused acute renal failure in two patients."
    assert found(model, text, "BC5CDR") == [("Cisplatin", "Chemical"), ("acute renal failure", "Disease")]


def test_nothing_is_found_where_nothing_is_named(model: EntityModel) -> None:
    assert found(model, "Please call the office before ten to change the appointment.", "BC5CDR") == []


@pytest.mark.parametrize(
    "text", ["", " \n", "((((", "\x00\ufffd", "_" * 300, "a" * 5000, "é" * 200, "😀 ﷺ 漢字", "x " * 2000]
)
def test_any_text_can_be_read(model: EntityModel, text: str) -> None:
    for entity in model.find(text, [(0, len(text))]):
        assert 0 <= entity.start < entity.end <= len(text)


def test_what_a_long_text_says_is_where_it_stands(model: EntityModel) -> None:
    sentence = "The liver was normal. There was a melanoma. "
    text = sentence * 60
    spans = [(m, m + len(sentence)) for m in range(0, len(text), len(sentence))]
    cancers = [e.start for e in model.find(text, spans) if e.kind == "Cancer"]
    assert cancers == [start + sentence.index("melanoma") for start, _ in spans]


def test_the_weights_are_small_and_load_fast() -> None:
    assert sum(file.stat().st_size for file in SHIPPED.iterdir()) < 40_000_000
    started = time.process_time()
    EntityModel(SHIPPED)
    assert time.process_time() - started < 2


def test_no_network_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    assert found(EntityModel(SHIPPED), "She has melanoma.", "BioNLP13CG") != []


def test_no_text_is_written_anywhere(
    model: EntityModel, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        list(model.find("Zorbina Quux has melanoma. " * 50, [(0, 1350)]))
    assert capfd.readouterr() == ("", "")
    assert caplog.text == ""


@pytest.mark.parametrize("file", ["model.onnx", "labels.json", "vocab.txt"])
def test_a_broken_file_is_named_to_the_operator(tmp_path: Path, file: str) -> None:
    for one in SHIPPED.iterdir():
        (tmp_path / one.name).symlink_to(one)
    (tmp_path / file).unlink()
    (tmp_path / file).write_bytes(b"{}")
    with pytest.raises(CatalogError, match="cannot be read"):
        EntityModel(tmp_path)


# ------------------------------------------------------------------ in the pipeline


def neoplasms(text: str, settings: dict[str, object]) -> list[Mention]:
    document = Document("d", "other", "", (Page("f", 1, "text", 0, 1, 1, text, ()),))
    annotated = annotate(load_nlp(MODELS, settings), [document])[0]
    return [mention for mention in annotated.mentions if mention.label == "neoplasm"]


@pytest.mark.parametrize(
    ("text", "assertion"),
    [
        ("He has zorbinoblastoma of the liver.", "present"),
        ("No evidence of zorbinosarcoma was seen.", "absent"),
    ],
)
def test_a_tumour_that_no_dictionary_knows(text: str, assertion: str) -> None:
    assert neoplasms(text, {}) == []
    (mention,) = neoplasms(text, {ASK: ["ner"]})
    assert text[mention.start : mention.end].startswith("zorbino")
    assert (mention.value, mention.assertion) == ("tumor", assertion)
    assert mention.extractor.startswith("model:triage_ner@")


def test_what_the_dictionary_knows_stays_its_own() -> None:
    (mention,) = neoplasms("She has melanoma.", {ASK: ["ner"]})
    assert (mention.value, mention.extractor) == ("melanoma", "rule:terms")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Melanoma was excised. Zorbinoblastoma of the liver was not.", ["melanoma"]),
        ("A mass was seen. It was zorbinoblastoma.", ["mass", "tumor"]),
    ],
)
def test_silent_asks_only_where_no_tumour_is_known_by_its_kind(text: str, found: list[str]) -> None:
    settings: dict[str, object] = {ASK: ["ner"], "components.optional_ner.when": "silent"}
    assert [mention.value for mention in neoplasms(text, settings)] == found


def test_the_default_configuration_does_not_ask_the_model() -> None:
    config = spacy.util.load_config(MODELS / "nlp.cfg", interpolate=False)
    assert "ner" not in config["components"]["optional_ner"]["packages"]


def test_the_pipeline_loads_as_spacy_loads_pipelines() -> None:
    doc = spacy.load(MODELS / "ner")("Cisplatin for bladder cancer.")
    assert ("bladder cancer", "Cancer") in [(ent.text, ent.label_) for ent in doc.ents]
    assert [span.label_ for span in doc.spans["BC5CDR"]] == ["Chemical", "Disease"]


def test_the_weights_name_no_machine() -> None:
    """The exporter would note the path of every line of code in the graph."""
    graph = (MODELS / "ner" / "entities" / "model.onnx").read_bytes()
    assert b".py" not in graph
