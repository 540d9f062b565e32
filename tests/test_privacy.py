"""No text of a packet in clear outside the case: canaries are planted and looked for.

The flow runs once, in a process of its own so that what C libraries and child processes write to the
console is seen too; with logging at its most verbose, traces sent to a collector and evaluators that fail
in four ways. Then everything it left is searched: console, Prefect's home with its database and
write-ahead log, the home directory, temporary files, what the collector got, the metrics.
"""

from __future__ import annotations

import base64
import json
import os
import sqlite3
import stat
import subprocess
import sys
import urllib.parse
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Final

import pytest
from fpdf import FPDF
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from PIL import Image, ImageDraw, ImageFont
from test_tracing import collecting

# Made up, one word each, so that no line break can split one; with letters that JSON escapes.
CANARIES: Final = (
    "Quillfeäther",
    "Ambrosius",
    "ZQX-8841-7730",
    "4417-BARLEYCORN",
    "gooseberrylike",
    "hepatofrumious",
    "Wexlington",
)
TEXT_PAGE = """WEXLINGTON MEMORIAL CLINIC                         Wexlington Memorial
HISTORY AND PHYSICAL                    Date of service: 03/02/2026
Patient: Quillfeäther, Ambrosius        DOB: 02/03/1950
Member ID: ZQX-8841-7730                MRN: 4417-BARLEYCORN

HISTORY OF PRESENT ILLNESS: Mr. Quillfeäther has a 2.1 cm gooseberrylike mass of the left kidney.
PHYSICAL EXAMINATION: Abdomen soft. Lungs clear. Heart regular. A hepatofrumious border is felt.
ASSESSMENT: Clear cell renal cell carcinoma, left kidney, clinical stage T1a N0 M0.
PLAN: CT-guided cryoablation of the gooseberrylike mass, lower pole of the left kidney.
"""
SCANNED_PAGE = """TREATMENT PLAN

Patient: Ambrosius Quillfeather
Member ID: ZQX-8841-7730

Procedure: percutaneous cryoablation, CPT 50593
Treatment area: lower pole, left kidney
The gooseberrylike mass is 2.1 cm.
"""


# --------------------------------------------------------------------------- finding canaries


