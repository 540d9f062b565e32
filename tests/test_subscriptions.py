"""Other systems that are told: what is told, where it may go, that it arrives once, when it is given
up."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import httpx
import pytest
from ledgers import DATABASES, EVALUATOR, PAGES, Time, case, ledger_settings, received
from sqlalchemy import select, update

from pipeline import audit, subscriptions
from pipeline.__main__ import main
from pipeline.delivery.webhook import Verifier
from pipeline.errors import ConfigurationError, DeliveryError, ExitCode, UsageError
from pipeline.ledger import (
    Ledger,
    attach_resent,
    claim,
    claim_sendings,
    evaluated,
    finish,
    open_ledger,
    undelivered,
)
from pipeline.ledger.keeping import kept
from pipeline.ledger.telling import Told, announcements
from pipeline.settings import Settings, load_settings
from pipeline.subscriptions.places import Pinned, check_url, places_in

HOST = "hooks.plan.example"
URL = f"https://{HOST}/triage"
ADDRESS = "93.184.215.14"


@dataclass
class Bench:
    """A ledger that allows one host, its clock, and what is posted there."""

    ledger: Ledger
    settings: Settings
    time: Time
    posted: list[httpx.Request] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.posted.append(request)
        return httpx.Response(self.answers.pop(0) if self.answers else 204)

    def send(self) -> int:
        way = httpx.MockTransport(self)
        return subscriptions.send_due(self.ledger, self.settings, transport=way, resolve=_resolve)


def _resolve(host: str, port: int) -> list[Any]:
    return [(2, 1, 6, "", (ADDRESS, port))]


@pytest.fixture(params=DATABASES)
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    time = Time()
    with (
        ledger_settings(request.param, tmp_path, webhook_hosts=HOST) as settings,
        open_ledger(settings, clock=time) as ledger,
    ):
        yield Bench(ledger, settings, time)


def subscribe(bench: Bench, *kinds: Told) -> tuple[str, str]:
    made, secret = subscriptions.add(bench.ledger, bench.settings, URL, kinds or tuple(Told), actor="ada")
    return made.id, secret


def done(bench: Bench, content: bytes = b"one") -> str:
    """A submission that was received, worked and evaluated."""
    (receipt,) = received(bench.ledger, content)
    (held,) = claim(bench.ledger, "w", 1)
    finish(bench.ledger, held, case(receipt.submission_id), PAGES, [1], EVALUATOR)
    (sending,) = claim_sendings(bench.ledger, "w", 1)
    evaluated(bench.ledger, sending, case(receipt.submission_id, outcome="meets"), [])
    return receipt.submission_id


def rows(bench: Bench) -> list[Any]:
    found = select(announcements).order_by(announcements.c.id)
    return list(bench.ledger.read(lambda db: db.execute(found).all()))


def one(bench: Bench) -> subscriptions.Subscription:
    (found,) = subscriptions.listed(bench.ledger)
    return found


# --------------------------------------------------------------------------- what is told


def test_who_asked_is_told_signed_and_of_ids_alone(bench: Bench) -> None:
    _, secret = subscribe(bench, Told.CASE_DONE)
    submission_id = done(bench)
    assert bench.send() == 1
    (request,) = bench.posted
    told = json.loads(request.content)
    assert set(told) == {"id", "kind", "at", "submission_id", "data"}
    assert (told["kind"], told["submission_id"], told["data"]) == ("case.done", submission_id, {"case": 1})
    assert request.headers["idempotency-key"] == told["id"]
    assert Verifier(secret).accepts(request.headers, request.content)
    assert not Verifier(secret + "x").accepts(request.headers, request.content)
    assert not Verifier(secret).accepts(request.headers, request.content + b" ")
    assert bench.send() == 0


def test_only_what_was_asked_for_is_told(bench: Bench) -> None:
    subscribe(bench, Told.CASE_PARKED)
    done(bench)
    assert rows(bench) == []
    (receipt,) = received(bench.ledger, b"two")
    (held,) = claim(bench.ledger, "w", 1)
    finish(bench.ledger, held, case(receipt.submission_id, "parked"), [], [0], None)
    assert [(row.kind, row.submission_id) for row in rows(bench)] == [("case.parked", receipt.submission_id)]


def test_what_was_sent_again_is_no_case(bench: Bench) -> None:
    subscribe(bench)
    original = done(bench)
    received(bench.ledger, b"the same pages under another banner")
    (held,) = claim(bench.ledger, "w", 1)
    attach_resent(bench.ledger, held, original, PAGES, [1])
    assert {row.submission_id for row in rows(bench)} == {original}


def test_what_did_not_happen_is_not_told(bench: Bench) -> None:
    subscribe(bench)
    (receipt,) = received(bench.ledger, b"one")
    (held,) = claim(bench.ledger, "w", 1)
    with pytest.raises(ZeroDivisionError):
        bench.ledger.write(lambda db: (_note_done(bench, db, held.submission_id), 1 / 0))
    assert rows(bench) == []
    assert receipt.submission_id == held.submission_id


def _note_done(bench: Bench, db: Any, submission_id: str) -> None:
    from pipeline.ledger import State
    from pipeline.ledger.changes import note

    now = bench.ledger.now(db)
    note(db, submission_id, "evaluated", at=now, actor="w", state=State.DONE, data={"case": 1})


def test_each_of_several_is_told_under_its_own_secret(bench: Bench) -> None:
    _, first = subscribe(bench)
    _, second = subscribe(bench)
    done(bench)
    assert bench.send() == 2
    assert len({json.loads(request.content)["id"] for request in bench.posted}) == 1  # the same event
    for secret in (first, second):
        taken = [Verifier(secret).accepts(request.headers, request.content) for request in bench.posted]
        assert sorted(taken) == [False, True]


def test_the_secret_is_kept_sealed(bench: Bench) -> None:
    _, secret = subscribe(bench)
    (row,) = bench.ledger.read(lambda db: db.execute(select(kept)).all())
    assert secret.encode() not in row.content
    assert secret not in str(rows(bench)) + str(subscriptions.listed(bench.ledger))


# --------------------------------------------------------------------------- until it arrives


def test_what_was_not_taken_is_sent_again_later_as_the_same(bench: Bench) -> None:
    subscribe(bench)
    done(bench)
    bench.answers = [500, 429]
    assert bench.send() == 1
    assert bench.send() == 0  # not at once
    for pause in (2, 4):
        bench.time.pass_(seconds=pause)
        assert bench.send() == 1
    assert len({request.headers["idempotency-key"] for request in bench.posted}) == 1
    assert len({request.content for request in bench.posted}) == 1
    assert len({request.headers["triage-nonce"] for request in bench.posted}) == 3
    assert [(row.state, row.attempts) for row in rows(bench)] == [("delivered", 3)]
    assert one(bench).failures == 0


def test_one_is_held_at_a_time_and_left_alone_for_as_long_as_it_asks(bench: Bench) -> None:
    subscribe(bench)
    held = []

    def busy(request: httpx.Request) -> httpx.Response:
        held.append([row.token for row in rows(bench)])
        return httpx.Response(429, headers={"Retry-After": "1800"})

    for content in (b"one", b"two"):
        done(bench, content)
    way = httpx.MockTransport(busy)
    assert subscriptions.send_due(bench.ledger, bench.settings, transport=way, resolve=_resolve) == 2
    assert held == [[1, 0], [1, 1]]
    bench.time.pass_(minutes=29)
    assert bench.send() == 0
    bench.time.pass_(minutes=2)
    assert bench.send() == 2


def test_a_sender_that_died_leaves_it_to_the_next(bench: Bench) -> None:
    from pipeline.subscriptions import sending

    subscribe(bench)
    done(bench)
    held = sending._claim(bench.ledger)
    assert held is not None
    assert bench.send() == 0
    bench.time.pass_(seconds=121)
    assert bench.send() == 1
    sending._taken(bench.ledger, held)  # too late: it is not the last who took it
    sending._not_taken(bench.ledger, bench.settings, held, DeliveryError("x", retryable=True))
    assert [(row.state, row.token) for row in rows(bench)] == [("delivered", 2)]


def test_a_secret_that_cannot_be_opened_holds_up_no_other(bench: Bench) -> None:
    broken, _ = subscribe(bench)
    spoilt = update(kept).where(kept.c.name == f"webhook|{broken}").values(content=b"damaged")
    bench.ledger.write(lambda db: db.execute(spoilt))
    whole, _ = subscribe(bench)
    done(bench)
    bench.send()
    assert {row.subscription_id: (row.state, row.reason) for row in rows(bench)} == {
        broken: ("failed", "sealed"),
        whole: ("delivered", None),
    }


def test_of_two_senders_each_thing_is_sent_by_one(bench: Bench) -> None:
    subscribe(bench)
    for number in range(12):
        done(bench, bytes([number]))
    with ThreadPoolExecutor(2) as pool:
        assert sum(pool.map(lambda _: bench.send(), range(4))) == 12
    assert len({request.headers["idempotency-key"] for request in bench.posted}) == 12


def test_after_so_many_failures_it_is_left_alone_until_a_person_says_so(bench: Bench) -> None:
    hook, _ = subscribe(bench)
    bench.settings = replace(bench.settings, webhook_failures=3)
    done(bench)
    bench.answers = [500] * 3
    for _ in range(3):
        bench.send()
        bench.time.pass_(minutes=11)
    assert bench.send() == 0
    assert (one(bench).failures, one(bench).reason) == (3, "failures")
    (row, *_) = audit.entries(bench.ledger, most=1)
    assert (row.action, row.data) == ("webhook_disabled", {"webhook": hook, "reason": "failures"})
    done(bench, b"meanwhile")
    assert len(rows(bench)) == 1  # what happens meanwhile is not kept for it
    subscriptions.enable(bench.ledger, hook, actor="ada")
    assert bench.send() == 1
    assert (one(bench).failures, one(bench).disabled_at) == (0, None)


def test_who_says_that_it_is_gone_is_left_alone_at_once(bench: Bench) -> None:
    subscribe(bench)
    done(bench)
    bench.answers = [410]
    bench.send()
    assert one(bench).reason == "gone"


def test_a_removed_one_is_told_no_more(bench: Bench) -> None:
    hook, _ = subscribe(bench)
    done(bench)
    assert subscriptions.remove(bench.ledger, hook, actor="ada")
    assert not subscriptions.remove(bench.ledger, hook, actor="ada")
    assert (bench.send(), rows(bench), subscriptions.listed(bench.ledger)) == (0, [], [])


def test_one_that_is_removed_while_a_case_ends_keeps_no_case_from_ending(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.subscriptions import register

    hook, _ = subscribe(bench)
    drop = register.drop
    with ThreadPoolExecutor(1) as pool:
        ended = []

        def slow(*arguments: Any) -> None:
            ended.append(pool.submit(done, bench))
            threading.Event().wait(0.5)  # by now it waits for the row that is being removed
            drop(*arguments)

        monkeypatch.setattr(register, "drop", slow)
        assert subscriptions.remove(bench.ledger, hook, actor="ada")
        assert ended[0].result(timeout=60)
    assert rows(bench) == []


def test_what_ended_a_month_ago_is_forgotten(bench: Bench) -> None:
    subscribe(bench)
    done(bench)
    bench.send()
    bench.time.pass_(days=29)
    assert subscriptions.tidy(bench.ledger) == 0
    bench.time.pass_(days=2)
    assert subscriptions.tidy(bench.ledger) == 1


def test_a_case_parked_by_the_evaluator_is_told(bench: Bench) -> None:
    subscribe(bench, Told.CASE_PARKED)
    (receipt,) = received(bench.ledger, b"one")
    (held,) = claim(bench.ledger, "w", 1)
    finish(bench.ledger, held, case(receipt.submission_id), PAGES, [1], EVALUATOR)
    (sending,) = claim_sendings(bench.ledger, "w", 1)
    undelivered(bench.ledger, sending, "evaluator", can_pass=False)
    assert [row.kind for row in rows(bench)] == ["case.parked"]


# --------------------------------------------------------------------------- where it may go

PLACES = {HOST: None, "inside.example": ip_network("10.1.0.0/16"), "127.0.0.1": ip_network("127.0.0.0/8")}


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.plan.example/",
        "https://other.example/",
        "https://hooks.plan.example.evil.example/",
        "https://user:pass@hooks.plan.example/",
        "https://@hooks.plan.example/",
        "https://hooks.plan.example/#x",
        "https://hooks.plan.example:99999/",
        "https://[::1]/",
        "file:///etc/passwd",
        "//hooks.plan.example/",
        "gopher://hooks.plan.example/",
        "",
    ],
)
def test_an_address_that_nobody_named_is_refused(url: str) -> None:
    with pytest.raises(UsageError):
        check_url(url, PLACES)


def test_a_named_address_is_taken() -> None:
    check_url("https://hooks.plan.example:8443/a?b=c", PLACES)
    check_url("http://127.0.0.1:8080/", PLACES)


@pytest.mark.parametrize(
    ("host", "address", "goes"),
    [
        (HOST, ADDRESS, True),
        (HOST, "10.1.2.3", False),
        (HOST, "127.0.0.1", False),
        (HOST, "169.254.169.254", False),
        (HOST, "::ffff:127.0.0.1", False),
        (HOST, "fe80::1%eth0", False),
        (HOST, "fd00::1", False),
        (HOST, "0.0.0.0", False),
        (HOST, "100.64.0.1", False),
        ("inside.example", "10.1.2.3", True),
        ("inside.example", "10.2.2.3", False),
        ("inside.example", ADDRESS, False),
        ("elsewhere.example", ADDRESS, False),
    ],
)
def test_a_name_leads_to_its_own_addresses_alone(host: str, address: str, goes: bool) -> None:
    reached: list[httpx.Request] = []

    def inner(request: httpx.Request) -> httpx.Response:
        reached.append(request)
        return httpx.Response(204)

    way = Pinned(PLACES, httpx.MockTransport(inner), lambda *_: [(2, 1, 6, "", (address, 443))])
    with httpx.Client(transport=way) as client:
        if not goes:
            with pytest.raises(DeliveryError):
                client.post(f"https://{host}/x")
            assert reached == []
            return
        client.post(f"https://{host}/x")
    (request,) = reached
    assert request.url.host == address  # the one that was checked: asked for again, the name may lie
    assert request.headers["host"] == host
    assert request.extensions["sni_hostname"] == host


def test_one_wrong_address_among_right_ones_is_enough(bench: Bench) -> None:
    found = [(2, 1, 6, "", (one, 443)) for one in (ADDRESS, "10.0.0.1")]
    way = Pinned(PLACES, httpx.MockTransport(bench), lambda *_: found)
    with httpx.Client(transport=way) as client, pytest.raises(DeliveryError):
        client.post(URL)


@pytest.mark.parametrize("hosts", ["https://a.example", "a.example=10.1.2.3/8", "a b=c", "=10.0.0.0/8"])
def test_a_setting_that_names_no_host_is_refused(hosts: str) -> None:
    with pytest.raises(ConfigurationError):
        places_in(load_settings({"TRIAGE_WEBHOOK_HOSTS": hosts}))


# --------------------------------------------------------------------------- the command


@contextmanager
def receiver() -> Iterator[tuple[str, list[tuple[dict[str, str], bytes]]]]:
    """A system that takes what it is told, on a port of this machine."""
    got: list[tuple[dict[str, str], bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append((dict(self.headers), self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/told", got
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_the_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    environ = {"TRIAGE_HOME": str(tmp_path), "TRIAGE_WEBHOOK_HOSTS": "127.0.0.1=127.0.0.0/8"}
    with receiver() as (url, got):
        assert main(["webhook", "add", url, "--on", "case.eaten"], environ) == ExitCode.USAGE
        assert (
            main(["webhook", "add", "https://other.example", "--on", "case.done"], environ) == ExitCode.USAGE
        )
        capsys.readouterr()
        assert main(["webhook", "add", url, "--on", "case.done"], environ) == ExitCode.DONE
        hook, secret = capsys.readouterr().out.split()
        with open_ledger(load_settings(environ)) as ledger:
            done(Bench(ledger, load_settings(environ), Time()))
        assert main(["webhook", "run", "--once"], environ) == ExitCode.DONE
        ((headers, body),) = got
        assert Verifier(secret).accepts(headers, body)
        assert main(["webhook", "list"], environ) == ExitCode.DONE
        told = capsys.readouterr().out
        assert (hook in told, secret in told, "0 waiting" in told) == (True, False, True)
        assert main(["webhook", "enable", hook], environ) == ExitCode.DONE
        assert main(["webhook", "remove", hook], environ) == ExitCode.DONE
        assert main(["webhook", "remove", hook], environ) == ExitCode.USAGE
    with open_ledger(load_settings(environ)) as ledger:
        ledger.write(lambda db: db.execute(update(announcements).values(state="waiting")))  # there are none
        assert audit.verify(ledger).whole
