"""Confidence that means something: of answers of confidence 0.9, nine in ten should be right."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from pipeline.catalog.calibration import Curve
from pipeline.domain import Field


def calibrated(fields: Mapping[str, Field], curves: Mapping[str, Curve]) -> dict[str, Field]:
    """The fields, each confidence (0..1) replaced by the share of such answers that were right.

    A field without a curve, or without a confidence, stays as it is. The order of confidences within a
    field never changes, so a threshold still parts the surer from the less sure.
    """
    return {name: _calibrated(field, curves.get(name)) for name, field in fields.items()}


def _calibrated(field: Field, curve: Curve | None) -> Field:
    if curve is None or field.confidence is None:
        return field
    return replace(field, confidence=round(float(np.interp(field.confidence, curve.raw, curve.share)), 3))
