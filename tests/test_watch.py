"""The watched folder: nothing half-written, nothing lost, nothing left."""

from __future__ import annotations

import errno
import os
import resource
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from ledgers import DATABASES, KEYS, open_test_ledger
from sqlalchemy import select

from pipeline import ledger as led
from pipeline.errors import ChannelError, StorageFull
from pipeline.intake.drop import Bounds
from pipeline.intake.polling import Polling
from pipeline.intake.watch import WatchedFolder, watched_folder
from pipeline.ledger import Ledger, tables
from pipeline.settings import load_settings
from pipeline.working import Worker


@pytest.fixture
def ledger(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Ledger]:
    with open_test_ledger(getattr(request, "param", "sqlite"), tmp_path / "home") as ledger:
        yield ledger


on_both = pytest.mark.parametrize("ledger", DATABASES, indirect=True)


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    folder = tmp_path / "inbox"
    folder.mkdir()
    return folder


@on_both
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


@on_both
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
    with pytest.raises(StorageFull):
        watched.take_in(ledger)
    assert (inbox / "a.pdf").exists()
    monkeypatch.undo()
    assert watched.take_in(ledger) == 1


def test_hostile_names(ledger: Ledger, inbox: Path) -> None:
    names = [b"\xff\xfe.pdf", "‮fdp.exe".encode(), b"a" * 255, b"-rf", b"new\nline.pdf", b"%s{}.pdf"]
    names += ["e\u0301.pdf".encode(), "\u00e9.pdf".encode(), b"a..\\..\\b", "\u200b.pdf".encode()]
    for number, name in enumerate(names):
        with open(os.path.join(os.fsencode(inbox), name), "wb") as file:
            file.write(b"%d" % number)
    watched = WatchedFolder(inbox, settled_s=0)
    watched.take_in(ledger)
    assert watched.take_in(ledger) == len(names)
    assert list(inbox.iterdir()) == []
    assert led.balance(ledger).holds


# --------------------------------------------------------------------------- shares


def looks(watched: WatchedFolder, ledger: Ledger, number: int = 2) -> list[int]:
    return [watched.take_in(ledger) for _ in range(number)]


def test_a_share_that_goes_away_and_comes_back(ledger: Ledger, inbox: Path) -> None:
    watched = WatchedFolder(inbox, settled_s=0)
    (inbox / "a.pdf").write_bytes(b"1")
    watched.take_in(ledger)
    inbox.rename(inbox.parent / "gone")
    for _ in range(2):
        with pytest.raises(ChannelError, match="mounted") as error:
            watched.take_in(ledger)
        assert error.value.code == "not_there"
    with pytest.raises(ChannelError):
        watched.check()
    (inbox.parent / "gone").rename(inbox)
    assert sum(looks(watched, ledger)) == 1


