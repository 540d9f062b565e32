"""A case over pages with known words, for the report: a text page, faxes turned and coarse, a blank."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import page_samples as samples
import PIL.Image

from pipeline.domain import (
    Alternative,
    Box,
    Case,
    CaseDocument,
    CaseFile,
    CasePage,
    Completeness,
    CriterionResult,
    Document,
    Element,
    Evaluation,
    EvaluatorInfo,
    Evidence,
    Field,
    IdentityConflict,
    Met,
    Missing,
    Patient,
    PolicyRef,
    Problem,
    Requirement,
    Status,
    Submission,
)
from pipeline.evidence import evidence_for
from pipeline.intake.folder import receive
from pipeline.ocr import load
from pipeline.pages import read_pages
from pipeline.settings import Settings, load_settings

WIDTH, HEIGHT = samples.LETTER
SETTINGS: Settings = load_settings({})
TWO_LINES = "lower pole of the\nright kidney"


def write_packet(folder: Path) -> Submission:
    """`a.pdf`, a text page; `b.tif`, the same page as a fax upside down, a blank page and a coarse fax."""
    folder.mkdir(parents=True, exist_ok=True)
    text = samples.text_pdf(folder / "a.pdf")
    upside_down = samples.fax(text).transpose(PIL.Image.Transpose.ROTATE_180)
    coarse = samples.fax(text, (204, 98))
    blank = PIL.Image.new("1", upside_down.size, 1)
    upside_down.save(folder / "b.tif", save_all=True, append_images=[blank], dpi=(204, 196))
    coarse.save(folder / "c.tif", dpi=(204, 98))
    return receive([folder])


def evidence_in(submission: Submission, quote: str, file: str = "a.pdf", page: int = 1) -> Evidence:
    """Evidence for words of the text page; on a fax of it they stand at the same place."""
    [text] = read_pages(submission.files[0], load("none")).pages
    document = Document("d1", "consultation", "", (text,))
    start = document.text.index(quote)
    found = evidence_for(document, start, start + len(quote), extractor="test")
    return replace(found, file=file, page=page)


def case_of(submission: Submission, **changes: Any) -> Case:
    """A case that shows all that a report can show."""
    kidney = evidence_in(submission, TWO_LINES)
    faxed = evidence_in(submission, "percutaneous cryoablation", "b.tif", 1)
    coarse = evidence_in(submission, "2.7 cm", "c.tif", 1)
    name = evidence_in(submission, "Marlow, Edwina")
    case = Case(
        case_id=submission.id,
        status="partial",
        problems=(Problem("b.tif", 3, "crashed", "Reading it failed. Look at it yourself."),),
        policy=PolicyRef("cryosurgical-ablation", "2023-02-01"),
        files=(
            CaseFile("a.pdf", "0", "application/pdf", 1),
            CaseFile("b.tif", "1", "image/tiff", 3),
            CaseFile("c.tif", "2", "image/tiff", 1),
        ),
        pages=(
            CasePage("a.pdf", 1, "text", 0, False, None, 1.0, WIDTH, HEIGHT),
            CasePage("b.tif", 1, "ocr", 180, False, "a.pdf#1", 0.5, WIDTH, HEIGHT),
            CasePage("b.tif", 2, "ocr", 0, True, None, None, WIDTH, HEIGHT),
            CasePage("c.tif", 1, "ocr", 0, False, None, 0.9, WIDTH, HEIGHT),
        ),
        documents=(
            CaseDocument("d1", "a.pdf", "consultation", None, "NOTE", 1, 1, 0.9, (1,), text="..."),
            CaseDocument(
                "d2", "c.tif", "treatment_plan", None, "", 1, 1, 0.9, (1,), belongs_to_patient=False
            ),
        ),
        patient=Patient(name=Field("Marlow, Edwina", Status.FOUND, 0.99, evidence=(name,))),
        findings={
            "tumor_site": Field(
                "kidney",
                Status.FOUND,
                0.7,
                evidence=(kidney,),
                alternatives=(Alternative("lung", "family", (coarse,)),),
            ),
            "procedure": Field("cryoablation", Status.FOUND, 0.95, evidence=(faxed,)),
            "t": Field(
                "T1A",
                Status.CONFLICTING,
                0.5,
                evidence=(coarse,),
                alternatives=(Alternative("T1B", "conflicting", (kidney,)),),
                basis="c",
            ),
            "intent": Field(),
        },
        completeness=Completeness(
            {
                "treatment_plan": Requirement(
                    "incomplete",
                    {
                        "procedure": Element(Met.MET, (faxed,)),
                        "treatment_area": Element(Met.MISSING),
                    },
                )
            },
            IdentityConflict(True, (name, coarse)),
        ),
        evaluation=Evaluation(
            EvaluatorInfo("embedded", "1", "p@1"),
            "needs_information",
            "I.C",
            (
                CriterionResult("I.C", "met", ("tumor_site",)),
                CriterionResult("I.F.1", "unknown", ("intent", "lung_stage"), ("stage_group", "t+n")),
            ),
            (Missing("treatment_plan.treatment_area", "Which lesion is treated, and where."),),
            needs_person=("Pages of another patient are in the packet.",),
        ),
    )
    return replace(case, **changes)


def true_boxes(submission: Submission, quote: str) -> list[Box]:
    """One box for each line of `quote`, from the glyphs of the text page themselves.

    Raises StopIteration where the words do not stand there one after the other.
    """
    words = [(plain(word), box) for word, box in samples.true_words(submission.files[0].path)]
    lines = []
    for line in quote.split("\n"):
        wanted = [plain(word) for word in line.split()]
        starts = range(len(words) - len(wanted) + 1)
        at = next(i for i in starts if [word for word, _ in words[i : i + len(wanted)]] == wanted)
        lines.append(samples.joined([box for _, box in words[at : at + len(wanted)]]))
    return lines


def plain(word: str) -> str:
    """The word without the marks around it."""
    return word.strip(".,;:")
