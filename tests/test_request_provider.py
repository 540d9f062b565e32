"""Who asks, and the NPI with its check digit; whose number is whose."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.catalog.request import load_request
from pipeline.domain import Document, Field, Page, Status
from pipeline.request.npi import has_check_digit
from pipeline.request.provider import npi_problems, read_provider

RULES = load_request(Path(__file__).parents[1] / "models")


def read(text: str, kind: str = "pa_request_form", source: str = "text") -> tuple[Field, Field]:
    page = Page("fax.pdf", 2, source, 0, 612, 792, text, ())  # type: ignore[arg-type]  # a literal
    return read_provider([Document("d1", kind, "", (page,))], RULES)


@pytest.mark.parametrize(
    ("number", "right"),
    [
        ("1234567893", True),  # the example of the standard
        ("1999900107", True),
        ("1234567890", False),
        ("1999900170", False),  # two digits change places
        ("9999900107", False),  # begins with neither 1 nor 2
        ("199990010", False),
        ("12345678933", False),
        ("", False),
    ],
)
def test_check_digit(number: str, right: bool) -> None:
    assert has_check_digit(number) is right


def test_one_wrong_digit_is_always_noticed() -> None:
    for at in range(1, 10):
        for digit in "0123456789":
            changed = "1999900107"[:at] + digit + "1999900107"[at + 1 :]
            assert has_check_digit(changed) is (changed == "1999900107")


PAPERS = [
    ("Requesting provider  Ines Guttormsen, MD   NPI 1999926136", "Guttormsen, Ines", "1999926136"),
    ("Ordering: C. Obi, MD (urology)      Tel 555-0125", "Obi, C.", None),
    ("Surgeon  Ragnhild Osterman, MD\nFacility NPI 1999937091", "Osterman, Ragnhild", None),
    (
        "Rendering  Hjalmar Otieno MD  NPI 1999915170\nReferring  Coralie Moss MD  NPI 1999916541",
        "Moss, Coralie",
        "1999916541",
    ),
    (
        "Attending  Otto Fenn MD  NPI 1999915170\nRequested by  Coralie Moss MD",
        "Moss, Coralie",
        None,
    ),
    ("Ordering MD  Otto Fenn MD   2185550108", "Fenn, Otto", None),
    ("Ordering MD  Otto Fenn MD   1999915170", "Fenn, Otto", "1999915170"),
    ("Requesting office: Bayview Breast Care", None, None),
    ("Requesting provider: see attached", None, None),
    ("Rendering provider  Otto Fenn MD   NPI 1999915170", None, None),
    ("Patient  Otto Fenn   DOB 1/2/1950", None, None),
]


@pytest.mark.parametrize(("text", "name", "npi"), PAPERS)
def test_who_asks(text: str, name: str | None, npi: str | None) -> None:
    provider, number = read(text)
    assert (provider.value, number.value) == (name, npi)


def test_a_wrong_check_digit_is_for_a_person() -> None:
    _, npi = read("Ordering MD  Philippa Zuniga, MD     NPI 1999917912")
    assert (npi.status, npi.value, npi.evidence[0].quote) == (Status.UNCERTAIN, None, "1999917912")
    assert [other.value for other in npi.alternatives] == ["1999917912"]
    [problem] = npi_problems(npi)
    assert (problem.code, problem.page) == ("npi_check_digit", 2)
    assert "1999917912" not in problem.message


def test_a_right_number_and_none_at_all_are_no_problem() -> None:
    for text in ("Ordering MD  Otto Fenn MD  NPI 1999915170", "Ordering MD  Otto Fenn MD"):
        assert list(npi_problems(read(text)[1])) == []


def test_misread_digits_are_read_as_digits_on_a_recognised_page_only() -> None:
    line = "Ordering MD  Otto Fenn MD  NPI 19999I5l7O"
    assert read(line, source="ocr")[1].value == "1999915170"
    assert read(line)[1].value is None


def test_a_letter_is_signed_by_who_asks() -> None:
    letter = "I ask for the above.\n\nSincerely,\nPerpetua Lindgaard, MD, FACS\nNPI 1999913803"
    provider, npi = read(letter, "letter_of_medical_necessity")
    assert (provider.value, npi.value) == ("Lindgaard, Perpetua", "1999913803")
