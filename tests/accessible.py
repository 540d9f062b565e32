"""axe-core in a page of the browser: what a machine can tell of WCAG 2.2 AA."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

from browser import Browser

TAGS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa")


def violations(window: Browser) -> list[Any]:
    """(rule, what it is about, the first places) of each violation in the page that is open."""
    if window.evaluate("typeof axe") == "undefined":
        window.evaluate(_axe())  # by the debugger: the page's own policy would not let it in
    options = json.dumps({"runOnly": {"type": "tag", "values": TAGS}, "resultTypes": ["violations"]})
    found = window.evaluate(
        f"axe.run(document, {options}).then(said => said.violations.map("
        "v => [v.id, v.help, v.nodes.slice(0, 3).map(n => n.html.slice(0, 160))]))"
    )
    return list(found)


@cache
def _axe() -> str:
    return (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8") + "; 1"
