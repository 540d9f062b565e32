"""Settings: read once from an environment mapping, then passed as an argument."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, get_type_hints

from pipeline.errors import ConfigurationError

PREFIX = "TRIAGE_"

# Numbers may be 0 but for these, which would leave nothing that can be read or waited for.
_LEAST = {
    "workers": 1,
    "max_file_mb": 1,
    "max_pages": 1,
    "max_page_megapixels": 1,
    "page_timeout_s": 0.1,
    "worker_memory_mb": 64,
    "evaluator_timeout_s": 0.1,
    "intake_max_mb": 1,
    "intake_max_files": 1,
    "intake_timeout_s": 0.1,
    "sftp_every_s": 0.1,
    "mailbox_every_s": 0.1,
    "intake_bundle_mb": 1,
    "intake_requests_a_minute": 1,
    "fax_timeout_s": 0.1,
    "webhook_timeout_s": 0.1,
    "webhook_failures": 1,
}


def _default_models_dir() -> Path:
    """`models/` of the checkout, or its copy inside an installed wheel."""
    packaged = Path(__file__).parent / "_models"
    return packaged if packaged.is_dir() else Path(__file__).parent.parent / "models"


def _default_home() -> Path:
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(base) / "clinical-triage"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that can be set. Each is read from the environment as TRIAGE_<NAME>."""

    models_dir: Path
    """Knowledge files and models."""
    home: Path
    """Where submissions and cases of the flow are kept; readable by its owner only."""
    policy: str = "cryosurgical-ablation"
    """Policy pack under models/policies/ by which cases are judged."""
    ocr_engine: str = "tesseract"
    """Name of an engine in pipeline.ocr.ENGINES."""
    workers: int = 2
    """Processes that read pages side by side."""
    max_file_mb: int = 200
    """A larger file is parked unread, MiB."""
    max_pages: int = 500
    """A file with more pages is parked."""
    max_page_megapixels: int = 60
    """A page image with more pixels is not decoded; the page is a problem."""
    page_timeout_s: float = 60.0
    """Seconds for one page, after which the page is a problem and the rest goes on."""
    worker_memory_mb: int = 2048
    """Address space a reading process may take beyond its start, MiB (Linux)."""
    evaluator_url: str = ""
    """Rules evaluator behind HTTP; empty means the embedded one."""
    evaluator_token: str = ""
    """Bearer token sent to the HTTP evaluator, and asked for by `triage serve-evaluator`."""
    evaluator_ca: str = ""
    """File with the certificates (PEM) that may vouch for the HTTP evaluator; empty means the public ones."""
    evaluator_client_cert: str = ""
    """File with this client's certificate (PEM), for an evaluator that asks for one (mutual TLS)."""
    evaluator_client_key: str = ""
    """File with the key of that certificate (PEM, unencrypted); empty if the certificate's file holds it."""
    evaluator_timeout_s: float = 10.0
    """Seconds for one request to the HTTP evaluator, its whole answer included."""
    evaluator_retries: int = 3
    """How often a failed request to the HTTP evaluator is tried again."""
    evaluator_circuit_failures: int = 5
    """After so many failures in a row the HTTP evaluator is left alone for a while; 0: never."""
    evaluator_circuit_s: float = 30.0
    """Seconds for which it is left alone: cases that come meanwhile are parked at once."""
    ledger_url: str = ""
    """The ledger's database, sqlite:///PATH or postgresql://USER@HOST/NAME; empty: SQLite under `home`."""
    vault_dir: str = ""
    """Where received files are kept, shared by all machines that work; empty: under `home`."""
    keys: str = ""
    """Keys that seal what is kept, NAME=KEY,NAME=KEY; the first seals, all open. Before `key_file`."""
    key_file: str = ""
    """File with such keys, one a line; empty: one is made under `home`, which does for one machine."""
    min_free_mb: int = 256
    """Room on the disk below which nothing is taken in, MiB: work under way needs some."""
    lease_s: float = 120.0
    """Seconds after which a worker that was not heard of loses the submission it holds."""
    max_attempts: int = 5
    """A submission that so many workers began and none finished is parked."""
    delivery_attempts: int = 8
    """So often a case is sent to the evaluator or an output, with growing pauses, before it is parked."""
    watch_folder: str = ""
    """Folder from which submissions are taken in; empty: none, or as `triage serve --watch` says."""
    watch_settled_s: float = 5.0
    """Seconds for which a file, or a folder's files, must not have changed to be whole."""
    intake_max_mb: int = 1024
    """A submission that a channel finds larger is not received, MiB; the files of it may be too large to be
    read before that."""
    intake_max_files: int = 500
    """A submission that a channel finds to be of more files is not received."""
    intake_timeout_s: float = 60.0
    """Seconds for which a channel waits for an answer of its server."""
    sftp_server: str = ""
    """host:port of an SFTP server from which submissions are taken in; empty: none."""
    sftp_user: str = ""
    """User at the SFTP server."""
    sftp_password: str = ""
    """That user's password; empty: `sftp_key` is used."""
    sftp_key: str = ""
    """File with that user's private key."""
    sftp_key_passphrase: str = ""
    """Passphrase of the key; empty: it has none."""
    sftp_known_hosts: str = ""
    """File with the server's host key, as in OpenSSH's known_hosts; no other server is believed."""
    sftp_folder: str = "."
    """Folder at the SFTP server that is looked into; not absolute: from where the user comes in."""
    sftp_received: str = ""
    """Folder at the SFTP server to which received files are moved; empty: they are removed."""
    sftp_every_s: float = 30.0
    """Seconds between two looks."""
    mailbox_server: str = ""
    """host:port of an IMAP server whose messages' attachments are taken in, TLS on 993, STARTTLS on other
    ports; empty: none."""
    mailbox_user: str = ""
    """User at the IMAP server."""
    mailbox_password: str = ""
    """That user's password; empty: `mailbox_token_url` is used."""
    mailbox_token_url: str = ""
    """Where an access token for the mailbox is had (OAuth 2, client credentials); empty: nowhere."""
    mailbox_client_id: str = ""
    """Who asks for the token."""
    mailbox_client_secret: str = ""
    """The secret of who asks."""
    mailbox_token_scope: str = "https://outlook.office365.com/.default"
    """What the token is to be good for."""
    mailbox_ca: str = ""
    """File with the certificates (PEM) that may vouch for the IMAP server; empty means the public ones."""
    mailbox_folder: str = "INBOX"
    """Mailbox that is looked into."""
    mailbox_received: str = "Received"
    """Mailbox to which received messages are moved; empty: they stay, marked as seen."""
    mailbox_every_s: float = 30.0
    """Seconds between two looks."""
    output_dir: str = ""
    """Folder that gets every evaluated case as ID/case.json; empty: none."""
    resent_days: int = 30
    """A packet whose pages all came within so many days before is attached to that one, not worked again."""
    retention_days: int = 0
    """Submissions that ended so many days ago lose their files and texts; 0: never."""
    request_folder: str = ""
    """Folder in which requests for records are laid down for a fax gateway; empty: none."""
    request_webhook_url: str = ""
    """Address that requests for records are posted to, signed; empty: none."""
    request_webhook_secret: str = ""
    """Secret that signs them (HMAC-SHA256), at least 16 characters."""
    request_fhir_url: str = ""
    """Base address of a FHIR server that takes requests for records; empty: none."""
    request_fhir_token: str = ""
    """Bearer token for it."""
    request_fhir_resources: str = "Task"
    """Which resources it takes: Task (CDex), CommunicationRequest (PAS), or both."""
    request_mail_server: str = ""
    """host:port of a mail server that speaks STARTTLS; empty: no requests by e-mail."""
    request_mail_from: str = ""
    """Address from which they are sent."""
    request_mail_user: str = ""
    """User at the mail server; empty: none is given."""
    request_mail_password: str = ""
    """That user's password."""
    request_timeout_s: float = 10.0
    """Seconds for one delivery of a request over a network."""
    intake_bundle_mb: int = 64
    """A larger FHIR bundle is refused by the intake server, MiB: it is held in memory meanwhile."""
    intake_requests_a_minute: int = 600
    """So many requests a minute of one sender are answered by the intake server."""
    intake_tls_cert: str = ""
    """File with the intake server's certificate (PEM); empty: plain HTTP, on this machine alone."""
    intake_tls_key: str = ""
    """File with its key (PEM, unencrypted); empty if the certificate's file holds it."""
    fax_secrets: str = ""
    """Secrets with which fax providers sign what they tell, PROVIDER=SECRET,PROVIDER=SECRET."""
    fax_tokens: str = ""
    """What the intake server shows a fax provider when it fetches a fax, PROVIDER=TOKEN,PROVIDER=TOKEN."""
    fax_fetch_hours: float = 24.0
    """A fax that could not be fetched for so many hours is parked for a person."""
    fax_timeout_s: float = 60.0
    """Seconds without a byte, after which the fetch of a fax is broken off and tried again."""

    otlp_endpoint: str = ""
    """OpenTelemetry collector that gets traces (OTLP over HTTP), http://HOST:4318; empty: as OTEL_ says."""
    stuck_s: float = 1800.0
    """Seconds without progress after which a submission counts as stuck in the queue's list and metrics."""
    webhook_hosts: str = ""
    """Hosts that may be told of what happens: NAME, or NAME=NETWORK for one inside; empty: none."""
    webhook_timeout_s: float = 10.0
    """Seconds for telling one of them one thing."""
    webhook_failures: int = 20
    """After so many failures in a row a webhook is left alone until a person enables it."""
    oidc_issuer: str = ""
    """Address of the OpenID provider through which people log in to the desk; empty: local users alone."""
    oidc_client_id: str = ""
    """What the provider calls the desk."""
    oidc_client_secret: str = ""
    """The desk's secret there; empty for a public client (PKCE alone)."""
    oidc_redirect_url: str = ""
    """Where the provider sends people back, https://DESK/login/oidc/back."""
    oidc_scopes: str = "openid profile"
    """What the desk asks the provider for."""
    oidc_name_claim: str = "preferred_username"
    """Claim that becomes the user's name at the desk."""
    oidc_roles_claim: str = "groups"
    """Claim with the person's groups, with dots into objects (realm_access.roles)."""
    oidc_roles: str = ""
    """GROUP=ROLE,GROUP=ROLE; the first that fits counts, and without one nobody is let in."""

    def __repr__(self) -> str:
        return f"Settings(home={self.home}, policy={self.policy})"  # never the token


