"""What this installation needs, looked at one by one: installed, of the right version, reachable, writable.

Each check says how it found things and what to do. None changes anything but for a file written and removed.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pipeline.errors import LedgerUnavailable, TriageError
from pipeline.intake import CHANNELS, channel_in
from pipeline.settings import Settings
from pipeline.surroundings import Check, Found, clock, collector, prefect, sealed, versions

if TYPE_CHECKING:
    from pipeline.ledger import ChannelStanding

_PACKAGE: Final = "clinical-triage"
_SOON_DAYS: Final = 21
_MOST: Final = 1000


def examine(settings: Settings) -> Iterator[Check]:
    """All checks, as they are made."""
    looks: list[tuple[str, Callable[[Settings], Check | None]]] = [
        ("packages", _packages),
        ("versions", versions),
        ("knowledge", _knowledge),
        ("OCR engine", _ocr),
        ("home", lambda given: _writable("home", given.home, given.min_free_mb)),
        ("vault", lambda given: _writable("vault", _vault(given), given.min_free_mb)),
        ("keys", _keys),
        ("ledger", _ledger),
        ("sealed", sealed),
        ("clock", clock),
        ("queue", _queue),
        ("evaluator", _evaluator),
        ("Prefect", prefect),
        ("traces", collector),
    ]
    if settings.fax_secrets or settings.fax_tokens:
        looks.append(("fax providers", _fax_providers))
    if settings.intake_tls_cert:
        looks.append(("intake certificate", _certificate))
    if settings.output_dir:
        looks.append(("output", lambda given: _writable("output", Path(given.output_dir), 0)))
    looks += [(f"channel {name}", partial(_channel, name)) for name in CHANNELS]
    for what, look in looks:
        try:
            if (check := look(settings)) is not None:
                yield check
        except TriageError as error:
            yield Check(what, Found.BROKEN, error.args[0], error.next_step)


def _packages(settings: Settings) -> Check:
    from packaging.requirements import Requirement

    wrong, number = [], 0
    for text in metadata.requires(_PACKAGE) or ():
        requirement = Requirement(text)
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        number += 1
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            wrong.append(f"{requirement.name} is missing")
            continue
        if not requirement.specifier.contains(version, prereleases=True):
            wrong.append(f"{requirement.name} {version} is not {requirement.specifier}")
    if wrong:
        return Check("packages", Found.BROKEN, f"{'; '.join(wrong)}.", "Install anew from requirements.lock.")
    return Check("packages", Found.OK, f"{number} as required, clinical-triage {metadata.version(_PACKAGE)}.")


def _knowledge(settings: Settings) -> Check:
    from datetime import date

    from pipeline.cases import Knowledge

    policy = Knowledge(settings).policy_on(date.today())
    return Check("knowledge", Found.OK, f"policy {policy.ref.id} of {policy.ref.version} is in force.")


def _ocr(settings: Settings) -> Check:
    from pipeline.ocr import load

    load(settings.ocr_engine)
    return Check("OCR engine", Found.OK, f"{settings.ocr_engine}.")


def _writable(what: str, folder: Path, min_free_mb: int) -> Check:
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    try:
        with tempfile.TemporaryFile(dir=there) as file:
            file.write(b"1")
    except OSError as error:
        told = f"{there} cannot be written: {error.strerror}."
        return Check(what, Found.BROKEN, told, "Give this user the right to, or name another folder.")
    free = shutil.disk_usage(there).free // 2**20
    if free < min_free_mb:
        told = f"{free} MiB are free at {there}; below {min_free_mb} nothing is taken in."
        return Check(what, Found.BROKEN, told, "Make room.")
    if folder.exists() and stat.S_IMODE(folder.stat().st_mode) & 0o077 and what != "output":
        return Check(what, Found.CHECK, f"{folder} can be read by others.", f"chmod go-rwx {folder}")
    return Check(what, Found.OK, f"{folder}, {free} MiB free.")


def _vault(settings: Settings) -> Path:
    return Path(settings.vault_dir) if settings.vault_dir else settings.home / "vault"


def _keys(settings: Settings) -> Check:
    from pipeline.sealing import keyring

    if not (settings.keys or settings.key_file) and not (settings.home / "keys" / "keys").exists():
        return Check("keys", Found.OK, "one is made at the first use.")
    ring = keyring(settings)
    path = Path(settings.key_file) if settings.key_file else settings.home / "keys" / "keys"
    if not settings.keys and stat.S_IMODE(path.stat().st_mode) & 0o007:
        return Check("keys", Found.CHECK, f"{path} can be read by everybody.", f"chmod o-rwx {path}")
    if not (settings.keys or settings.key_file):
        told = f"{ring.current}, in {path}; without it nothing that is kept can be opened."
        return Check(
            "keys", Found.CHECK if not os.access(path, os.R_OK) else Found.OK, told, "Keep a copy apart."
        )
    return Check("keys", Found.OK, f"{ring.current} seals.")


def _ledger(settings: Settings) -> Check:
    from pipeline.ledger import ledger_url, schema
    from pipeline.ledger.database import connect

    url = ledger_url(settings)
    if url.startswith("sqlite") and not (settings.ledger_url or (settings.home / "ledger.db").exists()):
        return Check("ledger", Found.OK, "SQLite, made at the first use.")
    database = connect(url)
    try:
        revision = schema.current(database)
    except LedgerUnavailable as error:
        return Check("ledger", Found.BROKEN, error.args[0], error.next_step)
    finally:
        database.close()
    kind = "SQLite" if database.is_sqlite else "PostgreSQL"
    if revision > schema.newest():
        told = f"{kind}, of a newer version ({revision}) than this program knows."
        return Check("ledger", Found.BROKEN, told, "Install the version that wrote it.")
    if revision != schema.newest():
        found = Found.OK if database.is_sqlite else Found.BROKEN
        told = f"{kind}, version {revision or 'none'}, becomes {schema.newest()}"
        return Check("ledger", found, f"{told}.", "`triage ledger upgrade` does it.")
    return Check("ledger", Found.OK, f"{kind}, version {revision}.")


def _queue(settings: Settings) -> Check:
    from pipeline import ledger as led

    if not settings.ledger_url and not (settings.home / "ledger.db").exists():
        return Check("queue", Found.OK, "empty.")
    with led.open_ledger(settings) as ledger:
        figures = led.figures(ledger)
        after = timedelta(seconds=settings.stuck_s)
        stuck = led.items(ledger, among=led.stuck(ledger, after=after), most=_MOST)
    counts = ", ".join(f"{number} {state}" for state, number in figures.states.items() if number) or "empty"
    if figures.not_fetched:
        told = f"{counts}; announced and not to be had: {figures.not_fetched}."
        return Check("queue", Found.CHECK, told, "`triage queue announced` tells which, and why.")
    if stuck:
        told = f"{counts}; nothing happens to {len(stuck)}{'' if len(stuck) < _MOST else ' or more'}."
        next_step = "See that workers run; `triage queue list --stuck` names them."
        return Check("queue", Found.CHECK, told, next_step)
    if figures.overdue or figures.failed_sendings:
        told = f"{counts}; {figures.overdue} over their time, {figures.failed_sendings} cases not sent."
        return Check("queue", Found.CHECK, told, "`triage queue list` tells more.")
    return Check("queue", Found.OK, f"{counts}.")


def _channel(name: str, settings: Settings) -> Check | None:
    """Is it reachable, are we let in, may we write; what it could not take in. None where it is not used."""
    channel = channel_in(settings, name)
    if channel is None:
        return None
    what, told, standing = f"channel {name}", channel.check(), _standing(name, settings)
    if standing is None:
        return Check(what, Found.OK, f"{told} It has not run yet.")
    from pipeline.ledger import WORKING

    worries = [f"{number} {why}" for why, number in sorted(standing.left.items())]
    if standing.refused:
        worries.append(f"{standing.refused} refused in the last 7 days")
    if standing.cause != WORKING:
        worries.insert(0, f"when it ran last, it was {standing.cause}")
    if worries:
        return Check(what, Found.CHECK, f"{told} {'; '.join(worries)}.", "docs/channels.md says what to do.")
    received = (
        f"; the last came {standing.last_received:%Y-%m-%d %H:%M} UTC" if standing.last_received else ""
    )
    return Check(what, Found.OK, f"{told.rstrip('.')}{received}.")


def _standing(name: str, settings: Settings) -> ChannelStanding | None:
    from pipeline import ledger as led

    if not settings.ledger_url and not (settings.home / "ledger.db").exists():
        return None
    with led.open_ledger(settings) as ledger:
        return led.channel_standing(ledger, name)


def _fax_providers(settings: Settings) -> Check:
    from pipeline.intake.fax_providers import providers_in

    names = ", ".join(providers_in(settings)) or "none with a secret"
    return Check("fax providers", Found.OK, f"{names}.")


def _certificate(settings: Settings) -> Check:
    from pipeline.serving import Certificates, days_left

    key = Path(settings.intake_tls_key) if settings.intake_tls_key else None
    left = days_left(Certificates(Path(settings.intake_tls_cert), key))
    if left < _SOON_DAYS:
        told = "has run out" if left < 0 else f"runs out in {left} days"
        found = Found.BROKEN if left < 0 else Found.CHECK
        return Check("intake certificate", found, f"{told}.", "Renew it, and start the intake again.")
    return Check("intake certificate", Found.OK, f"good for {left} days.")


def _evaluator(settings: Settings) -> Check:
    from pipeline.evaluation import ruleset_for
    from pipeline.evaluator_client import answers, check_url

    if not settings.evaluator_url:
        ruleset_for(None, settings)
        return Check("evaluator", Found.OK, "the embedded one.")
    check_url(settings.evaluator_url)
    if not answers(settings):
        told = "the one behind TRIAGE_EVALUATOR_URL cannot be reached."
        return Check("evaluator", Found.BROKEN, told, "Check that it runs; cases wait for it meanwhile.")
    return Check("evaluator", Found.OK, "the one behind TRIAGE_EVALUATOR_URL answers.")
