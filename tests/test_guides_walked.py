"""Every command of the guides, run as it stands there, in the order of the page, with the files that the page
speaks of. What is not run here is run by another test or a longer target: `ELSEWHERE` says by which.
"""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Final

import httpx
import pytest
from desks import LETTER, TestDesk, open_desk
from guides import GUIDES, ROOT, lines, settings_blocks, words
from ledgers import KEYS
from PIL import Image

from fixtures.assemble import assemble
from fixtures.make_packets import demo_recipe
from fixtures.printing import print_packet
from pipeline.__main__ import main
from pipeline.errors import ExitCode
from pipeline.ledger import items
from pipeline.review import accounts, sessions
from pipeline.settings import load_settings

PASSWORD: Final = "seven-Badgers-88"
NAMES: Final = [guide.relative_to(ROOT).as_posix() for guide in GUIDES]

# What begins so is run elsewhere: tests/FILE, or `make TARGET` where it takes minutes.
ELSEWHERE: Final = {
    "triage serve": "test_serve.py",
    "triage deploy": "test_deploy.py",  # and `make prefect`
    "triage desk": "test_guides_walked.py",  # what answers over HTTP: below
    "triage intake": "test_guides_walked.py",
    "triage serve-evaluator": "test_evaluator_server.py",
    "triage check-evaluator": "test_evaluator_server.py",
    "triage run packet-folder --flow": "test_flow.py",
    "python -m fixtures.make_packets OUT": "test_fixtures.py",
    "triage audit verify --head HEAD": "test_desk.py",  # of a trail that is all its own
}
# Guides whose commands have a test of their own.
OWN: Final = {"docs/quick-start.md": "test_quick_start.py"}


@dataclass
class Reader:
    """Somebody at a terminal who follows a guide; `stands_for` is what they put in the place of its names,
    `reply` the submission that answers a request."""

    folder: Path
    environ: dict[str, str]
    stands_for: dict[str, str]
    reply: str
    told: dict[str, str] = field(default_factory=dict)

    def follow(self, line: str, capsys: pytest.CaptureFixture[str]) -> ExitCode:
        """Run one line of a guide."""
        arguments = words(line)
        if arguments[:3] == ["triage", "request", "join"]:
            arguments[3] = self.reply
        for name, value in self.stands_for.items():
            arguments = [re.sub(rf"\b{re.escape(name)}\b", value, word) for word in arguments]
        program, *rest = arguments
        if program == "export":
            name, _, value = rest[0].partition("=")
            self.environ[name] = value
            return ExitCode.DONE
        if program != "triage":
            program = sys.executable if program == "python" else str(shutil.which(program))
            done = subprocess.run([program, *rest], cwd=self.folder, env={"PYTHONPATH": str(ROOT)})
            return ExitCode(done.returncode)
        capsys.readouterr()
        code = main(rest, self.environ)
        told = self.told[line] = capsys.readouterr().out
        if rest[:2] == ["webhook", "add"]:
            self.stands_for["ID"] = told.split()[0]
        return ExitCode(code)


def printed(folder: Path, gap: str) -> Path:
    """A packet of `make demo` with a text layer; what a fax costs is not looked at here."""
    folder.mkdir(parents=True)
    for file in print_packet(assemble(replace(demo_recipe(gap), render="digital", quirks=()))):
        (folder / file.name).write_bytes(file.content)
    return folder


def accept_intent(desk: TestDesk) -> None:
    """A reviewer confirms one value, so that there is something to export."""
    client, place = desk.client(), f"/api/v1/cases/{desk.submission_id}"
    nora = accounts.user(desk.ledger, "nora")
    assert nora is not None
    headers = {"Authorization": f"Bearer {sessions.begin(desk.ledger, nora, program=True)}"}
    headers["If-Match"] = client.get(place, headers=headers).headers["ETag"]
    said = {"kind": "accept", "subject": "findings.intent"}
    assert client.post(f"{place}/corrections", json=said, headers=headers).status_code == 201


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    """With the files that the guides speak of, and a queue in which two submissions are done."""
    folder, home = tmp_path_factory.mktemp("reader"), tmp_path_factory.mktemp("home")
    incomplete = printed(folder / "demo-output" / "incomplete", "no_exam")
    (fax,) = incomplete.iterdir()
    shutil.copy(fax, folder / "fax.pdf")
    for place in ("packet-folder", "packet", "demo-output/packet", "inbox/second"):
        shutil.copytree(incomplete, folder / place)
    Image.new("L", (1700, 2200), 255).save(folder / "labs.tif", dpi=(200, 200))
    (folder / "notes.jsonl").write_text('{"id": "a", "text": "Right renal mass, 3.2 cm."}\n')
    (folder / "models").symlink_to(ROOT / "models")
    labelled = [sys.executable, "-m", "fixtures.make_packets", "labelled-folder", "--only", "s000"]
    subprocess.run(labelled, cwd=folder, env={"PYTHONPATH": str(ROOT)}, check=True, capture_output=True)
    environ = {
        "TRIAGE_HOME": str(home),
        "TRIAGE_KEYS": KEYS,
        "TRIAGE_WORKERS": "1",
        "TRIAGE_REQUEST_FOLDER": str(folder / "outgoing"),
        "TRIAGE_WEBHOOK_HOSTS": "hooks.plan.example",
    }
    with open_desk(home, incomplete, LETTER) as desk:
        submission = desk.submission_id
        accept_intent(desk)
        (reply,) = {item.id for item in items(desk.ledger)} - {submission}
    assert main(["request", "send", submission, "--to", "(614) 555-0101"], environ) == ExitCode.DONE
    (parcel,) = (folder / "outgoing").iterdir()
    reference = parcel.name.rpartition("-")[0]
    names = {
        "SUBMISSION": submission,
        "REFERENCE": reference,
        "4KW7-M9XT-7N": reference,
        "ID@VERSION": "cryosurgical-ablation@2023-02-01",
        "30": "1",  # packets enough to follow the page by
    }
    return Reader(folder, environ, names, reply)


