"""The main job on one page: pages become documents, documents give findings, findings are
checked against what the policy asks for, and the case goes to the rules evaluator.

`build_case` is the pure middle: no file and no network, and no clock but for the version of the
policy where the day of receipt is not known. What it needs from outside (the language pipeline, the
catalog) arrives in `Knowledge`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from importlib import metadata
from typing import TYPE_CHECKING, Literal

from pipeline.calibration import calibrated
from pipeline.catalog import Catalog
from pipeline.catalog.digest import knowledge_digest
from pipeline.catalog.policies import Policy
from pipeline.domain import (
    Case,
    CaseDocument,
    CaseFile,
    CasePage,
    Document,
    Maker,
    Page,
    PolicyRef,
    Problem,
    Reading,
    Submission,
)
from pipeline.errors import ConfigurationError, EvaluatorError, UnreadableFile, UsageError
from pipeline.legibility import capped, doubted, poor_pages
from pipeline.settings import Settings

if TYPE_CHECKING:
    from spacy.language import Language

    from pipeline.authors import Author
    from pipeline.catalog.documents import DocumentTypes
    from pipeline.pages import Workers


OnPage = Callable[[int, int], None]
Split = Callable[[Sequence[Page], "DocumentTypes"], tuple[tuple[Document, ...], tuple[Problem, ...]]]

_PACKAGE = "clinical-triage"
_UNANSWERED = "evaluator"  # code of the problem for which `evaluate` parks a case


@dataclass(frozen=True)
class Knowledge:
    """What the stages know: the catalog of `models/` and the language pipeline made from it.

    Both are loaded when first asked for: spaCy is not imported to read a page.
    """

    settings: Settings

    @cached_property
    def catalog(self) -> Catalog:
        return Catalog(self.settings.models_dir)

    @cached_property
    def maker(self) -> Maker:
        """What a case says that it was made by."""
        return Maker(metadata.version(_PACKAGE), knowledge_digest(self.settings.models_dir))

    def policy_on(self, received: date | None) -> Policy:
        """The version of the settings' policy in force on the day of receipt; today's if that is not known.

        Raises ConfigurationError where there is no such policy.
        """
        try:
            return self.catalog.policies.in_force(self.settings.policy, received or date.today())
        except UsageError as error:
            raise ConfigurationError("TRIAGE_POLICY names no policy.", next_step=error.next_step) from error

    @cached_property
    def nlp(self) -> Language:
        from pipeline.nlp import load_nlp

        return load_nlp(self.settings.models_dir)


def process(
    submission: Submission,
    knowledge: Knowledge,
    *,
    on_page: OnPage | None = None,
    workers: Workers | None = None,
) -> Case:
    """One submission, from its files to its evaluated case. `on_page` is told (pages done, pages in all);
    `workers` read the pages (see `reading_processes`) and are kept."""
    reading = read(submission, knowledge.settings, on_page=on_page, workers=workers)
    return evaluate(build_case(submission, reading, knowledge), knowledge.settings)


def reading_processes(settings: Settings) -> Workers:
    """What reads the pages of one submission after another; a context manager."""
    from pipeline.pages import reading_processes

    return reading_processes(settings)


def read(
    submission: Submission,
    settings: Settings,
    *,
    on_page: OnPage | None = None,
    workers: Workers | None = None,
) -> Reading:
    """All pages of a submission; what could not be read is told in `problems`."""
    from pipeline.pages import read_submission

    return read_submission(submission, settings, on_page=on_page, workers=workers)


def build_case(
    submission: Submission, reading: Reading, knowledge: Knowledge, *, split: Split | None = None
) -> Case:
    """Pages become documents, documents give findings, findings are checked for completeness.

    `split` stands in for the stage that makes documents of pages, where a person has cut them.
    """
    from pipeline.announced import announced_not_received
    from pipeline.authors import read_authors
    from pipeline.completeness import check_completeness
    from pipeline.documents import split_documents
    from pipeline.findings import extract_findings
    from pipeline.identity import identify
    from pipeline.information_request.ours import without_ours
    from pipeline.nlp import annotate
    from pipeline.request import check_request, read_request

    catalog = knowledge.catalog
    policy = knowledge.policy_on(submission.received)
    if not reading.pages:
        return _case(submission, reading, policy.ref, status="parked", problems=reading.problems)

    documents, announced = (split or split_documents)(without_ours(reading.pages), catalog.documents)
    patient, conflict, documents = identify(documents, catalog.identity)
    authors = read_authors(documents, catalog.authors)
    request = read_request(documents, catalog.request)
    annotated = annotate(knowledge.nlp, documents)
    extracted = extract_findings(annotated, request, catalog.findings)
    findings = calibrated(capped(doubted(extracted, reading.pages), reading.pages), catalog.calibration)
    request, contradictions = check_request(
        annotated, request, findings, catalog.request, catalog.findings.target.site_of_icd10
    )
    completeness = check_completeness(
        annotated, policy.required_documents, findings, conflict, catalog.elements
    )

    absent = announced_not_received(documents, completeness.documents, catalog.documents, catalog.request)
    problems = (*reading.problems, *announced, *absent, *contradictions, *poor_pages(reading.pages))
    case = _case(submission, reading, policy.ref, status=_status(problems), problems=problems)
    return replace(
        case,
        made_by=knowledge.maker,
        documents=tuple(
            _case_document(document, catalog.documents.loinc(document.type), authors[document.id])
            for document in documents
        ),
        patient=patient,
        request=request,
        findings=findings,
        completeness=completeness,
    )


def evaluate(case: Case, settings: Settings) -> Case:
    """The case with the rules evaluator's answer; parked with the reason where there is none."""
    if case.status == "parked":
        return case
    from pipeline.evaluation import evaluate as ask_evaluator

    try:
        return replace(case, evaluation=ask_evaluator(case, settings))
    except EvaluatorError as error:
        return unanswered(case, error, tries=error.tries)


