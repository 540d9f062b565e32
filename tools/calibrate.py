"""How much a confidence is worth: curves for `models/calibration.toml`, a table and a picture.

    python -m tools.calibrate report FOLDER... --table docs/confidence.md --picture docs/confidence.svg
    python -m tools.calibrate fit FOLDER... [--reports REPORTS.jsonl] --models models

A FOLDER holds submissions with their `expected.json`; FOLDER.json beside it is what
`triage evaluate-set FOLDER --output FOLDER.json` wrote. REPORTS are pathology reports with a registry's
labels (text, site, t, n, m): where a category is not written but derived, they say how often that is right.
`fit` needs confidences as the rules weigh them: TRIAGE_MODELS_DIR must have an empty calibration.toml.

A curve is an isotonic regression (pool adjacent violators) of right on confidence. Imagined answers that are
right as often as the rules think stand along it, two at every twentieth: where nothing was measured the
rules' weight stays. The figures of a fit are out of fold: five folds, and all
packets of one scenario in the same fold, for two packets of one story are right or wrong together.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from sklearn.isotonic import IsotonicRegression

from pipeline.settings import load_settings
from tools.risk_coverage import Curve, coverage_at, draw

FOLDS = 5
LEAST_ANSWERS = 40
"""Fewer answers make no curve: the rules' own weight stays."""
_IMAGINED = 2.0
_GRID: Final = np.linspace(0.05, 0.95, 19)
_MOST: Final = 0.99
"""Nothing is surer, however many were right: the next packet may be of a kind that was not among them."""
_BINS = 10
_HEADER = """\
# Written by `make calibrate`: of the answers of confidence raw[i], the share share[i] was right.
# Do not edit: change the rules, or the packets that it is measured on, and make it anew.
"""
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Answer:
    """One answered field of one submission. `story` is what must not be parted between folds."""

    field: str
    story: str
    confidence: float
    right: bool


def answers_in(folder: Path) -> list[Answer]:
    """All answers that evaluate-set compared for the submissions of a folder."""
    report = json.loads(folder.with_name(f"{folder.name}.json").read_text(encoding="utf-8"))
    stories = {
        path.parent.name: json.loads(path.read_text(encoding="utf-8")).get("title", path.parent.name)
        for path in folder.rglob("expected.json")
    }
    return [
        Answer(one["field"], stories[one["submission"]].partition(" (")[0], one["confidence"], one["right"])
        for one in report["answers"]
    ]


def answers_of_reports(path: Path) -> list[Answer]:
    """The answers of `triage extract` to labelled reports. Registries and reports differ in the suffix of a
    category (T1 and T1A), and X is no answer."""
    from pipeline.cases import Knowledge
    from pipeline.plain_text import extract_text

    knowledge, found = Knowledge(load_settings(os.environ)), []
    for line in path.read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        fields = extract_text(record["id"], record["text"], knowledge)["findings"]
        for name, label in (("tumor_site", "site"), ("t", "t"), ("n", "n"), ("m", "m")):
            told, truth = fields[name], record[label]
            length = 2 if label in "tnm" else None
            if told["value"] is None or not truth or told["value"].endswith("X"):
                continue
            right = told["value"][:length].casefold() == truth[:length].casefold()
            found.append(Answer(f"findings.{name}", record["id"], told["confidence"], right))
    return found


def fit(answers: Sequence[Answer]) -> tuple[Floats, Floats]:
    """The knots of a curve: confidences, and the share of right answers there."""
    raw, right = _arrays(answers)
    imagined = np.full(len(_GRID), _IMAGINED)
    curve = IsotonicRegression(out_of_bounds="clip").fit(
        np.concatenate([raw, _GRID]),
        np.concatenate([right, _GRID]),
        sample_weight=np.concatenate([np.ones(len(raw)), imagined]),
    )
    confidences, first = np.unique(np.round(curve.X_thresholds_, 3), return_index=True)
    shares = np.maximum.accumulate(curve.y_thresholds_[first])
    return confidences, np.round(np.minimum(shares, _MOST), 3)


def out_of_fold(answers: Sequence[Answer]) -> Floats:
    """Each answer's calibrated confidence, by a curve fitted on the other folds."""
    stories = sorted({answer.story for answer in answers})
    fold = {story: index % FOLDS for index, story in enumerate(stories)}
    folds = np.array([fold[answer.story] for answer in answers])
    raw, _ = _arrays(answers)
    calibrated = raw.copy()
    for number in range(FOLDS):
        rest = [answer for answer, own in zip(answers, folds, strict=True) if own != number]
        if rest and (folds == number).any():
            calibrated[folds == number] = np.interp(raw[folds == number], *fit(rest))
    return calibrated


