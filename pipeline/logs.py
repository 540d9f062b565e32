"""Logging without patient text, enforced where log records are made.

Libraries log what they work on: pdfminer logs every text operator at DEBUG, spaCy's warnings
quote the sentence, an HTTP library the body, and an exception's message quotes the value it
failed on. A filter on one handler would not do, since libraries bring handlers of their own
(Prefect has three) and tests and services add more. So the policy sits in the log record factory,
which every record of the process passes, whatever its logger, level or handler:

- A record of our own loggers (`pipeline`, `flows`) keeps its message. Ours name ids, counts, pages,
  codes and timings; tests/test_logs.py checks that each has a constant text with such arguments.
- A record of any other logger loses its message and arguments. What stays says where to look:
  logger, level, file and line. There is no list of harmless libraries: the next release of a
  harmless library would be on it too.
- A traceback keeps classes, files and lines and loses the exception's message, unless it is a
  TriageError, whose messages never quote a document (see `errors`).

Python's other ways to the console (warnings, errors in threads and in `__del__`) are led here too.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
import traceback
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from itertools import chain
from types import TracebackType
from typing import Any, Final, TextIO

from pipeline.errors import TriageError

OWN: Final = ("pipeline", "flows")
WITHHELD: Final = "message withheld, it may quote a document"

_log = logging.getLogger(__name__)
_context: ContextVar[Mapping[str, str]] = ContextVar("logged_with", default={})  # noqa: B039, never changed
_ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


def configure_logging(*, level: str | int = logging.WARNING, json: bool = False, quiet: bool = False) -> None:
    """Log to stderr under the policy above; may be called again with other choices.

    Our loggers log at `level`, errors only when `quiet`; libraries log at WARNING and above,
    since below it their records say nothing once the message is withheld. `json` gives one JSON
    object a line. Processes that are spawned, not forked, must call this themselves.
    """
    logging.setLogRecordFactory(_record_without_patient_text)
    own_level = logging.ERROR if quiet else level
    for name in OWN:
        logging.getLogger(name).setLevel(own_level)
    root = logging.getLogger()
    for handler in root.handlers[:]:
        if isinstance(handler, ConsoleHandler):
            root.removeHandler(handler)
    root.addHandler(ConsoleHandler(_JsonLines() if json else _Lines()))
    root.setLevel(logging.ERROR if quiet else logging.WARNING)
    warnings.showwarning = _log_warning
    sys.unraisablehook = _log_unraisable
    threading.excepthook = _log_thread_error


@contextmanager
def logged_with(**ids: str) -> Iterator[None]:
    """JSON lines logged in the block say these too, such as the submission that is worked: ids only."""
    token = _context.set({**_context.get(), **ids})
    try:
        yield
    finally:
        _context.reset(token)


# --------------------------------------------------------------------------- the policy


def _record_without_patient_text(
    name: str | None,
    level: int,
    path: str,
    line: int,
    message: object,
    args: Any,
    exc_info: _ExcInfo | None,
    function: str | None = None,
    stack: str | None = None,
    **rest: Any,
) -> logging.LogRecord:
    """A log record that has nothing to give away, for any handler.

    `logging.makeLogRecord` asks for a record without a name.
    """
    if name is None or not is_own(name):
        message, args = f"{WITHHELD} ({path}:{line})", ()
    record = logging.LogRecord(name or "", level, path, line, message, args, None, function, stack, **rest)
    record.triage_ids = _context.get()
    if exc_info and exc_info[1] is not None:
        # Formatters print exc_text as it stands when exc_info is not there.
        record.exc_text = safe_traceback(exc_info[1])
    return record


def is_own(logger: str) -> bool:
    """Whether a logger of this name is one of ours."""
    return logger.partition(".")[0] in OWN


def safe_traceback(error: BaseException) -> str:
    """The traceback of `error` and of its causes: classes, files, functions and lines of code.

    Messages are left out except a TriageError's, and so are notes and what a group's members say.
    """
    return "\n".join(chain.from_iterable(map(_one_traceback, _causes(error))))


def _causes(error: BaseException) -> list[BaseException]:
    """`error` and what led to it, the first cause first, as Python's own traceback shows them."""
    found: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in found:
        found.append(cause)
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    return found[::-1]


def _one_traceback(error: BaseException) -> Iterator[str]:
    yield "Traceback (most recent call last):"
    for frame in traceback.extract_tb(error.__traceback__):
        yield f'  File "{frame.filename}", line {frame.lineno}, in {frame.name}'
        if frame.line:
            yield f"    {frame.line}"
    yield f"{type(error).__name__}: {error}" if isinstance(error, TriageError) else type(error).__name__
    if isinstance(error, BaseExceptionGroup):
        for member in error.exceptions:
            yield from chain.from_iterable(map(_one_traceback, _causes(member)))


# --------------------------------------------------------------------------- layout


class ConsoleHandler(logging.Handler):
    """Writes to whatever stderr is at the time, as a progress bar or a test may have replaced it.

    Its name is public for a reason: Prefect leaves the root logger alone where it has a handler with
    a formatter, but takes a class whose name begins with an underscore for a test's.
    """

    def __init__(self, layout: logging.Formatter) -> None:
        super().__init__()
        self.setFormatter(layout)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            stream: TextIO = sys.stderr
            stream.write(self.format(record) + "\n")
            stream.flush()
        except Exception:
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:
        """Say where, not what: the standard library would print the message and its arguments."""
        kind = sys.exc_info()[0]
        name = kind.__name__ if kind else "error"
        if sys.stderr:
            sys.stderr.write(f"triage: {name} while logging at {record.pathname}:{record.lineno}\n")


class _Lines(logging.Formatter):
    """A line for a person, the traceback under it."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s", "%H:%M:%S")


class _JsonLines(logging.Formatter):
    """One JSON object a line: time (UTC), level, logger, message, then the ids of `logged_with`
    (submission, worker, trace), and traceback where there is one.

    A field that someone hangs on a record (`extra`) is not written: nobody checks what is in it.
    """

    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "triage_ids", {}),
        }
        if record.exc_text:
            entry["traceback"] = record.exc_text
        return json.dumps(entry)


# --------------------------------------------------------------------------- other ways to the console


def _log_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """A Python warning by its class and place; its message may quote text (spaCy's W030 does)."""
    _log.warning("%s at %s:%d", category.__name__, filename, lineno)


def _log_unraisable(unraisable: sys.UnraisableHookArgs) -> None:
    """An error that nobody could catch, as in `__del__`; Python would show the object's repr."""
    if unraisable.exc_value is not None:
        _log.error("An error could not be raised.\n%s", safe_traceback(unraisable.exc_value))


def _log_thread_error(args: threading.ExceptHookArgs) -> None:
    """An error that ended a thread."""
    if args.exc_value is not None:
        _log.error("An error ended a thread.\n%s", safe_traceback(args.exc_value))
