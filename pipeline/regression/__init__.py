"""What people's corrections are good for: a set on which the next version can be measured, and figures.

    expected_of(form) -> dict | None    the truth of a case as far as people said it
    tally([Told, ...]) -> Shares        how much is filled, accepted, overridden, by field and model version

Nothing learns from a correction by itself: a change of the knowledge is made by a person and measured.
"""

from pipeline.regression.expected import expected_of
from pipeline.regression.shares import FieldShare, Shares, Told, tally

__all__ = ["FieldShare", "Shares", "Told", "expected_of", "tally"]
