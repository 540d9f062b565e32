"""ICD-10-CM offline: the same answers as the package whose data files are read."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

from pipeline.icd10 import load_icd10

ICD10 = load_icd10()


@pytest.mark.parametrize(
    ("code", "exists", "complete"),
    [
        ("C64.1", True, True),
        ("C641", True, True),
        ("C64", True, False),
        ("C61", True, True),
        ("C64.7", False, False),
        ("C50.41", True, False),
        ("C34.1l", False, False),
        ("S72.001A", True, True),
        ("S72.001", True, False),
        ("C00-C14", False, False),
        ("2", False, False),
        ("", False, False),
    ],
)
def test_codes_and_categories(code: str, exists: bool, complete: bool) -> None:
    assert (ICD10.exists(code), ICD10.complete(code)) == (exists, complete)


def test_meanings() -> None:
    assert ICD10.meaning("C64.1") == "Malignant neoplasm of right kidney, except renal pelvis"
    assert ICD10.meaning("S72.001A") == ICD10.meaning("S72.001") != ""
    assert ICD10.meaning("C64.7") == ""


def test_codes_of_a_shape() -> None:
    assert list(ICD10.like("C64.")) == ["C64.1", "C64.2", "C64.9"]
    assert list(ICD10.like("C6[14]")) == ["C61"]  # C64 is no complete code


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the package's own way of finding its files
def test_every_code_as_the_package_itself_has_it() -> None:
    package = importlib.import_module("simple_icd_10_cm")
    codes = [code for code in package.get_all_codes(with_dots=False) if code[0].isalpha() and "-" not in code]
    assert len(codes) > 90_000
    assert all(map(ICD10.exists, codes))
    assert {code for code in codes if ICD10.complete(code)} == {
        code for code in codes if package.is_leaf(code)
    }
    assert all(ICD10.meaning(code) == package.get_description(code) for code in codes[::50] if len(code) < 7)


def test_the_package_is_not_imported_for_an_answer() -> None:
    asked = "import sys; from pipeline.icd10 import load_icd10; load_icd10(); "
    told = subprocess.run(
        [sys.executable, "-c", asked + "print('simple_icd_10_cm' in sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.strip() == "False"
