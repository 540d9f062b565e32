"""Child processes of a service: started again when they end, stopped with it.

A child gets a pipe as its stdin and ends when that closes, so also when its parent is killed.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Final

_log = logging.getLogger(__name__)
_STOP_S: Final = 30.0
_INSIST: Final = 4
_HEALTHY_S: Final = 60.0


class Child:
    """The `main` of a Python module as a process of its own, with `environment` and nothing of the current
    folder.

    What it writes goes to `log`, else to where the parent's errors go.
    """

    def __init__(
        self,
        module: str,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        *,
        log: Path | None = None,
        longest_pause_s: float = 30.0,
    ) -> None:
        self.module = module
        self._longest_pause_s = longest_pause_s
        self._log = log
        self._arguments = list(arguments)
        self._environment = {
            **environment,
            "PYTHONPATH": os.pathsep.join(os.path.abspath(path) for path in sys.path),
        }
        self._process: subprocess.Popen[bytes] | None = None
        self._interrupted = False
        self._started = 0.0
        self._failures = 0
        self._next_start = 0.0

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def keep_running(self) -> None:
        """Start it, or start it again after a pause that grows while it keeps ending soon."""
        if self.pid is not None:
            return
        now = time.monotonic()
        if self._process is not None:
            self._ended(now)
        if now < self._next_start:
            return
        with self._log.open("ab") if self._log else nullcontext() as log:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "flows.child", self.module, *self._arguments],
                env=self._environment,
                stdin=subprocess.PIPE,
                stdout=log or subprocess.DEVNULL,
                stderr=log,
                start_new_session=True,  # an interrupt of the service reaches its children in its own order
                umask=0o077,
            )
        self._started, self._interrupted = now, False

    def interrupt(self) -> None:
        """Ask it to end; once, since a second time would break off its own ending."""
        if self._process is not None and not self._interrupted:
            self._interrupted = True
            # Not SIGTERM: while a flow runs, Prefect has a handler of its own for that.
            self._process.send_signal(signal.SIGINT)

    def stop(self, within_s: float = _STOP_S) -> None:
        """See that it ends; kill it if it does not."""
        if self._process is None:
            return
        self.interrupt()
        for insist in (self._close_stdin, self._process.kill):
            try:
                self._process.wait(within_s / 2)
                break
            except subprocess.TimeoutExpired:
                _log.warning("%s takes long to end.", self.module)
                insist()
        self._process.wait()
        self._close_stdin()

    def _close_stdin(self) -> None:
        """Which interrupts it, too."""
        if self._process and self._process.stdin:
            self._process.stdin.close()

    def _ended(self, now: float) -> None:
        assert self._process is not None
        code, self._process = self._process.wait(), None
        self._failures = 0 if now - self._started > _HEALTHY_S else self._failures + 1
        self._next_start = now + min(0.2 * 2 ** min(self._failures, 20), self._longest_pause_s)
        _log.warning("%s ended with status %d; it is started again.", self.module, code)


def end_with_parent() -> None:
    """In a child, in its main thread: interrupt this process when its stdin closes, again where that came to
    nothing (an import may swallow it), and end it where it hangs: nobody is there who would.

    SIGINT may be inherited as ignored (`serve`); then nothing would end it.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)

    def wait() -> None:
        while os.read(sys.stdin.fileno(), 1):  # not the buffer, which Python closes while this waits
            pass
        for _ in range(_INSIST):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(_STOP_S / 2)
        os._exit(1)

    threading.Thread(target=wait, daemon=True, name="parent").start()
