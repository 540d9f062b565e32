"""Faxes of a provider: what it tells is kept before it is answered, and fetched from where it may be."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fax_provider import (
    SECRET,
    TOKEN,
    Act,
    Provider,
    anybody,
    claims,
    cut_off,
    endless,
    example,
    fax_provider,
    file,
    moved,
    notice,
    settings_for,
    silent,
    status,
    trickling,
)
from intakes import PDF, Intake, open_intake
from ledgers import DATABASES, KEYS, Time, open_test_ledger
from sqlalchemy import update

from pipeline import ledger as led
from pipeline.__main__ import main
from pipeline.catalog.fax_providers import load_fax_providers
from pipeline.errors import CatalogError, ConfigurationError, ExitCode, LeaseLost
from pipeline.intake import fax_providers
from pipeline.intake_server import fetching
from pipeline.intake_server.fax import sign
from pipeline.intake_server.fax_fetch import NotFetched, is_allowed
from pipeline.intake_server.fax_fetch import fetch as fetch_file
from pipeline.intake_server.fetching import Fetcher
from pipeline.ledger import Ledger, notices
from pipeline.ledger.notices import PARKED, WAITING, NewNotice
from pipeline.settings import load_settings


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with fax_provider() as running:
        yield running


@pytest.fixture(scope="module", params=DATABASES)
def intake(
    request: pytest.FixtureRequest, provider: Provider, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Intake]:
    home = tmp_path_factory.mktemp("fax")
    with open_intake(home, request.param, **settings_for(provider.models(home))) as opened:
        yield opened


def until_fetched(ledger: Ledger, notice_id: str) -> notices.Notice:
    ends = time.monotonic() + 30
    while True:
        (found,) = [one for one in notices.listed(ledger, states=ALL) if one.id == notice_id]
        if found.state == "fetched":
            return found
        assert time.monotonic() < ends, found
        time.sleep(0.05)


ALL = ("waiting", "fetched", "parked", "withdrawn")


# --------------------------------------------------------------------------- the webhook


def test_a_fax_that_is_told_of_is_fetched_and_received(intake: Intake, provider: Provider) -> None:
    """The clock runs from when the provider had it; told of twice, it is one."""
    content = PDF + b"fax 1"
    url = provider.gives("/faxes/1", file(content))
    received_at = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=5)
    body, headers = notice("fax-1", url, received_at=received_at)
    answers = [intake.client(None).post("/v1/fax/example", content=body, headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].json() == answers[1].json()
    fetched = until_fetched(intake.ledger, answers[0].json()["id"])
    assert fetched.submission_id is not None
    item = led.item(intake.ledger, fetched.submission_id)
    assert (item.channel, item.received_at) == ("fax:example", received_at)
    assert item.due_at == received_at + timedelta(days=7)
    (delivery,) = led.history(intake.ledger, item.id).deliveries
    assert delivery["reference"] == "fax-1"
    assert led.balance(intake.ledger).holds


@pytest.mark.parametrize(
    ("change", "status_code", "code"),
    [
        ({"secret": "another-s3cret-than-that"}, 401, "signature"),
        ({"at": timedelta(seconds=-310)}, 401, "too_old"),
        ({"at": timedelta(seconds=400)}, 401, "too_old"),
        ({"fax": {"id": "", "media_url": "u", "received_at": "2026-01-01T00:00:00Z"}}, 422, "incomplete"),
        ({"fax": {"id": "1"}}, 422, "incomplete"),
        ({"fax": "text"}, 422, "incomplete"),
        ({"received_at": timedelta(days=2)}, 422, "received_at"),
        ({"url": "http://127.0.0.1:9/f"}, 422, "elsewhere"),
        ({"url": "https://169.254.169.254/latest/meta-data"}, 422, "elsewhere"),
    ],
)
def test_what_is_no_notice_is_refused(
    intake: Intake, change: dict[str, object], status_code: int, code: str
) -> None:
    now = datetime.now(UTC)
    shifted = {name: now + value if isinstance(value, timedelta) else value for name, value in change.items()}
    given = {"fax_id": "refused", "url": "http://127.0.0.1:9/f"} | shifted
    body, headers = notice(**given)  # type: ignore[arg-type]
    answer = intake.client(None).post("/v1/fax/example", content=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (status_code, code)
    assert not [one for one in notices.listed(intake.ledger, states=ALL) if one.reference == "refused"]


def test_a_changed_body_a_bare_one_and_an_unknown_provider_are_refused(intake: Intake) -> None:
    body, headers = notice("changed", "http://127.0.0.1:9/f")
    client = intake.client(None)
    assert client.post("/v1/fax/example", content=body + b" ", headers=headers).status_code == 401
    assert client.post("/v1/fax/example", content=body).status_code == 401
    assert client.post("/v1/fax/another", content=body, headers=headers).status_code == 404
    assert client.post("/v1/fax/example", content=b"x" * 300_000, headers=headers).status_code == 413


@pytest.mark.parametrize("body", [b"{", b"[" * 100_000, b"\xff", b"9" * 5000, b"null"])
def test_a_signed_body_that_is_nothing_is_refused(intake: Intake, body: bytes) -> None:
    timestamp = str(int(time.time()))
    rules = example().signature
    headers = {rules.timestamp_header: timestamp, rules.header: sign(rules, SECRET, timestamp, body)}
    answer = intake.client(None).post("/v1/fax/example", content=body, headers=headers)
    assert answer.status_code in (400, 202)
    assert answer.json() in ({"id": None}, answer.json() | {"code": "malformed"})


def test_other_events_are_answered_with_a_yes_and_left(intake: Intake) -> None:
    body, headers = notice("sent", "http://127.0.0.1:9/f", event="fax.sent")
    answer = intake.client(None).post("/v1/fax/example", content=body, headers=headers)
    assert (answer.status_code, answer.json()) == (202, {"id": None})


def test_a_form_signed_in_base64(provider: Provider, tmp_path: Path) -> None:
    """Another provider's manner is another file, and no code."""
    models = provider.models(
        tmp_path,
        **{
            'body = "json"': 'body = "form"',
            '"fax.id"': '"FaxId"',
            '"fax.media_url"': '"MediaUrl"',
            '"fax.received_at"': '"At"',
            'event = "event" ': "# ",
            'events = ["fax.received"]': "",
            'encoding = "hex"': 'encoding = "base64"',
            'prefix = "v1="': 'prefix = ""',
            '"{timestamp}.{body}"': '"{body}{timestamp}"',
        },
    )
    url = provider.gives("/faxes/form", file(PDF + b"form"))
    with open_intake(tmp_path, **settings_for(models)) as intake:
        timestamp = str(int(time.time()))
        body = f"FaxId=a%20b&MediaUrl={url}&At={timestamp}".encode()
        rules = load_fax_providers(models)["example"].signature
        headers = {rules.timestamp_header: timestamp, rules.header: sign(rules, SECRET, timestamp, body)}
        answer = intake.client(None).post("/v1/fax/example", content=body, headers=headers)
        assert answer.status_code == 202, answer.text
        fetched = until_fetched(intake.ledger, answer.json()["id"])
        assert len(fetched.reference) == 64  # an id that is no plain word is kept as its hash


