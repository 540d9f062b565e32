from __future__ import annotations

import ast
import json
import logging
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.errors import UsageError
from pipeline.logs import (
    WITHHELD,
    ConsoleHandler,
    configure_logging,
    is_own,
    logged_with,
    safe_traceback,
)

SECRET = "Quillfeather"
OWN = logging.getLogger("pipeline.tests")
FOREIGN = logging.getLogger("pdfminer.psparser")
ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    """Leave logging as it was found: the policy holds for a whole process."""
    root, factory = logging.getLogger(), logging.getLogRecordFactory()
    levels = {
        logger: logger.level for logger in (root, FOREIGN, *map(logging.getLogger, ("pipeline", "flows")))
    }
    hooks = (sys.unraisablehook, threading.excepthook)
    with warnings.catch_warnings():
        yield
    logging.setLogRecordFactory(factory)
    for handler in our_handlers():
        root.removeHandler(handler)
    sys.unraisablehook, threading.excepthook = hooks
    for logger, level in levels.items():
        logger.setLevel(level)


def our_handlers() -> list[logging.Handler]:
    return [handler for handler in logging.getLogger().handlers if isinstance(handler, ConsoleHandler)]


def fail() -> None:
    raise ValueError(f"cannot read {SECRET}")


def test_own_message_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(level="INFO")
    OWN.info("%d pages of submission %s", 3, "s-1")
    shown = capsys.readouterr().err
    assert shown.endswith("INFO pipeline.tests: 3 pages of submission s-1\n")


@pytest.mark.parametrize(
    ("level", "quiet", "expected"),
    [
        ("DEBUG", False, ["debug", "info", "warning", "error"]),
        ("WARNING", False, ["warning", "error"]),
        ("DEBUG", True, ["error"]),
    ],
)
def test_levels(capsys: pytest.CaptureFixture[str], level: str, quiet: bool, expected: list[str]) -> None:
    configure_logging(level=level, quiet=quiet)
    for name in ("debug", "info", "warning", "error"):
        getattr(OWN, name)("it is %s", name)
    shown = capsys.readouterr().err
    assert [line.split()[-1] for line in shown.splitlines()] == expected


