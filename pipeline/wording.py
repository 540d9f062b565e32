"""How outcomes and pages are said to people. A recommendation: no word here decides (a person does)."""

from __future__ import annotations

OUTCOMES = {
    "meets": "Policy criteria appear to be met",
    "investigational": "Appears to fall under what the policy calls investigational",
    "needs_information": "More information is needed before a review",
    "out_of_scope": "Not addressed by this policy",
    "other_policy": "Belongs to another policy",
}


def pages_of(numbers: tuple[int, ...]) -> str:
    """`page 3`, `pages 3-4`, `pages 3, 5`."""
    first, last = min(numbers), max(numbers)
    if first == last:
        return f"page {first}"
    if len(numbers) == last - first + 1:
        return f"pages {first}-{last}"
    return "pages " + ", ".join(str(number) for number in numbers)
