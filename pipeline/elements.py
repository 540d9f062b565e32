"""Whether a text holds a history, an examination or a plan, and which words show it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pipeline.catalog.elements import ElementRules
from pipeline.domain import Section
from pipeline.spelling import Hit, Token, tokenize


class Shown(NamedTuple):
    """What shows an element: the range of the words, and the section that they stand in."""

    start: int
    end: int
    section: str


class NoteFlags(NamedTuple):
    """What one note holds."""

    has_history: bool
    has_physical_exam: bool
    has_treatment_plan: bool


_HANDS_ON = re.compile(
    r"auscult|palpa|percuss|nontender|non-tender|\btender|murmur|\bsoft\b|clear to|\bcta\b|fundus|slit lamp|"
    r"\bdre\b|speculum|bimanual|edema|organomegaly|\bnodes?\b|adenopathy|reflexes|\brrr\b",
    re.IGNORECASE,
)
# Sections whose "on examination" tells of another time, another person or a rule.
_NO_EXAMINATION = frozenset(
    {"family_history", "policy_text", "past_medical_history", "patient_education", "imaging"}
)
_PARAGRAPH = re.compile(r"(?:^|\n[ \t]*\n)[ \t]*$")
_HEADS_LINE = re.compile(r"(?:^|\n|[.,]\s{0,2})[ \t]*$")
_ENDS_HEADING = re.compile(r"(?:[ \t]*\([^)\n]{1,40}\))?[ \t]*(?:[:.\n]|\s{2,}|$)")
_STARTS_LINE = re.compile(r"(?:^|\n)[\s\d.)*:•-]*(?:(?:[\w/-]+\s+){0,3})$")
# " : Cryo prostate": OCR lost the letter of the heading.
_LOST_HEADING = re.compile(r"(?:^|\n)\s*[:;]\s+$")
_MARK_OPENS = re.compile(r"(?:^|\n)[\s\d.)*•-]*$|\s{2,}$|[.;]\s$")
_SENTENCE = re.compile(r"(?<=[.;:])\s+")
_LEAST_MARKS = 2  # parts of the background that make a history with the complaint
_BLANK = re.compile(r"\*{2,}|_{3,}|^\s*$")
_WINDOW = 600  # characters within which scattered signs are one examination
_SENTENCE_END = re.compile(r"(?<=[a-z0-9)])\.\s|\n\s*\n|;\s|\n(?=\s*(?:\d{1,2}[.)]|[-*•(]))")


def note_flags(text: str, sections: Sequence[Section], rules: ElementRules, *, kind: str) -> NoteFlags:
    """The three flags of one plain text of document type `kind`, with its sections.

    What a report of a test or a procedure describes is no examination, and its reason no history; but a
    report of a procedure may tell the story that led to it.
    """
    if kind in rules.reports.procedures:
        told = bool(history(text, sections, rules)) or _told_why(text, sections, rules)
        return NoteFlags(told, False, has_plan(text, sections, rules, least=2))
    if kind in rules.reports.tests:
        return NoteFlags(False, False, has_plan(text, sections, rules, least=2))
    return NoteFlags(
        bool(history(text, sections, rules)) or _present_illness(text, sections, rules),
        bool(examination(text, sections, rules)),
        has_plan(text, sections, rules, least=1),
    )


def has_plan(text: str, sections: Sequence[Section], rules: ElementRules, *, least: int) -> bool:
    """Whether a note says what will be done: in a plan of its own, or `least` times in its later half."""
    later = text[len(text) // 2 :]
    plans = [section for section in sections if section.name in rules.plan.sections]
    if any(_substantive(text, section, rules, words=rules.plan.words) for section in plans):
        return least == 1 or _tells(later, "future", rules, least=1)
    headed = rules.phrases["plan_headings"].find(tokenize(text))
    return (
        bool(headed) or _tells(text, "ordered", rules, least=1) or _tells(later, "future", rules, least=least)
    )


def _present_illness(text: str, sections: Sequence[Section], rules: ElementRules) -> bool:
    """Whether the illness is told at length under its own heading, whatever is said of the background."""
    return any(
        section.name == "history_of_present_illness" and _substantive(text, section, rules, words=20)
        for section in sections
    )


def _told_why(text: str, sections: Sequence[Section], rules: ElementRules) -> bool:
    """Whether a report of a procedure tells the history that led to it, its talk of risks left out."""
    for section in sections:
        if section.name in (*rules.history.narrative, *rules.reports.reasons):
            told = " ".join(
                sentence
                for sentence in _SENTENCE.split(text[section.body : section.end])
                if not rules.phrases["consent"].find(tokenize(sentence))
            )
            enough = len(tokenize(told)) >= rules.reports.least_words
            if enough and _tells(told, "narrative", rules, least=1):
                return True
    return False


def is_visit(text: str, rules: ElementRules) -> bool:
    """False for a telephone call or a message: nobody was seen."""
    head = tokenize(text[:700])
    tail = tokenize(text[-400:])
    return not (rules.phrases["no_visit"].find(head) or rules.phrases["no_visit"].find(tail))


def history(
    text: str, sections: Sequence[Section], rules: ElementRules, *, misread: bool = False
) -> list[Shown]:
    """What shows a history: the complaint told, and background; empty where either lacks.

    Background is one core part (past, surgical, family or social history) or two others.
    """
    full = [section for section in sections if _substantive(text, section, rules, words=1)]
    narrative = [
        section
        for section in full
        if section.name in rules.history.narrative
        and _substantive(text, section, rules, words=rules.history.narrative_words)
        and (
            section.name != "preamble"
            or _tells(text[section.body : section.end], "narrative", rules, least=2)
        )
    ]
    core = [section for section in full if section.name in rules.history.core]
    background = [section for section in full if section.name in rules.history.background]
    if not narrative and (core or background):
        narrative = [
            section
            for section in full
            if _tells(text[section.body : section.end], "narrative", rules, least=2)
        ][:1]
    if not narrative:
        return _marked_history(text, rules)
    if core or len(background) >= 2:
        kinds = {section.name: section for section in reversed([*narrative, *core, *background])}
        ordered = sorted(kinds.values(), key=lambda section: section.start)
        return [_shown(text, section, rules) for section in ordered][:4]
    told = text[narrative[0].start : narrative[0].end]
    if _tells(told, "core", rules, least=2) and _tells(told, "background", rules, least=1):
        return [_shown(text, narrative[0], rules)]
    return _marked_history(text, rules)


def _marked_history(text: str, rules: ElementRules) -> list[Shown]:
    """A history in an office's shorthand: "CC ...", "PMH ...", "FH ..." at the start of lines or cells."""
    tokens = tokenize(text)
    story = _marks(text, rules.phrases["story_marks"].find(tokens), rules)
    told = _marks(text, rules.phrases["background_marks"].find(tokens), rules)
    if not story or len(told) < _LEAST_MARKS:
        return []
    first = sorted([min(story.values()), *told.values()])[:3]
    return [Shown(start, _line_end(text, start, len(text)), "history") for start in first]


