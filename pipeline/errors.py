"""Errors an operator can act on. Anything else that is raised is a bug and keeps its traceback.

    TriageError
    ├── UsageError            the command line asks for something that cannot be            exit 2
    ├── ConfigurationError    settings, knowledge files or a missing component              exit 3
    │   └── CatalogError      a file under models/ is wrong; names file, key, known names
    ├── UnreadableFile        one received file cannot be read; the submission is parked    exit 1
    ├── EvaluatorError        the rules evaluator gave no usable answer; the case is parked exit 1
    ├── StorageFull           there is no room for what comes: it is not received           exit 3
    ├── LedgerUnavailable     the ledger's database does not answer                         exit 3
    ├── ChannelError          a channel cannot be read now; its source keeps what it has    exit 1
    ├── LeaseLost             the claim was somebody else's by now: nothing was written     exit 4
    ├── RequestError          a request for information cannot be said in the form asked for exit 2
    └── DeliveryError         a request for information did not arrive; it waits             exit 1

Messages say what failed, where, and the next step. They never quote text of a patient's
document: file names, page numbers, codes and counts only.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of every `triage` command."""

    DONE = 0
    PARKED = 1
    USAGE = 2
    CONFIGURATION = 3
    INTERNAL = 4


class TriageError(Exception):
    """An expected failure, shown to the operator without a traceback.

    `next_step` is the sentence that tells a person what to do now.
    """

    exit_code: ExitCode = ExitCode.INTERNAL

    def __init__(self, message: str, *, next_step: str = "") -> None:
        super().__init__(message)
        self.next_step = next_step

    def __str__(self) -> str:
        message = super().__str__()
        return f"{message} {self.next_step}".rstrip() if self.next_step else message


class UsageError(TriageError):
    """The command asks for something that cannot be (a path that is not there)."""

    exit_code = ExitCode.USAGE


class ConfigurationError(TriageError):
    """A setting is wrong or a component is missing; `next_step` names the install step."""

    exit_code = ExitCode.CONFIGURATION


class CatalogError(ConfigurationError):
    """A knowledge file under `models/` is wrong."""


class UnreadableFile(TriageError):
    """One received file, or a page of it, cannot be read. `code`, one of CODES, is the problem's code in
    the case; `changed` means while it was received, `not_received` where it is not looked for."""

    exit_code = ExitCode.PARKED
    CODES = frozenset(
        [
            "encrypted",
            "empty",
            "truncated",
            "unsupported_type",
            "too_large",
            "too_many_pages",
            "timed_out",
            "out_of_memory",
            "crashed",
            "changed",
            "not_received",
        ]
    )

    def __init__(self, code: str, message: str, *, next_step: str = "") -> None:
        super().__init__(message, next_step=next_step)
        self.code = code


class EvaluatorError(TriageError):
    """The rules evaluator gave no usable answer. `retryable` says whether waiting can help, `tries` how
    often it was asked; whoever asks again after this error counts on."""

    exit_code = ExitCode.PARKED

    def __init__(self, message: str, *, retryable: bool, tries: int = 1, next_step: str = "") -> None:
        super().__init__(message, next_step=next_step)
        self.retryable = retryable
        self.tries = tries


class StorageFull(TriageError):
    """There is no room for what comes in. Nothing of it is recorded; the source keeps it, to try again."""

    exit_code = ExitCode.CONFIGURATION


class LedgerUnavailable(TriageError):
    """The ledger's database does not answer, or stays busy, after several tries."""

    exit_code = ExitCode.CONFIGURATION


class ChannelError(TriageError):
    """What a channel reads from cannot be reached, or refuses us. Nothing of it is received, its source
    keeps what it has, and it is tried again. `code` is the cause in the ledger and in figures."""

    exit_code = ExitCode.PARKED

    def __init__(self, code: str, message: str, *, next_step: str = "") -> None:
        super().__init__(message, next_step=next_step)
        self.code = code


class LeaseLost(TriageError):
    """The claim has run out and somebody else may hold it. Nothing was written; give the work up."""


class RequestError(UsageError):
    """A request for information lacks what a form of it must say."""


class DeliveryError(TriageError):
    """A request for information was not taken. `retryable` says whether waiting can help, `wait_s` for how
    long the other side asks to be left alone."""

    exit_code = ExitCode.PARKED

    def __init__(self, message: str, *, retryable: bool, wait_s: float = 0.0, next_step: str = "") -> None:
        super().__init__(message, next_step=next_step)
        self.retryable = retryable
        self.wait_s = wait_s
