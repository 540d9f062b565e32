"""A nurse's path through a faxed packet in a real browser: every answer lands on its ink."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

import browser
import numpy as np
import pytest
from browser import Browser
from desks import PASSWORD, TestDesk, open_desk, served

from fixtures.make_packets import recipes, truth_folder, write_packet
from pipeline.domain import Box
from pipeline.review import audit
from pipeline.review.casefile import open_case

pytestmark = pytest.mark.skipif(browser.executable() is None, reason=browser.HOW_TO_GET)

FIELDS = ("tumor_site", "t", "stage_group", "intent", "histology")
_SECONDS = 30


@dataclass
class Served:
    """A faxed packet on a desk, the truth about its pages, and the desk's address."""

    desk: TestDesk
    truth: dict[str, Any]
    url: str


@pytest.fixture(scope="module")
def fax(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    out = tmp_path_factory.mktemp("packets") / "made"
    (recipe,) = recipes(51, seed=1, only="lung_adenocarcinoma_ia")
    folder = write_packet(recipe, out)
    truth = json.loads((truth_folder(out) / f"{recipe.id}.json").read_text(encoding="utf-8"))
    with open_desk(tmp_path_factory.mktemp("desk"), folder) as desk, served(desk) as url:
        yield Served(desk, truth, url)


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("profile")) as window:
        yield window


def wait_for(window: Browser, expression: str) -> None:
    until = time.monotonic() + _SECONDS
    while not window.evaluate(expression):
        assert time.monotonic() < until, expression
        time.sleep(0.1)


def log_in(window: Browser, served: Served, name: str) -> None:
    window.open(f"{served.url}/login")
    window.evaluate(f"document.getElementById('name').value = {name!r}")
    window.evaluate(f"document.getElementById('password').value = {PASSWORD!r}")
    window.click("form.stack button")
    wait_for(window, "location.pathname === '/' && document.querySelector('.who span') !== null")


def show_case(window: Browser, served: Served, **look: Any) -> None:
    window.open(f"{served.url}/cases/{served.desk.submission_id}", **look)
    wait_for(window, "document.readyState === 'complete' && document.querySelector('.row') !== null")


def row_of(window: Browser, label: str) -> str:
    """The id of the row that has this label."""
    found = window.evaluate(
        "[...document.querySelectorAll('.row')].find(row => "
        f"row.querySelector('h3').textContent === {label!r})?.id"
    )
    assert found, label
    return str(found)


def words_in_truth(truth: dict[str, Any], page: int, area: Box) -> str:
    """The true words of a page whose middle lies in an area."""
    words = next(one for one in truth["pages"] if one["page"] == page)["words"]
    return " ".join(
        text
        for text, x0, top, x1, bottom in words
        if area.x0 <= (x0 + x1) / 2 <= area.x1 and area.top <= (top + bottom) / 2 <= area.bottom
    )


def letters(text: str) -> str:
    return "".join(char for char in text.casefold() if char.isalnum())


def shown_mark(window: Browser, row: str) -> tuple[int, Box, float]:
    """Clicks a row's place; (page, the mark's area in points, share of dark pixels under it)."""
    window.click(f"#{row} a.place")
    wait_for(window, "document.querySelector('.mark:target') !== null")
    mark = "document.querySelector('.mark:target')"
    wait_for(window, f"{mark}.closest('.paper').querySelector('img').complete")
    window.settle()
    page, width, height = window.evaluate(
        f"(p => [p.dataset.page, p.dataset.width, p.dataset.height].map(Number))({mark}.closest('.paper'))"
    )
    left, top, right, bottom = window.evaluate(
        f"(r => [r.left, r.top, r.right, r.bottom])({mark}.querySelector('rect').getBoundingClientRect())"
    )
    paper = window.evaluate(
        f"(r => [r.left, r.top, r.width, r.height])({mark}.closest('.paper').getBoundingClientRect())"
    )
    pixels = np.asarray(window.screenshot().convert("L"))[
        round(top) + 3 : round(bottom) - 3, round(left) + 3 : round(right) - 3
    ]
    assert pixels.size, "the mark is not in the window"
    x, y = width / paper[2], height / paper[3]
    area = Box((left - paper[0]) * x, (top - paper[1]) * y, (right - paper[0]) * x, (bottom - paper[1]) * y)
    return int(page), area, float((pixels < 110).mean())


