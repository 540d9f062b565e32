"""The round trip of a letter as a coarse fax, a hundred times (`make rejoin`; about 10 minutes on two cores).

A hundred requests are open at once. Each is answered by a fax at 204 x 98 dpi: skewed, speckled, under the
receiving machine's line, a third of them upside down, a quarter with half of the cover sheet lost, some with
the whole letter in it, the sheet twice, behind the records, or upside down among upright pages. The same
faxes are then matched without the plan's own pages, and against all requests but their own: those must find
none.
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from request_packets import KNOWLEDGE, LETTERS, Made, made, sent

from fixtures.replies import Reply, Top, fax_reply
from fixtures.scenario import scenarios
from pipeline.cases import build_case
from pipeline.domain import Reading
from pipeline.information_request.ours import is_ours
from pipeline.information_request.pdf import letter_pdf
from pipeline.information_request.reference import new_reference
from pipeline.intake.folder import receive
from pipeline.ocr import load
from pipeline.orphans import end_with_parent
from pipeline.pages import read_pages
from pipeline.rejoin import Known, Match, Seen, match, portrait_of, references_in

COUNT = int(os.environ.get("REJOIN_COUNT", "100"))
MOST = int(os.environ.get("REJOIN_MOST", str(COUNT)))  # so many of the replies, drawn; all requests are open
_NOTES = 20  # share in percent that come with the office's own sheet, which quotes the reference
_ISSUED = datetime(2026, 11, 23, 9, tzinfo=UTC)
_CAME = _ISSUED + timedelta(days=1)
_GAPS = ("no_plan", "no_area", "no_history", "no_exam", "wrong_patient")


def packets() -> list[Made]:
    """Packets that are asked for something, no two of one patient."""
    found = list[Made]()
    stories = [story for story in scenarios() if story.gaps]
    turn = 0
    while len(found) < COUNT:
        story = stories[turn % len(stories)]
        gap = story.gaps[turn % len(story.gaps)]
        if gap in _GAPS and (packet := made(story.name, gap, turn)).draft is not None:
            found.append(packet)
        turn += 1
    return found


def reply_to(packet: Made, number: int, reference: str) -> Reply:
    """How the office answers, by the number alone."""
    chooser = random.Random(f"variant:{number}")
    quotes = number % 100 >= 100 - _NOTES
    top: Top = "note" if quotes else chooser.choice(["cover", "cover", "cover", "letter"])
    edges = ["left", "right", "top", "bottom"]
    return Reply(
        recipe=packet.recipe,
        top=top,
        seed=str(number),
        turned=number % 3 == 0,
        covered=chooser.choice(edges) if top != "note" and number % 4 == 1 else "",  # type: ignore[arg-type]
        reference=reference,
        sheet_turned=number % 7 == 4,
        sheets=2 if number % 11 == 5 else 1,
        behind=number % 5 == 2,
    )


def read_fax(fax: bytes) -> Reading:
    """The pages of a fax, read in this process."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fax.pdf"
        path.write_bytes(fax)
        [file] = receive([path]).files
        pages, problems = read_pages(file, load("tesseract"))
    return Reading(pages, problems, {"fax.pdf": len(pages)})


@pytest.mark.slow
def test_round_trip() -> None:
    known, replies = list[Known](), list[Reply]()
    for number, packet in enumerate(packets()):
        draft = packet.draft
        assert draft is not None
        reference = new_reference(random.Random(f"reference:{number}").randrange)
        known.append(Known(sent(draft, reference), portrait_of(packet.case), _ISSUED))
        replies.append(reply_to(packet, number, reference))
    assert len({one.request.about.name for one in known}) > 0.9 * COUNT
    numbers = random.Random(0).sample(range(COUNT), MOST)
    faxes = (fax_reply(replies[n], letter_pdf(known[n].request, LETTERS)) for n in numbers)
    counts: dict[str, Counter[str]] = {}
    with ProcessPoolExecutor(2, initializer=end_with_parent) as pool:
        for number, reading in zip(numbers, pool.map(read_fax, faxes), strict=True):
            _tell(number, replies[number], reading, known, counts)
    for name, count in counts.items():
        sys.stdout.write(f"{name:32} {dict(count)}\n")
    whole, quoted, bare, other = (counts[name] for name in _NAMES)
    assert all(count["wrong"] == 0 for count in counts.values())
    assert whole["joined"] + quoted["joined"] >= 0.99 * len(numbers)
    assert bare["joined"] >= 0.9 * len(numbers)
    assert other["joined"] == 0


_NAMES = ("with the plan's sheets", "with the reference quoted", "records alone", "own request not open")


def _tell(
    number: int, reply: Reply, reading: Reading, known: list[Known], counts: dict[str, Counter[str]]
) -> None:
    """Match one fax in every way and count what became of it."""
    own = known[number]
    submission = receive([Path(__file__)])  # any: the case is only matched
    case = build_case(submission, reading, KNOWLEDGE)
    seen = references_in(reading, [one.reference for one in known])
    top = _NAMES[1] if reply.top == "note" else _NAMES[0]
    pages = reading.pages
    if reply.top == "note":
        pages = pages[:-1] if reply.behind else pages[1:]
    records = Reading(
        tuple(page for page in pages if not is_ours(page)), reading.problems, reading.page_counts
    )
    alone = build_case(submission, records, KNOWLEDGE)
    answers: list[tuple[str, Match]] = [
        (top, match(case, seen, known, LETTERS, received_at=_CAME)),
        (_NAMES[2], match(alone, Seen(), known, LETTERS, received_at=_CAME)),
        (
            _NAMES[3],
            match(alone, Seen(), [one for one in known if one is not own], LETTERS, received_at=_CAME),
        ),
    ]
    for name, answer in answers:
        right = answer.request is not None and answer.request.reference == own.reference
        told = "joined" if right else "wrong" if answer.request is not None else f"person: {answer.reason}"
        counts.setdefault(name, Counter())[told] += 1
        if name != _NAMES[3] and told != "joined":
            gap, by = reply.recipe.gap, answer.score
            sys.stdout.write(f"{number} {name}: {told} ({gap}, {reply.top}, {reply.covered}) {by}\n")
    for name in _NAMES:
        counts.setdefault(name, Counter())
    so_far = " ".join(f"{counts[name]['joined']}/{counts[name].total()}" for name in _NAMES)
    sys.stdout.write(f"{number}: {so_far}\n")
    sys.stdout.flush()
