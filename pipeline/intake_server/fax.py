"""What a fax provider tells: `POST /v1/fax/{provider}`. Signed, of now, and in the ledger before the answer.

A notice that is sent again, by the provider or by somebody who overheard it, changes nothing: a fax id is one
notice, and only a newer signed word has it looked for elsewhere.
"""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final
from urllib.parse import parse_qsl

from fastapi import APIRouter, Request
from fastapi import Path as PathParameter
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

from pipeline.catalog.fax_providers import FaxProvider, NoticeForm, Signature
from pipeline.intake.fax_providers import Provider
from pipeline.intake_server.fax_fetch import is_allowed
from pipeline.intake_server.refusals import Refused
from pipeline.intake_server.senders import too_often
from pipeline.intake_server.spool import whole
from pipeline.ledger import Ledger, notices
from pipeline.ledger.notices import NewNotice
from pipeline.serving import Allowance

WINDOW: Final = timedelta(seconds=300)
"""By so much clocks may differ, and a notice may be old."""
_LARGEST: Final = 256 * 1024
_IDLE_S: Final = 20.0
_LONGEST_ADDRESS: Final = 4000
_REFERENCE: Final = re.compile(r"[A-Za-z0-9._:-]{1,120}")
_OLDEST: Final = timedelta(days=366)
_A_MINUTE: Final = 1200
_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {"type": "object"}},
            "application/x-www-form-urlencoded": {"schema": {"type": "object"}},
        },
    }
}


class Noted(BaseModel):
    """The notice is kept and its fax is fetched; `id` is its number here, null where it tells of no fax."""

    id: str | None


def fax_notices(
    ledger: Ledger,
    providers: Mapping[str, Provider],
    *,
    noted: Callable[[], None],
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> APIRouter:
    """The route. `noted` is called when something is to be fetched."""
    router = APIRouter()
    asked = Allowance(_A_MINUTE)

    @router.post(
        "/v1/fax/{provider}",
        status_code=202,
        response_model=Noted,
        responses={413: {"description": "Larger than a notice is."}},
        openapi_extra=_BODY,
    )
    async def notice(
        provider: Annotated[str, PathParameter(pattern=r"^[a-z0-9-]{1,32}$")], request: Request
    ) -> Noted:
        """A provider tells, signed, that a fax came and from where it is to be had."""
        too_often(asked, request.client.host if request.client else "")
        body = await whole(request, _LARGEST, idle_s=_IDLE_S)
        known = providers.get(provider)
        if known is None:
            raise Refused(404, "no_such_provider", "No provider of that name is set up.")
        at = _signed_at(known, request.headers, body, now())
        told = _told(provider, known.rules, body, at, now())
        if told is None:
            return Noted(id=None)
        kept = await run_in_threadpool(notices.enter, ledger, told)
        noted()
        return Noted(id=kept)

    return router


def sign(signature: Signature, secret: str, timestamp: str, body: bytes) -> str:
    """What stands in the signature's header, prefix included."""
    before, _, after = signature.message.partition("{body}")
    head, tail = (part.replace("{timestamp}", timestamp).encode() for part in (before, after))
    digest = hmac.digest(secret.encode(), head + body + tail, hashlib.sha256)
    encoded = digest.hex() if signature.encoding == "hex" else base64.b64encode(digest).decode()
    return signature.prefix + encoded


def _signed_at(provider: Provider, headers: Mapping[str, str], body: bytes, now: datetime) -> datetime:
    """When it was signed. Raises Refused for what is not the provider's, or not of now."""
    signature = provider.rules.signature
    timestamp = headers.get(signature.timestamp_header, "")
    expected = sign(signature, provider.secret, timestamp, body)
    is_theirs = hmac.compare_digest(expected.encode(), headers.get(signature.header, "").encode())
    at = _time(timestamp)
    if not is_theirs or at is None:
        raise Refused(401, "signature", "The signature is not the provider's.")
    if abs(now - at) > WINDOW:
        raise Refused(401, "too_old", "It was signed at another time; clocks may differ by 300 s.")
    return at


def _told(name: str, rules: FaxProvider, body: bytes, at: datetime, now: datetime) -> NewNotice | None:
    """What is told, None where it tells of no fax. Raises Refused where it lacks something."""
    form = rules.notice
    data = _data(form, body)
    if form.event is not None and _at(data, form.event) not in form.events:
        return None
    fax_id, address = _at(data, form.fax_id), _at(data, form.address)
    received_at = _time(_at(data, form.received_at))
    if not fax_id or not address or len(address) > _LONGEST_ADDRESS:
        raise Refused(422, "incomplete", f"{form.fax_id} or {form.address} is missing, or too long.")
    if received_at is None or not now - _OLDEST <= received_at <= now + WINDOW:
        raise Refused(422, "received_at", f"{form.received_at} is no time at which a fax came.")
    if not is_allowed(address, rules.fetch.hosts):
        raise Refused(422, "elsewhere", f"{form.address} is at no host that this provider's files come from.")
    if not _REFERENCE.fullmatch(fax_id):
        fax_id = hashlib.sha256(fax_id.encode("utf-8", "replace")).hexdigest()
    return NewNotice(f"fax:{name}", fax_id, address, min(received_at, now), at)


def _data(form: NoticeForm, body: bytes) -> Any:
    try:
        text = body.decode()
        return json.loads(text) if form.body == "json" else dict(parse_qsl(text, max_num_fields=200))
    except (ValueError, RecursionError):
        raise Refused(400, "malformed", f"The body is not {form.body}.") from None


def _at(data: Any, path: str) -> str:
    """The text or number at a path, empty where there is none."""
    for name in path.split("."):
        data = data.get(name) if isinstance(data, dict) else None
    return str(data) if isinstance(data, str | int) and not isinstance(data, bool) else ""


def _time(text: str) -> datetime | None:
    """Seconds since 1970, or ISO 8601 with its zone."""
    try:
        if re.fullmatch(r"[0-9]{9,11}(\.[0-9]{1,9})?", text):
            return datetime.fromtimestamp(float(text), UTC)
        time = datetime.fromisoformat(text)
        return time.astimezone(UTC) if time.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None
