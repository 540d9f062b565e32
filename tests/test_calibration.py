"""Calibrated confidence: the curves, the file they stand in, and the tool that fits them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.calibration import calibrated
from pipeline.catalog.calibration import Curve, load_calibration
from pipeline.domain import Evidence, Field, Status
from pipeline.errors import CatalogError
from pipeline.settings import load_settings
from tools.calibrate import Answer, brier, calibration_error, fit, out_of_fold, toml
from tools.risk_coverage import Curve as RiskCurve
from tools.risk_coverage import coverage_at, draw

WORDS = Evidence(None, None, None, 0, 4, "left")


def field_of(confidence: float | None) -> Field:
    if confidence is None:
        return Field()
    return Field("left", Status.FOUND, confidence, evidence=(WORDS,))


def answers(*pairs: tuple[float, bool], field: str = "findings.t") -> list[Answer]:
    return [Answer(field, f"story {n}", confidence, right) for n, (confidence, right) in enumerate(pairs)]


def test_a_confidence_is_read_off_its_curve() -> None:
    curves = {"t": Curve(raw=(0.5, 0.9), share=(0.6, 1.0), answers=50)}
    fields = {name: field_of(0.7) for name in ("t", "n")} | {"m": field_of(None)}
    after = calibrated(fields, curves)
    assert after["t"].confidence == 0.8
    assert after["n"] == fields["n"]
    assert after["m"] == Field()
    assert [calibrated({"t": field_of(raw)}, curves)["t"].confidence for raw in (0.1, 1.0)] == [0.6, 1.0]


def test_the_curves_that_ship_are_read() -> None:
    for curve in load_calibration(load_settings({}).models_dir).values():
        assert curve.answers >= 40


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("raw = [0.5, 0.4]\nshare = [0.1, 0.2]\nanswers = 9", "raw does not rise"),
        ("raw = [0.5, 0.6]\nshare = [0.3, 0.2]\nanswers = 9", "share falls"),
        ("raw = [0.5]\nshare = [0.3, 0.4]\nanswers = 9", "not of one length"),
        ("raw = [0.5]\nshare = [1.3]\nanswers = 9", "between 0 and 1"),
    ],
)
def test_a_curve_that_cannot_be_is_told(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "calibration.toml").write_text(f"[fields.t]\n{text}\n")
    with pytest.raises(CatalogError, match=told):
        load_calibration(tmp_path)


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60))
def test_any_fit_is_a_curve_that_can_be_loaded(pairs: list[tuple[float, bool]]) -> None:
    raw, share = fit(answers(*pairs))
    Curve(raw=tuple(raw.tolist()), share=tuple(share.tolist()), answers=len(pairs))


def test_where_nothing_was_measured_the_rules_weight_stays() -> None:
    raw, share = fit(answers(*[(0.9, True)] * 100))
    assert np.interp(0.5, raw, share) == pytest.approx(0.5, abs=0.01)
    assert np.interp(0.9, raw, share) > 0.97


def test_fitting_brings_confidence_to_the_truth() -> None:
    """A field that says .9 and is right in six of ten."""
    told = answers(*[(0.9, n % 10 < 6) for n in range(200)])
    right = np.array([answer.right for answer in told], dtype=float)
    raw = np.full(200, 0.9)
    held_out = out_of_fold(told)
    assert calibration_error(raw, right) == pytest.approx(0.3)
    assert calibration_error(held_out, right) < 0.05
    assert brier(held_out, right) < brier(raw, right)


def test_what_is_written_can_be_read(tmp_path: Path) -> None:
    told = answers(*[(n / 100, n % 100 > 30) for n in range(100)])
    rare = answers((0.5, True), field="findings.n")
    patient = answers(*[(0.9, True)] * 60, field="patient.name")
    (tmp_path / "calibration.toml").write_text(toml([*told, *rare, *patient]), encoding="utf-8")
    curves = load_calibration(tmp_path)
    assert list(curves) == ["t"]
    assert curves["t"].answers == 100
    assert curves["t"].share[0] < 0.5 < curves["t"].share[-1]


def test_coverage_at_a_precision() -> None:
    confidence, right = np.array([0.9, 0.8, 0.7, 0.7]), np.array([1.0, 1.0, 0.0, 1.0])
    assert coverage_at(confidence, right, 1.0) == 0.5
    assert coverage_at(confidence, right, 0.75) == 1.0
    assert coverage_at(confidence, 1 - right, 0.9) == 0.0


def test_the_picture_names_every_field() -> None:
    curves = [RiskCurve(name, np.array([0.9, 0.5]), np.array([1.0, 0.0])) for name in ("t", "n <x>")]
    svg = draw(curves)
    assert svg.count("<polyline") == 2
    assert "n &lt;x&gt; (2)" in svg
