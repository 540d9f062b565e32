"""The packet maker: the same bytes each time, truth that stands on ink, expectations that are complete."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pdfplumber
import pypdfium2
import pytest
from PIL import Image, ImageSequence

from fixtures.assemble import COMPLETE, Recipe, assemble
from fixtures.degrade import RESOLUTION
from fixtures.make_packets import TREATMENTS, demo_recipe, main, recipes, truth_folder, write_demo
from fixtures.printing import print_packet
from fixtures.records import QUIRKS, RENDERS, Packet, Rendered, TruePage
from fixtures.scenario import FIELDS, scenarios
from fixtures.template import expand
from fixtures.truth import expected, truth
from fixtures.writing import styles

COUNT = 150


def made(recipe: Recipe) -> tuple[Packet, list[Rendered]]:
    packet = assemble(recipe)
    return packet, print_packet(packet)


def stored_images(file: Rendered) -> list[npt.NDArray[np.uint8]]:
    """The stored pages, black where below 128, each stretched to 150 dpi."""
    if file.name.endswith(".tif"):
        image = Image.open(io.BytesIO(file.content))
        pages = [frame.convert("L") for frame in ImageSequence.Iterator(image)]
        across, down = image.info["dpi"]
        return [
            np.asarray(page.resize((round(page.width * 150 / across), round(page.height * 150 / down))))
            for page in pages
        ]
    document = pypdfium2.PdfDocument(file.content)
    images = [np.asarray(page.render(scale=150 / 72).to_pil().convert("L")) for page in document]
    document.close()
    return images


def ink_in_boxes(page: TruePage, image: npt.NDArray[np.uint8]) -> tuple[float, float]:
    """(share of words whose box holds ink, share of all ink that lies in words' boxes)."""
    upright = np.rot90(image, -page.rotation // 90) < 160
    scale = upright.shape[1] / page.width
    covered = np.zeros_like(upright)
    hits = 0
    for word in page.words:
        x0, top, x1, bottom = (max(0, round(value * scale)) for value in word.box)
        hits += bool(upright[top:bottom, x0:x1].any())
        covered[max(0, top - 4) : bottom + 4, max(0, x0 - 4) : x1 + 4] = True
    return hits / len(page.words), (upright & covered).sum() / max(1, upright.sum())


@pytest.fixture(scope="module")
def packets() -> list[tuple[Recipe, Packet, list[Rendered]]]:
    """All 150 of the evaluation set, drawn without degradation, which is quick."""
    drawn = []
    for recipe in recipes(COUNT, seed=1):
        recipe = dataclasses.replace(recipe, render="digital")
        drawn.append((recipe, *made(recipe)))
    return drawn


def with_render(render: str, quirks: Sequence[str]) -> Recipe:
    return dataclasses.replace(demo_recipe(), render=render, quirks=tuple(quirks))


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("a $size cm mass", "a 2.4 cm mass"),
        ("[[C64.2||C64.1]]", "C64.2"),
        ("{one}", "{one}"),
        ("{same|same} {x|x {y|y}}", "same x"),
    ],
)
def test_templates(template: str, text: str) -> None:
    assert expand(template, {"size": "2.4", "side": "left"}, "seed")[: len(text)] == text


def test_a_template_names_a_missing_value() -> None:
    with pytest.raises(KeyError, match="sise"):
        expand("a $sise cm mass", {"size": "2.4"}, "seed")


def test_every_finding_of_a_complete_packet_is_shown(
    packets: list[tuple[Recipe, Packet, list[Rendered]]],
) -> None:
    for _, packet, rendered in packets:
        expectation = expected(packet, rendered)
        pages = {(page.file, page.page): page for file in rendered for page in file.pages}
        for name, shown in expectation["evidence"].items():
            page = pages[shown.get("file", rendered[0].name), shown["page"]]
            assert any(shown["quote"] in line for line in page.lines), f"{packet.id} {name}"
            assert len(shown["quote"].split()) <= 20


def test_expectations_have_every_key_and_every_branch(
    packets: list[tuple[Recipe, Packet, list[Rendered]]],
) -> None:
    outcomes, kinds, gaps = set(), set(), set()
    for recipe, packet, rendered in packets:
        expectation = expected(packet, rendered)
        assert set(expectation) == {
            *("id", "title", "patient", "request", "documents"),
            *("findings", "evidence", "completeness", "policy"),
        }
        assert tuple(expectation["findings"]) == FIELDS
        outcomes.add((expectation["policy"]["criterion"], expectation["policy"]["outcome"]))
        kinds |= {row["type"] for row in expectation["documents"]}
        gaps.add(recipe.gap)
        whole = recipe.gap == COMPLETE
        assert (expectation["completeness"]["history_and_physical"] == "present") >= whole
    meets = {criterion for criterion, outcome in outcomes if outcome == "meets"}
    assert meets == {"I.A", "I.B", "I.C", "I.D", "I.E", "I.F.1", "I.F.2"}
    assert {outcome for _, outcome in outcomes} == {
        *("meets", "investigational", "needs_information", "out_of_scope", "other_policy"),
    }
    assert gaps == {COMPLETE, "no_history", "no_exam", "no_plan", "no_area", "wrong_patient"}
    assert len(kinds) == 15


def test_an_incomplete_packet_never_meets(packets: list[tuple[Recipe, Packet, list[Rendered]]]) -> None:
    for recipe, packet, _ in packets:
        if recipe.gap != COMPLETE:
            assert packet.policy["outcome"] != "meets"
            assert packet.completeness["identity_conflict"] == (recipe.gap == "wrong_patient")


