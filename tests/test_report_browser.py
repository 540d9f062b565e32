"""The report in a real browser: boxes stand on their words, links lead there and back, nothing else runs."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import browser
import numpy as np
import numpy.typing as npt
import page_samples as samples
import PIL.Image
import pytest
from browser import Browser
from report_samples import SETTINGS, TWO_LINES, case_of, evidence_in, plain, true_boxes, write_packet
from test_report import hostile_case

from pipeline.__main__ import main
from pipeline.case_json import from_json
from pipeline.domain import Box, Case, Field, Status, Submission
from pipeline.intake.folder import receive
from pipeline.report import write_report

pytestmark = pytest.mark.skipif(browser.executable() is None, reason=browser.HOW_TO_GET)


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("profile")) as window:
        yield window


@pytest.fixture(scope="module")
def submission(tmp_path_factory: pytest.TempPathFactory) -> Submission:
    return write_packet(tmp_path_factory.mktemp("packet"))


@pytest.fixture(scope="module")
def report(submission: Submission, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(case_of(submission), submission, tmp_path_factory.mktemp("report"))


def written(case: Case, submission: Submission, folder: Path) -> Path:
    path = folder / "report.html"
    write_report(case, submission, path, SETTINGS)
    return path


# --------------------------------------------------------------------------- boxes


class Seen(NamedTuple):
    """How a place of a page looks: shares of its pixels, and of those just around it."""

    ink: float
    bare_paper: float
    colour_around: float


def look(window: Browser, page_id: str, box: Box) -> Seen:
    """What stands in the window at `box`, in points of the page `page_id`; marks are not asked."""
    paper = f"#{page_id} .paper"
    window.evaluate(f"document.querySelector('{paper}').scrollIntoView({{block: 'start'}})")
    window.settle()
    left, top, width, _ = window.rectangle(paper)
    scale = width / samples.LETTER[0]
    image = np.asarray(window.screenshot(), dtype=np.int16)
    inside = crop(image, left, top, scale, box)
    beyond = Box(box.x0 - 9, box.top - 9, box.x1 + 9, box.bottom + 9)
    around = crop(image, left, top, scale, beyond).reshape(-1, 3)
    frame = 4.5  # the mark's own room and its edge
    near = crop(
        image, left, top, scale, Box(box.x0 - frame, box.top - frame, box.x1 + frame, box.bottom + frame)
    )
    coloured_around = coloured(around).sum() - coloured(near.reshape(-1, 3)).sum()
    return Seen(
        ink=float((inside.max(axis=2) < 110).mean()),
        bare_paper=float((inside.min(axis=2) > 250).mean()),
        colour_around=float(coloured_around / (len(around) - near[..., 0].size)),
    )


def crop(
    image: npt.NDArray[np.int16], left: float, top: float, scale: float, box: Box
) -> npt.NDArray[np.int16]:
    x0, x1 = round(left + box.x0 * scale), round(left + box.x1 * scale)
    y0, y1 = round(top + box.top * scale), round(top + box.bottom * scale)
    return image[y0:y1, x0:x1]


def coloured(pixels: npt.NDArray[np.int16]) -> npt.NDArray[np.bool_]:
    return np.asarray(pixels.max(axis=1) - pixels.min(axis=1) > 12)


def stands_on_words(seen: Seen) -> bool:
    """Dark ink on the pen's colour, and white paper around it."""
    return seen.ink > 0.04 and seen.bare_paper < 0.03 and seen.colour_around < 0.03


FAXES = {"a text page": ("a.pdf", "p1"), "upside down": ("b.tif", "p2"), "coarse": ("c.tif", "p5")}


@pytest.mark.parametrize("page", FAXES)
@pytest.mark.parametrize("quote", [TWO_LINES, "2.7 cm", "percutaneous cryoablation", "RIDGELINE"])
def test_boxes_stand_on_the_words_they_claim(
    page: str, quote: str, window: Browser, submission: Submission, tmp_path: Path
) -> None:
    file, page_id = FAXES[page]
    finding = Field("x", Status.FOUND, 0.9, evidence=(evidence_in(submission, quote, file),))
    window.open(written(only(case_of(submission), finding), submission, tmp_path), height=1000)
    for box in true_boxes(submission, quote):
        assert stands_on_words(look(window, page_id, box)), look(window, page_id, box)


@pytest.mark.parametrize(
    ("right", "down"), [(0, 14.3), (0, -14.3), (30, 0), (0, 5), (12, 0)], ids=lambda shift: f"{shift:+}"
)
def test_a_box_beside_its_words_would_be_noticed(
    right: float, down: float, window: Browser, submission: Submission, tmp_path: Path
) -> None:
    found = evidence_in(submission, "2.7 cm")
    [box] = found.boxes
    beside = Box(box.x0 + right, box.top + down, box.x1 + right, box.bottom + down)
    finding = Field("x", Status.FOUND, 0.9, evidence=(replace(found, boxes=(beside,)),))
    window.open(written(only(case_of(submission), finding), submission, tmp_path), height=1000)
    [true_box] = true_boxes(submission, "2.7 cm")
    assert not stands_on_words(look(window, "p1", true_box))


