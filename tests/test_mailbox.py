"""The mailbox against a real IMAP server: each message once, whatever goes away in between."""

from __future__ import annotations

import imaplib
import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import httpx
import pytest
from imap_servers import PASSWORD, Imap, cutting, imap_server, refusing_over_tls, token_server
from ledgers import DATABASES, KEYS, open_test_ledger
from mail_servers import certificate

import pipeline.intake.mailbox as module
from pipeline import ledger as led
from pipeline.errors import ChannelError, ConfigurationError, StorageFull
from pipeline.intake import imap
from pipeline.intake.imap import ImapSession
from pipeline.intake.mail_token import Tokens
from pipeline.intake.mailbox import Mailbox, mailbox
from pipeline.intake.polling import Polling
from pipeline.ledger import Ledger
from pipeline.settings import Settings, load_settings

NAME = "Quillfeather"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Imap]:
    with imap_server(tmp_path_factory.mktemp("imap")) as server:
        yield server


@pytest.fixture
def server(running: Imap) -> Imap:
    for name in ("INBOX", "Received"):
        with running.client(name) as client:
            if client.state == "SELECTED":
                client.store("1:*", "+FLAGS", "(\\Deleted)")
                client.expunge()
    return running


@pytest.fixture
def ledger(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Ledger]:
    with open_test_ledger(getattr(request, "param", "sqlite"), tmp_path / "home") as ledger:
        yield ledger


on_both = pytest.mark.parametrize("ledger", DATABASES, indirect=True)


def settings(server: Imap, **more: str) -> Settings:
    given = server.settings | {"home": "/nowhere", "keys": KEYS} | more
    return load_settings({f"TRIAGE_{name.upper()}": value for name, value in given.items()})


def channel(server: Imap, **more: str) -> Mailbox:
    found = mailbox(settings(server, **more))
    assert found is not None
    return found


def letter(*contents: bytes, message_id: str = "<1@sender.example>") -> bytes:
    message = EmailMessage()
    message["From"], message["To"] = f"{NAME} <office@sender.example>", "intake@plan.example"
    message["Subject"] = f"Records of {NAME}"
    message["Message-ID"] = message_id
    message.set_content(f"Attached are the records of {NAME}.")
    for number, content in enumerate(contents):
        message.add_attachment(
            content, maintype="application", subtype="pdf", filename=f"{NAME}-{number}.pdf"
        )
    return message.as_bytes()


@on_both
def test_the_attachments_of_a_message_are_one_submission(server: Imap, ledger: Ledger) -> None:
    server.deliver(letter(b"%PDF-1", b"%PDF-2"))
    assert channel(server).take_in(ledger) == 1
    (item,) = led.items(ledger)
    assert (item.channel, item.file_count, item.byte_count) == ("mailbox", 2, 12)
    assert led.names(ledger, item.id) == [f"{NAME}-0.pdf", f"{NAME}-1.pdf"]
    assert (server.found(), server.found("Received")) == (0, 1)
    assert channel(server).take_in(ledger) == 0


def test_nothing_of_the_message_is_logged_or_kept_in_clear(
    server: Imap, ledger: Ledger, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, "pipeline")  # another test may have made it quieter
    server.deliver(letter(b"%PDF-1"), letter(message_id="<2@sender.example>"))
    assert Polling(channel(server)).poll(ledger) == 1
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"mailbox" in kept
    for text in (NAME, "sender.example", "Records of"):
        assert text not in caplog.text
        assert text.encode() not in kept


def test_without_another_mailbox_a_received_message_is_marked_as_seen(server: Imap, ledger: Ledger) -> None:
    server.deliver(letter(b"%PDF-1"))
    box = channel(server, mailbox_received="")
    assert [box.take_in(ledger), box.take_in(ledger)] == [1, 0]
    assert (server.found(), server.found(criterion="SEEN")) == (1, 1)


def test_who_reads_a_message_before_it_is_received_does_not_hide_it(server: Imap, ledger: Ledger) -> None:
    server.deliver(letter(b"%PDF-1"))
    server.mark("+", "\\Seen")
    assert channel(server).take_in(ledger) == 1