def forms(canary: str) -> dict[str, bytes]:
    """How a text may stand in a file: as it is, and as programs write it."""
    utf8 = canary.encode()
    plain = {
        "utf-8": utf8,
        "utf-16-le": canary.encode("utf-16-le"),
        "utf-16-be": canary.encode("utf-16-be"),
        "latin-1": canary.encode("latin-1"),
        "json": json.dumps(canary)[1:-1].encode(),
        "url": urllib.parse.quote(canary).encode(),
        "hex": utf8.hex().encode(),
        "repr": ascii(canary)[1:-1].encode(),
    }
    # Base64 writes three bytes as four characters, so a text stands in it in one of three ways;
    # characters that also depend on what stands around are left out.
    for before in range(3):
        own = utf8[-before % 3 :]
        plain[f"base64+{before}"] = base64.b64encode(own[: len(own) // 3 * 3])
    return plain


def leaks(content: bytes) -> set[str]:
    """The canaries in `content`, whatever their case, as "canary (form)"."""
    folded = content.lower()
    return {
        f"{canary} ({form})"
        for canary in CANARIES
        for form, written in forms(canary).items()
        if (written in content if form.startswith("base64") else written.lower() in folded)
    }


@pytest.mark.parametrize("canary", CANARIES)
@pytest.mark.parametrize("form", forms(CANARIES[0]))
def test_a_planted_canary_is_found(canary: str, form: str) -> None:
    content = b"\x00before " + forms(canary)[form] + b" after\xff"
    assert f"{canary} ({form})" in leaks(content)


@pytest.mark.parametrize("before", range(3))
def test_a_canary_inside_base64_is_found(before: int) -> None:
    content = base64.b64encode(b"-" * before + b"Ambrosius it is")
    assert any(leak.startswith("Ambrosius (base64") for leak in leaks(content))


def test_a_canary_in_upper_case_is_found() -> None:
    assert leaks(b"AMBROSIUS") >= {"Ambrosius (utf-8)"}
    assert leaks(b"Ambrose, gooseberry, ZQX-8841-7731") == set()


def test_a_canary_in_a_write_ahead_log_is_found(tmp_path: Path) -> None:
    path = tmp_path / "prefect.db"
    connection = sqlite3.connect(path)
    connection.execute("pragma journal_mode=wal")
    connection.execute("create table t (c text)")
    connection.commit()
    connection.execute("insert into t values (?)", (CANARIES[0],))
    connection.commit()
    found = leaks(path.with_name("prefect.db-wal").read_bytes())
    connection.close()
    assert f"{CANARIES[0]} (utf-8)" in found


# --------------------------------------------------------------------------- the run


@dataclass(frozen=True)
class Run:
    """What the run left behind."""

    folder: Path
    outcomes: list[str]
    stdout: bytes
    stderr: bytes
    traces: list[bytes]
    metrics: bytes

    @property
    def store(self) -> Path:
        return self.folder / "home" / "triage"


def write_packet(path: Path) -> Path:
    """A page with a text layer and a scanned one; the sender's name for it names the patient."""
    image = Image.new("L", (1275, 1650), 255)
    font = ImageFont.load_default(size=28)
    ImageDraw.Draw(image).multiline_text((120, 120), SCANNED_PAGE, font=font, fill=0, spacing=14)
    pdf = FPDF(unit="pt", format="letter")
    pdf.add_page()
    pdf.set_font("Courier", size=9)
    pdf.multi_cell(0, 12, TEXT_PAGE)
    pdf.add_page()
    pdf.image(image, x=0, y=0, w=612, h=792)
    pdf.output(str(path))
    return path


class Echo(BaseHTTPRequestHandler):
    """Answers /500, /400 and /200 with that code and what it was sent, as its own words too."""

    def do_POST(self) -> None:
        sent = self.rfile.read(int(self.headers["Content-Length"]))
        answer = json.dumps({"message": sent.decode(), "outcome": sent.decode()})
        self.send_response(int(self.path.split("/")[1]))
        self.end_headers()
        self.wfile.write(answer.encode())

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def echoing() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("privacy")
    inbox, home, temporary = (folder / name for name in ("inbox", "home", "tmp"))
    for path in (inbox, home, temporary):
        path.mkdir()
    packet = write_packet(inbox / "Quillfeather, Ambrosius.pdf")
    (inbox / "words.txt").write_text(f"{TEXT_PAGE}\n{SCANNED_PAGE}", encoding="utf-8")
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("TRIAGE_", "XDG_"))},
        "HOME": str(home),
        "TMPDIR": str(temporary),
        "TRIAGE_HOME": str(home / "triage"),
        "TRIAGE_WORKERS": "1",
        "PREFECT_LOGGING_LEVEL": "DEBUG",
        "PREFECT_SERVER_LOGGING_LEVEL": "DEBUG",
        "PREFECT_INTERNAL_LOGGING_LEVEL": "DEBUG",
    }
    with echoing() as url, collecting() as (collector, got):
        environment["TRIAGE_OTLP_ENDPOINT"] = collector
        urls = ["http://127.0.0.1:9", f"{url}/500", f"{url}/400", f"{url}/200"]
        command = [sys.executable, "-m", "tests.canary_run", str(packet), str(inbox / "words.txt"), *urls]
        done = subprocess.run(
            command, cwd=Path(__file__).parent.parent, env=environment, capture_output=True, timeout=300
        )
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    metrics = subprocess.run(
        [sys.executable, "-m", "pipeline", "metrics"], env=environment, capture_output=True, check=True
    )
    traces = [body for _, body in got]
    return Run(folder, done.stdout.decode().splitlines(), done.stdout, done.stderr, traces, metrics.stdout)


def test_every_failure_is_parked_and_a_bug_is_raised(run: Run) -> None:
    """Both pages were read each time: without that, nothing found would mean nothing."""
    assert run.outcomes == ["parked 2"] * 4 + ["ExceptionGroup 0"]