# --------------------------------------------------------------------------- fetching


@dataclass
class Fetch:
    """A ledger on a clock of its own, and what fetches into it."""

    ledger: Ledger
    time: Time
    fetcher: Fetcher

    def tell(self, url: str, fax_id: str = "fax-1", *, later: float = 0) -> str:
        at = self.time.now + timedelta(seconds=later)
        return notices.enter(self.ledger, NewNotice("fax:example", fax_id, url, self.time.now, at))

    def run(self) -> notices.Notice:
        self.fetcher.fetch_due("w")
        return notices.listed(self.ledger, states=ALL)[0]


@pytest.fixture(params=DATABASES)
def fetch(request: pytest.FixtureRequest, provider: Provider, tmp_path: Path) -> Iterator[Fetch]:
    clock = Time()
    environ = {f"TRIAGE_{k.upper()}": v for k, v in settings_for(provider.models(tmp_path)).items()}
    known = fax_providers.providers_in(load_settings(environ))
    with open_test_ledger(request.param, tmp_path / "home", clock) as ledger:
        fetcher = Fetcher(ledger, known, largest=100_000, give_up=timedelta(hours=4), idle_s=0.5)
        yield Fetch(ledger, clock, fetcher)


@pytest.mark.parametrize(
    ("act", "code", "state"),
    [
        (status(404), "not_there", WAITING),
        (status(401), "refused", WAITING),
        (status(500), "status_500", WAITING),
        (status(204), "status_204", WAITING),
        (anybody(b""), "empty", WAITING),
        (cut_off(PDF), "cut_off", WAITING),
        (silent(), "too_slow", WAITING),
        (claims(100_001), "too_large", PARKED),
        (endless(), "too_large", PARKED),
        (moved("http://127.0.0.1:9/other"), "elsewhere", PARKED),
        (moved("https://169.254.169.254/latest/meta-data"), "elsewhere", PARKED),
        (moved("file:///etc/passwd"), "elsewhere", PARKED),
        (moved("/faxes/odd"), "too_many_redirects", WAITING),
    ],
)
def test_what_keeps_a_fax_from_being_had(
    fetch: Fetch, provider: Provider, act: Act, code: str, state: str
) -> None:
    fetch.tell(provider.gives("/faxes/odd", act))
    found = fetch.run()
    assert (found.state, found.reason, found.attempts) == (state, code, 1)
    assert led.items(fetch.ledger) == []
    assert not list((fetch.ledger.vault._work_folder).iterdir())
    balance = led.balance(fetch.ledger)
    assert (balance.holds, balance.notices[state]) == (True, 1)


