"""Whatever a packet, a reviewer or a provider's name says, no page of the desk takes it for markup."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import browser
import pytest
from browser import Browser
from desks import LETTER, PASSWORD, TestDesk, open_desk, served
from test_desk import correct, csrf_of
from test_desk_browser import complaints, wait_for

from pipeline.correspondence import requests_of
from pipeline.correspondence.listing import load_request
from pipeline.review.casefile import open_case

pytestmark = pytest.mark.skipif(browser.executable() is None, reason=browser.HOW_TO_GET)


def markup(source: str) -> str:
    """What would run, were it taken for markup; it says from where it came."""
    return f"<svg onload=pwned_{source}=1><script>pwned_{source}=1</script>"


ASKED = quote(markup("asked"))
PACKET = (
    LETTER.replace("Alma", "Alma <img src=x onerror=pwned_page=1>")
    .replace("SAMPLE VALLEY UROLOGY", f"SAMPLE VALLEY {markup('letterhead')}")
    .replace("Adenocarcinoma", "<svg onload=pwned_finding=1> Adenocarcinoma")
    .replace("cT2a N0 M0", "stage to be determined <script>pwned_staging=1</script>")
)
PAGES = {
    "": ("/login", f"/login?said={ASKED}"),
    "nora": (
        "/",
        f"/?find={ASKED}&reference={ASKED}",
        "/cases/{id}",
        "/cases/{id}/history",
        "/cases/{id}/request",
        "/cases/{id}/requests/{reference}",
        "/cases/{id}/documents/0/1",
        f"/cases/{ASKED}",
        f"/{ASKED}",
    ),
    "ida": ("/cases/{id}", "/cases/{id}/history"),
    "otto": ("/audit", f"/audit?case={ASKED}", "/cases/{id}"),
    "ada": ("/users",),
}
RAN = "Object.keys(window).filter(name => name.startsWith('pwned'))"
# What stands on which page as text. A packet's letterhead is on none, nor is markup in what the packet calls
# the patient, which is no part of a name; nor is whom a request went to, which the ledger has (below).
SHOWN = {
    ("nora", f"/?find={ASKED}&reference={ASKED}"): ["asked"],
    ("nora", "/cases/{id}"): ["finding", "patient", "reason"],
    ("nora", "/cases/{id}/request"): ["patient"],
    ("nora", "/cases/{id}/requests/{reference}"): ["patient"],
    ("otto", f"/audit?case={ASKED}"): ["asked"],
}
SAID = """[document.documentElement.textContent,
    ...Array.from(document.querySelectorAll('input'), one => one.value)].join(' ')"""
TAKEN_FOR_MARKUP = "document.querySelectorAll('svg[onload], img[onerror], script:not([src])').length"


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestDesk]:
    """A packet that says it everywhere, a reviewer who gives it as a reason, a provider of that name."""
    home = tmp_path_factory.mktemp("desk")
    with open_desk(home, PACKET) as desk:
        desk.settings = dataclasses.replace(desk.settings, request_folder=str(home / "requests"))
        nora = desk.client("nora")
        form = {"kind": "reject", "subject": "findings.laterality", "why": markup("reason")}
        assert correct(nora, desk, **form).status_code == 303
        # Of what a packet calls the patient, markup is no part; a person may type it.
        form = {"kind": "change", "subject": "patient.name", "after": f"Alma {markup('patient')}"}
        answer = correct(nora, desk, **form, words="Testperson, Alma", on="1", why="as it stands")
        assert answer.status_code == 303, answer.text
        file = open_case(desk.ledger, desk.submission_id)
        assert file is not None
        sent = nora.post(
            f"/cases/{desk.submission_id}/request",
            data={
                "csrf": csrf_of(nora),
                "version": file.version,
                "channel": "folder",
                "provider": markup("provider"),
                "address": f"5 {markup('address')} Road",
            },
        )
        assert sent.status_code == 303, sent.text
        yield desk


def test_no_page_takes_what_it_shows_for_markup(hostile: TestDesk, tmp_path: Path) -> None:
    (request,) = requests_of(hostile.ledger, submission_id=hostile.submission_id)
    ids = {"id": hostile.submission_id, "reference": request.reference}
    shown = {}
    _, to = load_request(hostile.ledger, hostile.submission_id, 1)
    assert (to.provider.name, to.address) == (markup("provider"), f"5 {markup('address')} Road")
    with served(hostile) as url, Browser(tmp_path / "profile") as window:
        for who, paths in PAGES.items():
            if who:
                window.open(f"{url}/login")
                window.evaluate(f"document.getElementById('name').value = {who!r}")
                window.evaluate(f"document.getElementById('password').value = {PASSWORD!r}")
                window.follow("form.stack button")
                wait_for(window, "location.pathname === '/' && document.querySelector('.who span') !== null")
            for path in paths:
                window.open(f"{url}{path.format(**ids)}")
                window.settle()
                assert window.evaluate(TAKEN_FOR_MARKUP) == 0, path
                assert window.evaluate(RAN) == [], path
                assert "went wrong" not in window.evaluate("document.body.innerText"), path
                text = window.evaluate(SAID)
                shown[who, path] = sorted(set(re.findall(r"=pwned_([a-z]+)", text)))
                # A refusal is told as one of the network; the content security policy's are not.
                assert [one for one in complaints(window) if "'source': 'network'" not in str(one)] == [], (
                    path
                )
    assert {page: said for page, said in shown.items() if said} == SHOWN
