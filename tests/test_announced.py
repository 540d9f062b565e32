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


def told(text: str, *, status: str = "missing", kind: str = "pa_request_form") -> tuple[Problem, ...]:
    document = Document("d1", kind, "", (Page("fax.pdf", 2, "text", 0, 612, 792, text, ()),))
    required = {"history_and_physical": Requirement(status)}  # type: ignore[arg-type]  # a literal
    return announced_not_received([document], required, TYPES, RULES)


@pytest.mark.parametrize(
    "text",
    [
        "Attached:  H&P x   plan x   path x",
        "Documents joined\n   [X] history and physical   [X] imaging\n   [X] pathology",
        "sent with ..... H & P, CT report",
        "ENCLOSED\n  1. PATHOLOGY\n  2. HISTORY AND PHYSICAL",
    ],
)
def test_announced_and_not_received(text: str) -> None:
    (problem,) = told(text)
    assert (problem.file, problem.page, problem.code) == ("fax.pdf", 2, "announced_not_received")
    assert problem.message == "History and physical: announced as attached, not among the pages received"


@pytest.mark.parametrize(
    "text",
    [
        "Attached:\n  [X] imaging   [ ] history and physical",
        "Attached: pathology.  H&P to follow",
        "Please remember that a history and physical is required.",
        "Attached: pathology, imaging",
    ],
)
def test_not_announced(text: str) -> None:
    assert told(text) == ()


def test_what_is_there_or_lacks_a_part_was_received() -> None:
    assert told("Attached: H&P", status="present") == told("Attached: H&P", status="incomplete") == ()


def test_a_note_announces_nothing() -> None:
    assert told("Attached: H&P", kind="progress_note") == ()