def test_the_path_of_a_nurse(fax: Served, window: Browser) -> None:
    log_in(window, fax, "nora")
    window.click("tbody a")
    wait_for(window, "document.querySelector('.row') !== null")
    path = window.evaluate("location.pathname")
    window.open(f"{fax.url}{path}", width=1500, height=900)
    assert "criteria appear to be met" in window.evaluate("document.querySelector('h1').textContent")

    file = open_case(fax.desk.ledger, fax.desk.submission_id)
    assert file is not None
    for name in FIELDS:
        quote = file.case.findings[name].evidence[0].quote
        label = name.upper() if len(name) == 1 else name.replace("_", " ")
        page, area, ink = shown_mark(window, row_of(window, label))
        true = letters(words_in_truth(fax.truth, page, area))
        read = letters(quote.splitlines()[0])  # as recognition has it: CTIB for cT1b
        assert SequenceMatcher(None, read, true).ratio() >= 0.7, (name, read, true)
        assert ink > 0.03, (name, ink)

    # Another stage, with the words that show it marked on the page.
    row = row_of(window, "stage group")
    window.click(f"#{row} .correct summary")
    window.evaluate(f"document.querySelector('#{row} input[name=after]').value = 'IIIB'")
    window.evaluate(f"document.querySelector('#{row} input[name=why]').value = 'PET of today'")
    window.click(f"#{row} .mark-words")
    window.click(f"#{row} a.place")
    left, top, width, height = window.rectangle(".mark:target rect")
    drag(window, (left - 2, top - 2), (left + width + 2, top + height + 2))
    wait_for(window, f"document.querySelector('#{row} .quote').textContent.includes('“')")
    window.click(f"#{row} button[value=change]")
    wait_for(window, "document.querySelector('[role=status]') !== null")
    assert "criteria appear to be met" not in window.evaluate("document.querySelector('h1').textContent")
    assert "IIIB" in window.evaluate(
        f"document.querySelector('#{row_of(window, 'stage group')}').textContent"
    )

    told = [(entry.actor, entry.action) for entry in audit.entries(fax.desk.ledger)]
    for action in ("login", "case_viewed", "page_viewed", "corrected"):
        assert ("nora", action) in told
    assert audit.verify(fax.desk.ledger).whole
    assert not complaints(window)


def drag(window: Browser, start: tuple[float, float], end: tuple[float, float]) -> None:
    for kind, (x, y) in (("mousePressed", start), ("mouseMoved", end), ("mouseReleased", end)):
        window.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)
    window.settle()


def complaints(window: Browser) -> list[Any]:
    """What the page logged or threw: a violation of the content security policy would be among it."""
    return [
        event
        for event in window.events
        if event["method"] in ("Runtime.exceptionThrown", "Log.entryAdded")
        and "favicon" not in json.dumps(event)
    ]


def test_a_case_page_is_usable_within_a_second_and_works_by_keys(fax: Served, window: Browser) -> None:
    log_in(window, fax, "nora")
    show_case(window, fax, width=1500, height=900)
    for key, code, row in (("j", 74, 0), ("j", 74, 1), ("k", 75, 0)):
        window.press(key, code=code)
        nth = f"document.querySelectorAll('.row:not(.silent)')[{row}]"
        wait_for(window, f"document.activeElement === {nth}")
    before = window.rectangle(".paper")[2]
    window.click("[data-zoom=in]")
    assert window.rectangle(".paper")[2] > before


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_reads_well_by_light_and_in_the_dark(fax: Served, window: Browser, scheme: str) -> None:
    """Contrast of text against what is behind it: WCAG 2.2 AA asks for 4.5 (3 for large text)."""
    log_in(window, fax, "nora")
    show_case(window, fax, scheme=scheme)
    assert window.evaluate(_LOW_CONTRAST) == []
    unlabelled = (
        "[...document.querySelectorAll('input:not([type=hidden]), select, button, img')]"
        ".filter(e => !(e.labels?.length || e.textContent.trim() || e.hasAttribute('alt')"
        " || e.getAttribute('aria-label'))).map(e => e.outerHTML.slice(0, 80))"
    )
    assert window.evaluate(unlabelled) == []


_LOW_CONTRAST = """
(() => {
  const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
  const linear = (v) => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => .2126 * linear(r / 255) + .7152 * linear(g / 255) + .0722 * linear(b / 255);
  const behind = (e) => {
    for (; e; e = e.parentElement) {
      const c = rgb(getComputedStyle(e).backgroundColor);
      if (c.length < 4 || c[3] > 0) return c;
    }
    return [255, 255, 255];
  };
  const has_text = (e) => [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
  const low = [];
  for (const e of document.querySelectorAll("body *")) {
    if (e.closest("svg, .skip") || !has_text(e) || !e.getClientRects().length) continue;
    const style = getComputedStyle(e);
    const [a, b] = [light(rgb(style.color)), light(behind(e))].sort((x, y) => y - x);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
    if ((a + .05) / (b + .05) < (large ? 3 : 4.5)) low.push([e.tagName, e.textContent.trim().slice(0, 30)]);
  }
  return low;
})()
"""
