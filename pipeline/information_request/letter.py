"""The letter and its cover sheet: the template filled, then drawn as PDF or written as HTML.

letter_blocks(request, letters) -> (letter, cover)
letter_html(request, letters) -> str
"""

from __future__ import annotations

import html
import re
import traceback
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import segno
from jinja2 import FileSystemLoader, StrictUndefined
from jinja2.sandbox import SandboxedEnvironment

from pipeline.catalog.letters import Letters
from pipeline.errors import CatalogError
from pipeline.information_request.markup import Block, read_markup, to_html
from pipeline.information_request.record import InformationRequest, RequestItem
from pipeline.information_request.reference import barcode_text
from pipeline.information_request.say import sentence, us_day

LETTER, COVER = "letter.md.jinja", "cover.md.jinja"
NO_REFERENCE = "----------"  # of a draft
_NOBODY = "Doe, Jane"
_TAGS = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}")
_CONTENT_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_STYLE = """
body { font: 12pt/1.4 Helvetica, Arial, sans-serif; color: #000; max-width: 7in; margin: 0.5in auto; }
h1 { font-size: 16pt } h2 { font-size: 13pt } hr { border: 0; border-top: 1.5pt solid #000 }
figure { text-align: center; margin: 1em 0 } figure svg { width: 2.6in; height: 2.6in }
figcaption { font: bold 24pt Helvetica, Arial, sans-serif; letter-spacing: 1pt }
main + main { border-top: 3pt double #000; margin-top: 2em; padding-top: 1em }
"""


def letter_blocks(
    request: InformationRequest, letters: Letters, *, reminder: int = 0
) -> tuple[tuple[Block, ...], tuple[Block, ...]]:
    """The letter's and the cover sheet's blocks; `reminder` is the number of the reminder, 0 of the request.
    Raises CatalogError for a template that cannot be filled or decides."""
    values = _values(request, letters) | {"reminder": reminder}
    letter, cover = (read_markup(_filled(letters, name, values)) for name in (LETTER, COVER))
    return letter, cover


def letter_html(request: InformationRequest, letters: Letters) -> str:
    """Letter and cover sheet as one HTML page that needs nothing else."""
    reference = request.reference or NO_REFERENCE
    code = f"<figure>{_svg(reference)}<figcaption>{html.escape(reference)}</figcaption></figure>"
    body = "\n".join(
        f"<main>{to_html(blocks, code=code)}</main>" for blocks in letter_blocks(request, letters)
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_CONTENT_POLICY}">'
        f"<title>Request {html.escape(reference)}</title><style>{_STYLE}</style></head>\n"
        f"<body>\n{body}\n</body></html>\n"
    )


def barcode_rows(reference: str) -> list[list[bool]]:
    """The QR code's modules, dark ones True, without its quiet zone; a third of it may be lost (level H)."""
    code = segno.make(barcode_text(reference), error="h", micro=False, boost_error=False)
    return [[bool(module) for module in row] for row in code.matrix]


def _svg(reference: str) -> str:
    if reference == NO_REFERENCE:
        return ""
    rows = barcode_rows(reference)
    dark = "".join(
        f"M{x + 4} {y + 4}h1v1h-1z" for y, row in enumerate(rows) for x, module in enumerate(row) if module
    )
    return f'<svg viewBox="0 0 {len(rows) + 8} {len(rows) + 8}" role="img"><path d="{dark}"/></svg>'


def _values(request: InformationRequest, letters: Letters) -> dict[str, Any]:
    """The names that a template may use. All are plain: a template sees no record of ours."""
    about = request.about
    return {
        "plan": letters.plan.model_dump(),
        "policy": {"title": request.policy_title, "version": request.policy.version},
        "about": {
            "name": about.name,
            "name_read": about.name_read,
            "dob": us_day(about.dob) if about.dob else None,
            "member_id": about.member_id,
        },
        "services": ", ".join(about.services),
        "reference": request.reference or NO_REFERENCE,
        "number": request.number,
        "follows": request.follows,
        "expedited": request.expedited,
        "received": us_day(request.received) if request.received else None,
        "issued": us_day(request.issued) if request.issued else NO_REFERENCE,
        "due": us_day(request.due) if request.due else NO_REFERENCE,
        "items": [_item(item) for item in request.items],
        "notes": list(request.notes),
    }


def _item(item: RequestItem) -> dict[str, Any]:
    return {
        "code": item.code,
        "title": item.title,
        "ask": item.ask,
        "why": item.why,
        "criterion": item.criterion,
        "found": [found.text for found in item.found],
        "settled_by": [sentence(answer) for answer in item.settled_by],
        "loinc": f"{item.loinc.display} (LOINC {item.loinc.code})",
    }


def _filled(letters: Letters, name: str, values: dict[str, Any]) -> str:
    """The template with its values. What decides is stopped here, whoever wrote it: but a patient may be
    called what a word that decides is called."""
    text = _rendered(letters.folder, name, values)
    unnamed = {**values, "about": {**values["about"], "name": _NOBODY}}
    for number, line in enumerate(_rendered(letters.folder, name, unnamed).splitlines()):
        if letters.decides(line):
            lines = _own_lines(letters.folder / name)
            own = next((place for place, told in lines if letters.decides(told)), 0)
            raise CatalogError(
                f"{letters.folder / name}{f':{own}' if own else ''}: a word that decides stands in the letter"
                f"{'' if own else f', line {number + 1} of it'}.",
                next_step="Words that decide are listed in models/letters/words.toml, [deciding].",
            )
    return text


def _own_lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a template without its names and tags, numbered."""
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        yield number, _TAGS.sub(" ", line)


def _rendered(folder: Path, name: str, values: dict[str, Any]) -> str:
    try:
        return _environment(folder).get_template(name).render(values)
    # A template is the plan's own: whatever it raises (a sum of a word and a number) is an error in it.
    except Exception as error:
        line = getattr(error, "lineno", None) or _line_of(error, name)
        told = getattr(error, "message", None) or f"{type(error).__name__}"
        raise CatalogError(
            f"{folder / name}{f':{line}' if line else ''}: {told}.",
            next_step="Names that a template may use are listed in docs/requests.md.",
        ) from None


def _line_of(error: Exception, name: str) -> int | None:
    """The template's line at which it failed: Jinja gives its frames the template's file and lines."""
    lines = [
        frame.lineno
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).name == name
    ]
    return lines[-1] if lines else None


@lru_cache(maxsize=4)
def _environment(folder: Path) -> SandboxedEnvironment:
    """A plan edits the templates, so they may read values and do nothing else."""
    return SandboxedEnvironment(
        loader=FileSystemLoader(folder),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_plain,
    )


def _plain(value: Any) -> Any:
    """A value as one line of printable characters that no mark of a template can come from."""
    if not isinstance(value, str):
        return value
    text = "".join(" " if unicodedata.category(letter)[0] in "CZ" else letter for letter in value)
    return re.sub(r"\s+", " ", text.replace("**", "* *").replace("[[", "[ [")).strip()
