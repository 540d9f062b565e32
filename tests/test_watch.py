"""The watched folder: nothing half-written, nothing lost, nothing left."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from ledgers import open_test_ledger

from pipeline import ledger as led
from pipeline.errors import StorageFull
from pipeline.intake.watch import WatchedFolder
from pipeline.ledger import Ledger


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with open_test_ledger("sqlite", tmp_path / "home") as ledger:
        yield ledger


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    folder = tmp_path / "inbox"
    folder.mkdir()
    return folder


def test_files_and_folders_are_received_and_removed(ledger: Ledger, inbox: Path) -> None:
    (inbox / "one.pdf").write_bytes(b"1")
    (inbox / "packet").mkdir()
    for name in ("a.pdf", "b.pdf"):
        (inbox / "packet" / name).write_bytes(name.encode())
    watched = WatchedFolder(inbox, settled_s=0)
    assert watched.take_in(ledger) == 0  # seen for the first time
    assert watched.take_in(ledger) == 2
    assert sorted(item.file_count for item in led.items(ledger)) == [1, 2]
    assert list(inbox.iterdir()) == []


def test_what_still_grows_is_left(ledger: Ledger, inbox: Path) -> None:
    watched = WatchedFolder(inbox, settled_s=0)
    for length in range(1, 4):
        (inbox / "slow.pdf").write_bytes(b"x" * length)
        assert watched.take_in(ledger) == 0
    assert watched.take_in(ledger) == 1
    (item,) = led.items(ledger)
    assert item.byte_count == 3


@pytest.mark.parametrize("name", [".hidden.pdf", "a.pdf.part", "a.TMP", "a.crdownload"])
def test_unfinished_names_are_left(ledger: Ledger, inbox: Path, name: str) -> None:
    (inbox / name).write_bytes(b"1")
    watched = WatchedFolder(inbox, settled_s=0)
    assert [watched.take_in(ledger) for _ in range(3)] == [0, 0, 0]
    assert (inbox / name).exists()


def test_what_changes_while_it_is_received_is_received_again(
    ledger: Ledger, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pipeline.intake.watch as module

    path = inbox / "a.pdf"
    path.write_bytes(b"1")

    def receive_late(ledger: Ledger, arrivals: list[led.Arrival]) -> list[led.Receipt]:
        receipts = led.receive(ledger, arrivals)
        path.write_bytes(b"22")
        return receipts

    watched = WatchedFolder(inbox, settled_s=0)
    watched.take_in(ledger)
    monkeypatch.setattr(module, "receive", receive_late)
    watched.take_in(ledger)
    monkeypatch.undo()
    assert path.exists()
    for _ in range(2):
        watched.take_in(ledger)
    assert sorted(item.byte_count for item in led.items(ledger)) == [1, 2]
    assert not path.exists()


def test_where_there_is_no_room_the_files_stay(
    ledger: Ledger, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pipeline.intake.watch as module

    def full(ledger: Ledger, arrivals: list[led.Arrival]) -> list[led.Receipt]:
        raise StorageFull("full")

    (inbox / "a.pdf").write_bytes(b"1")
    watched = WatchedFolder(inbox, settled_s=0)
    watched.take_in(ledger)
    monkeypatch.setattr(module, "receive", full)
    assert watched.take_in(ledger) == 0
    assert (inbox / "a.pdf").exists()


def test_hostile_names(ledger: Ledger, inbox: Path) -> None:
    names = [b"\xff\xfe.pdf", "‮fdp.exe".encode(), b"a" * 255, b"-rf", b"new\nline.pdf", b"%s{}.pdf"]
    for number, name in enumerate(names):
        with open(os.path.join(os.fsencode(inbox), name), "wb") as file:
            file.write(b"%d" % number)
    watched = WatchedFolder(inbox, settled_s=0)
    watched.take_in(ledger)
    assert watched.take_in(ledger) == len(names)
    assert list(inbox.iterdir()) == []
    assert led.balance(ledger).holds
