"""The analyst's guide as a reader follows it: its blocks are what the tests write into files."""

from __future__ import annotations

import re
from pathlib import Path

GUIDE = Path(__file__).parent.parent / "docs" / "analysts-guide.md"


def block(heading: str) -> str:
    """The first TOML block below a heading of the guide."""
    below = GUIDE.read_text(encoding="utf-8").split(f"# {heading}\n", 1)[1]
    found = re.search(r"^```toml\n(.*?)^```", below, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]
