"""A worker of the simulated day: the real one, with the day's clock and disk, and stages that keep a log.

What the day is like stands in the folder DAY_WORLD, so that all processes agree: its clock, flags that are
files (`frozen`, `outage`, `full`), and `log`, a line for each thing done, of which `day_run` keeps its own
account.
"""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from flows import worker
from pipeline.cases import OnPage
from pipeline.domain import Case, CaseFile, Evaluation, EvaluatorInfo, Problem, Reading, Submission
from pipeline.errors import EvaluatorError
from pipeline.ledger import Ledger, open_ledger
from pipeline.settings import Settings
from pipeline.vault import Vault
from pipeline.working import Stages
from tests.crash_worker import criterion_of, page_of, pages_of, words_of

BAD = b"%PDF-1.7 locked "
PAGE_S = 0.004
_LOOK_S = 0.05


@dataclass(frozen=True)
class World:
    """The day as all of its processes see it."""

    folder: Path

    def now(self) -> datetime:
        """The day's time."""
        real, day, speed = map(float, (self.folder / "clock").read_text().split())
        return datetime.fromtimestamp(day + (time.time() - real) * speed, UTC)

    def set_clock(self, day: datetime, speed: float) -> None:
        beside = self.folder / "clock.part"
        beside.write_text(f"{time.time()!r} {day.timestamp()!r} {speed!r}")
        beside.replace(self.folder / "clock")

    def is_(self, flag: str) -> bool:
        return (self.folder / flag).exists()

    def raise_(self, flag: str) -> None:
        (self.folder / flag).touch()

    def lower(self, flag: str) -> None:
        (self.folder / flag).unlink(missing_ok=True)

    def wait_until_thawed(self) -> None:
        while self.is_("frozen"):
            time.sleep(_LOOK_S)

    def tell(self, what: str, submission_id: str) -> None:
        with (self.folder / "log").open("a") as log:
            log.write(f"{what} {submission_id}\n")

    def told(self) -> list[tuple[str, str]]:
        """(what, submission) in the order in which it happened."""
        path = self.folder / "log"
        lines = path.read_text().splitlines() if path.exists() else []
        return [(what, name) for what, _, name in (line.partition(" ") for line in lines)]

    def free(self, folder: Path) -> int:
        return 0 if self.is_("full") else shutil.disk_usage(folder).free


def world() -> World:
    return World(Path(os.environ["DAY_WORLD"]))


def open_day_ledger(settings: Settings) -> Ledger:
    """The ledger with the day's clock, its vault on the day's disk."""
    here = world()
    ledger = open_ledger(settings, clock=here.now)
    reserve = settings.min_free_mb * 2**20
    vault = Vault(ledger.vault.folder, settings.home / "opened", ledger.keys, reserve=reserve, free=here.free)
    return replace(ledger, vault=vault)


def day_stages(settings: Settings) -> Stages:
    here = world()

    def read(submission: Submission, after_page: OnPage) -> Reading:
        here.wait_until_thawed()
        (file,) = submission.files
        content = file.path.read_bytes()
        if content.startswith(BAD):
            problem = Problem(file.name, None, "encrypted", "It is locked.")
            return Reading((), (problem,), {file.name: 0})
        count = pages_of(content)
        pages = []
        for number in range(1, count + 1):
            time.sleep(PAGE_S)
            pages.append(page_of(file.name, number, words_of(content, number)))
            after_page(number, count)
        return Reading(tuple(pages), (), {file.name: count})

    def build(submission: Submission, reading: Reading) -> Case:
        files = tuple(
            CaseFile(file.name, file.sha256, file.media_type, reading.page_counts[file.name])
            for file in submission.files
        )
        if reading.problems:
            here.tell("unreadable", submission.id)
            return Case(submission.id, "parked", reading.problems, None, files)
        return Case(submission.id, "complete", (), None, files)

    def evaluate(case: Case) -> Evaluation:
        here.wait_until_thawed()
        if here.is_("outage"):
            here.tell("refused", case.case_id)
            raise EvaluatorError("It is out of order.", retryable=True)
        here.tell("answered", case.case_id)
        info = EvaluatorInfo("simulated", "1", "simulated@1")
        return Evaluation(info, "investigational", case.files[0].sha256[:8])

    return Stages(read, build, evaluate)


__all__ = ["BAD", "World", "criterion_of", "open_day_ledger", "world"]


def main() -> None:
    worker.main(day_stages, open_day_ledger)
