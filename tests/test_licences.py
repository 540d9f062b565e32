"""On whose work the project stands: nothing whose licence a user cannot live with, nothing unread."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.release.licences import licences, locked


def test_every_locked_package_has_a_licence_that_is_admitted() -> None:
    found = list(licences(locked()))
    assert len(found) > 150
    assert [one for one in found if not one.is_allowed] == []


@pytest.mark.parametrize("allowed", ["AGPL-3.0-only", "MIT"])
def test_what_is_not_admitted_is_told(tmp_path: Path, allowed: str) -> None:
    policy = tmp_path / "licences.toml"
    policy.write_text(f'allowed = ["{allowed}"]\n[read]\n')
    (found,) = licences([("pytest", "9")], policy)  # says MIT in its metadata
    assert found.expression == "MIT"
    assert found.is_allowed is (allowed == "MIT")


def test_a_package_of_which_nothing_is_known_is_not_admitted(tmp_path: Path) -> None:
    """prefect has no SPDX expression: somebody must have read its licence."""
    policy = tmp_path / "licences.toml"
    policy.write_text('allowed = ["Apache-2.0"]\n[read]\n')
    (found,) = licences([("prefect", "3")], policy)
    assert (found.expression, found.is_allowed) == (None, False)


def test_what_another_platform_needs_is_passed_over() -> None:
    assert list(licences([("no-such-package-here", "1")])) == []