def only(case: Case, finding: Field) -> Case:
    """The case with one finding, and no other mark on a page."""
    bare = Case(case.case_id, case.status, (), case.policy, case.files, case.pages)
    return replace(bare, problems=case.problems, findings={"tumor_site": finding})


FINE, COARSE = (204, 196), (204, 98)
# How a fax arrives: resolution, turned by degrees clockwise, laid crooked by degrees.
ARRIVALS = {
    "fine": (FINE, 0, 0.0),
    "upside down": (FINE, 180, 0.0),
    "crooked": (FINE, 0, 1.2),
    "coarse": (COARSE, 0, 0.0),
    "coarse and crooked": (COARSE, 0, -0.8),
}


@pytest.mark.parametrize("arrival", ARRIVALS)
def test_boxes_of_a_recognised_fax_stand_on_the_words_they_quote(
    arrival: str, window: Browser, tmp_path: Path
) -> None:
    """The whole way: a fax is recognised, findings are made, and each quote's mark is where its glyphs are.

    One report for each quote: no other mark could stand there in its place.
    """
    dpi, turned, crooked = ARRIVALS[arrival]
    packet = write_packet(tmp_path / "in")
    fax, output = tmp_path / "fax.tif", tmp_path / "case.json"
    laid(packet.files[0].path, dpi, crooked).rotate(-turned, expand=True).save(fax, dpi=dpi)
    main(["run", str(fax), "--output", str(output), "--quiet"], {})
    case, submission = from_json(json.loads(output.read_text())), receive([fax])
    assert [(page.source, page.rotation) for page in case.pages] == [("ocr", turned)]
    words = {plain(word) for word, _ in samples.true_words(packet.files[0].path)}
    checked = set()
    for field in case.findings.values():
        for evidence in field.evidence[:1]:
            quote = evidence.quote
            if quote in checked or not {plain(word) for word in quote.split()} <= words:
                continue  # misread: there is no true place of such words
            checked.add(quote)
            one = Field("x", Status.FOUND, 0.9, evidence=(evidence,))
            window.open(written(only(case, one), submission, tmp_path), height=1000)
            for box in true_boxes(packet, quote):
                seen = look(window, "p1", turned_about_the_middle(box, crooked))
                assert stands_on_words(seen), (quote, seen)
    assert len(checked) >= 2


def laid(path: Path, dpi: tuple[float, float], crooked: float) -> PIL.Image.Image:
    """A text page as a fax, turned clockwise about its middle by a few degrees."""
    grey = PIL.Image.fromarray(samples.draw(path, FINE)).rotate(
        -crooked, PIL.Image.Resampling.BICUBIC, fillcolor=255
    )
    size = round(grey.width * dpi[0] / FINE[0]), round(grey.height * dpi[1] / FINE[1])
    return (
        grey.resize(size, PIL.Image.Resampling.BOX)
        .point(lambda level: 255 if level > 150 else 0)
        .convert("1")
    )


def turned_about_the_middle(box: Box, degrees: float) -> Box:
    """The upright box around a box turned clockwise with its page."""
    angle, (middle_x, middle_y) = math.radians(degrees), (side / 2 for side in samples.LETTER)
    corners = [(x - middle_x, y - middle_y) for x in (box.x0, box.x1) for y in (box.top, box.bottom)]
    xs = [middle_x + x * math.cos(angle) - y * math.sin(angle) for x, y in corners]
    ys = [middle_y + x * math.sin(angle) + y * math.cos(angle) for x, y in corners]
    return Box(min(xs), min(ys), max(xs), max(ys))


# --------------------------------------------------------------------------- links


def in_view(window: Browser, selector: str) -> bool:
    left, top, width, height = window.rectangle(selector)
    return top >= 0 and top + height <= 700 and left >= 0 and left + width <= 1366


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
def test_a_link_leads_to_the_box_and_the_box_back(script: bool, window: Browser, report: Path) -> None:
    window.open(report, script=script)
    for mark in ("m2", "m3", "m4"):
        window.click(f"a.place[href='#{mark}']")
        assert window.evaluate("location.hash") == f"#{mark}"
        assert in_view(window, f"#{mark}")
        assert window.evaluate(f"getComputedStyle(document.getElementById('{mark}')).outlineWidth") == "4px"
        row = str(window.evaluate(f"document.getElementById('{mark}').hash"))
        window.evaluate("document.querySelector('main').scrollTop = 0")
        window.click(f"#{mark}")
        assert window.evaluate("location.hash") == row
        assert in_view(window, row)
        assert in_view(window, f"#{mark}"), "the page stays where it is"


def test_every_line_of_a_marked_passage_is_emphasised(window: Browser, report: Path) -> None:
    window.open(report)
    window.click("a.place[href='#m2']")
    widths = (
        "[...document.querySelectorAll('.mark:has(#m2) a')].map(box => getComputedStyle(box).outlineWidth)"
    )
    assert window.evaluate(widths) == ["4px", "4px"]


