"""How outcomes are said to people. A recommendation: no word here decides (a person does)."""

from __future__ import annotations

OUTCOMES = {
    "meets": "Policy criteria appear to be met",
    "investigational": "Appears to fall under what the policy calls investigational",
    "needs_information": "More information is needed before a review",
    "out_of_scope": "Not addressed by this policy",
    "other_policy": "Belongs to another policy",
}