def made(line: str) -> list[Path]:
    """The files and folders that a line says it writes."""
    named = words(line)
    return [
        Path(path)
        for option, path in pairwise(named)
        if option in ("--output", "--output-dir", "--report", "--images", "--differences") and path != "-"
    ]


def elsewhere(line: str) -> str | None:
    return next((test for begin, test in ELSEWHERE.items() if " ".join(words(line)).startswith(begin)), None)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in OWN and lines(ROOT / name)])
def test_every_command_does_what_it_says(
    name: str, reader: Reader, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(reader.folder)
    follower = replace(reader, environ=dict(reader.environ), stands_for=dict(reader.stands_for), told={})
    shutil.rmtree(reader.folder / "OUT", ignore_errors=True)
    number = NAMES.index(name)
    follower.stands_for |= {user: f"{user}{number}" for user in ("nora", "portal", "claims-system")}
    for line in lines(ROOT / name):
        if elsewhere(line):
            continue
        monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\n"))
        assert follower.follow(line, capsys) == ExitCode.DONE, (line, capsys.readouterr().err)
        assert [path for path in made(line) if not path.exists()] == [], line


def test_what_is_run_elsewhere_is() -> None:
    """Each entry is of use, and its test starts that command."""
    told = [" ".join(words(line)) for name in NAMES for line in lines(ROOT / name)]
    for begin, test in ELSEWHERE.items():
        assert any(line.startswith(begin) for line in told), begin
        assert (ROOT / "tests" / test).is_file()
    for name, test in OWN.items():
        assert Path(name).name in (ROOT / "tests" / test).read_text(encoding="utf-8")


# --------------------------------------------------------------------------- servers


@contextmanager
def answering(line: str, folder: Path, environ: dict[str, str]) -> Iterator[Callable[[], str]]:
    """A server of a guide, started as the line says but at a port that is free; yields what waits until it
    is there, and says where."""
    program = [sys.executable, "-m", "pipeline", *words(line)[1:], "--port", "0"]
    running = subprocess.Popen(program, cwd=folder, env=environ, stdout=subprocess.PIPE, text=True)

    def place() -> str:
        assert running.stdout is not None
        found = re.search(r"https?://\S+?:\d+", running.stdout.readline())
        assert found is not None, line
        return found[0]

    try:
        yield place
    finally:
        running.terminate()
        assert running.wait(20) == ExitCode.DONE, line


def test_the_servers_of_the_guides_answer(tmp_path: Path) -> None:
    """Each once, all at the same time; over TLS where the line says so."""
    told = {re.sub(r"\s+#.*", "", line) for name in NAMES for line in lines(ROOT / name)}
    served = {line for line in told if line.startswith(("triage desk", "triage intake"))}
    assert len(served) == 3, served
    environ = {"PYTHONPATH": str(ROOT), "TRIAGE_HOME": str(tmp_path / "home"), "TRIAGE_KEYS": KEYS}
    certificate = "-x509 -newkey rsa:2048 -nodes -keyout intake.key -out intake.pem -days 2 -subj /CN=intake"
    made = subprocess.run(["openssl", "req", *certificate.split()], cwd=tmp_path, capture_output=True)
    assert made.returncode == 0
    assert main(["ledger", "balance", "--quiet"], environ) == ExitCode.DONE  # the tables, once
    with ExitStack() as stack:
        started = {line: stack.enter_context(answering(line, tmp_path, environ)) for line in sorted(served)}
        at = {line: place() for line, place in started.items()}
        for line, place in at.items():
            assert place.startswith("https" if "--tls-cert" in line else "http:"), line
            port = place.rpartition(":")[2]
            ready = httpx.get(f"{place.partition(':')[0]}://127.0.0.1:{port}/health/ready", verify=False)
            assert ready.json() == {"ready": True, "problems": []}, line


# --------------------------------------------------------------------------- settings


BLOCKS: Final = [(name, text) for name in NAMES for text in settings_blocks(ROOT / name)]


def test_the_guides_have_settings() -> None:
    assert {name for name, _ in BLOCKS} >= {"docs/channels.md", "docs/intake-api.md", "docs/desk-api.md"}


@pytest.mark.parametrize(("name", "text"), BLOCKS, ids=[f"{name}-{n}" for n, (name, _) in enumerate(BLOCKS)])
def test_settings_can_be_pasted(name: str, text: str) -> None:
    """One a line, nothing behind it: a shell, systemd and `deploy/triage` take them alike."""
    environ = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            key, _, value = line.partition("=")
            quoted = re.fullmatch(r"'([^']*)'", value)
            assert quoted or re.fullmatch(r"[^\s'\"$\\#]+", value), line
            environ[key] = quoted[1] if quoted else value
    settings = load_settings({key: value.replace("...", "x" * 32) for key, value in environ.items()})
    for key in environ:
        assert getattr(settings, key.removeprefix("TRIAGE_").lower()), key
