"""2,000 broken files: none stops the run, none is lost. Run by `make fuzz`, not by `make test`.

Files of every kind that is accepted are broken in the ways of `broken_files` and read in submissions of a
hundred; what was read is then made a case of. The seed is fixed; another one or more files: FUZZ_SEED,
FUZZ_FILES. Without recognition, for what is broken is the files.
"""

from __future__ import annotations

import json
import os
import random
import time
from collections import Counter
from pathlib import Path

import pytest
from broken_files import KINDS, whole_files

from pipeline.case_json import to_json
from pipeline.cases import Knowledge, build_case
from pipeline.domain import Reading
from pipeline.intake.folder import receive
from pipeline.pages import read_submission
from pipeline.settings import load_settings

SEED, FILES = int(os.environ.get("FUZZ_SEED", "5")), int(os.environ.get("FUZZ_FILES", "2000"))
AT_ONCE = 100
PAGE_TIMEOUT_S = 10
SETTINGS = load_settings({"TRIAGE_OCR_ENGINE": "none", "TRIAGE_PAGE_TIMEOUT_S": str(PAGE_TIMEOUT_S)})


def fates(reading: Reading) -> dict[str, str]:
    """Whether each file was read whole, in part, or not."""
    read = {page.file for page in reading.pages}
    told = {problem.file for problem in reading.problems}
    files = reading.page_counts
    assert len(reading.pages) + len([problem for problem in reading.problems if problem.page]) == sum(
        files.values()
    )
    return {
        file: "lost"
        if file not in read | told
        else "parked"
        if file not in read
        else "partial"
        if file in told
        else "done"
        for file in files
    }


def table(total: Counter[tuple[str, str]]) -> str:
    kinds = sorted({kind for kind, _ in total})
    fates = ("done", "partial", "parked", "lost")
    lines = [f"{kind:22}" + "".join(f"{total[kind, fate]:9}" for fate in fates) for kind in kinds]
    return "\n".join([" " * 22 + "".join(f"{fate:>9}" for fate in fates), *lines])


@pytest.mark.slow
def test_nothing_that_is_sent_stops_the_run_or_is_lost(tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    whole, chooser = list(whole_files(tmp_path / "whole").values()), random.Random(SEED)
    kinds = list(KINDS)
    total, codes, bugs, longest = Counter[tuple[str, str]](), Counter[str](), Counter[str](), 0.0
    knowledge = Knowledge(SETTINGS)
    for batch in range(0, FILES, AT_ONCE):
        folder = tmp_path / f"{batch:05}"
        folder.mkdir()
        for number in range(batch, min(batch + AT_ONCE, FILES)):
            # Every way to break meets every file, whatever their numbers have in common.
            kind = kinds[number % len(kinds)]
            content = KINDS[kind](whole[number // len(kinds) % len(whole)], chooser)
            (folder / f"{number:05} {kind}").write_bytes(content)
        start = time.perf_counter()
        submission = receive([folder])
        reading = read_submission(submission, SETTINGS)
        longest = max(longest, time.perf_counter() - start)
        total.update((file.split()[1], fate) for file, fate in fates(reading).items())
        codes.update(problem.code for problem in reading.problems)
        bugs.update(
            f"{problem.file}: {problem.message}"
            for problem in reading.problems
            if "failed (" in problem.message
        )
        json.dumps(to_json(build_case(submission, reading, knowledge)), ensure_ascii=False).encode()
    print(f"\n{table(total)}\n{dict(codes)}\nslowest hundred {longest:.1f} s")  # noqa: T201  the target's report
    assert sum(count for (_, fate), count in total.items() if fate == "lost") == 0
    assert total.total() == FILES
    assert not bugs  # errors of our own that no part foresaw
