"""The SFTP drop against a real server: whole or not at all, once, whatever goes away in between."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from ledgers import DATABASES, KEYS, open_test_ledger
from sftp_servers import PASSWORD, Sftp, sftp_server

import pipeline.intake.sftp as module
from pipeline import ledger as led
from pipeline.errors import ChannelError, ConfigurationError, StorageFull
from pipeline.intake.polling import Polling
from pipeline.intake.sftp import SftpDrop, sftp_drop
from pipeline.ledger import Ledger
from pipeline.settings import Settings, load_settings


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Sftp]:
    folder = tmp_path / "server"
    folder.mkdir()
    with sftp_server(folder) as server:
        yield server


@pytest.fixture
def ledger(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Ledger]:
    with open_test_ledger(getattr(request, "param", "sqlite"), tmp_path / "home") as ledger:
        yield ledger


on_both = pytest.mark.parametrize("ledger", DATABASES, indirect=True)


def settings(server: Sftp, **more: str) -> Settings:
    given = server.settings | {"home": str(server.home / "home"), "keys": KEYS, "min_free_mb": "1"} | more
    return load_settings({f"TRIAGE_{name.upper()}": value for name, value in given.items()})


def channel(server: Sftp, **more: str) -> SftpDrop:
    found = sftp_drop(settings(server, **more))
    assert found is not None
    return found


def taken(drop: SftpDrop, ledger: Ledger, looks: int = 2) -> list[int]:
    return [drop.take_in(ledger) for _ in range(looks)]


def left(server: Sftp) -> list[str]:
    return sorted(str(path.relative_to(server.root)) for path in server.root.rglob("*") if path.is_file())


@on_both
def test_files_and_folders_are_received_and_removed(server: Sftp, ledger: Ledger) -> None:
    (server.root / "one.pdf").write_bytes(b"1" * 100_000)
    (server.root / "packet").mkdir()
    for name in ("a.pdf", "b.pdf"):
        (server.root / "packet" / name).write_bytes(name.encode())
    assert taken(channel(server), ledger) == [0, 2]
    assert sorted(item.file_count for item in led.items(ledger)) == [1, 2]
    assert {item.channel for item in led.items(ledger)} == {"sftp"}
    assert sorted(item.byte_count for item in led.items(ledger)) == [10, 100_000]
    assert list(server.root.iterdir()) == []
    assert list((server.home / "home" / "arriving").iterdir()) == []


def test_nothing_of_a_name_is_logged_or_kept_in_clear(
    server: Sftp, ledger: Ledger, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "pipeline")
    (server.root / "Quillfeather, Ambrosius.pdf").write_bytes(b"1")
    (server.root / "Quillfeather link").symlink_to("/etc/passwd")
    polling = Polling(channel(server))
    assert [polling.poll(ledger), polling.poll(ledger)] == [0, 1]
    assert "1 link" in caplog.text
    kept = b"".join(path.read_bytes() for path in (tmp_path / "home").rglob("*") if path.is_file())
    assert b"sftp" in kept
    assert "Quillfeather" not in "".join(
        record.getMessage() for record in caplog.records if record.name.startswith("pipeline")
    )
    assert b"Quillfeather" not in kept


def test_received_files_are_moved_where_the_settings_say(server: Sftp, ledger: Ledger) -> None:
    (server.root / "received").mkdir()
    (server.root / "received" / "one.pdf").write_bytes(b"of last week")
    (server.root / "one.pdf").write_bytes(b"1")
    drop = channel(server, sftp_received="received")
    assert taken(drop, ledger, looks=4) == [0, 1, 0, 0]
    found = left(server)
    assert (server.root / "received" / "one.pdf").read_bytes() == b"of last week"
    assert len(found) == 2
    assert all(name.startswith("received/") for name in found)


def test_a_key_lets_us_in_too(server: Sftp, ledger: Ledger) -> None:
    (server.root / "one.pdf").write_bytes(b"1")
    drop = channel(server, sftp_password="", sftp_key=str(server.home / "user_key"))
    assert taken(drop, ledger) == [0, 1]


def test_what_still_grows_or_is_unfinished_is_left(server: Sftp, ledger: Ledger) -> None:
    drop = channel(server)
    (server.root / "b.pdf.filepart").write_bytes(b"1")
    for length in range(1, 4):
        (server.root / "slow.pdf").write_bytes(b"x" * length)
        assert drop.take_in(ledger) == 0
    assert drop.take_in(ledger) == 1
    assert left(server) == ["b.pdf.filepart"]


# --------------------------------------------------------------------------- half deliveries


def test_a_connection_that_is_cut_in_a_download(server: Sftp, ledger: Ledger) -> None:
    (server.root / "long.pdf").write_bytes(os.urandom(3_000_000))
    drop = channel(server)
    assert drop.take_in(ledger) == 0
    server.cut_after = 1_000_000
    with pytest.raises(ChannelError) as error:
        drop.take_in(ledger)
    assert error.value.code == "unreachable"
    assert led.items(ledger) == []
    assert list((server.home / "home" / "arriving").iterdir()) == []
    server.cut_after = None
    assert drop.take_in(ledger) == 1
    assert led.balance(ledger).holds


@on_both
def test_killed_between_the_ledger_and_the_removal(
    server: Sftp, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    (server.root / "packet").mkdir()
    for name in ("a.pdf", "b.pdf"):
        (server.root / "packet" / name).write_bytes(name.encode())

    def killed(ledger: Ledger, arrivals: list[led.Arrival]) -> None:
        led.receive(ledger, arrivals)
        raise KeyboardInterrupt

    drop = channel(server)
    drop.take_in(ledger)
    monkeypatch.setattr(module, "receive", killed)
    with pytest.raises(KeyboardInterrupt):
        drop.take_in(ledger)
    monkeypatch.undo()
    assert len(left(server)) == 2
    assert taken(channel(server), ledger) == [0, 1]  # another process: it asks the ledger, which knows
    assert left(server) == []
    balance = led.balance(ledger)
    assert (balance.received, balance.deliveries) == (1, 1)


def test_a_file_that_changes_while_it_is_fetched_is_left(
    server: Sftp, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = server.root / "a.pdf"
    path.write_bytes(b"1" * 100)
    drop = channel(server)
    drop.take_in(ledger)
    fetch = module.SftpFolder.fetch

    async def late(self: Any, *given: Any) -> None:
        await fetch(self, *given)
        path.write_bytes(b"2" * 200)

    monkeypatch.setattr(module.SftpFolder, "fetch", late)
    assert drop.take_in(ledger) == 0
    monkeypatch.undo()
    assert taken(drop, ledger) == [0, 1]
    (item,) = led.items(ledger)
    assert item.byte_count == 200


@on_both
def test_what_is_put_back_is_the_same_submission(server: Sftp, ledger: Ledger) -> None:
    drop = channel(server)
    for name in ("a.pdf", "again.pdf"):
        (server.root / name).write_bytes(b"the same bytes")
        taken(drop, ledger)
    assert left(server) == []
    balance = led.balance(ledger)
    assert (balance.received, balance.deliveries) == (1, 2)


@pytest.mark.parametrize("operation", ["remove", "rename"])
def test_what_may_not_be_removed_is_received_once(server: Sftp, ledger: Ledger, operation: str) -> None:
    (server.root / "a.pdf").write_bytes(b"1")
    (server.root / "packet").mkdir()
    (server.root / "packet" / "b.pdf").write_bytes(b"2")
    server.closed = {operation}
    drop = channel(server, sftp_received="received" if operation == "rename" else "")
    assert taken(drop, ledger) == [0, 2]
    reads = server.reads
    assert taken(drop, ledger, looks=3) == [0, 0, 0]
    assert server.reads == reads  # nor is it fetched again
    balance = led.balance(ledger)
    assert (balance.received, balance.deliveries) == (2, 2)
    assert drop.left["not_removed"] >= 1
    server.closed = set()
    taken(drop, ledger)
    assert [name for name in left(server) if not name.startswith("received/")] == []
    assert drop.left == {}


def test_a_full_disk_leaves_it_there(server: Sftp, ledger: Ledger) -> None:
    (server.root / "a.pdf").write_bytes(b"1")
    drop = channel(server, min_free_mb=str(2**30))
    drop.take_in(ledger)
    with pytest.raises(StorageFull):
        drop.take_in(ledger)
    assert left(server) == ["a.pdf"]


# --------------------------------------------------------------------------- refusals


def test_another_host_key_is_refused(server: Sftp, ledger: Ledger) -> None:
    (server.root / "a.pdf").write_bytes(b"1")
    server.trust(asyncssh.generate_private_key("ssh-ed25519"))
    with pytest.raises(ChannelError, match="another key") as error:
        channel(server).take_in(ledger)
    assert error.value.code == "host_key"
    with pytest.raises(ChannelError, match="another key"):
        channel(server).check()


def test_a_server_nobody_knows_is_refused(server: Sftp, ledger: Ledger) -> None:
    server.known_hosts.write_text("")
    with pytest.raises(ChannelError) as error:
        channel(server).take_in(ledger)
    assert error.value.code == "host_key"


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"sftp_known_hosts": ""}, "ssh-keyscan"),
        ({"sftp_known_hosts": "/nowhere"}, "ssh-keyscan"),
        ({"sftp_user": ""}, "TRIAGE_SFTP_USER"),
        ({"sftp_password": ""}, "TRIAGE_SFTP_KEY"),
        ({"sftp_server": "user@host"}, "host:port"),
        ({"sftp_server": "host:http"}, "host:port"),
        ({"sftp_received": "."}, "TRIAGE_SFTP_RECEIVED"),
    ],
)
def test_settings_that_lack_something(server: Sftp, more: dict[str, str], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        sftp_drop(settings(server, **more))


def test_wrong_credentials_are_told_once_and_it_goes_on(
    server: Sftp, ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, "pipeline")  # another test may have made it quieter
    (server.root / "a.pdf").write_bytes(b"1")
    wrong = PASSWORD[::-1]
    polling = Polling(channel(server, sftp_password=wrong, sftp_every_s="0.1"))
    assert [polling.poll(ledger) for _ in range(3)] == [0, 0, 0]
    ours = [record for record in caplog.records if record.name.startswith("pipeline")]
    assert [record.levelname for record in ours] == ["WARNING"]
    assert "TRIAGE_SFTP_USER" in ours[0].getMessage()
    assert wrong not in caplog.text
    assert PASSWORD not in caplog.text
    assert polling.pause_s == 4
    standing = led.channel_standing(ledger, "sftp")
    assert standing is not None
    assert standing.cause == "not_let_in"

    polling.channel = channel(server)
    polling.poll(ledger)
    assert polling.poll(ledger) == 1
    standing = led.channel_standing(ledger, "sftp")
    assert standing is not None
    assert standing.cause == led.WORKING
    assert "works again" in caplog.text


def test_a_key_that_cannot_be_used(server: Sftp, ledger: Ledger) -> None:
    (server.home / "no_key").write_text("-----BEGIN OPENSSH PRIVATE KEY-----\nnone\n")
    with pytest.raises(ChannelError) as error:
        channel(server, sftp_password="", sftp_key=str(server.home / "no_key")).take_in(ledger)
    assert error.value.code == "key"


def test_a_server_that_is_not_there(server: Sftp, ledger: Ledger) -> None:
    drop = channel(server, sftp_server="localhost:1")
    with pytest.raises(ChannelError) as error:
        drop.take_in(ledger)
    assert error.value.code == "unreachable"


def test_a_folder_that_is_not_there(server: Sftp, ledger: Ledger) -> None:
    with pytest.raises(ChannelError) as error:
        channel(server, sftp_folder="nowhere").take_in(ledger)
    assert error.value.code == "not_there"


# --------------------------------------------------------------------------- hostile


def test_hostile_names(server: Sftp, ledger: Ledger) -> None:
    names = [
        b"\xff\xfe.pdf",
        "‮fdp.exe".encode(),
        b"a" * 255,
        b"-rf",
        b"new\nline.pdf",
        b"a..%2f..%2fetc",
        b"a\\..\\..\\x",
        "e\u0301.pdf".encode(),
        "\u00e9.pdf".encode(),
    ]
    for number, name in enumerate(names):
        (Path(os.fsdecode(os.path.join(os.fsencode(server.root), name)))).write_bytes(b"%d" % number)
    assert taken(channel(server), ledger) == [0, len(names)]
    assert left(server) == []
    assert led.balance(ledger).holds


def test_names_that_a_server_should_not_have(
    server: Sftp, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    (server.root.parent / "outside.pdf").write_bytes(b"not yours")
    listed = asyncssh.SFTPServer.scandir

    def hostile(self: Any, path: bytes) -> Any:
        async def names() -> Any:
            async for name in listed(self, path):
                yield name
            for name in (b"../outside.pdf", b"x/../../outside.pdf", b"a\0b.pdf", b""):
                attributes = asyncssh.SFTPAttrs(permissions=0o100644, size=9, mtime=1)
                yield asyncssh.SFTPName(name, attrs=attributes)

        return names()

    monkeypatch.setattr(asyncssh.SFTPServer, "scandir", hostile)
    (server.root / "a.pdf").write_bytes(b"1")
    drop = channel(server)
    assert taken(drop, ledger) == [0, 1]
    assert drop.left == {"no_file": 3}
    assert (server.root.parent / "outside.pdf").exists()


def test_what_is_no_submission_is_left_and_told(server: Sftp, ledger: Ledger) -> None:
    (server.home / "secret").write_bytes(b"not yours")
    (server.root / "link.pdf").symlink_to("/secret")
    (server.root / "packet" / "inside").mkdir(parents=True)
    (server.root / "packet" / "a.pdf").write_bytes(b"1")
    os.mkfifo(server.root / "pipe")
    drop = channel(server)
    assert taken(drop, ledger) == [0, 0]
    assert drop.left == {"link": 1, "folder_inside": 1, "no_file": 1}


def test_what_is_above_the_bounds_is_set_aside(server: Sftp, ledger: Ledger) -> None:
    (server.root / "huge.pdf").write_bytes(b"1" * (2**20 + 1))
    (server.root / "many").mkdir()
    for number in range(3):
        (server.root / "many" / f"{number}.pdf").write_bytes(b"%d" % number)
    (server.root / "right.pdf").write_bytes(b"1" * 2**20)
    drop = channel(server, intake_max_mb="1", intake_max_files="2")
    assert taken(drop, ledger, looks=4) == [0, 1, 0, 0]
    assert left(server) == ["refused/huge.pdf", *(f"refused/many/{number}.pdf" for number in range(3))]
    Polling(drop).poll(ledger)
    standing = led.channel_standing(ledger, "sftp")
    assert standing is not None
    assert standing.refused == 2


# --------------------------------------------------------------------------- check


def test_check_tells_what_is_wrong(server: Sftp) -> None:
    (server.root / "a.pdf").write_bytes(b"1")
    drop = channel(server)
    assert drop.check() == f"localhost:{server.port}, 1 entries."
    assert left(server) == ["a.pdf"]
    server.closed = {"open"}
    with pytest.raises(ChannelError) as error:
        drop.check()
    assert error.value.code == "not_writable"
