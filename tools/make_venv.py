"""Make a virtual environment that has pip, also where Python came without its ensurepip module.

Debian splits ensurepip off into python3-venv, which a fresh machine does not have. Then pip is fetched
as the wheel it is, checked by its hash, and run to install itself. Standard library only.

    python tools/make_venv.py .venv
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import urllib.parse
import urllib.request
import venv
from pathlib import Path

PIP = "pip-25.3-py3-none-any.whl"
INDEX = os.environ.get("PIP_INDEX_URL", "https://pypi.org/simple").rstrip("/")
PIP_SHA256 = "9655943313a94722b7774661c21049070f6bbb0a1516bf02f7c8d5d9201514cd"


def make_venv(folder: Path) -> None:
    """An environment in `folder` with pip; what is installed in one that stands there stays."""
    bundled = importlib.util.find_spec("ensurepip") is not None
    venv.create(folder, with_pip=bundled, symlinks=os.name != "nt")
    if not bundled:
        with tempfile.TemporaryDirectory() as downloads:
            wheel = fetch_pip(Path(downloads))
            python = folder / "bin" / "python"
            subprocess.run([python, f"{wheel}/pip", "install", "--quiet", "--no-index", wheel], check=True)


def fetch_pip(folder: Path) -> Path:
    """The pip wheel, downloaded into `folder`. Exits with a message where it is not the one expected."""
    request = urllib.request.Request(
        f"{INDEX}/pip/", headers={"Accept": "application/vnd.pypi.simple.v1+json"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        files = json.load(answer)["files"]
    url = next(file["url"] for file in files if file["filename"] == PIP)
    with urllib.request.urlopen(urllib.parse.urljoin(request.full_url, url), timeout=60) as answer:
        content = answer.read()
    if hashlib.sha256(content).hexdigest() != PIP_SHA256:
        sys.exit(f"{url} is not the file that was expected; nothing was installed.")
    wheel = folder / PIP
    wheel.write_bytes(content)
    return wheel


if __name__ == "__main__":
    if not (3, 11) <= sys.version_info[:2] <= (3, 12):
        sys.exit(f"Python 3.11 or 3.12 is needed, this is {sys.version.split()[0]}.")
    make_venv(Path(sys.argv[1]))