def test_a_byte_now_and_then_does_not_hold_the_fetcher(provider: Provider, tmp_path: Path) -> None:
    address = provider.gives("/faxes/trickle", trickling(0.05))
    environ = {f"TRIAGE_{k.upper()}": v for k, v in settings_for(provider.models(tmp_path)).items()}
    known = fax_providers.providers_in(load_settings(environ))["example"]
    with pytest.raises(NotFetched) as failed:
        fetch_file(known, address, tmp_path / "fax", largest=10**6, idle_s=5, longest_s=0.3)
    assert (failed.value.code, failed.value.can_pass) == ("too_slow", True)


def test_it_is_tried_again_after_pauses_that_grow(fetch: Fetch, provider: Provider) -> None:
    fetch.tell(provider.gives("/faxes/later", status(500), status(404), file(PDF)))
    for pause, attempts in ((30, 1), (60, 2)):
        assert (fetch.run().state, fetch.run().attempts) == (WAITING, attempts)
        fetch.time.pass_(seconds=pause - 1)
        assert fetch.run().attempts == attempts
        fetch.time.pass_(seconds=1)
    assert fetch.run().state == "fetched"


def test_after_its_hours_it_is_parked_and_a_person_is_told(
    fetch: Fetch, provider: Provider, capsys: pytest.CaptureFixture[str]
) -> None:
    told = fetch.tell(provider.gives("/faxes/never", status(404)))
    tries = 0
    while (found := fetch.run()).state == WAITING:
        tries += 1
        fetch.time.pass_(minutes=30)
    assert tries == 7  # one each half hour, the last at which another would come too late
    assert (found.state, found.reason) == (PARKED, "not_there")
    assert led.figures(fetch.ledger).not_fetched == 1
    provider.gives("/faxes/never", file(PDF))
    assert fetch.run().state == PARKED  # nobody asks any more
    notices.fetch_again(fetch.ledger, told, actor="user:test")
    assert fetch.run().state == "fetched"
    assert led.balance(fetch.ledger).holds


def test_a_newer_word_says_where_it_is_now_and_an_older_one_nothing(fetch: Fetch, provider: Provider) -> None:
    fetch.tell(provider.gives("/faxes/old", moved("http://127.0.0.1:9/x")), later=10)
    assert fetch.run().state == PARKED
    url = provider.gives("/faxes/new", file(PDF))
    fetch.tell(url, later=10)
    assert fetch.run().state == PARKED
    fetch.tell(url, later=11)
    assert fetch.run().state == "fetched"
    fetch.tell(provider.gives("/faxes/newer", file(b"other")), later=12)
    assert fetch.run().state == "fetched"  # what was received is done
    assert len(led.items(fetch.ledger)) == 1