def test_configured_twice_logs_once(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(level="INFO")
    configure_logging(level="INFO")
    OWN.info("once")
    shown = capsys.readouterr().err
    assert len(shown.splitlines()) == 1


def test_library_warning_says_where_and_not_what(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging()
    FOREIGN.warning("cannot parse %s", SECRET)
    FOREIGN.warning(f"cannot parse {SECRET}")
    shown = capsys.readouterr().err
    assert SECRET not in shown
    assert shown.count(f"WARNING pdfminer.psparser: {WITHHELD}") == 2
    assert f"{__file__}:" in shown


def test_library_is_silent_below_warning(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(level="DEBUG")
    FOREIGN.info("reading %s", SECRET)
    shown = capsys.readouterr().err
    assert shown == ""


def test_another_handler_gets_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """The near miss of a filter on our own handler: a library's handler on a library's logger."""
    configure_logging()
    records: list[logging.LogRecord] = []
    handler = logging.Handler()
    monkeypatch.setattr(handler, "emit", records.append)
    FOREIGN.addHandler(handler)
    FOREIGN.setLevel(logging.DEBUG)
    try:
        fail()
    except ValueError:
        FOREIGN.debug("token %s", SECRET, exc_info=True)
    finally:
        FOREIGN.removeHandler(handler)
    assert SECRET not in logging.Formatter().format(records[0])
    assert SECRET not in repr(vars(records[0]))


def test_traceback_keeps_places_and_loses_the_message(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging()
    try:
        fail()
    except ValueError:
        OWN.exception("Submission %s stopped.", "s-1")
    shown = capsys.readouterr().err
    assert SECRET not in shown
    assert f'File "{__file__}", line' in shown
    assert ", in fail" in shown
    assert shown.rstrip().endswith("ValueError")


def test_traceback_of_causes_and_groups() -> None:
    def raise_chain() -> None:
        try:
            fail()
        except ValueError as error:
            raise ExceptionGroup(SECRET, [KeyError(SECRET), UsageError("No such folder.")]) from error

    with pytest.raises(ExceptionGroup) as caught:
        raise_chain()
    caught.value.add_note(SECRET)
    shown = safe_traceback(caught.value)
    assert SECRET not in shown
    kinds = [line for line in shown.splitlines() if line and not line.startswith((" ", "Traceback"))]
    assert kinds == ["ValueError", "ExceptionGroup", "KeyError", "UsageError: No such folder."]


def test_traceback_of_a_cause_that_is_its_own_cause_ends() -> None:
    first, second = ValueError(), KeyError()
    first.__cause__, second.__cause__ = second, first
    assert safe_traceback(first).split().count("ValueError") == 1


def test_hidden_context_stays_hidden() -> None:
    def hide() -> None:
        try:
            fail()
        except ValueError:
            raise KeyError(SECRET) from None

    with pytest.raises(KeyError) as caught:
        hide()
    assert "Error: " not in safe_traceback(caught.value)
    assert "in fail" not in safe_traceback(caught.value)


def test_json_lines(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(json=True)
    OWN.error("line one\nline %s", "two", extra={"sentence": SECRET})
    try:
        fail()
    except ValueError:
        OWN.exception("Stopped.")
    shown = capsys.readouterr().err
    first, second = map(json.loads, shown.splitlines())
    assert {name: first[name] for name in ("level", "logger", "message")} == {
        "level": "ERROR",
        "logger": "pipeline.tests",
        "message": "line one\nline two",
    }
    assert first.keys() == {"time", "level", "logger", "message"}
    assert second["traceback"].endswith("ValueError")
    assert SECRET not in shown


def test_failure_to_log_says_where_only(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging()
    record = OWN.makeRecord(OWN.name, logging.ERROR, __file__, 1, "%d pages", (SECRET,), None)
    our_handlers()[0].handle(record)
    shown = capsys.readouterr().err
    assert shown.startswith("triage: TypeError while logging at ")
    assert SECRET not in shown


def test_warnings_errors_in_threads_and_in_del(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        configure_logging()  # catch_warnings puts showwarning back; ours goes in again
        warnings.warn(f"[W030] in the text {SECRET}", UserWarning, stacklevel=1)
    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()

    class Fragile:
        def __repr__(self) -> str:
            return SECRET

        def __del__(self) -> None:
            fail()

    Fragile()
    shown = capsys.readouterr().err
    assert SECRET not in shown
    assert f"UserWarning at {__file__}:" in shown
    assert "An error ended a thread." in shown
    assert "An error could not be raised." in shown


@pytest.mark.parametrize(
    ("logger", "own"),
    [
        ("pipeline", True),
        ("pipeline.pages.text", True),
        ("flows.triage", True),
        ("pipelines", False),
        ("prefect.flow_runs", False),
        ("root", False),
        ("", False),
    ],
)
def test_whose_logger(logger: str, own: bool) -> None:
    assert is_own(logger) is own


def test_record_without_a_logger(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging()
    assert logging.makeLogRecord({"name": "x", "msg": "m"}).getMessage() == "m"


# --------------------------------------------------------------------------- our own messages

METHODS = {"debug", "info", "warning", "error", "exception", "critical"}


def log_calls(source: str) -> Iterator[ast.Call]:
    """Calls like `log.info(...)`, `_log.info(...)`, `logger.info(...)`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in METHODS:
            owner = node.func.value
            if isinstance(owner, ast.Name) and owner.id.lstrip("_").lower() in {"log", "logger", "logging"}:
                yield node


def is_constant(call: ast.Call) -> bool:
    return bool(call.args) and isinstance(call.args[0], ast.Constant) and isinstance(call.args[0].value, str)


@pytest.mark.parametrize(
    ("source", "constant"),
    [
        ("log.info('%d pages', n)", True),
        ("_log.info(f'{text} read')", False),
        ("logger.info('read ' + text)", False),
        ("logging.info(text)", False),
    ],
)
def test_what_counts_as_a_constant_message(source: str, constant: bool) -> None:
    (call,) = log_calls(source)
    assert is_constant(call) is constant


def test_own_messages_are_constant() -> None:
    """A message built elsewhere cannot be checked by reading the line; its arguments can."""
    files = [*ROOT.glob("pipeline/**/*.py"), *ROOT.glob("flows/**/*.py")]
    loose = [
        f"{path.relative_to(ROOT)}:{call.lineno}"
        for path in files
        for call in log_calls(path.read_text(encoding="utf-8"))
        if not is_constant(call)
    ]
    assert files
    assert loose == []


def test_json_lines_say_what_is_worked(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(level="INFO", json=True)
    with logged_with(submission="s-1", worker="w"), logged_with(trace="0" * 32):
        OWN.info("begun")
        FOREIGN.warning("cannot parse %s", SECRET)
    OWN.info("over")
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    ids = {"submission": "s-1", "worker": "w", "trace": "0" * 32}
    assert [{key: line[key] for key in ids if key in line} for line in lines] == [ids, ids, {}]
    assert SECRET not in json.dumps(lines)
