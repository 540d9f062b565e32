"""Made packets as exact text, worked to their case: who is in them, what is true, what the case says."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from fixtures.assemble import Recipe, assemble
from fixtures.make_packets import recipe
from fixtures.people import Cast
from fixtures.printing import print_packet
from fixtures.records import Packet
from fixtures.replies import people_of
from fixtures.scenario import scenarios
from fixtures.truth import expected
from pipeline.cases import Knowledge, build_case, evaluate
from pipeline.catalog.letters import Letters
from pipeline.domain import Case, Reading, Submission
from pipeline.information_request import InformationRequest, issued
from pipeline.information_request import draft_of as draft_of_case
from pipeline.intake.folder import receive
from pipeline.ocr import load
from pipeline.pages import read_pages
from pipeline.settings import Settings, load_settings

SETTINGS: Settings = load_settings({})
KNOWLEDGE = Knowledge(SETTINGS)
LETTERS: Letters = KNOWLEDGE.catalog.letters
TODAY = date(2026, 11, 23)
REFERENCE = "4KW7-M9XT-7N"

# What the gaps of the fixtures leave to be asked for; a complete packet is asked for its open fact.
ITEMS = {
    "no_history": "history_and_physical",
    "wrong_patient": "history_and_physical",
    "no_exam": "history_and_physical.physical_exam",
    "no_plan": "treatment_plan",
    "no_area": "treatment_plan.treatment_area",
}
# Scenarios that leave a fact open on which the outcome turns.
OPEN_FACTS = {"lung_stage_not_stated": "stage_group", "skin_without_biopsy": "behavior"}


@dataclass(frozen=True)
class Made:
    """A packet with its truth and its case."""

    recipe: Recipe
    people: Cast
    truth: dict[str, Any]
    submission: Submission
    reading: Reading
    case: Case

    @property
    def draft(self) -> InformationRequest | None:
        return draft_of(self.case)

    @property
    def request(self) -> InformationRequest:
        assert self.draft is not None
        return sent(self.draft)


def draft_of(case: Case) -> InformationRequest | None:
    """What the case's provider is asked for."""
    return draft_of_case(case, KNOWLEDGE.catalog)


def sent(draft: InformationRequest, reference: str = REFERENCE) -> InformationRequest:
    """The draft as sent on TODAY."""
    deadlines = LETTERS.deadlines(draft.policy.id, expedited=draft.expedited)
    return issued(draft, reference=reference, today=TODAY, deadlines=deadlines)


def wanted(made: Made) -> list[str]:
    """The codes of what the packet lacks, from its truth alone."""
    outcome, gap = made.truth["policy"]["outcome"], made.recipe.gap
    if outcome != "needs_information":
        return []
    lacking = [ITEMS[gap]] if gap in ITEMS else []
    name = made.recipe.scenario.name
    return lacking + ([OPEN_FACTS[name]] if name in OPEN_FACTS else [])


def recipe_of(scenario: str, gap: str, turn: int = 0) -> Recipe:
    """A digital packet of one file."""
    [story] = [story for story in scenarios() if story.name == scenario]
    base = recipe(f"{scenario}-{gap}", story, turn, turn, 7)
    return replace(base, gap=gap, render="digital", quirks=(), files=1)


@cache
def made(scenario: str, gap: str, turn: int = 0) -> Made:
    """The packet's case, from its text layer; each is worked once a session."""
    chosen = recipe_of(scenario, gap, turn)
    packet: Packet = assemble(chosen)
    rendered = print_packet(packet)
    with tempfile.TemporaryDirectory() as folder:
        for file in rendered:
            (Path(folder) / file.name).write_bytes(file.content)
        submission = receive([Path(folder)])
        reading = read_exactly(submission)
    case = evaluate(build_case(submission, reading, KNOWLEDGE), SETTINGS)
    return Made(chosen, people_of(chosen), expected(packet, rendered), submission, reading, case)


def read_exactly(submission: Submission) -> Reading:
    """The pages of a submission of text layers, read in this process."""
    read = [read_pages(file, load("none")) for file in submission.files]
    return Reading(
        pages=tuple(page for file in read for page in file.pages),
        problems=tuple(problem for file in read for problem in file.problems),
        page_counts={file.name: len(pages.pages) for file, pages in zip(submission.files, read, strict=True)},
    )