def _marks(text: str, hits: Sequence[Hit], rules: ElementRules) -> dict[str, int]:
    """Where each mark first stands as a heading with words of its own behind it."""
    found: dict[str, int] = {}
    for hit in hits:
        word, before, after = text[hit.start : hit.end], text[: hit.start], text[hit.end : hit.end + 60]
        colon = re.match(r"\s?[:.-]", after)
        if not _MARK_OPENS.search(before[-24:]) or not (word.isupper() or colon):
            continue
        own = tokenize(after.split("\n", 1)[0])
        if own and not rules.phrases["placeholders"].find(own[:4]):
            found.setdefault(hit.phrase, hit.start)
    return found


def examination(
    text: str, sections: Sequence[Section], rules: ElementRules, *, misread: bool = False
) -> list[Shown]:
    """What shows an examination: findings in at least two body systems; vital signs alone are none."""
    tokens = tokenize(text)
    if rules.phrases["no_examination"].find(tokens, misread=misread):
        return []
    head = [token for token in tokens if token.start < 700]
    distant = bool(rules.phrases["at_a_distance"].find(head, misread=misread))
    for start, end, name in _examination_ranges(text, sections, tokens, rules, misread=misread):
        inside = [token for token in tokens if start <= token.start < end]
        found = _first_of_each(text, inside, end, "system:", rules, misread=misread)
        if len(found) < rules.examination.least_systems or (
            distant and not _HANDS_ON.search(text[start:end])
        ):
            continue
        return [Shown(first, _line_end(text, first, end), name) for first in sorted(found)[:2]]
    signs = sorted(_all_signs(text, tokens, rules, misread=misread))
    for index, (start, _) in enumerate(signs):
        near = {system: at for at, system in reversed(signs[index:]) if at - start <= _WINDOW}
        if len(near) >= rules.examination.least_systems + 1 and _HANDS_ON.search(
            text[start : start + _WINDOW + 40]
        ):
            return [
                Shown(at, _line_end(text, at, len(text)), "physical_exam") for at in sorted(near.values())[:2]
            ]
    return []


