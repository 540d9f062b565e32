"""Helpers of a killed process end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from test_pages import three_pages

# Each prints the ids of its helpers once they are at work, and waits to be killed.
PICTURES = """
import multiprocessing, sys, time
from pipeline.review.drawing import ready
from pipeline.review.pictures import Pictures
from pipeline.settings import load_settings

pictures = Pictures(None, load_settings({"TRIAGE_WORKERS": "2"}))
pictures.warm()
for job in [pictures._processes().submit(time.sleep, 0.5) for _ in range(4)]:
    job.result()
print(*(child.pid for child in multiprocessing.active_children()), flush=True)
time.sleep(600)
"""
# One hangs in a page.
READING = """
import sys, time
from pathlib import Path
from pipeline.domain import SourceFile
from pipeline.pages.limits import Limits
from pipeline.pages.worker import ReadPage
from pipeline.pages.workers import Workers

workers = Workers("failing_engines:hang", Limits(), 1)
workers.start()
(worker,) = workers._idle
assert worker.connection.recv() == ("ready",)
worker.connection.send(ReadPage(SourceFile("a.tif", Path(sys.argv[1]), "0", "image/tiff"), 2))
assert not worker.connection.poll(2)
print(worker.process.pid, flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize(("program", "helpers"), [(PICTURES, 2), (READING, 1)], ids=["pictures", "reading"])
def test_helpers_of_a_killed_process_end(program: str, helpers: int, tmp_path: Path) -> None:
    command = [sys.executable, "-c", program, str(three_pages(tmp_path / "a.tif"))]
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) as parent:
        try:
            assert parent.stdout is not None
            pids = [int(word) for word in parent.stdout.readline().split()]
            assert len(pids) == helpers
            time.sleep(0.5)
            assert all(is_there(pid) for pid in pids)  # they had no reason to end before
        finally:
            parent.kill()
    ends = time.monotonic() + 10
    while time.monotonic() < ends and any(is_there(pid) for pid in pids):
        time.sleep(0.05)
    left = [pid for pid in pids if is_there(pid)]
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert left == []


def is_there(pid: int) -> bool:
    """Whether a process runs; one that ended and that nobody asked about yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False
