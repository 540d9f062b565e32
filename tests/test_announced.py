"""What the request says is attached, and is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.announced import announced_not_received
from pipeline.catalog.documents import load_documents
from pipeline.catalog.request import load_request
from pipeline.domain import Document, Page, Problem, Requirement

MODELS = Path(__file__).parents[1] / "models"
TYPES, RULES = load_documents(MODELS), load_request(MODELS)


def told(
    text: str,
    *,
    status: str = "missing",
    kind: str = "pa_request_form",
    others: tuple[str, ...] = (),
    own: bool | None = True,
) -> tuple[Problem, ...]:
    page = Page("fax.pdf", 2, "text", 0, 612, 792, text, ())
    documents = [Document("d1", kind, "", (page,), belongs_to_patient=own)]
    documents += [Document(f"d{n}", other, "", (page,)) for n, other in enumerate(others, 2)]
    required = {
        "history_and_physical": Requirement(status),  # type: ignore[arg-type]  # a literal
        "treatment_plan": Requirement("present"),
    }
    return announced_not_received(documents, required, TYPES, RULES)


def names(problems: tuple[Problem, ...]) -> list[str]:
    return sorted(problem.message.split(":")[0] for problem in problems)


LISTS = [
    ("Attached:  H&P x   plan x   path x", ["History and physical", "Pathology report"]),
    (
        "Documents joined\n   [X] history and physical   [X] imaging\n   [X] pathology",
        ["Diagnostic imaging report", "History and physical", "Pathology report"],
    ),
    ("sent with ..... H & P, CT report", ["Diagnostic imaging report", "History and physical"]),
    ("ENCLOSED\n  1. PATHOLOGY\n  2. HISTORY AND PHYSICAL", ["History and physical", "Pathology report"]),
    ("Attached:\n  [X] imaging   [ ] history and physical", ["Diagnostic imaging report"]),
    # a fax has spoilt the box: that it was ticked is not known
    ("Attached\n  f | OFFICE NOTE / H&P     [X} IMAGING     [X] PLAN OF CARE", ["Diagnostic imaging report"]),
    ("Attached\n  [ ] OFFICE NOTE / H&P     [X] IMAGING", ["Diagnostic imaging report"]),
    ("Attached\n  [X] OFFICE NOTE / H&P     [ ] IMAGING", ["History and physical"]),
    ("Attached\n  H&P [X]   Pathology [ ]", ["History and physical"]),
    ("Attached: pathology.  H&P to follow", ["Pathology report"]),
    (
        "Attached?   H&P  Y (consult)     path  Y     imaging rpt  N",
        ["History and physical", "Pathology report"],
    ),
    ("Attached: none", []),
    ("Please remember that a history and physical is required.", []),
]


@pytest.mark.parametrize(("text", "titles"), LISTS)
def test_what_a_form_lists(text: str, titles: list[str]) -> None:
    assert names(told(text)) == titles


def test_the_page_and_the_words() -> None:
    (problem,) = told("Attached: H&P")
    assert (problem.file, problem.page, problem.code) == ("fax.pdf", 2, "announced_not_received")
    assert problem.message == "History and physical: announced as attached, not among the pages received"


def test_what_is_there_or_lacks_a_part_was_received() -> None:
    assert told("Attached: H&P", status="present") == told("Attached: H&P", status="incomplete") == ()
    assert told("Attached: CT report", others=("imaging_report",)) == ()


REFERENCES = [
    ("Treatment area: see attached CT report.", ["Diagnostic imaging report"]),
    ("Histology as per the attached pathology.", ["Pathology report"]),
    ("Please see attached.", []),
    ("The CT report was reviewed. See attached.", []),
    ("See attached for consent, and note that imaging and path are elsewhere.", []),
]


@pytest.mark.parametrize(("text", "titles"), REFERENCES)
def test_what_a_note_refers_to(text: str, titles: list[str]) -> None:
    assert names(told(text, kind="progress_note")) == titles


def test_a_note_lists_nothing() -> None:
    assert told("Attached: H&P", kind="progress_note") == ()


def test_another_patients_note_announces_nothing() -> None:
    assert told("See attached CT report.", kind="progress_note", own=False) == ()