@pytest.mark.parametrize("number", [errno.ESTALE, errno.EIO, errno.EACCES])
def test_a_share_that_cannot_be_listed(
    ledger: Ledger, inbox: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def fails(place: int) -> list[str]:
        raise OSError(number, os.strerror(number))

    watched = WatchedFolder(inbox, settled_s=0)
    monkeypatch.setattr(os, "listdir", fails)
    with pytest.raises(ChannelError, match=os.strerror(number)):
        watched.take_in(ledger)


def test_one_file_that_cannot_be_read_holds_up_no_other(
    ledger: Ledger, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.pdf", "b.pdf", "c.pdf"):
        (inbox / name).write_bytes(name.encode())
    opens = os.open

    def refuses(path: Any, *given: Any, **named: Any) -> int:
        if path == "b.pdf":
            raise PermissionError(errno.EACCES, "not allowed")
        return opens(path, *given, **named)

    watched = WatchedFolder(inbox, settled_s=0)
    monkeypatch.setattr(os, "open", refuses)
    assert looks(watched, ledger, 4) == [0, 2, 0, 0]
    assert watched.left == {"unreadable": 1}
    monkeypatch.undo()
    assert sum(looks(watched, ledger)) == 1
    assert watched.left == {}
    assert len(led.items(ledger)) == 3


def test_an_io_error_in_the_middle_of_a_file(
    ledger: Ledger, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (inbox / "a.pdf").write_bytes(os.urandom(3 * 2**20))
    reads = os.readv

    def fails(descriptor: int, buffers: Any) -> int:
        if os.lseek(descriptor, 0, os.SEEK_CUR):
            raise OSError(errno.EIO, "broken")
        return reads(descriptor, buffers)

    watched = WatchedFolder(inbox, settled_s=0)
    monkeypatch.setattr(os, "readv", fails)
    assert looks(watched, ledger, 3) == [0, 0, 0]
    assert (watched.left, led.items(ledger)) == ({"unreadable": 1}, [])
    monkeypatch.undo()
    assert sum(looks(watched, ledger)) == 1


def test_a_vault_that_fails_is_no_fault_of_the_file(
    ledger: Ledger, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (inbox / "a.pdf").write_bytes(b"1")
    watched = WatchedFolder(inbox, settled_s=0)
    watched.take_in(ledger)

    def fails(*_: Any) -> None:
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(ledger.vault, "keep", fails)
    polling = Polling(watched)
    assert polling.poll(ledger) == 0
    assert (polling.cause, watched.left) == ("storage", {})
    monkeypatch.undo()
    assert polling.poll(ledger) == 1


def test_a_file_that_shrinks_while_it_is_read_is_not_received(
    ledger: Ledger, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = inbox / "a.pdf"
    path.write_bytes(os.urandom(3 * 2**20))
    reads = os.readv

    def shrinks(descriptor: int, buffers: Any) -> int:
        os.truncate(path, 2**20)
        return reads(descriptor, buffers)

    watched = WatchedFolder(inbox, settled_s=0)
    monkeypatch.setattr(os, "readv", shrinks)
    assert looks(watched, ledger, 2) == [0, 0]
    assert led.items(ledger) == []
    monkeypatch.undo()
    assert sum(looks(watched, ledger, 3)) == 1
    (item,) = led.items(ledger)
    assert item.byte_count == 2**20


def test_an_empty_file_is_given_more_time(ledger: Ledger, inbox: Path) -> None:
    (inbox / "empty.pdf").write_bytes(b"")
    (inbox / "full.pdf").write_bytes(b"1")
    watched = WatchedFolder(inbox, settled_s=0.1)
    watched.take_in(ledger)
    time.sleep(0.15)
    assert watched.take_in(ledger) == 1
    assert (inbox / "empty.pdf").exists()
    time.sleep(1.2)
    assert watched.take_in(ledger) == 1
    assert sorted(item.byte_count for item in led.items(ledger)) == [0, 1]


# --------------------------------------------------------------------------- what cannot be taken away


def forbid_removal(monkeypatch: pytest.MonkeyPatch) -> None:
    """As for a user who may only read the folder: these tests may be run by root, who may do all."""

    def refuses(does: Callable[..., None], *given: Any, **named: Any) -> None:
        if named:  # in the watched folder, which is open; the vault's is told by its path
            raise PermissionError(errno.EACCES, "not allowed")
        does(*given)

    monkeypatch.setattr(os, "unlink", partial(refuses, os.unlink))
    monkeypatch.setattr(os, "rename", partial(refuses, os.rename))


@pytest.mark.parametrize("is_folder", [False, True])
def test_what_cannot_be_removed_is_received_once(
    ledger: Ledger, inbox: Path, monkeypatch: pytest.MonkeyPatch, is_folder: bool
) -> None:
    if is_folder:
        (inbox / "packet").mkdir()
    path = inbox / "packet" / "a.pdf" if is_folder else inbox / "a.pdf"
    path.write_bytes(b"1")

    forbid_removal(monkeypatch)
    watched = WatchedFolder(inbox, settled_s=0)
    assert looks(watched, ledger, 5) == [0, 1, 0, 0, 0]
    assert watched.left == {"not_removed": 1}
    assert looks(WatchedFolder(inbox, settled_s=0), ledger, 3) == [0, 1, 0]  # a process started anew
    balance = led.balance(ledger)
    assert (balance.received, balance.deliveries) == (1, 1)
    (item,) = led.items(ledger)
    assert [event.kind for event in led.history(ledger, item.id).events] == ["received"]
    monkeypatch.undo()
    looks(watched, ledger)
    assert (watched.left, list(inbox.iterdir())) == ({}, [])


def test_what_is_written_under_a_name_that_could_not_be_removed_is_new(
    ledger: Ledger, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (inbox / "a.pdf").write_bytes(b"1")
    forbid_removal(monkeypatch)
    watched = WatchedFolder(inbox, settled_s=0)
    assert looks(watched, ledger) == [0, 1]
    (inbox / "a.pdf").write_bytes(b"another")
    assert looks(watched, ledger) == [0, 1]
    assert len(led.items(ledger)) == 2


@on_both
def test_a_folder_killed_halfway_through_removal_is_no_smaller_submission(
    ledger: Ledger, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (inbox / "packet").mkdir()
    for name in ("a.pdf", "b.pdf", "c.pdf"):
        (inbox / "packet" / name).write_bytes(name.encode())
    unlinks, removed = os.unlink, list[str]()

    def killed(path: Any, **named: Any) -> None:
        if named:
            if removed:
                raise KeyboardInterrupt
            removed.append(path)
        unlinks(path, **named)

    watched = WatchedFolder(inbox, settled_s=0)
    watched.take_in(ledger)
    monkeypatch.setattr(os, "unlink", killed)
    with pytest.raises(KeyboardInterrupt):
        watched.take_in(ledger)
    monkeypatch.undo()
    assert len([path for path in inbox.rglob("*") if path.is_file()]) == 2
    assert looks(WatchedFolder(inbox, settled_s=0), ledger, 3) == [0, 0, 0]
    assert list(inbox.iterdir()) == []
    assert len(led.items(ledger)) == 1


def test_what_desktops_leave_behind_is_no_part_and_does_not_stay(ledger: Ledger, inbox: Path) -> None:
    (inbox / "packet" / "@eaDir").mkdir(parents=True)
    for name in ("a.pdf", "Thumbs.db", "desktop.ini", ".DS_Store", "@eaDir/a.pdf@thumb"):
        (inbox / "packet" / name).write_bytes(b"1")
    (inbox / "Thumbs.db").write_bytes(b"1")
    watched = WatchedFolder(inbox, settled_s=0)
    assert looks(watched, ledger, 3) == [0, 1, 0]
    (item,) = led.items(ledger)
    assert item.file_count == 1
    assert [path.name for path in inbox.iterdir()] == ["Thumbs.db"]


# --------------------------------------------------------------------------- hostile


def test_links_are_not_followed(ledger: Ledger, inbox: Path) -> None:
    outside = inbox.parent / "outside"
    outside.mkdir()
    (outside / "secret.pdf").write_bytes(b"not yours")
    (inbox / "link.pdf").symlink_to(outside / "secret.pdf")
    (inbox / "folder").symlink_to(outside)
    (inbox / "broken").symlink_to("nowhere")
    (inbox / "packet").mkdir()
    (inbox / "packet" / "a.pdf").write_bytes(b"1")
    (inbox / "packet" / "b.pdf").symlink_to(outside / "secret.pdf")
    watched = WatchedFolder(inbox, settled_s=0)
    assert looks(watched, ledger, 3) == [0, 0, 0]
    assert watched.left == {"link": 4}
    assert (outside / "secret.pdf").exists()


@pytest.mark.parametrize("what", ["file", "folder", "pipe"])
def test_what_is_exchanged_between_the_look_and_the_reading(
    ledger: Ledger, inbox: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    outside = inbox.parent / "outside"
    outside.mkdir()
    (outside / "a.pdf").write_bytes(b"1")
    path = inbox / "packet" / "a.pdf"
    path.parent.mkdir()
    path.write_bytes(b"1")
    watched = WatchedFolder(inbox, settled_s=0)
    watched.take_in(ledger)
    import pipeline.intake.watch as module

    def late(ledger: Ledger, arrivals: list[led.Arrival]) -> list[led.Receipt]:
        if not path.is_symlink() and not path.parent.is_symlink():
            path.unlink()
            if what == "file":
                path.symlink_to(outside / "a.pdf")
            elif what == "pipe":
                os.mkfifo(path)
            else:
                path.parent.rmdir()
                path.parent.symlink_to(outside)
        return led.receive(ledger, arrivals)

    monkeypatch.setattr(module, "receive", late)
    assert watched.take_in(ledger) == 0
    assert led.items(ledger) == []
    assert (outside / "a.pdf").exists()


def test_pipes_sockets_and_folders_inside_are_left_and_told(ledger: Ledger, inbox: Path) -> None:
    os.mkfifo(inbox / "pipe")
    (inbox / "packet" / "another patient").mkdir(parents=True)
    (inbox / "packet" / "a.pdf").write_bytes(b"1")
    watched = WatchedFolder(inbox, settled_s=0)
    assert looks(watched, ledger) == [0, 0]
    assert watched.left == {"no_file": 1, "folder_inside": 1}
    (inbox / "packet" / "another patient").rename(inbox / "b")
    (inbox / "b" / "b.pdf").write_bytes(b"2")
    assert sum(looks(watched, ledger, 3)) == 2


def test_what_is_above_the_bounds_is_set_aside_and_told(ledger: Ledger, inbox: Path) -> None:
    for name, size in [("right.pdf", 100), ("huge.pdf", 101)]:
        (inbox / name).write_bytes(b"1" * size)
    (inbox / "many").mkdir()
    for number in range(3):
        (inbox / "many" / f"{number}.pdf").write_bytes(b"%d" % number)
    (inbox / "refused").mkdir()
    (inbox / "refused" / "huge.pdf").write_bytes(b"of last week")
    watched = WatchedFolder(inbox, settled_s=0, bounds=Bounds(100, 2))
    polling = Polling(watched)
    assert [polling.poll(ledger) for _ in range(3)] == [0, 1, 0]
    assert (inbox / "refused" / "huge.pdf").read_bytes() == b"of last week"
    assert len(list((inbox / "refused").iterdir())) == 3
    assert watched.left == {}
    standing = led.channel_standing(ledger, "folder")
    assert standing is not None
    assert (standing.cause, standing.refused, standing.left) == ("working", 2, {})


def test_who_may_look_into_the_folder_may_see_what_was_refused(ledger: Ledger, inbox: Path) -> None:
    inbox.chmod(0o775)
    (inbox / "huge.pdf").write_bytes(b"1" * 101)
    before = os.umask(0o077)
    try:
        looks(WatchedFolder(inbox, settled_s=0, bounds=Bounds(100, 2)), ledger)
    finally:
        os.umask(before)
    assert (inbox / "refused").stat().st_mode & 0o777 == 0o775


def test_a_file_too_large_to_be_read_is_received_and_parked(tmp_path: Path, inbox: Path) -> None:
    (inbox / "a.pdf").write_bytes(b"%PDF-1.7\n" + b" " * 2**20)
    environ = {"TRIAGE_HOME": str(tmp_path / "other"), "TRIAGE_KEYS": KEYS, "TRIAGE_MIN_FREE_MB": "1"}
    settings = load_settings(environ | {"TRIAGE_WATCH_FOLDER": str(inbox), "TRIAGE_MAX_FILE_MB": "1"})
    with led.open_ledger(settings) as ledger:
        watched = watched_folder(replace(settings, watch_settled_s=0))
        assert watched is not None
        assert looks(watched, ledger) == [0, 1]
        with closing(Worker(ledger, settings, "w")) as worker:
            (claim,) = led.claim(ledger, worker.name)
            worker.work(claim)
        (item,) = led.items(ledger)
        assert (item.state, item.reason) == (led.State.PARKED, "too_large")
    assert list(inbox.iterdir()) == []


def test_a_packet_of_more_files_than_a_process_may_open(ledger: Ledger, inbox: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    (inbox / "packet").mkdir()
    for number in range(300):
        (inbox / "packet" / f"{number}.tif").write_bytes(b"II*\0%d" % number)
    watched = WatchedFolder(inbox, settled_s=0)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 200), hard))
    try:
        assert looks(watched, ledger) == [0, 1]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    (item,) = led.items(ledger)
    assert item.file_count == 300


# --------------------------------------------------------------------------- polling


def test_a_channel_that_fails_is_told_once_and_asked_less_and_less(
    ledger: Ledger, inbox: Path, caplog: pytest.LogCaptureFixture
) -> None:
    watched = WatchedFolder(inbox, settled_s=0)
    polling = Polling(watched, longest_pause_s=6)
    polling.poll(ledger)
    assert polling.pause_s == 1
    inbox.rmdir()
    pauses = []
    for _ in range(5):
        polling.poll(ledger)
        pauses.append(polling.pause_s)
    assert pauses == [1, 2, 4, 6, 6]
    assert len(caplog.records) == 1
    standing = led.channel_standing(ledger, "folder")
    assert standing is not None
    assert (standing.cause, standing.last_received) == ("not_there", None)
    inbox.mkdir()
    polling.poll(ledger)
    assert polling.pause_s == 1
    assert [record.getMessage() for record in caplog.records[1:]] == ["Channel folder works again."]
    events = ledger.read(lambda db: db.execute(select(tables.events.c.cause)).scalars().all())
    assert events == ["working", "not_there", "working"]


@pytest.mark.parametrize("kind", DATABASES)
def test_two_that_watch_one_folder_take_everything_in_once(kind: str, tmp_path: Path, inbox: Path) -> None:
    for number in range(20):
        (inbox / f"{number}.pdf").write_bytes(b"%d" % number)
        (inbox / f"packet {number}").mkdir()
        for name in ("a", "b"):
            (inbox / f"packet {number}" / name).write_bytes(b"%d %s" % (number, name.encode()))

    def watch(ledger: Ledger) -> None:
        watched = WatchedFolder(inbox, settled_s=0)
        while any(inbox.iterdir()):
            watched.take_in(ledger)

    with open_test_ledger(kind, tmp_path / "home") as ledger:
        with ThreadPoolExecutor(2) as both:
            for done in [both.submit(watch, ledger) for _ in range(2)]:
                done.result(120)
        balance = led.balance(ledger)
    assert balance.holds
    assert (balance.received, balance.deliveries) == (40, 40)


def test_a_bug_in_a_channel_is_told_with_its_place_and_the_channel_goes_on(
    ledger: Ledger, inbox: Path, caplog: pytest.LogCaptureFixture
) -> None:
    polling = Polling(WatchedFolder(inbox))
    polling.channel = Mock(every_s=1.0, left={}, take_in=Mock(side_effect=[ValueError("Quillfeather"), 3]))
    polling.channel.name = "folder"
    assert polling.poll(ledger) == 0
    assert (polling.cause, len(caplog.records)) == ("internal_error", 1)
    assert polling.poll(ledger) == 3
