"""An entity model installed beside the project: what it finds counts; without it all is as before."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import spacy

from pipeline.domain import Document, Mention, Page
from pipeline.nlp import annotate, load_nlp

MODELS = Path(__file__).parent.parent / "models"


@pytest.fixture
def models_with_model(tmp_path: Path) -> Path:
    """The knowledge files, with a small foreign model named in nlp.cfg."""
    foreign = spacy.blank("en")
    foreign.add_pipe("entity_ruler").add_patterns(
        [
            {"label": "CANCER", "pattern": "zorbinoma"},
            {"label": "CANCER", "pattern": "zorboid renal cell carcinoma"},
            {"label": "CANCER", "pattern": "melanoma"},
            {"label": "ORGAN", "pattern": "zorb"},
        ]
    )
    foreign.to_disk(tmp_path / "foreign")
    models = tmp_path / "models"
    shutil.copytree(MODELS, models)
    config = (models / "nlp.cfg").read_text(encoding="utf-8")
    named = config.replace("en_ner_bionlp13cg_md", str(tmp_path / "foreign"))
    (models / "nlp.cfg").write_text(named, encoding="utf-8")
    return models


def mentions(models: Path, text: str) -> list[Mention]:
    document = Document("d", "other", "", (Page("f", 1, "text", 0, 1, 1, text, ()),))
    return list(annotate(load_nlp(models), [document])[0].mentions)


def neoplasms(models: Path, text: str) -> list[tuple[str, str, str]]:
    return [(m.value, str(m.assertion), m.extractor) for m in mentions(models, text) if m.label == "neoplasm"]


def test_an_unknown_tumour_is_a_generic_neoplasm(models_with_model: Path) -> None:
    found = neoplasms(models_with_model, "There is no zorbinoma.")
    assert found == [("tumor", "absent", "model:pipeline@0.0.0")]


def test_a_tumour_that_the_dictionary_knows_stays_its_own(models_with_model: Path) -> None:
    assert neoplasms(models_with_model, "She has melanoma.") == [("melanoma", "present", "rule:terms")]


def test_other_entities_are_kept_as_such(models_with_model: Path) -> None:
    found = mentions(models_with_model, "The zorb is normal.")
    assert [(mention.label, mention.value) for mention in found] == [("entity", "organ")]


def test_nothing_is_found_without_the_model() -> None:
    assert neoplasms(MODELS, "There is no zorbinoma.") == []
