"""The quick start, followed word for word: its blocks are run, in order, in an empty folder."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from fixtures.assemble import assemble
from fixtures.make_packets import demo_recipe
from fixtures.printing import print_packet
from pipeline.__main__ import main
from pipeline.errors import ExitCode

ROOT = Path(__file__).parent.parent
GUIDE = ROOT / "docs" / "quick-start.md"
BLOCK = re.compile(r"^```\n(.*?)^```", re.MULTILINE | re.DOTALL)


def digital(name: str, gap: str) -> None:
    """A packet of `make demo` with a text layer: what a fax costs is not what is looked at here."""
    folder = Path("demo-output", name)
    folder.mkdir(parents=True)
    for file in print_packet(assemble(replace(demo_recipe(gap), render="digital", quirks=()))):
        (folder / file.name).write_bytes(file.content)


def test_its_commands_do_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    environ = {"TRIAGE_HOME": str(tmp_path / "home")}
    digital("packet", "complete")
    digital("incomplete", "no_exam")
    told = {}
    for line in "".join(BLOCK.findall(GUIDE.read_text(encoding="utf-8"))).splitlines():
        program, *arguments = shlex.split(line)
        if program == ".":
            assert not told, "it stands before the first command that needs it"
        elif program == "triage":
            assert main(arguments, environ) == ExitCode.DONE, line
            told[line] = capsys.readouterr().out
        else:
            subprocess.run([str(shutil.which(program)), *arguments], check=True)
    assert "Policy criteria appear to be met" in told["triage run demo-output/packet --report case.html"]
    assert "no physical examination" in told["triage request preview cases/second/case.json"]
    assert Path("letter.pdf").read_bytes().startswith(b"%PDF-")
    assert told["triage run --each inbox --output-dir cases --report case.html"].splitlines() == [
        "first: Policy criteria appear to be met",
        "second: More information is needed before a review",
        "2 submissions: 2 complete, 0 partial, 0 parked. Cases are in cases.",
    ]
    for path in ("case.html", "cases/first/case.json", "cases/second/case.html"):
        assert Path(path).is_file()
    # Patients' pages in the project's folder: Git takes nothing of them up.
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    left = {path.name for path in tmp_path.iterdir()} - {"home"}
    assert {name for name in left if not {f"/{name}", f"/{name}/", f"{name}/"} & set(ignored)} == set()


@pytest.mark.parametrize("guide", ["README.md", "docs/quick-start.md"])
def test_it_says_how_the_program_is_found(guide: str) -> None:
    """Its command, in a shell that knows nothing, in the project's folder after `make setup`."""
    (activate,) = re.findall(
        r"^\. \S+/bin/activate$", (ROOT / guide).read_text(encoding="utf-8"), re.MULTILINE
    )
    venv = re.findall(r"^VENV := (\S+)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert activate == f". {venv[0]}/bin/activate"
    if not (ROOT / venv[0]).exists():
        pytest.skip(f"the project is not set up in {venv[0]}")
    shell = ["sh", "-c", f"command -v triage && exit 9; {activate} && command -v triage"]
    done = subprocess.run(shell, cwd=ROOT, env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True)
    assert (done.returncode, done.stdout.endswith("/bin/triage\n")) == (0, True)


def test_it_names_the_outcomes_as_the_summary_does() -> None:
    from pipeline.wording import OUTCOMES

    rows = re.findall(r"^\| ([A-Z][^|]+) \|", GUIDE.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(rows) == sorted(OUTCOMES.values())
