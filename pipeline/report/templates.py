"""Templates of pages that show text of a packet, whatever stands in it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from pipeline.wording import label_of, labels_of

# What text of a packet must not bring along: controls, and marks that change the direction of what follows.
_NOT_SHOWN: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)


def templates_in(folder: Path) -> Environment:
    """The templates of a folder. Text is escaped, a name that is not given is an error."""
    environment = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: _NOT_SHOWN.sub("\ufffd", value) if type(value) is str else value,
    )
    environment.filters |= {
        "words": label_of,
        "facts": labels_of,
        "one_line": lambda text: " ".join(text.split()),
    }
    return environment
