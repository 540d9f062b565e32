"""What holds for every test."""

from __future__ import annotations

from hypothesis import settings

# The same examples each time: a run in CI must not fail on what the last one passed.
settings.register_profile("same", derandomize=True, deadline=None)
settings.load_profile("same")
