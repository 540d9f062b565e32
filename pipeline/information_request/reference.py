"""The reference of a request: short, read aloud and typed without doubt, kept right by two check characters.

Its 23 characters are those of Crockford's base 32 less the ones that a coarse fax turns into one another: of
0 O D Q, 1 I L J, 2 Z, 5 S, 6 G, 8 B 3 and V U only one or none is used, and a reading of any of them
counts as that one. 23 is a prime, and both check characters are sums modulo 23: any two characters misread
or swapped are found.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

ALPHABET = "024567" + "89ACEFHKMNPRTVWXY"
_BASE = len(ALPHABET)
_PAYLOAD = 8
LENGTH = _PAYLOAD + 2
_VALUE = {letter: number for number, letter in enumerate(ALPHABET)}
_READ_AS = str.maketrans("ODQZSGB3U", "000256" + "88V")
_PRINTED = re.compile(
    r"(?<![A-Z0-9])[A-Z0-9]{4}[^A-Z0-9\n]{0,3}[A-Z0-9]{4}[^A-Z0-9\n]{0,3}[A-Z0-9]{2}(?![A-Z0-9])"
)
BARCODE_PREFIX = "CT1:"


def new_reference(choose: Callable[[int], int]) -> str:
    """A reference of characters that `choose(n)`, a number below n, picks (`secrets.randbelow`)."""
    payload = "".join(ALPHABET[choose(_BASE)] for _ in range(_PAYLOAD))
    return grouped(payload + _checks(payload))


def grouped(reference: str) -> str:
    """As it is printed: `4KW7-M9XT-7N`."""
    return f"{reference[:4]}-{reference[4:8]}-{reference[8:]}"


def barcode_text(reference: str) -> str:
    """What the barcode says: capitals and digits only, which make the smallest QR code."""
    return BARCODE_PREFIX + reference.replace("-", "")


def from_barcode(text: str) -> str | None:
    """The reference that a barcode says; None for any other barcode, and for one that does not check."""
    body = text.strip().removeprefix(BARCODE_PREFIX)
    return grouped(body) if text.strip().startswith(BARCODE_PREFIX) and is_valid(body) else None


def is_valid(reference: str) -> bool:
    """Whether these are ten characters of the alphabet and both checks hold."""
    plain = reference.replace("-", "")
    return (
        len(plain) == LENGTH
        and all(letter in _VALUE for letter in plain)
        and plain[_PAYLOAD:] == _checks(plain[:_PAYLOAD])
    )


def read_printed(text: str) -> list[str]:
    """The references in a text whose checks hold, look-alikes read as what is used, in text order."""
    return [grouped(plain) for plain in _candidates(text) if is_valid(plain)]


def near_printed(text: str, among: Iterable[str]) -> set[str]:
    """Those of the known references that stand in a text with at most two characters misread.

    A reading that is as near to two of them points at neither.
    """
    known = [reference.replace("-", "") for reference in among]
    found = set[str]()
    for plain in _candidates(text):
        near = [one for one in known if sum(a != b for a, b in zip(plain, one, strict=True)) <= 2]
        if len(near) == 1:
            found.add(grouped(near[0]))
    return found


def looks_printed(text: str) -> bool:
    """Whether something of the form of a reference stands in a text, perhaps misread."""
    return bool(_candidates(text))


def _candidates(text: str) -> list[str]:
    """Ten characters in the groups in which references are printed, look-alikes as the one that is used."""
    return [
        re.sub(r"[^A-Z0-9]", "", match.group()).translate(_READ_AS)
        for match in _PRINTED.finditer(text.upper())
    ]


def _checks(payload: str) -> str:
    """Two sums of the characters' values, weighted by position and by its square, modulo 23."""
    values = [_VALUE[letter] for letter in payload]
    first = sum((place + 1) * value for place, value in enumerate(values)) % _BASE
    second = sum((place + 1) ** 2 * value for place, value in enumerate(values)) % _BASE
    return ALPHABET[first] + ALPHABET[second]