def calibration_error(confidence: Floats, right: Floats) -> float:
    """Expected calibration error over ten bins of equal width (Naeini and others 2015)."""
    bins = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    gaps = (
        abs(right[bins == one].mean() - confidence[bins == one].mean()) * (bins == one).mean()
        for one in np.unique(bins)
    )
    return float(sum(gaps))


def brier(confidence: Floats, right: Floats) -> float:
    """Mean squared distance of confidence from what was so (Brier 1950)."""
    return float(((confidence - right) ** 2).mean())


def _arrays(answers: Sequence[Answer]) -> tuple[Floats, Floats]:
    raw = np.array([answer.confidence for answer in answers], dtype=np.float64)
    return raw, np.array([answer.right for answer in answers], dtype=np.float64)


def _by_field(answers: Sequence[Answer]) -> Mapping[str, list[Answer]]:
    groups: dict[str, list[Answer]] = {}
    for answer in answers:
        groups.setdefault(answer.field, []).append(answer)
    return dict(sorted(groups.items()))


# --------------------------------------------------------------------------- what is written


def toml(answers: Sequence[Answer]) -> str:
    """`models/calibration.toml` for the findings that have answers enough, right and wrong ones."""
    parts = [_HEADER]
    for name, group in _by_field(answers).items():
        kind, _, finding = name.partition(".")
        if kind != "findings" or len(group) < LEAST_ANSWERS:
            continue
        raw, share = fit(group)
        parts.append(
            f"[fields.{finding}]\nraw = {_list(raw)}\nshare = {_list(share)}\nanswers = {len(group)}\n"
        )
    return "\n".join(parts)


def table(answers: Sequence[Answer]) -> str:
    """A row a field: answers, wrong ones, how far confidence is from the truth, coverage at a precision."""
    rows = [
        "| field | answers | wrong | Brier | calibration error | answered at 95 % right | at 98 % |",
        "|---|---|---|---|---|---|---|",
    ]
    for field, group in _by_field(answers).items():
        raw, right = _arrays(group)
        cells = [len(group), int((1 - right).sum()), f"{brier(raw, right):.3f}"]
        cells += [f"{calibration_error(raw, right):.3f}"]
        cells += [f"{coverage_at(raw, right, least):.0%}" for least in (0.95, 0.98)]
        rows.append(f"| {field} | {' | '.join(map(str, cells))} |")
    return "\n".join(rows) + "\n"


def fitted(answers: Sequence[Answer]) -> Iterator[str]:
    """What the curves gain, out of fold, for a terminal."""
    yield f"{'field':32} {'answers':>7} {'wrong':>5}  {'Brier':>13}  {'calibration error':>17}"
    for field, group in _by_field(answers).items():
        if len(group) < LEAST_ANSWERS:
            continue
        raw, right = _arrays(group)
        new = out_of_fold(group)
        yield (
            f"{field:32} {len(group):7} {int((1 - right).sum()):5}  "
            f"{brier(raw, right):.3f} → {brier(new, right):.3f}  "
            f"{calibration_error(raw, right):7.3f} → {calibration_error(new, right):.3f}"
        )


def _list(values: Floats) -> str:
    return f"[{', '.join(f'{value:g}' for value in values)}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", choices=["fit", "report"])
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    parser.add_argument("--reports", type=Path, metavar="REPORTS.jsonl")
    parser.add_argument("--models", type=Path, default=Path("models"))
    parser.add_argument("--table", type=Path, default=Path("evaluation/confidence.md"))
    parser.add_argument("--picture", type=Path, default=Path("evaluation/confidence.svg"))
    options = parser.parse_args()
    answers = [answer for folder in options.folders for answer in answers_in(folder)]
    if options.reports:
        answers += answers_of_reports(options.reports)
    if options.what == "fit":
        (options.models / "calibration.toml").write_text(toml(answers), encoding="utf-8")
        sys.stdout.write("\n".join(fitted(answers)) + "\n")
        return
    options.table.write_text(table(answers), encoding="utf-8")
    curves = [
        Curve(field.partition(".")[2], *_arrays(group))
        for field, group in _by_field(answers).items()
        if field.startswith("findings.") and len(group) >= LEAST_ANSWERS
    ]
    options.picture.write_text(draw(curves), encoding="utf-8")
    sys.stdout.write(table(answers))


if __name__ == "__main__":
    main()
