"""JSON from outside, bounded before and after it is parsed: what is small as text may be large in memory."""

from __future__ import annotations

import json
import math
from typing import Any, Final, NoReturn

from pipeline.intake_server.refusals import Refused

_MOST_VALUES: Final = 200_000
_DEEPEST: Final = 60


def parsed(body: bytes) -> dict[str, Any]:
    """The object that the body is. Raises Refused."""
    # No more values than these signs; base64 has none of them.
    if sum(map(body.count, (b",", b"[", b"{"))) > _MOST_VALUES:
        raise Refused(413, "too_large", "These are more elements than are taken at once.")
    try:
        data = json.loads(body, parse_constant=_no_number, parse_float=_finite)
    except (ValueError, RecursionError):
        raise Refused(400, "malformed", "The body is not JSON.") from None
    if not isinstance(data, dict):
        raise Refused(400, "malformed", "The body is not a JSON object.")
    if _is_deep(data):
        raise Refused(400, "malformed", "The body is nested too deeply.")
    return data


def _is_deep(data: Any) -> bool:
    level = [data]
    for _ in range(_DEEPEST):
        values = [item.values() if isinstance(item, dict) else item for item in level]
        level = [inner for item in values for inner in item if isinstance(inner, dict | list)]
        if not level:
            return False
    return True


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _no_number(text)


def _no_number(name: str) -> NoReturn:
    raise ValueError(name)
