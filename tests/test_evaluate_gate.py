"""What counts as worse than before."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from page_samples import text_pdf

from pipeline.__main__ import main
from pipeline.errors import ExitCode, UsageError
from pipeline.evaluate_gate import Standing, figures_before, worse


def figures(
    *differences: tuple[str, Any, Any], status: str = "complete", unsafe: bool = False
) -> dict[str, Any]:
    """Figures of one submission with these (field, expected, answered)."""
    rows = [
        {"submission": "s1", "field": field, "expected": expected, "answered": answered}
        for field, expected, answered in differences
    ]
    return {"statuses": {"s1": status}, "unsafe_meets": ["s1"] if unsafe else [], "differences": rows}


SILENT, WRONG = ("findings.t", "T1A", None), ("findings.t", "T1A", "T2")


@pytest.mark.parametrize(
    ("before", "now", "was", "standing"),
    [
        (figures(), figures(SILENT), Standing.RIGHT, Standing.SILENT),
        (figures(), figures(WRONG), Standing.RIGHT, Standing.WRONG),
        (figures(SILENT), figures(WRONG), Standing.SILENT, Standing.WRONG),
        (figures(WRONG), figures(WRONG, WRONG), Standing.RIGHT, Standing.WRONG),
        (figures(WRONG, SILENT), figures(WRONG, WRONG), Standing.SILENT, Standing.WRONG),
        (figures(), figures(status="partial"), Standing.RIGHT, Standing.SILENT),
        (figures(), figures(unsafe=True), Standing.RIGHT, Standing.WRONG),
    ],
)
def test_worse(before: dict[str, Any], now: dict[str, Any], was: Standing, standing: Standing) -> None:
    (found,) = worse(before, now)
    assert (found.submission, found.before, found.now) == ("s1", was, standing)


@pytest.mark.parametrize(
    ("before", "now"),
    [
        (figures(WRONG), figures(WRONG)),
        (figures(WRONG), figures(SILENT)),
        (figures(SILENT), figures()),
        (figures(WRONG, SILENT), figures(WRONG)),
        (figures(status="parked", unsafe=True), figures(status="partial", unsafe=True)),
    ],
)
def test_as_before_or_better(before: dict[str, Any], now: dict[str, Any]) -> None:
    assert worse(before, now) == []


def test_a_row_is_known_by_its_true_value() -> None:
    """Another code that is missed now is not the one that was missed before."""
    missed, other = ("request.icd10", "C64.1", None), ("request.icd10", "N18.31", None)
    (found,) = worse(figures(missed), figures(other))
    assert found.field == "request.icd10"


def test_other_submissions_are_no_comparison() -> None:
    with pytest.raises(UsageError, match="not the submissions"):
        worse(figures(), figures() | {"statuses": {"s2": "complete"}})


@pytest.mark.parametrize("content", ["", "[]", "{}", json.dumps({"statuses": {}})])
def test_what_holds_no_figures_is_told(tmp_path: Path, content: str) -> None:
    path = tmp_path / "figures.json"
    path.write_text(content)
    with pytest.raises(UsageError, match="does not hold figures"):
        figures_before(path)


def test_the_command_tells_what_got_worse_and_shows_the_pages(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The set is the same; what is held true of it changes, as if the reader had."""
    environ = {"TRIAGE_HOME": str(tmp_path / "home")}
    folder, before, pages = tmp_path / "set" / "one", tmp_path / "before.json", tmp_path / "pages"
    folder.mkdir(parents=True)
    text_pdf(folder / "letter.pdf")
    truth = folder / "expected.json"
    truth.write_text(json.dumps({"findings": {"tumor_site": "kidney"}}))
    command = ["evaluate-set", str(tmp_path / "set")]
    assert main([*command, "--output", str(before), "--quiet"], environ) == ExitCode.DONE
    gate = [*command, "--against", str(before), "--differences", str(pages), "--quiet"]
    assert main(gate, environ) == ExitCode.DONE
    capsys.readouterr()
    truth.write_text(json.dumps({"findings": {"tumor_site": "breast"}}))
    assert main(gate, environ) == ExitCode.PARKED
    assert "one  findings.tumor_site  was right, is wrong" in capsys.readouterr().out
    html = (pages / "one.html").read_text()
    assert "expected breast" in html
    assert "data:image" in html
