"""The part of requirements.lock that the program needs in use: without what tests, checks and makes fixtures.

    python tools/lock_for_use.py requirements.lock [--build] [--with NAME ...] > needed.lock

A requirement of the lock says what it came by ("via"); kept is what the project itself came by, all that
those came by, and the named ones with theirs. `--build` keeps what builds the project. Standard library only.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

_PROJECT, _BUILD = "clinical-triage (pyproject.toml)", "-r requirements-build.in"
_NAME = re.compile(r"([A-Za-z0-9._-]+)==")


def blocks(lock: str) -> dict[str, str]:
    """The text of each requirement, by its name."""
    found, name = dict[str, list[str]](), ""
    for line in lock.splitlines(keepends=True):
        if begun := _NAME.match(line):
            name = begun[1]
        if name and line.strip():
            found.setdefault(name, []).append(line)
    return {name: "".join(lines) for name, lines in found.items()}


def came_by(block: str) -> Iterator[str]:
    """Who asked for it."""
    for line in block.splitlines():
        text = line.strip()
        if text.startswith("#") and (who := text.lstrip("# ").removeprefix("via").strip()):
            yield who


def needed(lock: Mapping[str, str], *, build: bool = False, also: Sequence[str] = ()) -> list[str]:
    """Names of what is kept, in the order of the lock. Raises KeyError for a name that is not in it."""
    roots = {_PROJECT, *([_BUILD] if build else [])}
    kept = {lock[name] and name for name in also}
    before = -1
    while len(kept) != before:
        before = len(kept)
        kept |= {name for name, block in lock.items() if not kept.union(roots).isdisjoint(came_by(block))}
    return [name for name in lock if name in kept]


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("lock", type=Path)
    options.add_argument("--build", action="store_true")
    options.add_argument("--with", dest="also", nargs="*", default=[])
    chosen = options.parse_args()
    lock = blocks(chosen.lock.read_text(encoding="utf-8"))
    for name in needed(lock, build=chosen.build, also=chosen.also):
        sys.stdout.write(lock[name])


if __name__ == "__main__":
    main()