def test_the_clock_starts_when_the_server_got_the_message(server: Imap, ledger: Ledger) -> None:
    for age, content in [(timedelta(days=2), b"%PDF-1"), (timedelta(days=400), b"%PDF-2")]:
        server.deliver(letter(content, message_id=f"<{age.days}@x>"), at=datetime.now(UTC) - age)
    channel(server).take_in(ledger)
    ages = sorted((datetime.now(UTC) - item.received_at).days for item in led.items(ledger))
    assert ages == [0, 2]  # nobody believes the other


# --------------------------------------------------------------------------- duplicates, half deliveries


@on_both
def test_the_same_message_twice_is_one_delivery(server: Imap, ledger: Ledger) -> None:
    server.deliver(letter(b"%PDF-1"), letter(b"%PDF-1"))
    channel(server).take_in(ledger)
    balance = led.balance(ledger)
    assert (balance.received, balance.deliveries) == (1, 1)
    assert server.found() == 0


def test_other_attachments_under_the_same_id_are_received(server: Imap, ledger: Ledger) -> None:
    server.deliver(letter(b"%PDF-1"), letter(b"%PDF-2"))
    channel(server).take_in(ledger)
    balance = led.balance(ledger)
    assert (balance.received, balance.deliveries) == (2, 2)


def test_the_same_attachments_in_another_message_are_another_delivery(server: Imap, ledger: Ledger) -> None:
    server.deliver(letter(b"%PDF-1"), letter(b"%PDF-1", message_id="<2@sender.example>"))
    channel(server).take_in(ledger)
    balance = led.balance(ledger)
    assert (balance.received, balance.deliveries) == (1, 2)


