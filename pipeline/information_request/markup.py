"""The few marks that a letter's template may use, read into blocks, and the blocks as HTML."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

CODE = "[[code]]"
_BOLD = re.compile(r"\*\*(.+?)\*\*")

Kind = Literal["title", "heading", "text", "item", "rule", "code"]


@dataclass(frozen=True, slots=True)
class Block:
    """A line or a paragraph. `text` may hold `**bold**` parts; lines of a paragraph stay apart."""

    kind: Kind
    text: str = ""

    @property
    def parts(self) -> Iterator[tuple[str, bool]]:
        """(text, whether it is bold), in order."""
        for number, part in enumerate(_BOLD.split(self.text)):
            if part:
                yield part, number % 2 == 1

    @property
    def plain(self) -> str:
        return _BOLD.sub(r"\1", self.text)


def read_markup(text: str) -> tuple[Block, ...]:
    """The blocks of a filled template; each line is one, blank lines part nothing else."""
    return tuple(_block(line.strip()) for line in text.splitlines() if line.strip())


def _block(line: str) -> Block:
    if line == CODE:
        return Block("code")
    if re.fullmatch(r"-{3,}", line):
        return Block("rule")
    for mark, kind in (("## ", "heading"), ("# ", "title"), ("- ", "item")):
        if line.startswith(mark):
            return Block(kind, line.removeprefix(mark))  # type: ignore[arg-type]  # the table's are kinds
    return Block("text", line)


def to_html(blocks: Sequence[Block], *, code: str) -> str:
    """The blocks as HTML, all text escaped; `code` is the markup that stands for a barcode."""
    lines, in_list = list[str](), False
    for block in blocks:
        if (block.kind == "item") != in_list:
            lines.append("<ul>" if not in_list else "</ul>")
            in_list = not in_list
        lines.append(_element(block, code))
    return "\n".join([*lines, *(["</ul>"] if in_list else [])])


def _element(block: Block, code: str) -> str:
    if block.kind == "code":
        return code
    if block.kind == "rule":
        return "<hr>"
    tag = {"title": "h1", "heading": "h2", "item": "li", "text": "p"}[block.kind]
    inner = "".join(
        f"<strong>{html.escape(part)}</strong>" if bold else html.escape(part) for part, bold in block.parts
    )
    return f"<{tag}>{inner}</{tag}>"
