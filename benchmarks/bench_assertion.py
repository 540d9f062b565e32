"""What a text says of a tumour, beside medSpaCy: the same marked spans for both (`compare_medspacy`).

    python benchmarks/bench_assertion.py --figures FILE

medSpaCy pins an older spaCy: MEDSPACY_PYTHON names the Python of an environment that has it. Without one,
the figures stand alone. The blind files were measured before anything was tuned on them; those first figures
are in `benchmarks/README.md`, these are of the code as it stands.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from figures import Figure, write_figures

HERE = Path(__file__).parent


def measured(python: str, which: str) -> dict[str, float]:
    """Micro F1 by file of sentences, of one side of `compare_medspacy`."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, "measured.json")
        command = [python, str(HERE / "compare_medspacy.py"), "--only", which, "--measured", str(target)]
        # medSpaCy's splitter logs each sentence.
        subprocess.run(command, check=True, env={**os.environ, "LOGURU_LEVEL": "ERROR"})
        found: dict[str, float] = json.loads(target.read_text(encoding="utf-8"))
        return found


def main() -> None:
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--figures", type=Path, required=True)
    chosen = options.parse_args()
    ours = measured(sys.executable, "triage")
    python = os.environ.get("MEDSPACY_PYTHON")
    theirs = measured(python, "medspacy") if python else {}
    peer = "medSpaCy" if python else None
    write_figures(
        chosen.figures,
        [
            Figure(
                "assertion, all sentences in sight by now",
                name.replace("_", " ") + ", micro F1",
                "share",
                share,
                peer,
                theirs.get(name),
            )
            for name, share in ours.items()
        ],
    )


if __name__ == "__main__":
    main()
