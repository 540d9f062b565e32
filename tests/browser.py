"""A headless Chromium driven over its debugging pipe, without any package: what a person would see and click.

Found on PATH, or named by the environment variable CHROMIUM.
"""

from __future__ import annotations

import base64
import io
import json
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import PIL.Image
import PIL.ImageFile

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge")
_MAC = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"
HOW_TO_GET = (
    "no Chromium found: install one (Debian and Ubuntu: apt-get install chromium; macOS: Google Chrome) "
    "or name it in CHROMIUM"
)
_SECONDS = 60
# The browser reads commands from descriptor 3 and answers on 4; ours are moved there before it starts.
_START = """
import fcntl, os, sys
r, w = (fcntl.fcntl(int(fd), fcntl.F_DUPFD, 10) for fd in sys.argv[1:3])
os.dup2(r, 3)
os.dup2(w, 4)
os.execvp(sys.argv[3], sys.argv[3:])
"""


def executable() -> str | None:
    """Path of a Chromium or Chrome; None where there is none."""
    named = os.environ.get("CHROMIUM")
    candidates = (named,) if named else (*NAMES, _MAC)
    return next((path for name in candidates if (path := shutil.which(name))), None)


class Browser:
    """One window. Use as a context manager; `events` holds all that the page reported."""

    def __init__(self, profile: Path) -> None:
        path = executable()
        assert path is not None, HOW_TO_GET
        command = [
            path,
            "--headless=new",
            "--remote-debugging-pipe",
            f"--user-data-dir={profile}",
            "--no-first-run",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--hide-scrollbars",
            "--no-sandbox",  # containers seldom allow one, and the pages are our own
        ]
        its_in, self._out = os.pipe()
        self._in, its_out = os.pipe()
        self._process = subprocess.Popen(
            [sys.executable, "-c", _START, str(its_in), str(its_out), *command],
            pass_fds=(its_in, its_out),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(its_in)
        os.close(its_out)
        self.events: list[dict[str, Any]] = []
        self._buffer, self._count, self._session = b"", 0, None
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network", "DOM"):
            self.send(f"{domain}.enable")
        self.send("Page.setLifecycleEventsEnabled", enabled=True)

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *exception: object) -> None:
        try:
            self._session = None
            self.send("Browser.close")
            self._process.wait(10)
        except (OSError, EOFError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()
        finally:
            os.close(self._in)
            os.close(self._out)

    def open(
        self,
        page: Path | str,
        *,
        width: int = 1366,
        height: int = 700,
        scheme: str = "light",
        script: bool = True,
    ) -> None:
        """Shows a file as a user would who opened it from disk, or what stands at a URL."""
        self.events.clear()
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        self.send("Emulation.setScriptExecutionDisabled", value=not script)
        features = [
            {"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": "reduce"},  # no waiting for smooth scrolling
        ]
        self.send("Emulation.setEmulatedMedia", features=features)
        going = self.send("Page.navigate", url=page if isinstance(page, str) else page.absolute().as_uri())
        if "loaderId" in going:  # else it only moved within the page
            self._wait_until_loaded(going["loaderId"])
        if script:
            self.send("Runtime.evaluate", expression=_ALL_IMAGES, awaitPromise=True)

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page."""
        answer = self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def follow(self, selector: str) -> None:
        """Clicks where another page is to come, and waits until it is loaded."""
        with self._next_page():
            self._click(selector)

    def enter(self) -> None:
        """Presses Enter where another page is to come, and waits until it is loaded."""
        with self._next_page():
            self._press("Enter", code=13)

    def click(self, selector: str) -> None:
        """Scrolls to an element and clicks into its middle."""
        self._click(selector)
        self.settle()

    def _click(self, selector: str) -> None:
        self.evaluate(f"document.querySelector({selector!r}).scrollIntoView({{block: 'center'}})")
        x, y, width, height = self.rectangle(selector)
        for kind in ("mousePressed", "mouseReleased"):
            self.send(
                "Input.dispatchMouseEvent",
                type=kind,
                x=x + width / 2,
                y=y + height / 2,
                button="left",
                clickCount=1,
            )

    def press(self, key: str, *, code: int) -> None:
        """Presses a key by its name and Windows key code."""
        self._press(key, code=code)
        self.settle()

    def _press(self, key: str, *, code: int) -> None:
        text = {"text": "\r"} if key == "Enter" else {}
        self.send("Input.dispatchKeyEvent", type="keyDown", key=key, windowsVirtualKeyCode=code, **text)
        self.send("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=code)

    def rectangle(self, selector: str) -> tuple[float, float, float, float]:
        """(left, top, width, height) of an element in the window, in pixels."""
        found = self.evaluate(
            f"(() => {{ const r = document.querySelector({selector!r}).getBoundingClientRect();"
            " return [r.left, r.top, r.width, r.height] })()"
        )
        return (found[0], found[1], found[2], found[3])

    def screenshot(self) -> PIL.Image.Image:
        """What the window shows."""
        data = self.send("Page.captureScreenshot", format="png")["data"]
        return PIL.Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")

    def settle(self) -> None:
        """Waits until what was asked for is drawn.

        Not for while one page goes and the next comes: a screenshot that is asked for then may never come.
        """
        self.send("Page.captureScreenshot", format="jpeg", quality=1)  # works without script, too

    def send(self, method: str, **params: Any) -> dict[str, Any]:
        """A command of the DevTools protocol and its answer."""
        self._count += 1
        message = {"id": self._count, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == self._count:
                assert "error" not in answer, (method, answer["error"])
                return dict(answer["result"])
            self.events.append(answer)

    def _wait_until_loaded(self, loader: str) -> None:
        """Until this very page is loaded: the one before may still be on its way."""
        self._wait_for_events("the page does not load", 0, lambda told: told == (loader, "load"))

    @contextmanager
    def _next_page(self) -> Iterator[None]:
        """What is done within leads to another page; at the end that page is loaded."""
        before = len(self.events)
        yield
        begun: set[str] = set()

        def loaded(told: tuple[str, str]) -> bool:
            loader, name = told
            if name == "init":
                begun.add(loader)
            return name == "load" and loader in begun

        self._wait_for_events("no other page came", before, loaded)

    def _wait_for_events(
        self, otherwise: str, looked: int, wanted: Callable[[tuple[str, str]], bool]
    ) -> None:
        """Until a (loader, name) of the lifecycle is the wanted one, among the events from `looked` on."""
        until = time.monotonic() + _SECONDS
        while True:
            for seen in self.events[looked:]:
                told = seen.get("params", {})
                if seen.get("method") == "Page.lifecycleEvent" and wanted((told["loaderId"], told["name"])):
                    return
            looked = len(self.events)
            assert time.monotonic() < until, otherwise
            self.events.append(self._receive())

    def _receive(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._in], [], [], _SECONDS)
            assert ready, "the browser does not answer"
            piece = os.read(self._in, 1 << 20)
            if not piece:
                raise EOFError("the browser closed its pipe")
            self._buffer += piece
        line, self._buffer = self._buffer.split(b"\0", 1)
        return dict(json.loads(line))


_ALL_IMAGES = (
    "Promise.all([...document.images].filter(image => image.loading !== 'lazy')"
    ".map(image => image.decode().catch(() => null))).then(() => 1)"
)
