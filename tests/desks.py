"""A reviewer's desk for tests: a ledger with one worked case, and somebody of every role."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from unittest.mock import patch

import uvicorn
from argon2 import PasswordHasher
from fastapi.testclient import TestClient
from fpdf import FPDF
from ledgers import ledger_settings

from pipeline.ledger import Arrival, Incoming, Ledger, claim, claim_sendings, open_ledger, receive
from pipeline.review import accounts
from pipeline.review.desk import desk
from pipeline.review.roles import Role
from pipeline.settings import Settings, load_settings
from pipeline.working import Stages, Worker, library_stages

PASSWORD = "seven-Badgers-88"
USERS = {
    "ida": Role.INTAKE,
    "nora": Role.REVIEWER,
    "max": Role.MEDICAL_DIRECTOR,
    "otto": Role.AUDITOR,
    "ada": Role.ADMIN,
}
LETTER = """SAMPLE VALLEY UROLOGY
HISTORY AND PHYSICAL                      Date of service: 03/02/2026
Patient: Testperson, Alma     DOB 02/03/1950

HISTORY OF PRESENT ILLNESS: 76 y/o woman with a 2.1 cm mass of the lung, right upper lobe.
PAST MEDICAL HISTORY: Hypertension. <script>alert('from the packet')</script>
PHYSICAL EXAMINATION: Abdomen soft, no mass. Lungs clear. Heart regular.
ASSESSMENT: Adenocarcinoma of the right upper lobe, cT2a N0 M0.
PLAN: CT-guided cryoablation of the 2.1 cm right upper lobe nodule, curative intent.
"""


@dataclass
class TestDesk:
    """What a test works on."""

    __test__ = False
    ledger: Ledger
    settings: Settings
    submission_id: str

    def client(self, name: str = "") -> TestClient:
        """A browser of that user's, logged in; of nobody's without a name. It follows no redirect."""
        client = TestClient(desk(self.ledger, self.settings), follow_redirects=False)
        if name:
            answer = client.post("/login", data={"name": name, "password": PASSWORD})
            assert answer.status_code == 303, answer.text
        return client


@contextmanager
def open_desk(home: Path, *packets: str | Path, kind: str = "sqlite") -> Iterator[TestDesk]:
    """A desk over worked cases, the first of them in `submission_id`; a packet is a text, which is printed
    on a page for each part between form feeds, or a folder of files."""
    cheap = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
    with (
        patch.object(accounts, "_hasher", lambda: cheap),
        ledger_settings(kind, home, workers="1") as settings,
        open_ledger(settings) as ledger,
    ):
        ids = [_worked(ledger, settings, packet, home / f"{n}.pdf") for n, packet in enumerate(packets)]
        for name, role in USERS.items():
            accounts.add(ledger, name, role, PASSWORD, actor="operator:test")
        yield TestDesk(ledger, settings, ids[0])


@cache
def _stages() -> Stages:
    """Made once: the language pipeline takes a second to load."""
    return library_stages(load_settings({"TRIAGE_WORKERS": "1"}))


@contextmanager
def served(desk_: TestDesk, port: int = 0) -> Iterator[str]:
    """The desk on a port of this machine; yields its address."""
    config = uvicorn.Config(
        desk(desk_.ledger, desk_.settings), host="127.0.0.1", port=port, log_config=None, access_log=False
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.05)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


def _worked(ledger: Ledger, settings: Settings, packet: str | Path, printed: Path) -> str:
    if isinstance(packet, Path):
        files = [
            Incoming(path.name, path) for path in sorted(packet.iterdir()) if path.name != "expected.json"
        ]
    else:
        _print(packet, printed)
        files = [Incoming("Testperson <b>Alma</b>.pdf", printed)]
    (receipt,) = receive(ledger, [Arrival(files, channel="test")])
    worker = Worker(ledger, settings, "test", stages=_stages())
    for held in claim(ledger, "test", 1):
        worker.work(held)
    for sending in claim_sendings(ledger, "test", 1):
        worker.send(sending)
    return receipt.submission_id


def _print(text: str, path: Path) -> None:
    pdf = FPDF(format="letter")
    pdf.set_font("Courier", size=10)
    for page in text.split("\f"):
        pdf.add_page()
        pdf.multi_cell(0, 5, page)
    path.parent.mkdir(parents=True, exist_ok=True)
    pdf.output(str(path))