def test_the_token_goes_to_the_first_host_alone(
    fetch: Fetch, provider: Provider, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with fax_provider() as storage:
        place = f"127.0.0.1:{storage.port}"
        models = provider.models(tmp_path_factory.mktemp("models"), more_hosts=(place,))
        environ = {f"TRIAGE_{k.upper()}": v for k, v in settings_for(models).items()}
        known = fax_providers.providers_in(load_settings(environ))
        fetcher = Fetcher(fetch.ledger, known, 100_000, timedelta(hours=24), 1.0)
        fetch.tell(provider.gives("/faxes/at", moved(storage.gives("/stored", anybody(PDF)))))
        fetcher.fetch_due("w")
        assert fetch.run().state == "fetched"
        assert provider.asked[-1][1]["Authorization"] == f"Bearer {TOKEN}"
        assert "Authorization" not in storage.asked[-1][1]


def test_a_server_that_died_between_receipt_and_note_delivers_once(
    fetch: Fetch, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def killed(*_: object) -> None:
        raise Killed

    fetch.tell(provider.gives("/faxes/killed", file(PDF)))
    with monkeypatch.context() as patched:
        patched.setattr(fetching, "fetched", killed)
        with pytest.raises(Killed):
            fetch.run()
    (item,) = led.items(fetch.ledger)
    assert fetch.run().state == WAITING  # the dead one's lease still runs
    fetch.time.pass_(minutes=11)
    assert fetch.run().submission_id == item.id
    assert len(led.history(fetch.ledger, item.id).deliveries) == 1


def test_who_lost_the_lease_writes_nothing(fetch: Fetch, provider: Provider) -> None:
    fetch.tell(provider.gives("/faxes/two", file(PDF)))
    (late,) = notices.claim_notices(fetch.ledger, "late")
    fetch.time.pass_(minutes=11)
    assert fetch.run().state == "fetched"
    (item,) = led.items(fetch.ledger)
    with pytest.raises(LeaseLost):
        notices.fetched(fetch.ledger, late, item.id)
    with pytest.raises(LeaseLost):
        notices.not_fetched(fetch.ledger, late, "x", until=timedelta(1), can_pass=True)


def test_an_address_that_cannot_be_opened_is_parked_and_holds_up_no_other(
    fetch: Fetch, provider: Provider
) -> None:
    broken = fetch.tell("https://localhost/damaged", "fax-0")
    spoilt = update(notices.notices).where(notices.notices.c.id == broken).values(content=b"damaged")
    fetch.ledger.write(lambda db: db.execute(spoilt))
    fetch.time.pass_(seconds=1)
    whole = fetch.tell(provider.gives("/faxes/whole", file(PDF)))
    assert fetch.fetcher.fetch_due("w") == 1
    found = {one.id: (one.state, one.reason) for one in notices.listed(fetch.ledger, states=ALL)}
    assert found == {broken: (PARKED, "sealed"), whole: ("fetched", None)}
    assert led.balance(fetch.ledger).holds


def test_the_address_is_sealed_and_sealed_anew(fetch: Fetch, provider: Provider) -> None:
    url = provider.gives("/faxes/sealed", status(404))
    fetch.tell(url)
    fetch.run()
    if fetch.ledger.database.is_sqlite:
        home = fetch.ledger.vault.folder.parent
        kept = b"".join(path.read_bytes() for path in home.glob("ledger.db*"))
        assert b"/faxes/sealed" not in kept


def test_an_address_is_sealed_anew_with_a_new_key(tmp_path: Path) -> None:
    new = "new=" + "B" * 43 + "="
    at = datetime.now(UTC)
    with open_test_ledger("sqlite", tmp_path) as ledger:
        notices.enter(ledger, NewNotice("fax:example", "fax-1", "https://a/b", at, at))
    with open_test_ledger("sqlite", tmp_path, keys=f"{new},{KEYS}") as ledger:
        assert led.rekey(ledger, actor="user:test") == (1, 0)
        assert led.rekey(ledger, actor="user:test") == (0, 0)
    with open_test_ledger("sqlite", tmp_path, keys=new) as ledger:
        (held,) = notices.claim_notices(ledger, "w")
    assert held.address == "https://a/b"


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("https://media.example.com/f", True),
        ("https://MEDIA.example.com:443/f", True),
        ("https://media.example.com:8443/f", False),
        ("https://odd.example.com:8443/f", True),
        ("http://media.example.com/f", False),
        ("http://127.0.0.1:80/f", True),
        ("https://media.example.com@evil.example/f", False),
        ("https://evil.example/media.example.com", False),
        ("https://media.example.com.evil.example/f", False),
        ("https://user@media.example.com/f", False),
        ("https://media.example.com:99999/f", False),
        ("https://[::1/f", False),
        ("https://media.example.com/\r\nHost: x", False),
        ("ftp://media.example.com/f", False),
        ("", False),
    ],
)
def test_from_where_a_fax_may_be_fetched(address: str, allowed: bool) -> None:
    hosts = ("media.example.com", "odd.example.com:8443", "127.0.0.1")
    assert is_allowed(address, hosts) is allowed


