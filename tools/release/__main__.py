"""Builds the wheel and proves it: the same bytes twice, at work outside the checkout; its bill of materials.

    python -m tools.release OUT

Run in the environment of `make release`. OUT gets the wheel, `sbom.cdx.json` (CycloneDX, of what the wheel
brings along where it was installed) and `licences.txt`.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import tempfile
import venv
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_ROOT: Final = Path(__file__).parent.parent.parent
_LETTER: Final = "Plan: percutaneous cryoablation of the 2.1 cm mass of the left kidney."
_WRITE_LETTER: Final = """
import sys, fpdf
pdf = fpdf.FPDF(); pdf.add_page(); pdf.set_font("Helvetica", size=11); pdf.multi_cell(0, 6, sys.argv[2])
pdf.output(sys.argv[1])
"""


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        sys.stderr.write(f"{__doc__}\n")
        return 2
    out = Path(arguments[0]).absolute()
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        wheel = _built_twice(Path(scratch), out)
        python = _installed(wheel, Path(scratch))
        _works(python, Path(scratch))
        _run(
            [
                _tool("cyclonedx-py"),
                "environment",
                python,
                "--of",
                "JSON",
                "--output-file",
                out / "sbom.cdx.json",
            ]
        )
        table = _run([python, "-m", "tools.release.licences"], env={**os.environ, "PYTHONPATH": str(_ROOT)})
        (out / "licences.txt").write_text(table, encoding="utf-8")
    sys.stdout.write(f"{wheel.name}: built twice alike, installed, works. Everything is in {out}.\n")
    return 0


def _built_twice(scratch: Path, out: Path) -> Path:
    """The wheel in `out`; a second build of it has the same bytes, or this ends."""
    commit_time = _run(["git", "-C", _ROOT, "log", "-1", "--format=%ct"]).strip()
    env = {**os.environ, "SOURCE_DATE_EPOCH": commit_time}
    for folder in (out, scratch / "again"):
        _run([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, _ROOT], env=env)
    (again,) = (scratch / "again").glob("*.whl")
    wheel = out / again.name
    if _sha256(wheel) != _sha256(again):
        raise SystemExit(f"{wheel.name} is not the same when it is built again.")
    return wheel


def _installed(wheel: Path, scratch: Path) -> Path:
    """The Python of a new environment with the wheel and what it needs, in the versions of the lock file."""
    venv.create(scratch / "installed", with_pip=True)
    python = scratch / "installed" / "bin" / "python"
    constraints = scratch / "constraints.txt"
    lock = (_ROOT / "requirements.lock").read_text(encoding="utf-8")
    pins = re.findall(r"^[A-Za-z0-9][\w.-]*==[^\s\\]+(?: ; [^\\\n]+)?", lock, re.MULTILINE)
    constraints.write_text("\n".join(pins), encoding="utf-8")
    _run([python, "-m", "pip", "install", "--quiet", "--constraint", constraints, wheel])
    return python


def _works(python: Path, scratch: Path) -> None:
    """A letter is read and judged outside the checkout, with the knowledge that is in the wheel."""
    elsewhere = scratch / "elsewhere"
    elsewhere.mkdir()
    env = {"PATH": os.environ["PATH"], "HOME": str(elsewhere), "TRIAGE_HOME": str(elsewhere / "home")}
    _run([python, "-c", _WRITE_LETTER, "letter.pdf", _LETTER], env=env, cwd=elsewhere)
    triage = python.with_name("triage")
    told = _run([triage, "run", "letter.pdf", "--report", "case.html"], env=env, cwd=elsewhere)
    if "kidney" not in told.lower() or not (elsewhere / "case.html").is_file():
        raise SystemExit("The installed wheel does not read a letter.")


def _tool(name: str) -> Path:
    return Path(sys.executable).with_name(name)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _run(command: list[str | Path], *, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> str:
    done = subprocess.run(command, env=env, cwd=cwd, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command[:4]))} ended with {done.returncode}.")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
