"""Traces of the work, for OpenTelemetry: off unless the settings or OTEL_ variables name a collector.

    with span("submission", claim.submission_id, attempt=1): ...

A span holds ids, counts, codes and durations; of an exception its class. All spans of one submission, of
whichever process and day, have one trace, whose id is the submission's with zeros before it: who knows the
one finds the other, and no process must tell it to the next.

The provider is ours and not the global one: what libraries trace (Prefect its parameters, HTTP libraries
their addresses) goes where the user sends it, never through here. The packages are optional; where they
are missing and a collector is named, `start` says so.
"""

from __future__ import annotations

import logging
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

from pipeline.errors import ConfigurationError
from pipeline.settings import Settings

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Tracer

_log = logging.getLogger(__name__)

Value = str | int | float | bool
_STANDARD: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_SERVICE: Final = "clinical-triage"
_LONGEST: Final = 80  # of a value; ours are shorter

_provider: TracerProvider | None = None
_tracer: Tracer | None = None
_submission: ContextVar[str] = ContextVar("submission", default="")


def is_asked_for(settings: Settings) -> bool:
    """Whether a collector is named."""
    if os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    return bool(settings.otlp_endpoint or any(os.environ.get(name) for name in _STANDARD))


def start(settings: Settings, exporter: SpanExporter | None = None) -> None:
    """Trace from now on, if it is asked for; to `exporter` in tests. Once a process; a second call does
    nothing. Raises ConfigurationError where the packages are missing."""
    global _provider, _tracer
    if _tracer is not None or (exporter is None and not is_asked_for(settings)):
        return
    try:
        from opentelemetry.sdk.resources import SERVICE_NAME, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
    except ImportError:
        raise _missing() from None
    resource = Resource.create({SERVICE_NAME: os.environ.get("OTEL_SERVICE_NAME") or _SERVICE})
    _provider = TracerProvider(resource=resource, id_generator=_ids())
    _provider.add_span_processor(
        BatchSpanProcessor(_otlp(settings)) if exporter is None else SimpleSpanProcessor(exporter)
    )
    _tracer = _provider.get_tracer("clinical-triage")


def stop() -> None:
    """Send what is left, and trace no more."""
    global _provider, _tracer
    if _provider is not None:
        _provider.shutdown()
    _provider = _tracer = None


def trace_id(submission_id: str) -> str:
    """The trace of a submission, 32 hexadecimal digits."""
    return submission_id.zfill(32)


def ids(submission_id: str) -> dict[str, str]:
    """What a log line says so that the trace is found: nothing while none is made."""
    return {"trace": trace_id(submission_id)} if _tracer is not None else {}


@contextmanager
def span(name: str, submission_id: str = "", **attributes: Value | None) -> Iterator[None]:
    """A span while the block runs, under the one around it; `submission_id` begins one of that submission.

    Attributes are ids, counts and codes: a text longer than they are is cut.
    """
    if _tracer is None:
        yield
        return
    from opentelemetry.context import Context
    from opentelemetry.trace import SpanKind, Status, StatusCode

    token = _submission.set(submission_id) if submission_id else None
    given = {f"triage.{key}": _short(value) for key, value in attributes.items() if value is not None}
    if submission_id:
        given["triage.submission"] = submission_id
    try:
        with _tracer.start_as_current_span(
            name,
            context=Context() if submission_id else None,
            kind=SpanKind.INTERNAL,
            attributes=given,
            record_exception=False,
            set_status_on_exception=False,
        ) as current:
            try:
                yield
            except BaseException as error:
                current.set_attribute("error.type", type(error).__name__)
                current.set_status(Status(StatusCode.ERROR, type(error).__name__))
                raise
    finally:
        if token is not None:
            _submission.reset(token)


def note(**attributes: Value | None) -> None:
    """Add to the span that runs, if one does: what is known only now."""
    if _tracer is not None:
        from opentelemetry.trace import get_current_span

        given = {f"triage.{key}": _short(value) for key, value in attributes.items() if value is not None}
        get_current_span().set_attributes(given)


def _short(value: Value) -> Value:
    return value[:_LONGEST] if isinstance(value, str) else value


def _ids() -> Any:
    from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

    class OfSubmissions(RandomIdGenerator):
        """Trace ids from the submission's; a span's is drawn."""

        def generate_trace_id(self) -> int:
            return int(_submission.get() or secrets.token_hex(16), 16)

    return OfSubmissions()


def _otlp(settings: Settings) -> SpanExporter:
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    except ImportError:
        raise _missing() from None
    if not settings.otlp_endpoint:
        return OTLPSpanExporter()  # reads OTEL_ variables
    return OTLPSpanExporter(endpoint=f"{settings.otlp_endpoint.rstrip('/')}/v1/traces")


def _missing() -> ConfigurationError:
    return ConfigurationError(
        "A collector of traces is named, but the packages that would send to it are missing.",
        next_step="`pip install clinical-triage[otel]`, or unset TRIAGE_OTLP_ENDPOINT and OTEL_ variables.",
    )