def test_the_set_is_varied(packets: list[tuple[Recipe, Packet, list[Rendered]]]) -> None:
    all_recipes = list(recipes(COUNT, seed=1))
    assert {recipe.scenario.name for recipe in all_recipes} == {scenario.name for scenario in scenarios()}
    assert {recipe.render for recipe in all_recipes} == set(RENDERS)
    assert {quirk for _, quirks in TREATMENTS for quirk in quirks} == set(QUIRKS) - {"two_column"}
    assert {recipe.style.name for recipe in all_recipes} == {style.name for style in styles("clinic")}
    texts = {json.dumps(truth(packet, rendered)["pages"]) for _, packet, rendered in packets}
    assert len(texts) == COUNT


def test_all_packets_may_come_one_way() -> None:
    by_turns, faxed = list(recipes(20, seed=1)), list(recipes(20, seed=1, render="tiff_g3"))
    assert len({recipe.render for recipe in by_turns}) > 1
    assert faxed == [dataclasses.replace(recipe, render="tiff_g3", files=1) for recipe in by_turns]


@pytest.mark.parametrize(
    ("render", "quirks"), [("digital", ()), ("fax_fine", ("skew", "speckle")), ("scan", ())]
)
def test_the_same_recipe_gives_the_same_bytes(render: str, quirks: tuple[str, ...]) -> None:
    recipe = with_render(render, quirks)
    first, second = ([hashlib.sha256(file.content).hexdigest() for file in made(recipe)[1]] for _ in range(2))
    other = [
        hashlib.sha256(file.content).hexdigest() for file in made(dataclasses.replace(recipe, seed="else"))[1]
    ]
    assert first == second != other


@pytest.mark.parametrize(
    ("render", "quirks"),
    [
        ("digital", ("header_footer",)),
        ("scan", ("skew", "rotated_90")),
        ("fax_fine", ("skew", "rotated_180")),
        ("fax_standard", ()),
        ("tiff_g3", ("rotated_90",)),
        ("tiff_g4", ("blank_page", "duplicate_page")),
    ],
)
def test_true_boxes_stand_on_ink(render: str, quirks: tuple[str, ...]) -> None:
    _, (file,) = made(with_render(render, quirks))
    images = stored_images(file)
    assert len(images) == len(file.pages)
    for page, image in zip(file.pages, images, strict=True):
        if page.blank:
            assert (image < 128).mean() < 0.001
            continue
        hits, covered = ink_in_boxes(page, image)
        assert hits > 0.97
        assert covered > 0.80  # the rest: ruled lines, the banner


def test_a_page_upside_down_would_not_pass_for_upright() -> None:
    _, (file,) = made(with_render("fax_fine", ("rotated_180",)))
    images = stored_images(file)
    turned = [page.rotation for page in file.pages]
    assert sorted(turned)[-2:] == [0, 180]
    index = turned.index(180)
    wrong = dataclasses.replace(file.pages[index], rotation=0)
    assert ink_in_boxes(wrong, images[index])[1] < 0.5


@pytest.mark.parametrize(
    ("render", "compression", "size"),
    [("tiff_g3", "group3", (1728, 1078)), ("tiff_g4", "group4", (1728, 2156))],
)
def test_fax_tiffs_are_bilevel_pages_of_fax_size(
    render: str, compression: str, size: tuple[int, int]
) -> None:
    _, (file,) = made(with_render(render, ()))
    image = Image.open(io.BytesIO(file.content))
    assert image.n_frames == len(file.pages) > 3
    for frame in ImageSequence.Iterator(image):
        assert (frame.mode, frame.size, frame.info["compression"]) == ("1", size, compression)
        assert tuple(round(float(value)) for value in frame.info["dpi"]) == RESOLUTION[render]


def test_the_text_layer_has_the_true_words() -> None:
    _, (file,) = made(with_render("digital", ()))
    with pdfplumber.open(io.BytesIO(file.content)) as pdf:
        for page, true in zip(pdf.pages, file.pages, strict=True):
            words = page.extract_words(x_tolerance=1.5, keep_blank_chars=False)
            assert sorted(word["text"] for word in words) == sorted(word.text for word in true.words)


def test_repeated_and_blank_pages_belong_to_no_document() -> None:
    _, (file,) = made(with_render("fax_fine", ("duplicate_page", "blank_page")))
    blank = [page for page in file.pages if page.blank]
    repeated = [page for page in file.pages if page.duplicate_of is not None]
    assert [page.document for page in (*blank, *repeated)] == [None, None]
    source = file.pages[(repeated[0].duplicate_of or 0) - 1]
    assert repeated[0].lines == source.lines != []


def test_the_command_writes_folders_and_puts_the_truth_beside_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "packets"
    assert main([str(out), "--count", "60", "--only", "s000"]) == 0
    assert capsys.readouterr().out == f"1 packets in {out}\n"
    assert [path.name for path in out.iterdir()] == ["s000"]
    assert {path.suffix for path in (out / "s000").iterdir()} == {".json", ".pdf"}
    record = json.loads((truth_folder(out) / "s000.json").read_text(encoding="utf-8"))
    assert record["pages"][0]["words"][0][0] == record["pages"][0]["lines"][0].split()[0]
    assert main([str(out), "--only", "no such scenario"]) == 2


def test_the_demo_is_a_skewed_fax_with_a_page_upside_down(tmp_path: Path) -> None:
    packet, (file,) = made(demo_recipe())
    assert packet.policy["outcome"] == "meets"
    assert sorted(page.rotation for page in file.pages)[-2:] == [0, 180]
    assert {"fax_cover", "pa_request_form", "consultation", "pathology_report", "treatment_plan"} <= {
        sheet.type for sheet in packet.files[0].sheets
    }
    folder = write_demo(tmp_path / "demo")
    assert [path.suffix for path in folder.iterdir()] == [".pdf"]
