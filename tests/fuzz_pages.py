"""2,000 broken files: none stops the run, none is lost. Run by `make fuzz`, not by `make test`.

Files of every kind that is accepted are broken at random (bytes changed, cut out, put in, copied) and read
in submissions of a hundred. The seed is fixed; another one or more files: FUZZ_SEED, FUZZ_FILES. Without
recognition, for what is broken is the files.
"""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from pathlib import Path

import page_samples as samples
import pytest

from pipeline.domain import Reading
from pipeline.intake.folder import receive
from pipeline.pages import read_submission
from pipeline.settings import load_settings

SEED, FILES = int(os.environ.get("FUZZ_SEED", "5")), int(os.environ.get("FUZZ_FILES", "2000"))
AT_ONCE = 100
PAGE_TIMEOUT_S = 10
SETTINGS = load_settings({"TRIAGE_OCR_ENGINE": "none", "TRIAGE_PAGE_TIMEOUT_S": str(PAGE_TIMEOUT_S)})


def whole_files(folder: Path) -> list[bytes]:
    """One file of each kind."""
    note = samples.text_pdf(folder / "note.pdf", pages=2)
    fax = samples.fax(note, (102, 98))
    for name, how in (
        ("g4.tif", {"compression": "group4"}),
        ("g3.tif", {"compression": "group3"}),
        ("raw.tif", {}),
    ):
        fax.save(folder / name, "TIFF", dpi=(102, 98), save_all=True, append_images=[fax], **how)
    fax.convert("L").save(folder / "scan.jpg")
    fax.save(folder / "scan.png")
    samples.turn_content(note, folder / "turned.pdf", 90)
    samples.image_pdf(folder / "scan.pdf", fax)
    return [path.read_bytes() for path in sorted(folder.iterdir())]


def broken(whole: bytes, chooser: random.Random) -> bytes:
    data = bytearray(whole)
    for _ in range(chooser.choice((1, 3, 10, 40, 200))):
        place, what = chooser.randrange(len(data)), chooser.random()
        if what < 0.6:
            data[place] = chooser.randrange(256)
        elif what < 0.75:
            del data[place : place + chooser.randrange(1, 30)]
        elif what < 0.9:
            data[place:place] = chooser.randbytes(chooser.randrange(1, 10))
        else:
            other = chooser.randrange(len(data))
            data[place : place + 20] = data[other : other + 20]
        data = data or bytearray(b"\0")
    return bytes(data)


def fates(reading: Reading) -> Counter[str]:
    """How many files were read whole, in part, or not."""
    read = {page.file for page in reading.pages}
    told = {problem.file for problem in reading.problems}
    files = reading.page_counts
    assert len(reading.pages) + len([problem for problem in reading.problems if problem.page]) == sum(
        files.values()
    )
    return Counter(
        "lost"
        if file not in read | told
        else "parked"
        if file not in read
        else "partial"
        if file in told
        else "done"
        for file in files
    )


@pytest.mark.slow
def test_nothing_that_is_sent_stops_the_run_or_is_lost(tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    whole, chooser = whole_files(tmp_path / "whole"), random.Random(SEED)
    total, codes, bugs, longest = Counter[str](), Counter[str](), Counter[str](), 0.0
    for batch in range(0, FILES, AT_ONCE):
        folder = tmp_path / f"{batch:05}"
        folder.mkdir()
        for number in range(batch, min(batch + AT_ONCE, FILES)):
            (folder / f"{number:05}.bin").write_bytes(broken(whole[number % len(whole)], chooser))
        start = time.perf_counter()
        reading = read_submission(receive([folder]), SETTINGS)
        longest = max(longest, time.perf_counter() - start)
        total += fates(reading)
        codes.update(problem.code for problem in reading.problems)
        bugs.update(problem.message for problem in reading.problems if "failed (" in problem.message)
    print(dict(total), dict(codes), f"slowest hundred {longest:.1f} s")  # noqa: T201  the target's report
    assert total["lost"] == 0
    assert total["done"] + total["partial"] + total["parked"] == FILES
    assert not bugs  # errors of our own that no part foresaw
