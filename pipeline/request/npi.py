"""National Provider Identifiers: ten digits, the last a check digit (45 CFR 162.406; ISO 7812)."""

from __future__ import annotations

_PREFIX_SUM = 24  # what 80840, the prefix of health identifiers of the United States, adds to the sum


def has_check_digit(number: str) -> bool:
    """Whether `number` is ten digits that begin with 1 or 2 and end in their check digit (Luhn)."""
    if len(number) != 10 or not number.isdecimal() or number[0] not in "12":
        return False
    doubled = [sum(divmod(2 * int(digit), 10)) for digit in number[-2::-2]]
    kept = [int(digit) for digit in number[-1::-2]]
    return (_PREFIX_SUM + sum(doubled) + sum(kept)) % 10 == 0
