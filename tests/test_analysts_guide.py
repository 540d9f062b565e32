"""Each step of the analyst's guide, followed on a copy of the knowledge: before it, and after it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from guides import block

from pipeline.catalog import Catalog
from pipeline.documents import classify_text
from pipeline.domain import Document, Page
from pipeline.nlp import annotate, load_nlp
from pipeline.settings import load_settings

MODELS = load_settings({}).models_dir
REPORT = (
    "GERMLINE PANEL REPORT\nPatient: Sample, Ann\nGenes analyzed: BRCA1, BRCA2\n"
    "Variant classification: benign\n"
)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("my") / "models"
    shutil.copytree(MODELS, folder, ignore=shutil.ignore_patterns("ner"))
    (folder / "documents" / "genetic_report.toml").write_text(block("Add a document type"))
    with (folder / "histologies.toml").open("a") as histologies:
        histologies.write("\n" + block("Teach it a word"))
    return folder


def test_a_document_type(models: Path) -> None:
    assert classify_text(REPORT, Catalog(MODELS).documents)[0] != "genetic_report"
    assert classify_text(REPORT, Catalog(models).documents)[0] == "genetic_report"
    letter = "Dear colleague,\nher sister had a hereditary cancer panel; genes are not at issue here.\n"
    assert classify_text(letter, Catalog(models).documents)[0] != "genetic_report"


def test_a_word(models: Path) -> None:
    text = "ASSESSMENT: Hepatoblastoma, no mass elsewhere."

    def tumours(folder: Path) -> list[str]:
        page = Page("a.pdf", 1, "text", 0, 0, 0, text, ())
        (source,) = annotate(load_nlp(folder), [Document("d1", "progress_note", "", (page,))])
        return [mention.value for mention in source.mentions if mention.label == "neoplasm"]

    assert "hepatoblastoma" not in tumours(MODELS)
    assert "hepatoblastoma" in tumours(models)
