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

GUIDE = Path(__file__).parent.parent / "docs" / "quick-start.md"
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
        if program == "triage":
            assert main(arguments, environ) == ExitCode.DONE, line
            told[line] = capsys.readouterr().out
        else:
            subprocess.run([str(shutil.which(program)), *arguments], check=True)
    assert "Policy criteria appear to be met" in told["triage run demo-output/packet --report case.html"]
    assert "no physical examination" in told["triage request preview cases/second/case.json"]
    assert Path("letter.pdf").read_bytes().startswith(b"%PDF-")
    for path in ("case.html", "cases/first/case.json", "cases/second/case.html"):
        assert Path(path).is_file()


def test_it_names_the_outcomes_as_the_summary_does() -> None:
    from pipeline.wording import OUTCOMES

    rows = re.findall(r"^\| ([A-Z][^|]+) \|", GUIDE.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(rows) == sorted(OUTCOMES.values())
