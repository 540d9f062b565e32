"""The guides as a reader follows them: their blocks are what the tests run, and write into files."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent
GUIDES: Final = [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md")), *sorted(ROOT.glob("*/README.md"))]
_BLOCK: Final = re.compile(r"^```[a-z]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
_SETTING: Final = re.compile(r"^[A-Z][A-Z0-9_]*=\S", re.MULTILINE)


def block(heading: str) -> str:
    """The first TOML block below a heading of the analyst's guide."""
    below = (ROOT / "docs" / "analysts-guide.md").read_text(encoding="utf-8").split(f"# {heading}\n", 1)[1]
    found = re.search(r"^```toml\n(.*?)^```", below, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


def blocks(guide: Path) -> list[str]:
    """The text of every block of a guide, in order."""
    return _BLOCK.findall(guide.read_text(encoding="utf-8"))


def lines(guide: Path) -> list[str]:
    """Every line of its blocks that runs `triage`, `python`, `cp`, `mkdir` or sets a variable, in order."""
    joined = "\n".join(blocks(guide)).replace("\\\n", " ")
    started = re.compile(r"(?:[A-Z_]+=\S* +)*(?:triage|python|cp|mkdir|export) ")
    return [line.strip() for line in joined.splitlines() if started.match(line)]


def words(line: str) -> list[str]:
    """The words of a command line, without its comment."""
    return shlex.split(line, comments=True)


def settings_blocks(guide: Path) -> list[str]:
    """Those of its blocks that are settings and nothing else but comments and blank lines."""
    return [
        text
        for text in blocks(guide)
        if (told := [line for line in text.splitlines() if line.strip() and not line.startswith("#")])
        and all(_SETTING.match(line) for line in told)
    ]
