"""Reading processes side by side, each job within its time, kept from one submission to the next.

A job that crashes its process (parsers and recognisers are native code) or overruns its time costs that
job: the process is replaced and the others go on. Processes are replaced after some pages too, because
PDF libraries are known to leak (pdfplumber #1229). No more jobs are in flight than there are processes,
so memory does not grow with the number of pages.

Starting a process costs what reading a fax page in part, and forty of a text layer, cost: they are kept.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from types import TracebackType
from typing import Any

from pipeline.errors import ConfigurationError
from pipeline.pages.limits import Limits
from pipeline.pages.worker import FORGET, Job

Answer = tuple[Any, ...]

_JOBS_OF_A_LIFE = 200
_OUR_SETTINGS = ("TRIAGE_", "PREFECT_", "OTEL_")
_START_S = 120.0  # for a cold start on a busy machine


@dataclass(slots=True)
class _Process:
    """One reading process and what it is doing."""

    process: subprocess.Popen[bytes]
    connection: Connection
    done: int = 0
    is_ready: bool = False
    job: Job | None = None
    deadline: float = 0.0


@dataclass
class Workers:
    """Use as a context manager, or close it; `work_through` may be called more than once, and `let_go`
    stands between submissions. For one thread at a time."""

    engine: str
    limits: Limits
    most: int
    _idle: list[_Process] = field(default_factory=list)
    _busy: list[_Process] = field(default_factory=list)

    def __enter__(self) -> Workers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends all processes."""
        for worker in (*self._idle, *self._busy):
            _end(worker)
        self._idle, self._busy = [], []

    def start(self) -> None:
        """Sees that one process is there, or is starting, ahead of its first job."""
        if not self._idle:
            self._idle.append(_start(self.engine, self.limits))

    def let_go(self) -> None:
        """The submission is over, perhaps before its end: what is still being read is given up, and no
        process keeps a file of it open."""
        for worker in self._busy:
            _end(worker)
        self._busy = []
        for worker in self._idle:
            with suppress(OSError):  # it is gone; who is given the next job finds out
                worker.connection.send(FORGET)

    def work_through(self, jobs: list[Job], *, side_by_side: int) -> Iterator[tuple[Job, Answer]]:
        """Each job with its answer, in the order in which they end.

        Besides the worker's own answers (see `worker`) there are ("unreadable", "timed_out" or
        "crashed", ...). Raises ConfigurationError when a component is missing.
        """
        waiting = deque(jobs)
        while waiting or self._busy:
            while waiting and len(self._busy) < max(1, min(side_by_side, self.most)):
                self._give(waiting.popleft())
            for worker in self._ready():
                job = worker.job
                answer = self._answer(worker)
                assert job is not None
                if answer[0] == "ready":
                    continue
                if answer[0] == "configuration":
                    raise ConfigurationError(answer[1], next_step=answer[2])
                yield job, answer

    def _give(self, job: Job) -> None:
        worker = self._next()
        worker.job = job
        worker.deadline = time.monotonic() + (self.limits.page_timeout_s if worker.is_ready else _START_S)
        self._busy.append(worker)
        try:
            worker.connection.send(job)
        except OSError:
            return  # it is gone; its pipe's end is seen as its answer

    def _next(self) -> _Process:
        """A process for a job: one that waits, unless it ended while it did; that is no fault of the job."""
        while self._idle:
            worker = self._idle.pop()
            if worker.process.poll() is None:
                return worker
            _end(worker)
        return _start(self.engine, self.limits)

    def _ready(self) -> list[_Process]:
        """Processes that have answered, ended or overrun."""
        left = min(worker.deadline for worker in self._busy) - time.monotonic()
        ready = set(wait([worker.connection for worker in self._busy], timeout=max(0.0, left)))
        now = time.monotonic()
        return [worker for worker in self._busy if worker.connection in ready or worker.deadline <= now]

    def _answer(self, worker: _Process) -> Answer:
        """What the process says; only its being ready leaves it busy."""
        self._busy.remove(worker)
        try:
            if not worker.connection.poll():
                _end(worker)
                return _unreadable("timed_out", "took longer than is allowed")
            answer: Answer = worker.connection.recv()
        except (EOFError, OSError):
            _end(worker)
            return _unreadable("crashed", "broke the reading program")
        if answer[0] == "ready":
            worker.is_ready, worker.deadline = True, time.monotonic() + self.limits.page_timeout_s
            self._busy.append(worker)
            return answer
        worker.job, worker.done = None, worker.done + 1
        if worker.done < _JOBS_OF_A_LIFE and answer[:2] != ("unreadable", "out_of_memory"):
            self._idle.append(worker)
        else:
            _end(worker)
        return answer


def _unreadable(code: str, what: str) -> Answer:
    return (
        "unreadable",
        code,
        f"Reading it {what}.",
        "Look at it yourself, or ask the sender to send it again.",
    )


def _start(engine: str, limits: Limits) -> _Process:
    ours, theirs = Pipe()
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-c", f"from pipeline.pages.worker import main; main({theirs.fileno()})"],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            # Native libraries complain there about what they read; it may hold a patient's words.
            stderr=subprocess.DEVNULL,
            env={
                **_environment(),
                "OMP_THREAD_LIMIT": "1",
                "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            },
        )
    worker = _Process(process, ours)
    with suppress(OSError):  # it is gone already; the first job finds out
        ours.send((engine, limits))
    return worker


def _environment() -> dict[str, str]:
    """Ours without what holds keys and passwords: what opens a stranger's file has no use for them."""
    return {name: text for name, text in os.environ.items() if not name.startswith(_OUR_SETTINGS)}


def _end(worker: _Process) -> None:
    worker.connection.close()
    try:
        if worker.job is not None:
            worker.process.kill()
        worker.process.wait(timeout=2)
    except subprocess.TimeoutExpired:
        worker.process.kill()
        worker.process.wait()
