"""A worker of the crash test: the real one, with stages that take their time and tell nothing but the truth.

What a page says, how many there are and how long they take follows from the file's bytes, so whoever works
a submission, however often, must come to the same case.
"""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

from flows import worker
from pipeline.cases import OnPage
from pipeline.domain import (
    Box,
    Case,
    CaseFile,
    Evaluation,
    EvaluatorInfo,
    Page,
    Reading,
    Submission,
    Word,
)
from pipeline.settings import Settings
from pipeline.working import Stages

LONGEST_PAGE_S = 0.5
WORDS = 40


def pages_of(content: bytes) -> int:
    """1 to 8."""
    return 1 + hashlib.sha256(content).digest()[0] % 8


def words_of(content: bytes, number: int) -> list[str]:
    """What a page says: no two pages of any two files alike."""
    seed = hashlib.sha512(content + bytes([number])).hexdigest() * 3
    return [f"w{seed[place : place + 6]}" for place in range(0, WORDS * 6, 6)]


def criterion_of(content: bytes) -> str:
    """The evaluator's answer."""
    return hashlib.sha256(content).hexdigest()[:8]


def simulated_stages(settings: Settings) -> Stages:
    asked = Path(os.environ["CRASH_ASKED"])

    def read(submission: Submission, after_page: OnPage) -> Reading:
        pages, counts = list[Page](), dict[str, int]()
        for file in submission.files:
            content = file.path.read_bytes()
            counts[file.name] = pages_of(content)
            for number in range(1, counts[file.name] + 1):
                time.sleep(LONGEST_PAGE_S * hashlib.sha256(content).digest()[number] / 255)
                pages.append(page_of(file.name, number, words_of(content, number)))
                after_page(number, counts[file.name])
        return Reading(tuple(pages), (), counts)

    def build(submission: Submission, reading: Reading) -> Case:
        files = tuple(
            CaseFile(file.name, file.sha256, file.media_type, reading.page_counts[file.name])
            for file in submission.files
        )
        return Case(submission.id, "complete", (), None, files)

    def evaluate(case: Case) -> Evaluation:
        with asked.open("a") as log:
            log.write(f"{case.case_id}\n")
        time.sleep(LONGEST_PAGE_S / 10)
        info = EvaluatorInfo("simulated", "1", "simulated@1")
        return Evaluation(info, "investigational", case.files[0].sha256[:8])

    return Stages(read, build, evaluate)


def page_of(file: str, number: int, texts: list[str]) -> Page:
    words, text = list[Word](), ""
    for place, word in enumerate(texts):
        box = Box(10.0 * place, 10.0, 10.0 * place + 9, 20.0)
        words.append(Word(word, box, len(text), len(text) + len(word)))
        text += f"{word} "
    return Page(file, number, "text", 0, 612.0, 792.0, text, tuple(words))


def main() -> None:
    worker.main(simulated_stages)