@on_both
def test_killed_between_the_ledger_and_the_moving(
    server: Imap, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(ledger: Ledger, arrivals: list[led.Arrival]) -> None:
        led.receive(ledger, arrivals)
        raise KeyboardInterrupt

    server.deliver(letter(b"%PDF-1"))
    monkeypatch.setattr(module, "receive", killed)
    with pytest.raises(KeyboardInterrupt):
        channel(server).take_in(ledger)
    monkeypatch.undo()
    assert server.found() == 1
    channel(server).take_in(ledger)
    balance = led.balance(ledger)
    assert (server.found(), balance.received, balance.deliveries) == (0, 1, 1)


def test_a_connection_that_is_cut_in_a_message(server: Imap, ledger: Ledger) -> None:
    server.deliver(letter(b"%PDF-1" * 500_000))
    with cutting(server.port, 1_000_000) as port:
        box = channel(server, mailbox_server=f"localhost:{port}")
        with pytest.raises(ChannelError) as error:
            box.take_in(ledger)
    assert error.value.code == "unreachable"
    assert led.items(ledger) == []
    assert server.found(criterion="UNSEEN") == 1
    assert channel(server).take_in(ledger) == 1


def test_a_full_disk_leaves_the_message_as_it_is(
    server: Imap, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(ledger: Ledger, arrivals: list[led.Arrival]) -> None:
        raise StorageFull("full")

    server.deliver(letter(b"%PDF-1"))
    monkeypatch.setattr(module, "receive", full)
    with pytest.raises(StorageFull):
        channel(server).take_in(ledger)
    assert server.found(criterion="UNSEEN UNFLAGGED") == 1


def test_a_message_that_may_not_be_moved_is_received_once(
    server: Imap, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.deliver(letter(b"%PDF-1"))
    monkeypatch.setattr(ImapSession, "move", lambda *_: False)
    box = channel(server)
    assert [box.take_in(ledger) for _ in range(3)] == [1, 0, 0]
    assert box.left == {"not_moved": 1}
    monkeypatch.undo()
    assert box.take_in(ledger) == 0
    assert (box.left, server.found()) == ({}, 0)


def test_a_message_that_may_be_copied_and_not_removed_is_not_copied(
    server: Imap, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        module.ImapServer, "session", lambda self, client, told: ImapSession(client, ["UIDPLUS"])
    )
    server.deliver(letter(b"%PDF-1"))
    box = channel(server)
    with monkeypatch.context() as patch:
        patch.setattr(ImapSession, "mark", lambda *_: False)
        assert [box.take_in(ledger) for _ in range(3)] == [1, 0, 0]
        assert box.left == {"not_moved": 1}
        assert channel(server).take_in(ledger) == 1  # somebody new knows only that the ledger has it
    assert (server.found(), server.found("Received")) == (1, 0)
    assert led.balance(ledger).deliveries == 1
    assert box.take_in(ledger) == 0
    assert (box.left, server.found(), server.found("Received")) == ({}, 0, 1)


def test_a_message_that_cannot_be_copied_stays_as_it_was(
    server: Imap, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        module.ImapServer, "session", lambda self, client, told: ImapSession(client, ["UIDPLUS"])
    )
    server.deliver(letter(b"%PDF-1"))
    monkeypatch.setattr(ImapSession, "_put", lambda *_: False)
    box = channel(server)
    assert box.take_in(ledger) == 1
    assert (box.left, server.found(criterion="UNDELETED")) == ({"not_moved": 1}, 1)


@pytest.mark.parametrize(("can", "stay"), [(["UIDPLUS"], 0), ([], 1)])
def test_a_server_that_cannot_move_copies(
    server: Imap, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, can: list[str], stay: int
) -> None:
    monkeypatch.setattr(
        module.ImapServer, "session", lambda self, client, told: ImapSession(client, can), raising=True
    )
    server.deliver(letter(b"%PDF-1"))
    box = channel(server)
    assert [box.take_in(ledger), box.take_in(ledger)] == [1, 0]
    assert (server.found(), server.found("Received")) == (stay, 1)
    assert server.found(criterion="UNDELETED") == 0


# --------------------------------------------------------------------------- what is left


def test_a_message_without_attachments_is_flagged_and_left(
    server: Imap, ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    server.deliver(letter())
    box = channel(server)
    polling = Polling(box)
    assert [polling.poll(ledger) for _ in range(3)] == [0, 0, 0]
    assert (server.found(criterion="FLAGGED"), server.found(criterion="UNSEEN")) == (1, 1)
    assert len(caplog.records) == 1
    assert "no_attachment" in caplog.text
    standing = led.channel_standing(ledger, "mailbox")
    assert standing is not None
    assert standing.refused == 1
    server.mark("-", "\\Flagged")
    box.take_in(ledger)
    assert server.found(criterion="FLAGGED") == 1


def test_a_message_above_the_bounds_is_flagged_unread(
    server: Imap, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.deliver(letter(b"1" * 2**20), letter(b"1" * int(1.5 * 2**20), message_id="<2@x>"))
    fetched = list[str]()
    message = ImapSession.message
    monkeypatch.setattr(ImapSession, "message", lambda self, uid: fetched.append(uid) or message(self, uid))
    assert channel(server, intake_max_mb="1").take_in(ledger) == 1
    assert len(fetched) == 1
    assert server.found(criterion="FLAGGED") == 1


def test_a_message_with_too_many_attachments_is_flagged(server: Imap, ledger: Ledger) -> None:
    server.deliver(letter(b"1", b"2", b"3"), letter(b"1", b"2", message_id="<2@x>"))
    assert channel(server, intake_max_files="2").take_in(ledger) == 1
    assert server.found(criterion="FLAGGED") == 1


def test_a_message_that_our_code_fails_on_holds_up_no_other(
    server: Imap, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    real = module.attachments

    def fails(raw: bytes, *, most: int) -> list[tuple[str, bytes]]:
        if b"<bad@x>" in raw:
            raise ValueError(NAME)
        return real(raw, most=most)

    monkeypatch.setattr(module, "attachments", fails)
    server.deliver(letter(b"1", message_id="<bad@x>"), letter(b"2"))
    assert channel(server).take_in(ledger) == 1
    assert server.found(criterion="FLAGGED") == 1
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]


# --------------------------------------------------------------------------- refusals


def test_wrong_credentials_are_told_once_without_them(
    server: Imap, ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, "pipeline")  # another test may have made it quieter
    server.deliver(letter(b"%PDF-1"))
    polling = Polling(channel(server, mailbox_password="another-secret"))
    assert [polling.poll(ledger) for _ in range(2)] == [0, 0]
    (told,) = [record for record in caplog.records if record.name.startswith("pipeline")]
    assert "TRIAGE_MAILBOX_PASSWORD" in told.getMessage()
    assert polling.cause == "not_let_in"
    polling.channel = channel(server)
    assert polling.poll(ledger) == 1
    for secret in ("another-secret", PASSWORD, NAME, "sender.example"):
        assert secret not in caplog.text


def test_tls_from_the_first_byte_on_its_own_port(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with refusing_over_tls(tmp_path) as (port, ca, told):
        monkeypatch.setattr(imap, "_TLS_PORT", port)
        with pytest.raises(ChannelError) as error:
            channel(Imap(port, ca), mailbox_password="plain").take_in(ledger)
    assert error.value.code == "not_let_in"
    assert "words of the server" not in str(error.value)
    assert told == [b"CAPABILITY", b"LOGIN", b"LOGOUT"]


def test_a_password_that_the_server_cannot_take_is_not_sent(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with refusing_over_tls(tmp_path) as (port, ca, told):
        monkeypatch.setattr(imap, "_TLS_PORT", port)
        with pytest.raises(ChannelError, match="outside ASCII"):
            channel(Imap(port, ca)).take_in(ledger)
    assert told == [b"CAPABILITY", b"LOGOUT"]


def tokens(port: int) -> dict[str, str]:
    return {
        "mailbox_password": "",
        "mailbox_token_url": f"http://localhost:{port}/token",
        "mailbox_client_id": "triage",
        "mailbox_client_secret": "the-clients-secret",
        "mailbox_token_scope": "mail",
    }


def given(token: str, lasts_s: int = 3600) -> tuple[int, bytes]:
    return 200, json.dumps({"access_token": token, "expires_in": lasts_s}).encode()


@pytest.mark.parametrize(("lasts_s", "asked"), [(3600, 1), (60, 2)])
def test_a_token_lets_us_in_and_is_kept_while_it_is_good(
    server: Imap, ledger: Ledger, lasts_s: int, asked: int
) -> None:
    server.deliver(letter(b"%PDF-1"))
    with token_server() as giver:
        giver.answer = given(PASSWORD, lasts_s)
        box = channel(server, **tokens(giver.server_port))
        assert [box.take_in(ledger), box.take_in(ledger)] == [1, 0]
    form = {"grant_type": "client_credentials", "client_id": "triage", "scope": "mail"}
    assert giver.asked == [form | {"client_secret": "the-clients-secret"}] * asked


def test_a_token_that_is_refused_is_asked_for_anew(
    server: Imap, ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, "pipeline")  # another test may have made it quieter
    server.deliver(letter(b"%PDF-1"))
    with token_server() as giver:
        box = channel(server, **tokens(giver.server_port))
        giver.answer = given("wrong")
        with pytest.raises(ChannelError) as error:
            box.take_in(ledger)
        assert error.value.code == "not_let_in"
        giver.answer = given(PASSWORD)
        assert box.take_in(ledger) == 1
    assert PASSWORD not in caplog.text
    assert "the-clients-secret" not in caplog.text + repr(vars(box))


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ((401, b'{"error": "invalid_client"}'), "not_let_in"),
        ((503, b"busy"), "unreachable"),
        ((429, b""), "unreachable"),
        ((200, b"<html>"), "not_let_in"),
        ((200, b"[]"), "not_let_in"),
        ((200, b'{"expires_in": 1}'), "not_let_in"),
        ((200, b'{"access_token": "x", "expires_in": "soon"}'), "not_let_in"),
        ((302, b""), "not_let_in"),
        ((200, b'{"access_token": "x", "expires_in": 9}' + b" " * 100_000), "not_let_in"),
    ],
)
def test_who_gives_tokens_gives_none(
    server: Imap, ledger: Ledger, answer: tuple[int, bytes], code: str
) -> None:
    with token_server() as giver:
        giver.answer = answer
        with pytest.raises(ChannelError) as error:
            channel(server, **tokens(giver.server_port)).take_in(ledger)
    assert error.value.code == code


def test_who_gives_tokens_is_read_so_far_and_no_farther() -> None:
    read = []

    def endless() -> Iterator[bytes]:
        for _ in range(1000):
            read.append(65536)
            yield b" " * 65536

    answer = httpx.MockTransport(lambda request: httpx.Response(200, content=endless()))
    with pytest.raises(ChannelError) as error:
        Tokens("https://localhost/", "triage", "secret", "mail", transport=answer).current()
    assert (error.value.code, len(read)) == ("not_let_in", 2)


def test_who_gives_tokens_is_not_there(server: Imap, ledger: Ledger) -> None:
    with pytest.raises(ChannelError) as error:
        channel(server, **tokens(1)).take_in(ledger)
    assert error.value.code == "unreachable"


def test_a_server_that_nobody_vouches_for_is_told_nothing(
    server: Imap, ledger: Ledger, tmp_path: Path
) -> None:
    another, _ = certificate(tmp_path)
    with pytest.raises(ChannelError) as error:
        channel(server, mailbox_ca=str(another)).take_in(ledger)
    assert error.value.code == "certificate"


def test_a_server_of_another_name_is_told_nothing(server: Imap, ledger: Ledger) -> None:
    with pytest.raises(ChannelError) as error:
        channel(server, mailbox_server=f"127.0.0.1:{server.port}").take_in(ledger)
    assert error.value.code == "certificate"


@pytest.mark.parametrize(
    ("more", "code"),
    [({"mailbox_server": "localhost:1"}, "unreachable"), ({"mailbox_folder": "Nowhere"}, "not_there")],
)
def test_what_is_not_there(server: Imap, ledger: Ledger, more: dict[str, str], code: str) -> None:
    with pytest.raises(ChannelError) as error:
        channel(server, **more).take_in(ledger)
    assert error.value.code == code


def test_a_mailbox_that_may_only_be_read(
    server: Imap, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    select = imaplib.IMAP4.select

    def only_read(self: imaplib.IMAP4, mailbox: str) -> Any:
        answer = select(self, mailbox, readonly=True)
        raise self.readonly(f"{mailbox} is not writable") if answer[0] == "OK" else AssertionError

    server.deliver(letter(b"%PDF-1"))
    monkeypatch.setattr(imaplib.IMAP4, "select", only_read)
    with pytest.raises(ChannelError) as error:
        channel(server).take_in(ledger)
    assert error.value.code == "not_writable"


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"mailbox_user": ""}, "TRIAGE_MAILBOX_USER"),
        ({"mailbox_password": ""}, "TRIAGE_MAILBOX_TOKEN_URL"),
        ({"mailbox_token_url": "http://login.example/token"}, "https"),
        ({"mailbox_token_url": "https://login.example/token"}, "TRIAGE_MAILBOX_CLIENT_ID"),
        ({"mailbox_ca": "/nowhere"}, "TRIAGE_MAILBOX_CA"),
        ({"mailbox_folder": "Eingänge"}, "UTF-7"),
        ({"mailbox_received": "INBOX"}, "TRIAGE_MAILBOX_RECEIVED"),
        ({"mailbox_server": ""}, ""),
    ],
)
def test_settings_that_lack_something(server: Imap, more: dict[str, str], says: str) -> None:
    if not says:
        assert mailbox(settings(server, **more)) is None
        return
    with pytest.raises(ConfigurationError, match=says):
        mailbox(settings(server, **more))


def test_check_counts_what_waits(server: Imap, ledger: Ledger) -> None:
    server.deliver(letter(b"%PDF-1"))
    assert channel(server).check() == f"localhost:{server.port}, 1 messages wait."
    assert server.found(criterion="UNSEEN") == 1
