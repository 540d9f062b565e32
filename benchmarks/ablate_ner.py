"""What the entity model changes in the answers: the dictionary alone, and with the model joined to it.

    python benchmarks/ablate_ner.py --reports REPORTS.jsonl --notes NOTES.jsonl [--model FOLDER] [--errors 20]

The files are those of measure_extraction.py, whose figures are printed for each way; `silent` asks the model
only of texts in which the dictionary knows no tumour by its kind.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import measure_extraction as extraction

from pipeline.nlp import load_nlp
from pipeline.settings import load_settings

MODELS = load_settings({}).models_dir
PACKAGES, WHEN = "components.optional_ner.packages", "components.optional_ner.when"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--reports", type=Path)
    parser.add_argument("--notes", type=Path)
    parser.add_argument("--model", default="ner", help="a folder with the model, else the one that ships")
    parser.add_argument("--errors", type=int, default=0)
    arguments = parser.parse_args()
    ways: dict[str, dict[str, object]] = {
        "dictionary alone": {PACKAGES: []},
        "model where the dictionary is silent": {PACKAGES: [arguments.model], WHEN: "silent"},
        "model always": {PACKAGES: [arguments.model], WHEN: "always"},
    }
    for way, settings in ways.items():
        print(f"== {way}")
        nlp = load_nlp(MODELS, settings)
        if arguments.reports:
            extraction.measure_reports(nlp, extraction.read(arguments.reports), arguments.errors)
        if arguments.notes:
            extraction.measure_notes(nlp, extraction.read(arguments.notes), arguments.errors)


if __name__ == "__main__":
    main()