def _first_of_each(
    text: str, tokens: Sequence[Token], end: int, kind: str, rules: ElementRules, *, misread: bool
) -> list[int]:
    """Where each system of `kind` is first named with something found."""
    found = []
    for key, phrases in rules.phrases.items():
        if key.startswith(kind):
            hits = phrases.find(tokens, misread=misread)
            found += [hit.start for hit in hits if not _left_out(text, hit.end, end, rules)][:1]
    return found


def _all_signs(
    text: str, tokens: Sequence[Token], rules: ElementRules, *, misread: bool
) -> Iterator[tuple[int, str]]:
    for key, phrases in rules.phrases.items():
        if key.startswith("sign:"):
            for hit in phrases.find(tokens, misread=misread):
                yield hit.start, key


def planned_procedure(
    text: str,
    sections: Sequence[Section],
    rules: ElementRules,
    *,
    anywhere: bool,
    title: str = "",
    misread: bool = False,
) -> Shown | None:
    """The first procedure that is to be done: named in a plan, or at the start of a line that proposes it.

    `anywhere` for a document that is a plan as a whole; its `title` ("CRYO PLAN") shows the procedure only
    where nothing else does. A procedure in a sentence of options, of a referral or of a denial is not to be
    done.
    """
    in_title: Shown | None = None
    for hit in rules.phrases["procedures"].find(tokenize(text), misread=misread):
        name = next((part.name for part in sections if part.start <= hit.start < part.end), "preamble")
        heads_line = name in rules.plan.lines and bool(_STARTS_LINE.search(text[: hit.start]))
        lost_heading = bool(_LOST_HEADING.search(text[: hit.start]))
        if _denied(text, hit.start, rules):
            continue
        in_plan = name in rules.plan.sections or heads_line or lost_heading
        if anywhere or (in_plan and not _only_talked_of(text, hit.start, hit.end, rules)):
            shown = Shown(hit.start, _line_end(text, hit.start, len(text)), name)
            if not _stands_in(text, hit.start, title):
                return shown
            in_title = in_title or shown
    return in_title


def _stands_in(text: str, position: int, title: str) -> bool:
    """Whether the line at `position` is the document's title, or holds it."""
    line = text[text.rfind("\n", 0, position) + 1 : _line_end(text, position, len(text))]
    return bool(title) and title in " ".join(line.split())


def _denied(text: str, start: int, rules: ElementRules) -> bool:
    line = text.rfind("\n", 0, start) + 1
    return bool(rules.phrases["denied"].find(tokenize(text[max(line, start - 24) : start])))


def _only_talked_of(text: str, start: int, end: int, rules: ElementRules) -> bool:
    """Whether the words around, on the line and up to the end of the sentence, leave it open."""
    line = text.rfind("\n", 0, start) + 1
    before = max((match.end() for match in _SENTENCE_END.finditer(text, line, start)), default=line)
    stop = _SENTENCE_END.search(text, end)
    line_end = text.find("\n", end)
    after = min(stop.start() if stop else len(text), line_end if line_end >= 0 else len(text))
    return bool(rules.phrases["tentative"].find(tokenize(text[before:after])))


