"""A rules evaluator on loopback that misbehaves as it is told, and counts what it did for whom.

It acts once for each idempotency key, whatever becomes of its answer: `effects` are what a payer's
system would have done, `requests` what arrived.
"""

from __future__ import annotations

import hashlib
import json
import socket
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from pipeline.case_json import evaluation_to_json, from_json
from pipeline.evaluation import ruleset_for
from pipeline.rules import evaluate
from pipeline.settings import load_settings

SETTINGS = load_settings({})
TRICKLE_S = 0.05


class FaultyEvaluator:
    """`faults` are taken one a request, then all goes well. `stuck` ends what is still slow."""

    def __init__(self, *faults: str) -> None:
        self.faults = list(faults)
        self.requests: list[Mapping[str, str]] = []
        self.effects: Counter[str] = Counter()
        self.answers: dict[str, bytes] = {}
        self.stuck = threading.Event()
        self.url = ""
        self._lock = threading.Lock()

    def next_fault(self) -> str:
        with self._lock:
            return self.faults.pop(0) if self.faults else "none"

    def work(self, headers: Mapping[str, str], body: bytes) -> bytes:
        key = headers["Idempotency-Key"]
        assert key.endswith(hashlib.sha256(body).hexdigest())
        with self._lock:
            self.requests.append(dict(headers))
            if key not in self.answers:
                self.effects[key.split(":")[0]] += 1
                self.answers[key] = _answer(body)
            return self.answers[key]


def _answer(body: bytes) -> bytes:
    case = from_json(json.loads(body))
    return json.dumps(evaluation_to_json(evaluate(case, ruleset_for(case.policy, SETTINGS)))).encode()


class _Handler(BaseHTTPRequestHandler):
    evaluator: FaultyEvaluator

    def do_POST(self) -> None:
        fault = self.evaluator.next_fault()
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if fault == "drops the request":
            return self._hang_up()
        answer = self.evaluator.work(self.headers, body)
        match fault:
            case "status 500" | "status 503" | "status 400" | "status 302":
                self._send(int(fault.removeprefix("status ")), b'{"message": "not today"}')
            case "is slow":
                self.evaluator.stuck.wait(5)
                self._hang_up()
            case "trickles":
                self._head(200, len(answer))
                for byte in answer:
                    if self.evaluator.stuck.wait(TRICKLE_S):
                        break
                    self.wfile.write(bytes([byte]))
            case "hangs up before the answer":
                self._hang_up()
            case "hangs up in the answer":
                self._head(200, len(answer))
                self.wfile.write(answer[: len(answer) // 2])
                self._hang_up()
            case "answers no HTTP":
                self.wfile.write(b"220 mail.example ESMTP\r\n\r\n")
                self._hang_up()
            case "answers no JSON":
                self._send(200, b"<html>Welcome</html>")
            case "answers another shape":
                self._send(200, b'{"decision": "yes"}')
            case "answers nothing":
                self._send(200, b"")
            case "answers half":
                self._send(200, answer[: len(answer) // 2])
            case "contradicts itself":
                self._send(
                    200, json.dumps({**json.loads(answer), "outcome": "meets", "criterion": None}).encode()
                )
            case "answers endlessly":
                self._send(200, b" " * 2_000_000)
            case "answers twice":
                self._send(200, answer)
                self._send(200, answer)
            case _:
                self._send(200, answer)

    def _head(self, status: int, length: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(length))
        if status == 302:
            self.send_header("Location", f"{self.evaluator.url}/elsewhere")
        self.end_headers()

    def _send(self, status: int, body: bytes) -> None:
        self._head(status, len(body))
        self.wfile.write(body)

    def _hang_up(self) -> None:
        self.wfile.flush()
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """A client that has hung up is what some of the tests are about."""


@contextmanager
def faulty_evaluator(*faults: str) -> Iterator[FaultyEvaluator]:
    """A running one. At the end nothing of it is left."""
    evaluator = FaultyEvaluator(*faults)
    handler = type("Handler", (_Handler,), {"evaluator": evaluator})
    with _Server(("127.0.0.1", 0), handler) as server:
        evaluator.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield evaluator
        finally:
            evaluator.stuck.set()
            server.shutdown()
            thread.join()


def closed_port() -> int:
    """A port of loopback on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port
