"""Stages for tests: they note what they were given, and fail where they are told to."""

from __future__ import annotations

from pipeline.cases import OnPage
from pipeline.domain import Case, CaseFile, Evaluation, EvaluatorInfo, Page, Reading, Submission
from pipeline.working import Stages

EMPTY = Reading(pages=(), problems=(), page_counts={})
MEETS = Evaluation(EvaluatorInfo("test", "1", "test@1"), "meets", "I.A")


class Recorded:
    """Each file is one blank page, each case complete, each evaluation "meets"; `error` is raised by the
    stage named `failing`."""

    def __init__(self, failing: str = "", error: Exception | None = None) -> None:
        self.calls: list[tuple[str, str]] = []
        self._failing, self._error = failing, error

    @property
    def stages(self) -> Stages:
        return Stages(self.read, self.build, self.evaluate)

    def recover(self) -> None:
        """Fail no more."""
        self._failing = ""

    def _note(self, stage: str, submission_id: str) -> None:
        self.calls.append((stage, submission_id))
        if stage == self._failing and self._error is not None:
            raise self._error

    def read(self, submission: Submission, after_page: OnPage) -> Reading:
        self._note("read", submission.id)
        after_page(1, 1)
        pages = tuple(
            Page(file.name, 1, "ocr", 0, 612.0, 792.0, "", (), blank=True) for file in submission.files
        )
        return Reading(pages, (), {file.name: 1 for file in submission.files})

    def build(self, submission: Submission, reading: Reading) -> Case:
        self._note("build", submission.id)
        files = tuple(CaseFile(file.name, file.sha256, file.media_type, 1) for file in submission.files)
        return Case(submission.id, "complete", (), None, files)

    def evaluate(self, case: Case) -> Evaluation:
        self._note("evaluate", case.case_id)
        return MEETS
