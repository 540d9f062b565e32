"""How soon a long packet can be worked on at the desk.

    python benchmarks/bench_desk.py [--pages 60] [--times 5]

A standard fax of that many pages is read once by the pipeline (a minute or two), then its case is opened over
HTTP on loopback: the page itself; then the image of its first page with the six thumbnails beside it, which
is what a reviewer needs to begin, drawn for the first time and again; then a page in the middle. Where a
Chromium is found, the same in it: from the click to the first page on the screen.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import httpx
import page_set

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import browser
from desks import PASSWORD, TestDesk, open_desk, served

LINES = 12
BESIDE = 6  # thumbnails in sight
KIND = "fax_standard"


def packet(folder: Path, pages: int) -> Path:
    """A fax of different pages."""
    drawn = [replace(page, lines=page.lines[:LINES]) for page in page_set.make_pages(pages, 7)]
    folder.mkdir()
    (folder / "fax.pdf").write_bytes(page_set.as_images(drawn, KIND, 7).content)
    return folder


def timed(work: Callable[[], object]) -> float:
    """Milliseconds."""
    start = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - start)


def over_http(url: str, case: str, pages: int, times: int) -> list[tuple[str, float]]:
    """(what, milliseconds), the median of several where it can be repeated."""
    with httpx.Client(base_url=url, timeout=60) as client:
        client.post("/login", data={"name": "nora", "password": PASSWORD})

        def get(path: str) -> None:
            client.get(f"/cases/{case}{path}").raise_for_status()

        def first_sight() -> None:
            asked = ["/pages/0/1.png", *(f"/pages/0/{n}.png?size=thumb" for n in range(1, BESIDE + 1))]
            with ThreadPoolExecutor(6) as asking:
                list(asking.map(get, asked))

        first = timed(lambda: get(""))
        again = statistics.median(timed(lambda: get("")) for _ in range(times))
        return [
            ("the case page, for the first time", first),
            ("the case page, again", again),
            (f"first page and {BESIDE} thumbnails, for the first time", timed(first_sight)),
            ("the same, again", statistics.median(timed(first_sight) for _ in range(times))),
            ("a page in the middle, for the first time", timed(lambda: get(f"/pages/0/{pages // 2}.png"))),
        ]


def in_chromium(url: str, case: str, profile: Path, times: int) -> list[tuple[str, float]]:
    with browser.Browser(profile) as window:
        window.open(f"{url}/login")
        window.evaluate("document.getElementById('name').value = 'nora'")
        window.evaluate(f"document.getElementById('password').value = {PASSWORD!r}")
        window.click("form.stack button")

        def shown() -> None:
            window.open(f"{url}/cases/{case}", width=1500, height=900)
            window.evaluate("document.querySelector('.paper img').decode().then(() => 1)")

        first = timed(shown)
        return [
            ("Chromium: case with its first page on the screen", first),
            ("the same, again", statistics.median(timed(shown) for _ in range(times))),
        ]


def measured(desk: TestDesk, folder: Path, pages: int, times: int) -> list[tuple[str, float]]:
    with served(desk) as url:
        rows = over_http(url, desk.submission_id, pages, times)
        if browser.executable():
            rows += in_chromium(url, desk.submission_id, folder / "profile", times)
        return rows


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pages", type=int, default=60)
    parser.add_argument("--times", type=int, default=5)
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home)
        with open_desk(folder / "desk", packet(folder / "packet", chosen.pages)) as desk:
            desk.settings = replace(desk.settings, workers=2)
            rows = measured(desk, folder, chosen.pages, chosen.times)
    sys.stdout.write(f"| a fax of {chosen.pages} pages | ms |\n|---|---|\n")
    sys.stdout.write("".join(f"| {what} | {ms:.0f} |\n" for what, ms in rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