_TESTS = f"{PREFIX}TEST_"  # what the project's tests are told
_SECRET = ("keys", "password", "passphrase", "secret", "secrets", "token", "tokens")
_PASSWORD_IN_URL = re.compile(r"://[^/@:]*:[^/@]*@|[?&](?:ssl)?password=")
_KINDS = {int: "a whole number", float: "a number"}


def load_settings(environ: Mapping[str, str]) -> Settings:
    """Settings from `environ` (TRIAGE_<NAME>), defaults for what it does not name.

    TRIAGE_<NAME>_FILE names a file that holds the value, for secrets that shall not stand in an environment.
    Raises ConfigurationError for an unknown name, a file that cannot be read, or a value of the wrong type
    or too small, all at once.
    """
    hints = get_type_hints(Settings)
    known = {field.name for field in fields(Settings)}
    values: dict[str, Any] = {"models_dir": _default_models_dir(), "home": _default_home()}
    problems = []
    for variable, text in environ.items():
        if not variable.startswith(PREFIX) or variable.startswith(_TESTS):
            continue
        name = variable.removeprefix(PREFIX).lower()
        if name not in known and name.removesuffix("_file") in known:
            name = name.removesuffix("_file")
            if PREFIX + name.upper() in environ:
                problems.append(f"{variable} and {PREFIX}{name.upper()} are both set")
                continue
            try:
                text = _content(Path(text))
            except (OSError, ValueError) as error:
                problems.append(f"{variable} names a file that cannot be read ({type(error).__name__})")
                continue
        if name not in known:
            problems.append(f"{variable} is not a setting")
            continue
        try:
            values[name] = _value(hints[name], _LEAST.get(name, 0), text)
        except ValueError:
            problems.append(f"{variable} must be {_KINDS[hints[name]]}, at least {_LEAST.get(name, 0)}")
    if problems:
        names = ", ".join(sorted(PREFIX + name.upper() for name in known))
        raise ConfigurationError(f"{'; '.join(problems)}.", next_step=f"Known settings: {names}.")
    return Settings(**values)


def is_secret(name: str, text: str) -> bool:
    """Whether the value of a setting must not be kept in clear by others (Prefect's database)."""
    return bool(text) and (name.endswith(_SECRET) or bool(_PASSWORD_IN_URL.search(text)))


def _content(path: Path) -> str:
    return path.read_text(encoding="utf-8").strip()


def _value(kind: Any, least: float, text: str) -> Any:
    value = kind(text)
    if kind in _KINDS and not least <= value < math.inf:
        raise ValueError
    return value
