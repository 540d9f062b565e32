"""Finding the headed parts of a clinical text: one heading to a line, inline, or run together."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from pipeline.catalog.sections import SectionRule, SectionRules, heading_key
from pipeline.domain import Section

PREAMBLE = "preamble"

_NUMBERING = r"(?:\d{1,2}[.)]\s*|[A-Z][.)]\s+|[IVX]{1,4}\.\s+|[*=#>•\-]{1,3}\s*|\[[xX ]\]\s*)?"
_NAME = r"[A-Za-z][A-Za-z0-9/&'().,# \-]{0,58}?"
_ASIDE = r"(?:[ \t]*\([^()\n]{1,60}\)|[ \t]+(?:dated |of |on |from )?\d{1,2}[/-]\d{1,2}(?:[/-]\d{2,4})?)?"

# A heading at the start of a line. What follows tells how sure it is.
_AT_LINE = re.compile(
    rf"""^[ \t]*{_NUMBERING}
    (?P<name>{_NAME})
    {_ASIDE}
    [ \t]*(?P<end>
        :+(?:[ \t]*,)?                # HPI: text        (a stray comma stands after some colons)
      | [ \t]*[*=\-_]{{2,}}[ \t]*$    # HPI -----
      | \.{{3,}}                      # Stage ........ IA
      | [ \t]-[ \t]                   # PLAN - text
      | [ \t]{{2,}}(?=\S)             # PLAN   text      (column gap)
      | \.?[ \t]*$                    # HPI              (alone on its line)
      | (?=[ \t]+\d{{1,2}}[/-]\d)     # ADDENDUM 05/20/2026
    )""",
    re.VERBOSE | re.MULTILINE,
)
# A heading in running text stands after the end of a sentence or a column gap: ". FAMILY HISTORY: ...".
_ANCHOR = re.compile(
    r"(?<=[.;?!)\]])[ \t\n]{0,80},?[ \t]{0,80}(?=[A-Z])|(?<=\d)[ \t]{1,80}(?=[A-Z])"
    r"|(?<![ \t])[ \t]{2,}(?=[A-Z])"
    r"|(?<=[a-z ]),(?=[A-Z]{3})"
    r"|(?<=:)[ \t]{1,80}(?=[A-Z]{4})"
)
_INLINE = re.compile(rf"{_NUMBERING}(?P<name>{_NAME}){_ASIDE}[ \t]*(?P<end>:|\.(?=[ \t\n]|$))")


class _Heading(NamedTuple):
    start: int
    body: int
    rule: SectionRule


def _start(heading: _Heading) -> int:
    return heading.start


def find_sections(text: str, rules: SectionRules) -> tuple[Section, ...]:
    """The sections of `text` in order, without gaps; `preamble` is what precedes the first heading.

    `Section.start` is where the heading's line content starts, `body` the first character after the
    heading and its colon. An empty text has no sections.
    """
    headings = sorted([*_line_headings(text, rules), *_inline_headings(text, rules)], key=_start)
    sections: list[Section] = []
    name, start, body = PREAMBLE, 0, 0
    for heading in headings:
        if heading.start < body or name in heading.rule.field_inside:
            continue
        if text[start : heading.start].strip():
            sections.append(Section(name, start, body, heading.start))
        name, start, body = heading.rule.name, heading.start, heading.body
    if text[start:].strip():
        sections.append(Section(name, start, body, len(text)))
    return tuple(sections)


def _line_headings(text: str, rules: SectionRules) -> Iterator[_Heading]:
    for match in _AT_LINE.finditer(text):
        key = heading_key(match["name"])
        rule = rules.by_heading.get(key)
        if rule is None:
            continue
        end = match["end"].strip(" \t,")
        has_colon = end.startswith((":", ".."))
        if match["name"] == "cc":
            continue  # in small letters: who gets a copy, not the chief complaint
        if has_colon or _looks_like_heading(match["name"], end, key in rules.weak_headings):
            yield _Heading(match.start("name"), match.end(), _meant(rule, rules, text, match.end()))


def _meant(rule: SectionRule, rules: SectionRules, text: str, body: int) -> SectionRule:
    """The rule that stands in for `rule` where the next words ask for it."""
    other = rules.replacements.get(rule.name)
    if other is None:
        return rule
    following = text[body : body + 40].strip().lower()
    return other if re.match(rf"(?:{'|'.join(map(re.escape, other.followed_by))})\b", following) else rule


def _looks_like_heading(name: str, end: str, weak: bool) -> bool:
    """Without a colon a heading is known by its capitals, a weak one also by standing alone."""
    if weak:
        return name.isupper() and len(name) > 2
    return name[0].isupper() and (name.isupper() or not end or end.startswith("-"))


def _inline_headings(text: str, rules: SectionRules) -> Iterator[_Heading]:
    for anchor in _ANCHOR.finditer(text):
        match = _INLINE.match(text, anchor.end())
        if match is None:
            continue
        key = heading_key(match["name"])
        rule, weak = rules.by_heading.get(key), key in rules.weak_headings
        if weak and text[max(0, anchor.start() - 1) : anchor.end()].strip(" \t\n,")[-1:] in (";", ")", "]"):
            continue  # "LEFT BREAST; BIOPSY:" is a specimen, not a section
        if rule is not None and _stands_inline(match["name"], match["end"], weak):
            yield _Heading(match.start("name"), match.end(), _meant(rule, rules, text, match.end()))


def _stands_inline(name: str, end: str, weak: bool) -> bool:
    """Inline, a colon is needed, or several words in capitals before a full stop (dictation, forms)."""
    if end == ":":
        return not weak or name.isupper() or len(name) > 3
    return (name.isupper() and len(name) > 4 and not weak) or (name.istitle() and " " in name and not weak)