def unanswered(case: Case, error: EvaluatorError, *, tries: int) -> Case:
    """The case parked because the rules evaluator, asked `tries` times, gave no usable answer."""
    told = f"{error} It was asked {tries} times." if tries > 1 else str(error)
    return park(case, Problem(None, None, _UNANSWERED, told))


def reopened(case: Case) -> Case:
    """A case as it was before the rules evaluator was asked in vain, record for record: the evaluator
    gets the same bytes under the same key. A case that is not parked for that stays as it is."""
    problems = tuple(problem for problem in case.problems if problem.code != _UNANSWERED)
    if case.status != "parked" or len(problems) == len(case.problems):
        return case
    return replace(case, status=_status(problems), problems=problems)


def park(case: Case, problem: Problem) -> Case:
    """The case put aside for a person, with the reason."""
    return replace(case, status="parked", problems=(*case.problems, problem))


def parked(submission: Submission, problem: Problem) -> Case:
    """The case of a submission that could not be worked at all: nothing received is lost."""
    return Case(
        case_id=submission.id,
        status="parked",
        problems=(problem,),
        policy=None,
        files=tuple(CaseFile(file.name, file.sha256, file.media_type, 0) for file in submission.files),
        received=submission.received,
    )


def _status(problems: Sequence[Problem]) -> Literal["complete", "partial"]:
    """Partial where something that was received could not be read. Other problems are told, not lost."""
    return "partial" if any(problem.code in UnreadableFile.CODES for problem in problems) else "complete"


def _case(
    submission: Submission,
    reading: Reading,
    policy: PolicyRef,
    *,
    status: Literal["complete", "partial", "parked"],
    problems: tuple[Problem, ...],
) -> Case:
    return Case(
        case_id=submission.id,
        status=status,
        problems=problems,
        policy=policy,
        files=tuple(
            CaseFile(file.name, file.sha256, file.media_type, reading.page_counts.get(file.name, 0))
            for file in submission.files
        ),
        pages=tuple(map(_case_page, reading.pages)),
        received=submission.received,
    )


def _case_page(page: Page) -> CasePage:
    return CasePage(
        file=page.file,
        page=page.number,
        source=page.source,
        rotation=page.rotation,
        blank=page.blank,
        duplicate_of=f"{page.duplicate_of[0]}#{page.duplicate_of[1]}" if page.duplicate_of else None,
        mean_confidence=page.mean_confidence,
        width=page.width,
        height=page.height,
    )


def _case_document(document: Document, loinc: str | None, author: Author) -> CaseDocument:
    return CaseDocument(
        id=document.id,
        file=document.file,
        type=document.type,
        loinc=loinc,
        title=document.title,
        first_page=document.first_page,
        last_page=document.last_page,
        confidence=document.confidence,
        pages=tuple(page.number for page in document.pages),
        service_date=document.service_date,
        belongs_to_patient=document.belongs_to_patient,
        text=document.printed,
        author=author.name,
        specialty=author.specialty,
    )
