"""The registry of channels, and what `triage doctor` says of each."""

from __future__ import annotations

from pathlib import Path
from pkgutil import resolve_name

import pytest
from ledgers import DATABASES, KEYS, ledger_settings
from sqlalchemy import select

from pipeline import ledger as led
from pipeline.addresses import host_and_port
from pipeline.doctor import Check, Found, examine
from pipeline.errors import ConfigurationError
from pipeline.intake import CHANNELS, configured, open_channel
from pipeline.intake.polling import Polling
from pipeline.ledger import tables
from pipeline.settings import load_settings


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "inbox").mkdir()
    return {
        "TRIAGE_HOME": str(tmp_path / "home"),
        "TRIAGE_KEYS": KEYS,
        "TRIAGE_MIN_FREE_MB": "1",
        "TRIAGE_WATCH_SETTLED_S": "0",
        "TRIAGE_WATCH_FOLDER": str(tmp_path / "inbox"),
    }


SFTP = {"TRIAGE_SFTP_SERVER": "localhost:1", "TRIAGE_SFTP_USER": "clerk", "TRIAGE_SFTP_PASSWORD": "secret-1"}
MAILBOX = {
    "TRIAGE_MAILBOX_SERVER": "localhost:1",
    "TRIAGE_MAILBOX_USER": "clerk",
    "TRIAGE_MAILBOX_PASSWORD": "secret-2",
}


def told(environ: dict[str, str]) -> dict[str, Check]:
    return {check.what: check for check in examine(load_settings(environ)) if "channel" in check.what}


def test_every_channel_is_there_and_none_is_used_unasked() -> None:
    for name, entry in CHANNELS.items():
        assert resolve_name(entry)(load_settings({})) is None, name
    assert configured(load_settings({})) == []
    with pytest.raises(ConfigurationError, match="not set up"):
        open_channel("sftp", load_settings({}))


def test_the_settings_choose(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "known_hosts").touch()
    known = {"TRIAGE_SFTP_KNOWN_HOSTS": str(tmp_path / "known_hosts")}
    assert configured(load_settings(environ)) == ["folder"]
    assert configured(load_settings(environ | SFTP | known | MAILBOX)) == ["folder", "sftp", "mailbox"]
    with pytest.raises(ConfigurationError, match="TRIAGE_SFTP_KNOWN_HOSTS"):
        configured(load_settings(environ | SFTP))


def test_no_secret_shows(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "known_hosts").touch()
    settings = load_settings(
        environ | SFTP | MAILBOX | {"TRIAGE_SFTP_KNOWN_HOSTS": str(tmp_path / "known_hosts")}
    )
    for name in configured(settings):
        shown = repr(vars(open_channel(name, settings)))
        assert "secret-" not in shown


def test_doctor_looks_at_the_channels_that_are_used(environ: dict[str, str]) -> None:
    (check,) = told(environ).values()
    assert (check.what, check.found) == ("channel folder", Found.OK)
    assert "has not run yet" in check.told


@pytest.mark.parametrize(
    ("more", "what", "says"),
    [
        ({"TRIAGE_WATCH_FOLDER": "/nowhere"}, "channel folder", "cannot be used"),
        (SFTP, "channel sftp", "TRIAGE_SFTP_KNOWN_HOSTS"),
        (SFTP | {"TRIAGE_SFTP_KNOWN_HOSTS": __file__}, "channel sftp", "reached"),
        (MAILBOX, "channel mailbox", "reached"),
    ],
)
def test_doctor_finds_what_is_broken(
    environ: dict[str, str], more: dict[str, str], what: str, says: str
) -> None:
    checks = told(environ | more)
    assert checks[what].found is Found.BROKEN
    assert says in checks[what].told
    assert checks[what].next_step
    for name in checks:
        if name not in (what, "channel folder"):
            raise AssertionError(f"{name} was not asked for")


def test_doctor_tells_what_a_channel_left(environ: dict[str, str], tmp_path: Path) -> None:
    settings = load_settings(environ)
    (tmp_path / "inbox" / "a.pdf").write_bytes(b"1")
    with led.open_ledger(settings) as ledger:
        polling = Polling(open_channel("folder", settings))
        polling.poll(ledger)
        assert polling.poll(ledger) == 1
        assert "the last came" in told(environ)["channel folder"].told
        (tmp_path / "inbox" / "link").symlink_to("/etc/passwd")
        polling.poll(ledger)
        led.refused(ledger, "folder", "too_large", "r", bytes=1)
    check = told(environ)["channel folder"]
    assert check.found is Found.CHECK
    assert check.told.endswith("1 link; 1 refused in the last 7 days.")


@pytest.mark.parametrize("kind", DATABASES)
def test_standing_is_written_when_it_changes(kind: str, tmp_path: Path) -> None:
    with ledger_settings(kind, tmp_path / "home") as settings, led.open_ledger(settings) as ledger:
        assert led.channel_standing(ledger, "sftp") is None
        for cause, left in [("working", {}), ("working", {}), ("unreachable", {}), ("working", {"link": 1})]:
            led.channel_stands(ledger, "sftp", cause, left)
        led.channel_stands(ledger, "folder", "not_there", {})
        for reference in ("a", "a", "b"):
            led.refused(ledger, "sftp", "too_large", reference, bytes=5)
        (receipt,) = led.receive(ledger, [led.Arrival([led.Incoming("a", b"1")], "sftp")])
        standing = led.channel_standing(ledger, "sftp")
        assert standing is not None
        assert (standing.cause, standing.left, standing.refused) == ("working", {"link": 1}, 2)
        (event,) = led.history(ledger, receipt.submission_id).events
        assert standing.last_received == event.at
        kinds = ledger.read(lambda db: db.execute(select(tables.events.c.kind)).scalars().all())
        assert sorted(kinds) == ["channel"] * 4 + ["received"] + ["refused"] * 2
        assert led.balance(ledger).holds


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mail.example", ("mail.example", 7)),
        ("mail.example:993", ("mail.example", 993)),
        ("[::1]:22", ("::1", 22)),
        ("127.0.0.1", ("127.0.0.1", 7)),
    ],
)
def test_addresses(text: str, expected: tuple[str, int]) -> None:
    assert host_and_port("TRIAGE_X", text, port=7) == expected


@pytest.mark.parametrize("text", ["", ":22", "host:http", "host:99999", "u@host", "host/x", "ftp://h"])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ConfigurationError, match="TRIAGE_X is no address"):
        host_and_port("TRIAGE_X", text, port=7)
