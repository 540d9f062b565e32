"""A reference survives a bad fax, or is not read at all; it is never read as another."""

from __future__ import annotations

import random
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.information_request.reference import (
    ALPHABET,
    barcode_text,
    from_barcode,
    grouped,
    is_valid,
    near_printed,
    new_reference,
    read_printed,
)

REFERENCE = new_reference(random.Random(5).randrange)
references = st.integers(0, 10**9).map(lambda seed: new_reference(random.Random(seed).randrange))


@given(references)
def test_a_new_reference_is_valid_in_every_form(reference: str) -> None:
    assert is_valid(reference)
    assert from_barcode(barcode_text(reference)) == reference
    assert read_printed(f"Reference: {reference}.") == [reference]


def test_any_two_wrong_characters_are_found() -> None:
    plain = REFERENCE.replace("-", "")
    for first, second in combinations(range(len(plain)), 2):
        for one in ALPHABET:
            for other in ALPHABET:
                wrong = list(plain)
                wrong[first], wrong[second] = one, other
                assert is_valid("".join(wrong)) == ("".join(wrong) == plain)


@given(references, st.randoms(use_true_random=False))
def test_look_alikes_are_read_as_what_is_meant(reference: str, chooser: random.Random) -> None:
    looks = {"0": "0ODQ", "2": "2Z", "5": "5S", "6": "6G", "8": "8B3", "V": "VU"}
    read = "".join(chooser.choice(looks.get(letter, letter)) for letter in reference)
    assert read_printed(f"ref {read} page 1") == [reference]


@pytest.mark.parametrize(
    "printed", ["{0}-{1}-{2}", "{0} - {1} - {2}", "{0}\u2014{1}_{2}", "{0}{1}{2}", "{0} {1} {2}"]
)
def test_hyphens_may_be_lost_or_misread(printed: str) -> None:
    assert read_printed(printed.format(*REFERENCE.split("-"))) == [REFERENCE]


@pytest.mark.parametrize(
    "text",
    [
        "HYPERTENSION",
        "MEDICATION",
        "(800) 555-0142",
        "2026-11-23 10:11",
        "CPT 50593",
        "1234-5678-90",
        "A" * 40,
    ],
)
def test_other_words_are_no_reference(text: str) -> None:
    assert read_printed(text) == []


@pytest.mark.parametrize(
    "code", ["", "CT1:", "CT1:4KW7M9XTAA", "https://example.org/4KW7M9XTAC", "4KW7M9XTAC"]
)
def test_other_barcodes_are_no_reference(code: str) -> None:
    assert from_barcode(code) is None


def test_two_misread_characters_point_at_the_only_one_near() -> None:
    plain = REFERENCE.replace("-", "")
    others = [new_reference(random.Random(seed).randrange) for seed in range(10, 500)]
    misread = grouped("W" + plain[1:5] + "F" + plain[6:])
    assert read_printed(misread) == []
    assert near_printed(misread, [*others, REFERENCE]) == {REFERENCE}
    assert near_printed(misread, others) == set()


def test_a_reading_between_two_references_points_at_neither() -> None:
    plain = REFERENCE.replace("-", "")
    swap = lambda place: ALPHABET[(ALPHABET.index(plain[place]) + 1) % len(ALPHABET)]  # noqa: E731
    near = grouped(plain[:7] + swap(7) + swap(8) + swap(9))
    between = grouped(plain[:7] + swap(7) + swap(8) + plain[9])
    assert near_printed(between, [REFERENCE, near]) == set()
