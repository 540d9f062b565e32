"""Logging in through an OpenID provider: a real one on this machine, and one that does everything wrong."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from desks import LETTER, PASSWORD, open_desk, served
from fastapi.testclient import TestClient
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey
from ledgers import DATABASES, ledger_settings
from sqlalchemy import select, update

from pipeline import audit
from pipeline.errors import ConfigurationError
from pipeline.ledger import Ledger, open_ledger
from pipeline.review import accounts, tables
from pipeline.review.desk import desk
from pipeline.review.guard import COOKIE
from pipeline.review.oidc import Oidc
from pipeline.review.provider import LoginRefused, ProviderSilent
from pipeline.review.roles import Role
from pipeline.settings import Settings

ISSUER = "https://login.plan.example"
BACK = "https://desk.plan.example/login/oidc/back"
SETTINGS = {
    "oidc_issuer": ISSUER,
    "oidc_client_id": "triage-desk",
    "oidc_client_secret": "q7fH2-drawn-at-random",
    "oidc_redirect_url": BACK,
    "oidc_roles": "um-directors=medical_director,um-nurses=reviewer",
}
KEY, OTHER_KEY = (RSAKey.generate_key(2048, {"kid": name}, auto_kid=False) for name in ("k1", "k2"))


@dataclass
class Entrance:
    """A ledger with a local user, and settings that name the provider."""

    ledger: Ledger
    settings: Settings


@pytest.fixture(params=DATABASES)
def own(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Entrance]:
    with ledger_settings(request.param, tmp_path) as settings, open_ledger(settings) as ledger:
        accounts.add(ledger, "nora", Role.REVIEWER, PASSWORD, actor="operator:test")
        yield Entrance(ledger, replace(settings, **SETTINGS))


def later(seconds: int) -> Callable[[int], int]:
    """A time so much later than when a token is made."""
    return lambda now: now + seconds


@dataclass
class Provider:
    """A provider in this process, of which a test says what it does wrong."""

    claims: dict[str, Any] = field(default_factory=dict)
    key: Any = field(default_factory=lambda: KEY)
    published: list[Any] = field(default_factory=lambda: [KEY])
    header: dict[str, Any] = field(default_factory=lambda: {"alg": "RS256", "kid": "k1"})
    described: dict[str, Any] = field(default_factory=dict)
    wrong_verifier: bool = False
    asked: dict[str, str] = field(default_factory=dict)
    keys_asked: int = 0

    def authorize(self, url: str) -> dict[str, str]:
        """What a browser brings back that was sent to `url` and logged in there."""
        self.asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        return {"code": "c0de", "state": self.asked["state"]}

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if path.endswith("openid-configuration"):
            places = {"authorization_endpoint": "/authorize", "token_endpoint": "/token", "jwks_uri": "/keys"}
            said = {"issuer": ISSUER} | {name: ISSUER + place for name, place in places.items()}
            said["end_session_endpoint"] = ISSUER + "/end"
            return httpx.Response(200, json=said | self.described)
        if path == "/keys":
            self.keys_asked += 1
            return httpx.Response(200, json=KeySet(self.published).as_dict(private=False))
        form = {name: values[0] for name, values in parse_qs(request.content.decode()).items()}
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        challenge = _base64(digest)
        user = base64.b64decode(request.headers["Authorization"].removeprefix("Basic ")).decode()
        assert user == "triage-desk:q7fH2-drawn-at-random"
        assert form["redirect_uri"] == self.asked["redirect_uri"] == BACK
        if challenge != self.asked["code_challenge"] or form["code"] != "c0de" or self.wrong_verifier:
            return httpx.Response(400, json={"error": "invalid_grant"})
        return httpx.Response(
            200, json={"id_token": self.token(), "access_token": "x", "token_type": "Bearer"}
        )

    def token(self) -> str:
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "aud": "triage-desk",
            "sub": "u-1",
            "iat": now,
            "exp": now + 300,
            "nonce": self.asked["nonce"],
            "preferred_username": "Petra.Nurse",
            "groups": ["staff", "um-nurses"],
        }
        given = {name: one(now) if callable(one) else one for name, one in self.claims.items()}
        claims = {name: value for name, value in (claims | given).items() if value is not None}
        if self.header["alg"] in ("none", "HS256"):
            # Unsigned, or signed with the public key as if it were a secret: the library makes neither.
            parts = [_base64(json.dumps(one).encode()) for one in (self.header, claims)]
            signed = hmac.digest(KEY.as_pem(private=False), ".".join(parts).encode(), "sha256")
            return ".".join([*parts, "" if self.header["alg"] == "none" else _base64(signed)])
        return jwt.encode(self.header, claims, self.key, algorithms=[self.header["alg"]])


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def through(own: Entrance, provider: Callable[[httpx.Request], httpx.Response]) -> Oidc:
    login = Oidc.of(own.settings)
    assert login is not None
    login.provider.transport = httpx.MockTransport(provider)
    return login


def log_in(own: Entrance, provider: Provider, login: Oidc | None = None, **odd: str) -> accounts.User:
    login = login or through(own, provider)
    url, secret = login.begin(own.ledger)
    return login.finish(own.ledger, secret, provider.authorize(url) | odd)


def why(own: Entrance) -> str:
    (row,) = audit.entries(own.ledger, most=1)
    assert (row.actor, row.action) == ("nobody", "login_refused")
    return str(row.data["why"]).removeprefix("oidc_")


# --------------------------------------------------------------------------- what is taken


def test_a_login_asks_with_state_nonce_and_challenge(own: Entrance) -> None:
    provider = Provider()
    user = log_in(own, provider)
    assert (user.name, user.role) == ("petra.nurse", Role.REVIEWER)
    asked = provider.asked
    assert (asked["response_type"], asked["code_challenge_method"]) == ("code", "S256")
    assert (asked["client_id"], asked["scope"]) == ("triage-desk", "openid profile")
    assert min(len(asked[name]) for name in ("state", "nonce", "code_challenge")) >= 43
    kept = own.ledger.read(lambda db: db.execute(select(tables.oidc_logins)).all())
    assert kept == []


def test_roles_follow_the_groups_at_each_login(own: Entrance) -> None:
    log_in(own, Provider())
    user = log_in(own, Provider(claims={"groups": ["um-nurses", "um-directors"]}))
    assert user.role is Role.MEDICAL_DIRECTOR  # the first of the setting's that fits
    assert [row.action for row in audit.entries(own.ledger, most=2)] == ["role_changed", "user_added"]
    log_in(own, Provider(claims={"preferred_username": "another.name"}))
    names = [one.name for one in accounts.listed(own.ledger)]
    assert "petra.nurse" in names
    assert "another.name" not in names


def test_keys_that_were_changed_are_asked_for_again(own: Entrance) -> None:
    provider = Provider()
    clock = [time.time()]
    login = through(own, provider)
    login.provider.now = lambda: clock[0]
    log_in(own, provider, login)
    provider.key, provider.published, provider.header = OTHER_KEY, [OTHER_KEY], {"alg": "RS256", "kid": "k2"}
    clock[0] += 20
    assert log_in(own, provider, login).name == "petra.nurse"
    assert provider.keys_asked == 2
    provider.published = [KEY]  # what is signed with a key that is not there does not make it ask and ask
    clock[0] += 1
    provider.key = RSAKey.generate_key(2048, {"kid": "k9"}, auto_kid=False)
    provider.header = {"alg": "RS256", "kid": "k9"}
    for _ in range(3):
        with pytest.raises(LoginRefused):
            log_in(own, provider, login)
    assert provider.keys_asked == 2


@pytest.mark.parametrize(
    ("claims", "taken"),
    [
        ({"aud": ["triage-desk"]}, True),
        ({"aud": ["triage-desk", "other"], "azp": "triage-desk"}, True),
        ({"exp": later(-30), "iat": later(-300)}, True),  # clocks differ a little
        ({"realm": {"roles": ["um-nurses"]}}, True),
    ],
)
def test_what_is_right_in_another_way_is_taken(own: Entrance, claims: dict[str, Any], taken: bool) -> None:
    assert log_in(own, Provider(claims=claims)).role is Role.REVIEWER


def test_a_claim_inside_of_others(own: Entrance) -> None:
    nested = replace(own, settings=replace(own.settings, oidc_roles_claim="realm.roles"))
    assert log_in(nested, Provider(claims={"realm": {"roles": ["um-nurses"]}})).role is Role.REVIEWER
    with pytest.raises(LoginRefused):
        log_in(nested, Provider(claims={"realm": "um-nurses"}))


# --------------------------------------------------------------------------- what is not


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"claims": {"nonce": "x" * 43}}, "nonce"),
        ({"claims": {"nonce": None}}, "nonce"),
        ({"claims": {"aud": "another"}}, "audience"),
        ({"claims": {"aud": ["triage-desk", "other"]}}, "audience"),
        ({"claims": {"aud": ["triage-desk", "other"], "azp": "other"}}, "audience"),
        ({"claims": {"azp": "other"}}, "audience"),
        ({"claims": {"iss": "https://evil.example"}}, "issuer"),
        ({"claims": {"exp": later(-120)}}, "expired"),
        ({"claims": {"exp": None}}, "expired"),
        ({"claims": {"iat": later(600)}}, "expired"),
        ({"claims": {"exp": "soon"}}, "expired"),
        ({"claims": {"sub": None}}, "subject"),
        ({"claims": {"groups": ["staff"]}}, "no_role"),
        ({"claims": {"groups": None}}, "no_role"),
        ({"claims": {"preferred_username": "<b>"}}, "name"),
        ({"claims": {"preferred_username": "nora"}}, "name_taken"),  # a local user's
        ({"header": {"alg": "none"}}, "signature"),
        ({"key": OTHER_KEY}, "signature"),  # under the name of the right one
        ({"header": {"alg": "HS256", "kid": "k1"}}, "signature"),
        ({"wrong_verifier": True}, "code"),
    ],
    ids=lambda value: json.dumps(value, default=lambda _: "…")[:60] if isinstance(value, dict) else value,
)  # fmt: skip
@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
def test_a_wrong_answer_is_refused(own: Entrance, wrong: dict[str, Any], told: str) -> None:
    before = len(accounts.listed(own.ledger))
    with pytest.raises(LoginRefused):
        log_in(own, Provider(**wrong))
    assert why(own) == told
    assert len(accounts.listed(own.ledger)) == before


@pytest.mark.parametrize(
    ("odd", "told"),
    [
        ({"state": "x" * 43}, "state"),
        ({"state": ""}, "state"),
        ({"iss": "https://evil.example"}, "issuer"),
        ({"error": "access_denied"}, "provider"),
        ({"code": ""}, "provider"),
        ({"code": "of another login"}, "code"),
    ],
)
def test_an_odd_return_is_refused(own: Entrance, odd: dict[str, str], told: str) -> None:
    with pytest.raises(LoginRefused):
        log_in(own, Provider(), **odd)
    assert why(own) == told


def test_a_provider_that_says_who_it_is_must_say_so(own: Entrance) -> None:
    """Of two providers one must not be taken for the other (RFC 9207)."""
    provider = Provider(described={"authorization_response_iss_parameter_supported": True})
    with pytest.raises(LoginRefused):
        log_in(own, provider)
    assert why(own) == "issuer"
    assert log_in(own, provider, iss=ISSUER).name == "petra.nurse"


def test_an_answer_counts_once_for_a_while_and_in_one_browser(own: Entrance) -> None:
    provider = Provider()
    login = through(own, provider)
    url, secret = login.begin(own.ledger)
    answer = provider.authorize(url)
    with pytest.raises(LoginRefused):
        login.finish(own.ledger, login.begin(own.ledger)[1], answer)  # another browser's
    assert why(own) == "state"
    login.finish(own.ledger, secret, answer)
    with pytest.raises(LoginRefused):
        login.finish(own.ledger, secret, answer)
    assert why(own) == "state_used"
    url, secret = login.begin(own.ledger)
    late = own.ledger.read(own.ledger.now).replace(year=2020)
    own.ledger.write(lambda db: db.execute(update(tables.oidc_logins).values(at=late)))
    with pytest.raises(LoginRefused):
        login.finish(own.ledger, secret, provider.authorize(url))
    assert why(own) == "state_used"


def test_who_was_shut_out_stays_out(own: Entrance) -> None:
    user = log_in(own, Provider())
    accounts.disable(own.ledger, user.name, actor="operator:test")
    with pytest.raises(LoginRefused):
        log_in(own, Provider())
    assert why(own) == "disabled"


@pytest.mark.parametrize(
    "odd",
    [
        {"issuer": "https://evil.example"},
        {"token_endpoint": "http://login.plan.example/token"},
    ],
)
def test_a_provider_that_is_another_is_not_asked(own: Entrance, odd: dict[str, str]) -> None:
    with pytest.raises((ProviderSilent, ConfigurationError)):
        through(own, Provider(described=odd)).begin(own.ledger)


def test_a_provider_that_is_away_is_no_fault_of_the_desk(own: Entrance) -> None:
    app: Any = desk(own.ledger, replace(own.settings, oidc_issuer="http://127.0.0.1:9"))
    answer = TestClient(app, follow_redirects=False).get("/login/oidc")
    assert answer.status_code == 503
    assert TestClient(app).get("/login").status_code == 200


@pytest.mark.parametrize(
    "wrong",
    [
        {"oidc_issuer": "http://login.plan.example"},
        {"oidc_redirect_url": "http://desk.plan.example/login/oidc/back"},
        {"oidc_redirect_url": "https://desk.plan.example/elsewhere"},
        {"oidc_client_id": ""},
        {"oidc_roles": ""},
        {"oidc_roles": "um-nurses=queen"},
        {"oidc_roles": "reviewer"},
    ],
)
def test_a_wrong_setting_stops_the_desk(own: Entrance, wrong: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError):
        desk(own.ledger, replace(own.settings, **wrong))


# --------------------------------------------------------------------------- a real provider


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`oidc-provider-mock`, a provider made with Authlib, on a port of this machine."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    users = [
        {"sub": "7c1", "preferred_username": "petra", "groups": ["um-nurses"]},
        {"sub": "7c2", "preferred_username": "paul", "groups": ["visitors"]},
    ]
    command = [
        sys.executable,
        "-W",
        "ignore",
        "-m",
        "oidc_provider_mock",
        "--port",
        str(port),
        "--require-nonce",
        "true",
    ]
    command += [part for user in users for part in ("--user-claims", json.dumps(user))]
    log = (tmp_path_factory.mktemp("provider") / "log").open("wb")
    with log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            ends = time.monotonic() + 60
            while time.monotonic() < ends:
                assert process.poll() is None
                with suppress(httpx.HTTPError):
                    httpx.get(f"http://127.0.0.1:{port}/.well-known/openid-configuration")
                    break
                time.sleep(0.1)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def browse(browser: httpx.Client, url: str, real: str, sub: str) -> httpx.Response:
    """A browser goes from the desk to the provider, logs in there as `sub`, and comes back."""
    leave = browser.get(f"{url}/login/oidc")
    assert leave.status_code == 303
    assert leave.headers["location"].startswith(real)
    assert "samesite=lax" in leave.headers["set-cookie"].lower()
    consent = browser.post(leave.headers["location"], data={"sub": sub})
    return browser.get(consent.headers["location"])


def test_a_person_logs_in_and_out_through_a_real_provider(tmp_path: Path, real: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    with open_desk(tmp_path, LETTER) as made:
        url = f"http://127.0.0.1:{port}"
        settings = SETTINGS | {"oidc_issuer": real, "oidc_redirect_url": f"{url}/login/oidc/back"}
        here = replace(made, settings=replace(made.settings, **settings))
        with served(here, port=port), httpx.Client() as browser:
            arrived = browse(browser, url, real, "7c1")
            assert (arrived.status_code, 'content="0;url=/"' in arrived.text) == (200, True)
            html = browser.get(url).text
            assert "petra, reviewer" in html.lower()
            csrf = re.search(r'name="csrf" value="([^"]+)"', html)
            assert csrf
            gone = browser.post(f"{url}/logout", data={"csrf": csrf[1]})
            assert f"{real}/" in gone.text  # and there the provider ends its own session
            assert COOKIE not in browser.cookies
            assert browser.get(url).headers["location"] == "/login"
            refused = browse(browser, url, real, "7c2")
            assert (refused.status_code, "card attention" in refused.text) == (401, True)
        assert [one.role for one in accounts.listed(made.ledger) if one.name == "petra"] == [Role.REVIEWER]
        assert "paul" not in [one.name for one in accounts.listed(made.ledger)]