def test_the_keyboard_reaches_an_answers_words_and_comes_back(window: Browser, report: Path) -> None:
    window.open(report)
    for _ in range(40):
        window.press("Tab", code=9)
        if window.evaluate("document.activeElement.getAttribute('href')") == "#m2":
            break
    window.press("Enter", code=13)
    assert window.evaluate("location.hash") == "#m2"
    assert in_view(window, "#m2")
    focused = window.evaluate("document.activeElement.id")
    if focused != "m2":  # the browser starts from the target of the link
        window.press("Tab", code=9)
        focused = window.evaluate("document.activeElement.id")
    assert str(focused).startswith("m")
    window.press("Enter", code=13)
    assert str(window.evaluate("location.hash")).startswith("#r")


def test_what_a_row_shows_lights_up_while_it_is_pointed_at(window: Browser, report: Path) -> None:
    window.open(report)
    window.evaluate(
        "document.querySelector('.row.finding h3').dispatchEvent(new Event('mouseover', {bubbles: true}))"
    )
    assert window.evaluate("[...document.querySelectorAll('.mark.glow a')].map(box => box.id)") == [
        "m2",
        "m2b1",
        "m4",
    ]


def test_marks_can_be_hidden(window: Browser, report: Path) -> None:
    window.open(report, script=False)
    window.click("#bare")
    assert window.evaluate("getComputedStyle(document.querySelector('.mark')).opacity") == "0"


def test_notes_beside_a_page_do_not_cover_one_another(window: Browser, report: Path) -> None:
    window.open(report)
    rectangles = (
        "[...document.querySelectorAll('.notes')].map(notes => [...notes.children]"
        ".map(note => [note.getBoundingClientRect().top, note.getBoundingClientRect().bottom]))"
    )
    for notes in window.evaluate(rectangles):
        assert all(one[1] <= other[0] + 1 for one, other in pairwise(notes))


# --------------------------------------------------------------------------- safety


def test_no_script_of_a_packet_runs_and_nothing_is_loaded(
    window: Browser, submission: Submission, tmp_path: Path
) -> None:
    window.open(written(hostile_case(submission), submission, tmp_path))
    window.settle()
    assert window.evaluate("typeof pwned") == "undefined"
    assert window.evaluate("document.scripts.length") == 1
    requested = [
        event["params"]["request"]["url"].split(":")[0]
        for event in window.events
        if event.get("method") == "Network.requestWillBeSent"
    ]
    assert set(requested) == {"file", "data"}
    assert requested.count("file") == 1


def test_the_policy_stops_a_script_that_escaping_let_through(
    window: Browser, report: Path, tmp_path: Path
) -> None:
    """A near miss: the same page with a packet's script in it, as if nothing had been escaped."""
    page = report.read_text("utf-8")
    broken = tmp_path / "broken.html"
    broken.write_text(
        page.replace("<main ", "<script>pwned=1</script><img src=x onerror=pwned=1><main ", 1), "utf-8"
    )
    window.open(broken)
    window.settle()
    assert window.evaluate("document.scripts.length") == 2
    assert window.evaluate("typeof pwned") == "undefined"


def test_the_browser_has_nothing_to_complain_of(window: Browser, report: Path) -> None:
    window.open(report)
    complaints = [
        event
        for event in window.events
        if event.get("method") in ("Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled")
    ]
    assert complaints == []
    assert window.evaluate("document.compatMode") == "CSS1Compat"


# --------------------------------------------------------------------------- legible

# Contrast of every text with what lies behind it (WCAG 2.2, 1.4.3), those below the least.
CONTRASTS = """
(() => {
  const channels = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const luminance = ([r, g, b]) => {
    const linear = (v) => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
    const [x, y, z] = [r, g, b].map(v => linear(v / 255));
    return .2126 * x + .7152 * y + .0722 * z;
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = channels(getComputedStyle(at).backgroundColor);
      if (colour.length < 4 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const poor = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let seen = 0;
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || ["SCRIPT", "STYLE"].includes(element.tagName)) continue;
    const style = getComputedStyle(element), size = parseFloat(style.fontSize);
    const one = luminance(channels(style.color)), other = luminance(behind(element));
    const ratio = (Math.max(one, other) + .05) / (Math.min(one, other) + .05);
    const large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
    seen += 1;
    if (ratio < (large ? 3 : 4.5)) poor.push([texts.currentNode.data.trim().slice(0, 30), ratio]);
  }
  return [seen, poor];
})()
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("target", ["", "#r1", "#m2"])
def test_contrast_is_enough(scheme: str, target: str, window: Browser, report: Path) -> None:
    window.open(report, scheme=scheme)
    window.evaluate(f"location.hash = '{target}'")
    seen, poor = window.evaluate(CONTRASTS)
    assert seen > 80
    assert poor == []


@pytest.mark.parametrize("width", [1920, 1366, 1024, 600])
def test_nothing_is_wider_than_the_window(width: int, window: Browser, report: Path) -> None:
    window.open(report, width=width)
    overflow = (
        "[...document.querySelectorAll('main, #packet')].map(part => part.scrollWidth - part.clientWidth)"
    )
    assert window.evaluate(overflow) == [0, 0]
    assert window.evaluate("document.documentElement.scrollWidth") <= width
