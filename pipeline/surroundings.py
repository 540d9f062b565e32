"""What `triage doctor` finds around the program: versions against the lock file, Prefect, a collector of
traces, the database's clock, the keys of what is kept. Nothing is changed."""

from __future__ import annotations

import base64
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum
from importlib import metadata
from pathlib import Path
from typing import Final

import httpx
from sqlalchemy import select

from pipeline import ledger as led
from pipeline.ledger.tables import records
from pipeline.monitoring import tracing
from pipeline.settings import Settings

_HERE: Final = Path(__file__).parent
_LOCKED: Final = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)(?: ; ([^\\\n]+))?", re.MULTILINE)
_WITHIN_S: Final = 5.0
_SKEW_S: Final = 2.0
_SHOWN: Final = 5


class Found(IntEnum):
    """How a check found things: BROKEN stops work, CHECK should be looked at."""

    OK = 0
    CHECK = 1
    BROKEN = 2


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    what: str
    found: Found
    told: str
    next_step: str = ""


def versions(settings: Settings) -> Check:
    """Whether what is installed is what the lock file says, which is what was tested."""
    path = next((one for one in _locks() if one.is_file()), None)
    if path is None:
        return Check("versions", Found.OK, "there is no lock file to hold them against.")
    others = sorted(_others(_locked(path)))
    if others:
        more = f" and {len(others) - _SHOWN} more" if len(others) > _SHOWN else ""
        told = f"{len(others)} differ from the lock file: {', '.join(others[:_SHOWN])}{more}."
        return Check("versions", Found.CHECK, told, "Install anew from requirements.lock.")
    return Check("versions", Found.OK, "as in the lock file.")


def _locks() -> tuple[Path, Path]:
    """In an installed wheel, and in a checkout."""
    return _HERE / "_requirements.lock", _HERE.parent / "requirements.lock"


def _locked(path: Path) -> dict[str, str]:
    """Version by package, of what the lock file has for this Python on this system."""
    from packaging.markers import Marker

    found = _LOCKED.findall(path.read_text(encoding="utf-8"))
    return {name: version for name, version, marker in found if not marker or Marker(marker).evaluate()}


def _others(locked: dict[str, str]) -> Iterator[str]:
    for name, version in locked.items():
        try:
            installed = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue  # for tests, for another system, or missing: `packages` tells that
        if installed != version:
            yield f"{name} {installed} ({version})"


def prefect(settings: Settings) -> Check | None:
    """Whether the Prefect that PREFECT_API_URL names answers, and is of this version; None without one."""
    api = os.environ.get("PREFECT_API_URL", "").rstrip("/")
    if not api:
        return None
    headers = {}
    if secret := os.environ.get("PREFECT_API_AUTH_STRING"):
        headers["Authorization"] = f"Basic {base64.b64encode(secret.encode()).decode()}"
    try:
        answer = httpx.get(f"{api}/admin/version", headers=headers, timeout=_WITHIN_S)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        told = f"the API of PREFECT_API_URL cannot be reached ({type(error).__name__})."
        return Check("Prefect", Found.BROKEN, told, "`prefect server start` starts one; the ledger waits.")
    if answer.status_code in (401, 403):
        return Check(
            "Prefect", Found.BROKEN, "the API refuses us.", "Set PREFECT_API_AUTH_STRING as it has it."
        )
    ours = metadata.version("prefect")
    if answer.status_code != 200 or answer.text.strip('"\n') != ours:
        told = f"the API answers, but is not of version {ours}."
        return Check("Prefect", Found.CHECK, told, "Upgrade the server first, then the workers.")
    return Check("Prefect", Found.OK, f"the API answers, version {ours}.")


def collector(settings: Settings) -> Check | None:
    """Whether the collector of traces answers; None where none is named by us."""
    if not tracing.is_asked_for(settings):
        return None
    if not settings.otlp_endpoint:
        return Check("traces", Found.OK, "sent where the OTEL_ variables say.")
    try:
        # An empty request is a valid one.
        httpx.post(
            f"{settings.otlp_endpoint.rstrip('/')}/v1/traces",
            headers={"Content-Type": "application/x-protobuf"},
            timeout=_WITHIN_S,
        )
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        told = f"the collector of TRIAGE_OTLP_ENDPOINT cannot be reached ({type(error).__name__})."
        return Check("traces", Found.CHECK, told, "Work goes on without traces.")
    return Check("traces", Found.OK, "the collector answers.")


def clock(settings: Settings) -> Check | None:
    """How far this machine's clock is from the database's; None on SQLite, which has no other."""
    if not settings.ledger_url or settings.ledger_url.startswith("sqlite"):
        return None
    with led.open_ledger(settings) as ledger:
        before = time.time()
        theirs = ledger.read(ledger.now)
        apart = abs((theirs - datetime.fromtimestamp((before + time.time()) / 2, UTC)).total_seconds())
    if apart > _SKEW_S:
        told = f"{apart:.0f} s apart from the database's, which counts."
        return Check(
            "clock", Found.CHECK, told, "Keep all machines' clocks by NTP; logs are hard to read else."
        )
    return Check("clock", Found.OK, "as the database's.")


def sealed(settings: Settings) -> Check | None:
    """Whether all that is kept can be opened with the keys that are there; None without a ledger."""
    if not settings.ledger_url and not (settings.home / "ledger.db").exists():
        return None
    with led.open_ledger(settings) as ledger:
        other = select(records.c.key_name).where(records.c.key_name.not_in(ledger.keys.names)).limit(1)
        missing = ledger.read(lambda db: db.execute(other).scalar())
    if missing is not None:
        told = f"what was sealed with {missing} cannot be opened."
        return Check("sealed", Found.BROKEN, told, "Put that key behind the others in the key file.")
    return Check("sealed", Found.OK, "the keys open all that is kept.")
