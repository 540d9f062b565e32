"""Patient and request fields on the small request papers of `fixtures/fields/`, by how the paper came.

    python benchmarks/measure_fields.py [--differences] [--render digital]

Each paper is drawn, then read from its text layer, from a scan, from a fine and from a standard fax (about
four minutes on one core). Papers in `forms_b.toml` were kept aside while the readers were written.
"""

from __future__ import annotations

import argparse
import tempfile
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from fixtures.written_packets import render_file
from pipeline.catalog.identity import load_identity
from pipeline.catalog.request import load_request
from pipeline.catalog.target import load_target
from pipeline.domain import Document, Field, Page
from pipeline.identity import identify
from pipeline.intake.folder import receive
from pipeline.nlp import annotate, load_nlp
from pipeline.pages import read_submission
from pipeline.request import check_request, read_request
from pipeline.settings import load_settings

_BOXES = str.maketrans({"☐": "[ ]", "☒": "[X]"})  # the fonts of a PDF's core have no boxes
ROOT = Path(__file__).parents[1]
MODELS = ROOT / "models"
RENDERS = ("digital", "scan", "fax_fine", "fax_standard")
FONTS = ("sans", "serif", "mono")
SINGLE = ("member_id", "provider", "npi", "expedited")
SETTINGS = replace(load_settings({}), workers=1)
IDENTITY, RULES, NLP = load_identity(MODELS), load_request(MODELS), load_nlp(MODELS)
SITE_OF = load_target(MODELS).site_of_icd10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--differences", action="store_true", help="print every difference")
    parser.add_argument("--render", choices=RENDERS, help="only papers that came so")
    options = parser.parse_args()
    shown = options.differences
    print("papers   came as        stated answered  right precision  recall")
    for path in sorted((ROOT / "fixtures" / "fields").glob("forms_*.toml")):
        forms = tomllib.loads(path.read_text(encoding="utf-8"))["form"]
        for render in [options.render] if options.render else RENDERS:
            counts: Counter[str] = Counter()
            for number, form in enumerate(forms):
                page = drawn_and_read(form, render, FONTS[number % len(FONTS)])
                for name, expected, answered in compared(form, page):
                    counts["stated"] += expected is not None
                    counts["answered"] += answered is not None
                    counts["right"] += expected is not None and expected == answered
                    if shown and expected != answered:
                        print(f"    {form['name']}, {name}: {answered} for {expected}")
            precision, recall = counts["right"] / counts["answered"], counts["right"] / counts["stated"]
            numbers = f"{counts['stated']:6} {counts['answered']:8} {counts['right']:6}"
            print(f"{path.stem[6:]:8} {render:14} {numbers} {precision:9.3f} {recall:7.3f}")


def drawn_and_read(form: dict[str, Any], render: str, font: str) -> Page:
    file = {"render": render, "font": font, "documents": [{"pages": [form["text"].translate(_BOXES)]}]}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fax.pdf"
        path.write_bytes(render_file(file, seed=form["name"]))
        [page] = read_submission(receive([path]), SETTINGS).pages
    return page


def compared(form: dict[str, Any], page: Page) -> Iterator[tuple[str, object, object]]:
    """(field, expected, answered); codes one by one."""
    patient, _, documents = identify([Document("d1", form["type"], "", (page,))], IDENTITY)
    request = read_request(documents, RULES)
    request, _ = check_request(annotate(NLP, documents), request, {}, RULES, SITE_OF)
    for name in SINGLE:
        answered: Field = getattr(patient if name == "member_id" else request, name)
        yield name, plain(form.get(name)), plain(answered.value)
    for name in ("cpt", "icd10"):
        stated, given = set(form[name]), {code.value for code in getattr(request, name) if code.value}
        for code in sorted(stated | given):
            yield name, code if code in stated else None, code if code in given else None


def plain(value: object) -> object:
    return "".join(value.split()).casefold() if isinstance(value, str) else value


if __name__ == "__main__":
    main()
