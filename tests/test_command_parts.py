"""What the commands write for their user is the user's alone."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.command_parts import put
from pipeline.errors import UsageError


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


@pytest.fixture(autouse=True)
def open_handed() -> Iterator[None]:
    """A user whose new files are anybody's."""
    before = os.umask(0)
    yield
    os.umask(before)


def test_a_new_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "letter.pdf"
    put(b"words", path)
    assert (path.read_bytes(), mode(path), mode(path.parent)) == (b"words", 0o600, 0o700)


def test_so_is_one_that_others_could_read(tmp_path: Path) -> None:
    path, link = tmp_path / "letter.pdf", tmp_path / "link.pdf"
    path.write_bytes(b"older and longer words")
    path.chmod(0o666)
    link.symlink_to(path)
    with path.open("rb") as reader:  # of somebody who had it open before
        put(b"words", link)
        assert reader.read() == b"older and longer words"
    assert link.is_symlink()
    assert (path.read_bytes(), mode(path)) == (b"words", 0o600)
    assert sorted(tmp_path.iterdir()) == [path, link]


def test_a_pipe_is_written_to(tmp_path: Path) -> None:
    path, read = tmp_path / "pipe", list[bytes]()
    os.mkfifo(path)
    reader = threading.Thread(target=lambda: read.append(path.read_bytes()), daemon=True)
    reader.start()
    put(b"words", path)
    reader.join(10)
    assert read == [b"words"]
    assert path.is_fifo()


def test_where_nothing_can_be_written_it_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be written"):
        put(b"words", tmp_path)
    assert list(tmp_path.iterdir()) == []
