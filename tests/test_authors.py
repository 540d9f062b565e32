"""Who wrote a document and in which specialty: where it is stated, and where names are somebody else's."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.authors import Author, read_authors
from pipeline.catalog.authors import load_authors
from pipeline.domain import Document, Page, Status

RULES = load_authors(Path(__file__).parents[1] / "models")
NOTE = "Patient: Thornbury, Agnes   DOB 04/05/1950\nHPI: a mass.\nEXAM: lungs clear.\nPLAN: ablation.\n"


def author(text: str, kind: str = "consultation") -> Author:
    page = Page("fax.pdf", 1, "text", 0, 612, 792, text, ())
    return read_authors([Document("d1", kind, "", (page,))], RULES)["d1"]


STATED = [
    (NOTE + "Electronically signed: Rhoda Pell, MD", "Pell, Rhoda"),
    (NOTE + "Electronically signed by: Pell, Rhoda A, MD   06/02/2026 14:10", "Pell, Rhoda"),
    (NOTE + "Digitally signed by Dr. Rhoda Pell", "Pell, Rhoda"),
    ("DICTATED BY:  RHODA PELL, M.D.\n" + NOTE, "Pell, Rhoda"),
    (NOTE + "Interpreted by: María de la Cruz, MD", "de la Cruz, María"),
    (NOTE + "R. Pell MD   06/02/2026 16:20", "Pell, R."),
    ("Provider: Rhoda Pell, MD, FACS     Ref: L. Quintero FNP\n" + NOTE + "R. Pell MD", "Pell, Rhoda"),
    ("RHODA PELL, MD\n12 Mill Lane\n" + NOTE, "Pell, Rhoda"),
    ("Provider: Jonas Wick, DO\n" + NOTE + "Electronically signed by Rhoda Pell, MD", "Pell, Rhoda"),
]


@pytest.mark.parametrize(("text", "name"), STATED)
def test_author(text: str, name: str) -> None:
    found = author(text).name
    assert (found.value, found.status) == (name, Status.FOUND)
    (evidence,) = found.evidence
    assert evidence.quote == text[evidence.start : evidence.end]


OTHERS = [
    NOTE,
    "Requesting provider: Rhoda Pell, MD\n" + NOTE,
    "Referring: Rhoda Pell, MD     Ordered by: Jonas Wick, DO\n" + NOTE,
    NOTE + "cc: Rhoda Pell, MD",
    NOTE + "Signed: ____________________",
    NOTE + "She was seen by Jonas Wick last year and will see him again.\n" * 9,
    "Dear Dr. Pell,\n" + NOTE,
]


@pytest.mark.parametrize("text", OTHERS)
def test_no_author(text: str) -> None:
    assert author(text).name.status is Status.NOT_FOUND


@pytest.mark.parametrize("kind", ["fax_cover", "pa_request_form", "consent_form"])
def test_forms_have_none(kind: str) -> None:
    assert author("Signed by: Rhoda Pell, MD\n" + NOTE, kind) == Author()


SPECIALTIES = [
    (NOTE + "Electronically signed: Rhoda Pell, MD\nInterventional Radiology", "interventional radiology"),
    ("DEPARTMENT OF UROLOGY\n" + NOTE + "R. Pell MD", "urology"),
    ("Specialty: medical oncology\n" + NOTE, "medical oncology"),
    ("WESTMERE IR\n" + NOTE, "interventional radiology"),
    ("Westmere pathology\nSection of Urologic Oncology\n" + NOTE, "urologic oncology"),
]


@pytest.mark.parametrize(("text", "specialty"), SPECIALTIES)
def test_specialty(text: str, specialty: str) -> None:
    assert author(text).specialty.value == specialty


@pytest.mark.parametrize(
    "text",
    [
        NOTE,
        NOTE + "She was sent to urology and to radiology.\n" + NOTE,
        "First day of the ir-therapy\n" + NOTE,
    ],
    ids=["none", "in running text", "two letters in small"],
)
def test_no_specialty(text: str) -> None:
    assert author(text).specialty.status is Status.NOT_FOUND