def blank_area(text: str, rules: ElementRules) -> tuple[int, int] | None:
    """A line for the treatment area that was left blank ("Target: ______")."""
    for hit in rules.phrases["area_labels"].find(tokenize(text)):
        line_end = text.find("\n", hit.end)
        rest = text[hit.end : line_end if line_end >= 0 else len(text)]
        if re.match(r"[^A-Za-z0-9\n]{0,3}(?:\+ ?\w+)?\s*[:.]?\s*_{3,}", rest):
            return hit.start, hit.end + len(rest)
    return None


def _examination_ranges(
    text: str, sections: Sequence[Section], tokens: Sequence[Token], rules: ElementRules, *, misread: bool
) -> Iterator[tuple[int, int, str]]:
    """Examination sections, neighbours joined; then examinations in running text."""
    names = [section.name for section in sections]
    for index, section in enumerate(sections):
        if section.name not in rules.examination.sections:
            continue
        last = index
        while last + 1 < len(names) and names[last + 1] in rules.examination.sections:
            last += 1
        yield section.body, sections[last].end, "physical_exam"
    for hit in rules.phrases["openings"].find(list(tokens), misread=misread):
        around = next((part for part in sections if part.start <= hit.start < part.end), None)
        heads = bool(
            _HEADS_LINE.search(text[max(0, hit.start - 20) : hit.start])
            and _ENDS_HEADING.match(text, hit.end)
        )
        opens_sentence = " " in hit.phrase and text[hit.start].isupper()
        elsewhere = around is not None and around.name in _NO_EXAMINATION
        starts_paragraph = bool(_PARAGRAPH.search(text[max(0, hit.start - 20) : hit.start]))
        if not heads and (not opens_sentence or (elsewhere and not starts_paragraph)):
            continue
        limit = around.end if around and not (elsewhere and starts_paragraph) else len(text)
        yield hit.end, min(limit, hit.end + 900), "physical_exam"


def _left_out(text: str, start: int, end: int, rules: ElementRules) -> bool:
    """Whether a system is only named: deferred, see elsewhere, blank."""
    clause = re.split(r"[.;\n]|\s{2,}\S", text[start : min(end, start + 60)].lstrip(" :.-"), maxsplit=1)[0]
    if not re.search(r"[A-Za-z0-9]", clause) and _BLANK.search(text[start : start + 25]):
        return bool(re.search(r"\*{2,}|_{3,}", text[start : start + 25]))
    return bool(rules.phrases["placeholders"].find(tokenize(clause)[:5]))


def _substantive(text: str, section: Section, rules: ElementRules, *, words: int) -> bool:
    """Whether a section holds words of its own."""
    body = text[section.body : section.end]
    tokens = tokenize(body)
    if len(tokens) < words or not tokens:
        return False
    placeholders = rules.phrases["placeholders"].find(tokens[:8])
    if placeholders and len(tokens) <= 14 and section.name not in ("allergies",):
        return False
    return not (re.search(r"\*{3,}|_{4,}", body) and len(tokens) < 4)


def _tells(text: str, cues: str, rules: ElementRules, *, least: int) -> bool:
    return len({hit.phrase for hit in rules.phrases[cues].find(tokenize(text))}) >= least


def _shown(text: str, section: Section, rules: ElementRules) -> Shown:
    """A section's heading and first line; of text without a heading, the line that begins to tell."""
    if text[section.start : section.body].strip():
        start = section.start
    else:
        told = rules.phrases["narrative"].find(tokenize(text[section.body : section.end]))
        at = section.body + told[0].start if told else section.body
        start = max(section.body, text.rfind("\n", 0, at) + 1)
    start += len(text[start:]) - len(text[start:].lstrip())
    return Shown(start, _line_end(text, max(start, section.body), section.end), section.name)


def _line_end(text: str, start: int, limit: int) -> int:
    """The end of the first line with words from `start` on."""
    match = re.compile(r"\S[^\n]*").search(text, start, limit)
    return match.end() if match else min(limit, len(text))
