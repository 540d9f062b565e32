"""A field that an analyst adds: one file, no code; it reaches the case, the evaluator's facts, the report."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from guides import block

from pipeline.__main__ import main
from pipeline.catalog.fields import load_fields
from pipeline.catalog.findings import load_findings
from pipeline.domain import Document, Field, Page, Request, Status
from pipeline.errors import CatalogError, ExitCode
from pipeline.findings import extract_findings
from pipeline.nlp import annotate, load_nlp
from pipeline.settings import load_settings

MODELS = load_settings({}).models_dir
FIELD = block("Add a field")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("knowledge") / "models"
    shutil.copytree(MODELS, folder, ignore=shutil.ignore_patterns("ner"))
    (folder / "fields" / "performance_status.toml").write_text(FIELD)
    return folder


@pytest.fixture(scope="module")
def found(models: Path):  # type: ignore[no-untyped-def]
    nlp, rules = load_nlp(models), load_findings(models)

    def read(*texts: str) -> Field:
        documents = [
            Document(f"d{n}", "progress_note", "", (Page("a.pdf", n, "text", 0, 0, 0, text, ()),))
            for n, text in enumerate(texts, 1)
        ]
        return extract_findings(annotate(nlp, documents), Request(), rules)["performance_status"]

    return read


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("ASSESSMENT: Renal mass. ECOG 1.", "1"),
        ("Physical examination: ecog performance status: 0. Lungs clear.", "0"),
        ("ECOG = 1", "1"),
        ("ECOG\nperformance status 0", "0"),
        ("ECOG 10", None),
        ("ECOG 0-1", None),
        ("ECOG 1.5", None),
        ("ECOG\n1. Continue metoprolol", None),
        ("ECOG 1. Continue metoprolol", "1"),
        ("ECOG 1, lives alone", "1"),
        ("MECOG 1", None),
        ("ECOG was not recorded.", None),
        ("If ECOG 1 at restaging, ablation may be offered.", None),
    ],
)
def test_it_is_found_where_it_is_told(found, text: str, value: str | None) -> None:  # type: ignore[no-untyped-def]
    field = found(text)
    assert field.value == value
    if value:
        assert text[field.evidence[0].start : field.evidence[0].end] == field.evidence[0].quote


def test_two_notes_that_differ_conflict(found) -> None:  # type: ignore[no-untyped-def]
    field = found("ASSESSMENT: ECOG 1.", "ASSESSMENT: ECOG 0.")
    assert field.status is Status.CONFLICTING
    assert {field.value, field.alternatives[0].value} == {"0", "1"}


@pytest.mark.parametrize(
    ("name", "change", "told"),
    [
        ("performance_status", FIELD.split("[[told]]")[0], "no rule finds it"),
        ("performance_status", FIELD.replace('value = "1"', 'value = "9"'), "told holds no value of it: 9"),
        ("performance_status", FIELD.replace("ECOG 1", "ECOG 0"), "tells 1, and 0 in performance_status"),
        ("karnofsky", FIELD, "tells 0, and 0 in"),
        ("procedure", FIELD, "rules find it"),
    ],
)
def test_a_wrong_file_is_told(tmp_path: Path, name: str, change: str, told: str) -> None:
    shutil.copytree(MODELS / "fields", tmp_path / "fields")
    (tmp_path / "fields" / f"{name}.toml").write_text(change)
    if name == "karnofsky":
        (tmp_path / "fields" / "performance_status.toml").write_text(FIELD)
    with pytest.raises(CatalogError, match=told):
        load_fields(tmp_path)


def test_it_is_in_the_case_and_in_the_report(models: Path, tmp_path: Path) -> None:
    from fpdf import FPDF

    pdf = FPDF(format="letter")
    pdf.add_page()
    pdf.set_font("Helvetica", size=11)
    pdf.multi_cell(0, 6, "PROGRESS NOTE\nASSESSMENT: Mass of the left kidney. ECOG 1.\nPLAN: Cryoablation.")
    pdf.output(str(tmp_path / "note.pdf"))
    environ = {"TRIAGE_HOME": str(tmp_path / "home"), "TRIAGE_MODELS_DIR": str(models)}
    output, report = tmp_path / "case.json", tmp_path / "case.html"
    command = ["run", str(tmp_path / "note.pdf"), "--quiet", "--output", str(output), "--report", str(report)]
    assert main(command, environ) == ExitCode.DONE
    field = json.loads(output.read_text())["findings"]["performance_status"]
    assert (field["value"], field["evidence"][0]["quote"]) == ("1", "ECOG 1")
    assert field["evidence"][0]["boxes"]
    assert "erformance status" in report.read_text()
