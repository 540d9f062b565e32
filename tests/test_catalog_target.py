from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.catalog.fields import FIELD_NAMES, load_fields
from pipeline.catalog.target import load_target
from pipeline.errors import CatalogError

MODELS = Path(__file__).parent.parent / "models"
RULES = load_target(MODELS)


@pytest.mark.parametrize(
    ("code", "site"),
    [
        ("50593", "kidney"),
        ("17281", "skin"),
        ("17286", "skin"),
        ("17287", None),
        ("0581T", "breast"),
        ("99213", None),
    ],
)
def test_the_organ_of_a_procedure_code(code: str, site: str | None) -> None:
    assert RULES.site_of_cpt(code) == site


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("C34.32", ("lung", False)),
        ("C78.02", ("lung", True)),
        ("C79.51", ("bone", True)),
        ("D17.71", ("kidney", False)),
        ("C22.1", ("bile_duct", False)),
        ("C22.0", ("liver", False)),
        ("N18.6", None),
    ],
)
def test_the_organ_of_a_diagnosis_code(code: str, expected: tuple[str, bool] | None) -> None:
    assert RULES.site_of_icd10(code) == expected


@pytest.mark.parametrize(
    ("code", "side"),
    [
        ("C64.1", "right"),
        ("C64.2", "left"),
        ("C64.9", None),
        ("C50.412", "left"),
        ("C61", None),
        ("C18.2", None),
    ],
)
def test_the_side_of_a_diagnosis_code(code: str, side: str | None) -> None:
    assert RULES.side_of_icd10(code) == side


def test_every_finding_has_its_rule() -> None:
    assert tuple(load_fields(MODELS)) == FIELD_NAMES


def test_a_missing_field_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "fields").mkdir()
    with pytest.raises(CatalogError, match="procedure"):
        load_fields(tmp_path)


def test_an_unknown_key_is_told(tmp_path: Path) -> None:
    text = (MODELS / "target.toml").read_text(encoding="utf-8").replace("[votes]", "[votes]\nloudest = 3")
    (tmp_path / "target.toml").write_text(text, encoding="utf-8")
    with pytest.raises(CatalogError, match="loudest"):
        load_target(tmp_path)