# --------------------------------------------------------------------------- settings and commands


@pytest.mark.parametrize(
    ("secrets", "tokens"),
    [
        ("example=short", "example=t"),
        ("example=changeme-12345678", "example=t"),
        ("example=aaaaaaaaaaaaaaaaaaaaaaaa", "example=t"),
        (f"unknown={SECRET}", ""),
        (f"example={SECRET}", ""),
        (SECRET, ""),
        (f"example={SECRET},example={SECRET}", "example=t"),
    ],
)
def test_weak_secrets_and_unknown_providers_are_refused(secrets: str, tokens: str) -> None:
    environ = {"TRIAGE_FAX_SECRETS": secrets, "TRIAGE_FAX_TOKENS": tokens}
    with pytest.raises(ConfigurationError) as refused:
        fax_providers.providers_in(load_settings(environ))
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('message = "{timestamp}.{body}"', 'message = "{timestamp}"'),
        ("hosts = [", "hosts = [] #"),
        ('body = "json"', 'body = "xml"'),
        ("title =", "titel ="),
    ],
)
def test_a_wrong_file_of_a_provider_is_told(provider: Provider, tmp_path: Path, old: str, new: str) -> None:
    with pytest.raises(CatalogError, match=r"example\.toml"):
        load_fax_providers(provider.models(tmp_path, **{old: new}))


def test_the_commands_show_the_notices(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def run(*command: str) -> tuple[int, str]:
        environ = {"TRIAGE_HOME": str(tmp_path), "TRIAGE_KEYS": KEYS}
        code = main(command, environ)
        told = capsys.readouterr()
        return code, told.out + told.err

    at = datetime.now(UTC) - timedelta(days=1)
    with open_test_ledger("sqlite", tmp_path) as ledger:
        told = notices.enter(ledger, NewNotice("fax:example", "fax-7", "https://a/b?token=hidden", at, at))
        (held,) = notices.claim_notices(ledger, "w")
        notices.not_fetched(ledger, held, "elsewhere", until=timedelta(hours=1), can_pass=False)
    assert "1 announced and not to be had" in run("queue", "list")[1]
    assert "announced and not to be had: 1." in run("doctor")[1]
    assert "announced:   1 = 0 waiting + 0 fetched + 1 parked + 0 withdrawn" in run("ledger", "balance")[1]
    listed = run("queue", "announced")[1]
    assert all(text in listed for text in (told, "parked", "fax-7 elsewhere", "5 d 23 h"))
    assert "hidden" not in listed
    assert run("queue", "announced", "--again") == (ExitCode.DONE, f"{told}: is fetched again\n")
    assert "waiting" in run("queue", "announced")[1]
    assert run("queue", "announced", "--withdraw", told)[0] == ExitCode.USAGE
    withdrawn = run("queue", "announced", "--withdraw", told, "--reason", "came_by_mail")
    assert withdrawn == (ExitCode.DONE, f"{told}: withdrawn\n")
    assert run("queue", "announced", "--again", told)[0] == ExitCode.USAGE
    assert run("ledger", "balance")[0] == ExitCode.DONE
