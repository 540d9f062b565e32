"""Traces: what is in them, what is not, and that a collector gets them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from ledgers import open_test_ledger, received
from opentelemetry import trace
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from stages import Recorded

from pipeline import ledger as led
from pipeline.errors import ConfigurationError, EvaluatorError
from pipeline.ledger import Ledger
from pipeline.monitoring import tracing
from pipeline.settings import load_settings
from pipeline.working import Worker

SECRET = "Quillfeather"
ASKED = "TRIAGE_OTLP_ENDPOINT"


@pytest.fixture
def exporter() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    tracing.start(load_settings({}), exporter)
    yield exporter
    tracing.stop()


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with open_test_ledger("sqlite", tmp_path / "home") as ledger:
        yield ledger


def work(ledger: Ledger, stages: Recorded) -> str:
    (receipt,) = received(ledger, b"1")
    worker = Worker(ledger, load_settings({}), "w", stages=stages.stages)
    worker.work(led.claim(ledger, "w")[0])
    for sending in led.claim_sendings(ledger, "w", 9):
        worker.send(sending)
    return receipt.submission_id


def one(spans: tuple[ReadableSpan, ...], name: str) -> ReadableSpan:
    (found,) = [span for span in spans if span.name == name]
    return found


def test_a_submission_is_one_trace(ledger: Ledger, exporter: InMemorySpanExporter) -> None:
    submission_id = work(ledger, Recorded())
    spans = exporter.get_finished_spans()
    assert [span.name for span in spans] == ["read", "build", "submission", "evaluate", "delivery"]
    assert {f"{span.context.trace_id:032x}" for span in spans} == {tracing.trace_id(submission_id)}
    whole = one(spans, "submission")
    assert whole.parent is None
    assert one(spans, "read").parent.span_id == whole.context.span_id
    assert one(spans, "evaluate").parent.span_id == one(spans, "delivery").context.span_id
    assert dict(whole.attributes) == {
        "triage.submission": submission_id,
        "triage.worker": "w",
        "triage.attempt": 1,
        "triage.round": 1,
        "triage.files": 1,
        "triage.pages": 1,
        "triage.status": "complete",
    }
    assert one(spans, "evaluate").attributes["triage.outcome"] == "meets"


@pytest.mark.parametrize(
    ("failing", "error", "broken"),
    [
        ("read", KeyError(SECRET), {"read", "submission"}),
        ("build", ExceptionGroup(SECRET, [ValueError(SECRET)]), {"build", "submission"}),
        ("evaluate", EvaluatorError(SECRET, retryable=False), {"evaluate"}),
    ],
)
def test_of_an_exception_only_the_class_is_told(
    ledger: Ledger, exporter: InMemorySpanExporter, failing: str, error: Exception, broken: set[str]
) -> None:
    work(ledger, Recorded(failing, error))
    spans = exporter.get_finished_spans()
    told = {
        span.name: span.attributes["error.type"]
        for span in spans
        if not span.status.is_ok and "error.type" in span.attributes
    }
    assert told == dict.fromkeys(broken, type(error).__name__)
    for span in spans:
        assert span.events == ()
        assert SECRET not in span.to_json()


def test_without_a_collector_nothing_is_traced(ledger: Ledger) -> None:
    tracing.start(load_settings({}))
    with tracing.span("work", "0" * 16):
        assert not trace.get_current_span().get_span_context().is_valid
    work(ledger, Recorded())


def test_other_libraries_tracers_are_not_ours(exporter: InMemorySpanExporter) -> None:
    """Prefect would trace parameters, HTTP clients addresses."""
    with trace.get_tracer("prefect").start_as_current_span(SECRET):
        pass
    assert exporter.get_finished_spans() == ()


@pytest.mark.parametrize(
    ("environ", "asked"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:4318/v1/traces"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", "OTEL_SDK_DISABLED": "true"}, False),
    ],
)
def test_who_asks_for_traces(monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], asked: bool) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert tracing.is_asked_for(load_settings({})) is asked


def test_ours_asks_for_traces() -> None:
    assert tracing.is_asked_for(load_settings({ASKED: "http://127.0.0.1:4318"}))


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(ConfigurationError, match=r"clinical-triage\[otel\]"):
        tracing.start(load_settings({ASKED: "http://127.0.0.1:1"}))
    tracing.start(load_settings({}))  # nobody asks: nothing is missed


def test_the_work_needs_no_package_of_opentelemetry() -> None:
    """As after an installation without the extra: no import, no failure."""
    program = """
import sys
for name in ("opentelemetry", "opentelemetry.sdk", "opentelemetry.exporter"):
    sys.modules[name] = None
from pipeline.monitoring import tracing
from pipeline.settings import load_settings
tracing.start(load_settings({}))
with tracing.span("work", "0" * 16):
    tracing.note(pages=1)
tracing.stop()
"""
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(__file__).parent.parent)


# --------------------------------------------------------------------------- a collector


class Collector(BaseHTTPRequestHandler):
    """Takes traces as OTLP over HTTP and keeps what it got."""

    got: list[tuple[str, bytes]]

    def do_POST(self) -> None:
        self.got.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def collecting() -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    got: list[tuple[str, bytes]] = []
    kind = type("Collecting", (Collector,), {"got": got})
    server = ThreadingHTTPServer(("127.0.0.1", 0), kind)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", got
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("by", ["setting", "standard"])
def test_a_collector_gets_them(ledger: Ledger, monkeypatch: pytest.MonkeyPatch, by: str) -> None:
    with collecting() as (url, got):
        if by == "setting":
            settings = load_settings({ASKED: f"{url}/"})
        else:
            monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
            settings = load_settings({})
        tracing.start(settings)
        work(ledger, Recorded("build", KeyError(SECRET)))
        tracing.stop()
    assert {path for path, _ in got} == {"/v1/traces"}
    sent = [ExportTraceServiceRequest.FromString(body) for _, body in got]
    spans = [
        span
        for one in sent
        for whole in one.resource_spans
        for in_ in whole.scope_spans
        for span in in_.spans
    ]
    assert sorted(span.name for span in spans) == ["build", "read", "submission"]
    services = {
        attribute.value.string_value
        for one in sent
        for whole in one.resource_spans
        for attribute in whole.resource.attributes
        if attribute.key == "service.name"
    }
    assert services == {os.environ.get("OTEL_SERVICE_NAME", "clinical-triage")}
    assert all(SECRET.encode() not in body for _, body in got)


def test_a_collector_that_is_away_does_not_stop_the_work(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is given up on at the end, within its time limit."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    tracing.start(load_settings({ASKED: "http://127.0.0.1:9"}))
    name = work(ledger, Recorded())
    tracing.stop()
    assert led.item(ledger, name).state == led.State.DONE
