"""The licence of every locked package, against those that the project may stand on (`licences.toml`).

python -m tools.release.licences        a table; exit code 1 where one may not, or is not known
"""

from __future__ import annotations

import importlib.metadata
import re
import sys
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_ROOT: Final = Path(__file__).parent.parent.parent
LOCK: Final = _ROOT / "requirements.lock"
POLICY: Final = Path(__file__).with_name("licences.toml")
_PINNED: Final = re.compile(r"^([A-Za-z0-9][\w.-]*)==(\S+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Licence:
    """What a package says of itself; `expression` is SPDX, None where nothing is known."""

    package: str
    version: str
    expression: str | None
    is_allowed: bool


def locked(lock: Path = LOCK) -> list[tuple[str, str]]:
    """Every package of the lock file with its version."""
    return [(name, version) for name, version in _PINNED.findall(lock.read_text(encoding="utf-8"))]


def licences(packages: Sequence[tuple[str, str]], policy: Path = POLICY) -> Iterator[Licence]:
    """The licences of those of `packages` that are installed; what another platform needs is passed over."""
    known = tomllib.loads(policy.read_text(encoding="utf-8"))
    for name, version in packages:
        try:
            metadata = importlib.metadata.metadata(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        expression = metadata.get("License-Expression") or known["read"].get(name)
        yield Licence(name, version, expression, expression in known["allowed"])


def main() -> int:
    found = list(licences(locked()))
    refused = [one for one in found if not one.is_allowed]
    for one in found:
        sys.stdout.write(f"{one.package:32} {one.version:14} {one.expression or 'not known'}\n")
    for one in refused:
        told = f"{one.package}: {one.expression or 'not known'}; see {POLICY.name}"
        sys.stderr.write(f"licence that is not admitted: {told}\n")
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main())