def test_logging_was_verbose(run: Run) -> None:
    lines = run.stderr.decode()
    for name in ("INFO pipeline", "DEBUG prefect"):
        assert name in lines
    told = [json.loads(line) for line in lines.splitlines() if line.startswith("{")]
    logged = {(line["level"], line["logger"]) for line in told}
    assert {("DEBUG", "pdfminer.psparser"), ("WARNING", "spacy"), ("WARNING", "prefect.flow_runs")} <= logged
    assert any("UserWarning at" in line["message"] for line in told)
    bug = next(line for line in told if line["logger"] == "pipeline.working" and "traceback" in line)
    assert bug["submission"] in bug["message"]
    assert bug["worker"]


def test_nothing_in_the_traces(run: Run) -> None:
    sent = [ExportTraceServiceRequest.FromString(body) for body in run.traces]
    spans = [
        span
        for one in sent
        for whole in one.resource_spans
        for in_ in whole.scope_spans
        for span in in_.spans
    ]
    assert Counter(span.name for span in spans) == {
        "submission": 5,
        "read": 5,
        "build": 5,
        "delivery": 10,
        "evaluate": 10,
    }
    errors = {a.value.string_value for span in spans for a in span.attributes if a.key == "error.type"}
    assert {"ExceptionGroup", "EvaluatorError"} <= errors
    assert leaks(b"\n".join(run.traces)) == set()


def test_nothing_in_the_metrics(run: Run) -> None:
    assert b'triage_stage_seconds_count{stage="read"} 5.0' in run.metrics
    assert leaks(run.metrics) == set()


def test_nothing_on_the_console(run: Run) -> None:
    assert leaks(run.stdout) == set()
    assert leaks(run.stderr) == set()


def test_nothing_in_any_file(run: Run) -> None:
    """The vault and the ledger hold the packet and all that was read of it: sealed."""
    found = {
        str(path.relative_to(run.folder)): leaks(path.read_bytes()) | leaks(str(path.name).encode())
        for path in run.folder.rglob("*")
        if path.is_file() and not path.is_relative_to(run.folder / "inbox")
    }
    assert {"home/triage/prefect/prefect.db", "home/triage/ledger.db"} <= found.keys()
    assert len(list((run.store / "vault").iterdir())) == 1
    assert {path: leak for path, leak in found.items() if leak} == {}


def test_only_the_owner_may_look(run: Run) -> None:
    folders = [run.store, *(path for path in run.store.iterdir() if path.is_dir())]
    assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in folders} == dict.fromkeys(
        ("triage", "vault", "keys", "opened", "prefect"), 0o700
    )
    for path in ("prefect/prefect.db", "ledger.db", "keys/keys"):
        assert stat.S_IMODE((run.store / path).stat().st_mode) == 0o600


def test_nothing_in_the_stores_names(run: Run) -> None:
    names = [str(path.relative_to(run.store)) for path in run.store.rglob("*")]
    assert leaks("\n".join(names).encode()) == set()


def test_prefect_recorded_what_happened(run: Run) -> None:
    """All states arrived before the API was stopped, and say where a failure was."""
    with sqlite3.connect(run.store / "prefect" / "prefect.db") as connection:
        flows = connection.execute("select state_name from flow_run order by created").fetchall()
        tasks = connection.execute(
            "select task_key, state_name, count(*) from task_run group by 1, 2"
        ).fetchall()
        messages = connection.execute("select distinct message from task_run_state").fetchall()
    connection.close()
    assert [name for (name,) in flows] == ["Parked"] * 4 + ["Failed"]
    assert {(key.split("-")[0], name): count for key, name, count in tasks} == {
        ("work", "Completed"): 4,
        ("work", "Failed"): 1,
    }
    assert any("work failed with ExceptionGroup at canary_run.py:" in message for (message,) in messages)


def test_the_api_left_no_trace_on_the_console(run: Run) -> None:
    assert b"CancelledError" not in run.stderr
    assert b"Traceback" not in (run.store / "prefect" / "server.log").read_bytes()
