"""T and N that a pathology report describes without naming them: from size, extent and counted nodes.

What is derived is marked by its extractor, `rule:derived_t` and `rule:derived_n`, and a confidence of at
most 0.75. It never stands in for a category that is written, and nothing is derived from silence.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from pipeline.catalog.extent import (
    ExtentRules,
    SiteExtent,
    SizeWords,
    category_by_height,
    category_for,
)
from pipeline.domain import NOT_FOUND, AnnotatedDocument, Field, Mention
from pipeline.findings.extent_nodes import derived_n
from pipeline.findings.extent_words import (
    BY_EXTENT,
    BY_SIZE,
    DERIVED_T,
    Span,
    derived_field,
    is_denied_before,
    open_pattern,
)

_IMPLAUSIBLE_MM = 300
# How far before a size the words that say what it measures can stand, in characters.
_REACH = 110


class _Extent(NamedTuple):
    """A category with the words that show it."""

    category: str
    span: Span
    edition: str = "7"


def derived_t(source: AnnotatedDocument, site: str | None, rules: ExtentRules) -> Field:
    """The T that extent and size give for `site`; not found where the report describes neither."""
    site_rules = rules.of(site)
    if site_rules is None:
        return NOT_FOUND
    depths = [mention for mention in source.mentions if mention.label == "breslow"]
    if depths and site_rules.depths:
        deepest = max(depths, key=lambda mention: float(mention.value))
        value = category_for(site_rules.depths, float(deepest.value)) or "T1"
        return derived_field(source, value, Span(deepest.start, deepest.end), DERIVED_T, BY_EXTENT)
    by_extent = _extent(source, site_rules, rules)
    if site_rules.heights:
        by_extent = max(filter(None, (by_extent, _by_height(source, site_rules, rules))), default=None)
    size = _largest_tumour(source, rules)
    by_size = category_for(site_rules.sizes, size[0]) if size else None
    if by_extent and (by_size is None or by_extent.category >= by_size):
        return derived_field(
            source, by_extent.category, by_extent.span, DERIVED_T, BY_EXTENT, by_extent.edition
        )
    if by_size and size:
        return derived_field(source, by_size, Span(size[1].start, size[1].end), DERIVED_T, BY_SIZE)
    return NOT_FOUND


def _extent(source: AnnotatedDocument, site: SiteExtent, rules: ExtentRules) -> _Extent | None:
    """The highest extent that the report affirms."""
    text = source.document.text
    asked = "|".join(rules.extent_labels)
    for row in sorted(site.extent, key=lambda row: row.category, reverse=True):
        answers = (rf"\b(?:{asked}) ?: ?(?:{words})" for words in row.labelled)
        for match in (match for words in answers for match in open_pattern(words).finditer(text)):
            if not rules.denial.after.match(text[match.end() : match.end() + 60].split(".")[0]):
                return _Extent(row.category, Span(*match.span()), row.edition)
        for match in (match for words in row.words for match in open_pattern(words).finditer(text)):
            if _affirmed(text, match, rules):
                return _Extent(row.category, Span(*match.span()), row.edition)
    return None


def _by_height(source: AnnotatedDocument, site: SiteExtent, rules: ExtentRules) -> _Extent | None:
    """The T of a tumour whose height and largest basal diameter the report labels."""
    base = _labelled_mm(source, rules.base_labels)
    height = _labelled_mm(source, rules.height_labels)
    if base is None or height is None:
        return None
    category = category_by_height(site.heights, height[0], base[0])
    return _Extent(category, base[1]) if category else None


def _labelled_mm(source: AnnotatedDocument, labels: tuple[str, ...]) -> tuple[float, Span] | None:
    """The largest size that stands right after one of the labels, or right before it ("14 mm base")."""
    text, found = source.document.text, []
    asked = "|".join(labels)
    after, before = (
        open_pattern(rf"\b(?:{asked})\b[\s:.,(=]{{0,4}}(?:of |is )?\(?$"),
        open_pattern(rf"\s?(?:{asked})\b"),
    )
    for mention in source.mentions:
        if mention.label != "size":
            continue
        lead = text[max(0, mention.start - 40) : mention.start]
        if after.search(lead) or before.match(text, mention.end):
            found.append((float(mention.value), Span(mention.start, mention.end)))
    return max(found, default=None)


def _affirmed(text: str, match: re.Match[str], rules: ExtentRules) -> bool:
    if rules.denial.itself.match(match.group()):
        return True  # the words themselves say what is denied
    denied_after = rules.denial.after.match(text[match.end() : match.end() + 60])
    return not denied_after and not is_denied_before(text, match.start(), 70, rules.denial)


def _largest_tumour(source: AnnotatedDocument, rules: ExtentRules) -> tuple[float, Mention] | None:
    """The size said of the tumour: where it is labelled so, else the largest of the conclusions, else of
    the description."""
    text = source.document.text
    sizes = [
        (float(mention.value), mention)
        for mention in source.mentions
        if mention.label == "size" and 1 <= float(mention.value) <= _IMPLAUSIBLE_MM
    ]
    for sections, belongs in (
        (rules.concluding, _is_labelled),
        (rules.concluding, _is_of_tumour),
        (rules.concluding, _is_measured),
        (rules.size.sections, _is_of_tumour),
        (rules.size.sections, _is_measured),
    ):
        found = [size for size in sizes if size[1].section in sections and belongs(text, size[1], rules.size)]
        if found:
            return max(found, key=lambda size: size[0])
    return None


def _is_labelled(text: str, size: Mention, words: SizeWords) -> bool:
    return words.labelled.search(text[max(0, size.start - 60) : size.start]) is not None


def _is_measured(text: str, size: Mention, words: SizeWords) -> bool:
    """Whether a diagnosis goes on to measure what it named ("... grade III. Measuring 2.3 cm in largest
    dimension")."""
    before = text[max(0, size.start - _REACH) : size.start]
    return (
        words.measured_before.search(before) is not None
        and not words.other_before.search(before)
        and words.measured_after.match(text, size.end) is not None
    )


def _is_of_tumour(text: str, size: Mention, words: SizeWords) -> bool:
    before = words.clause_end.split(text[max(0, size.start - _REACH) : size.start])[-1]
    after = text[size.end : size.end + 60]
    if words.distance_before.search(before) or words.distance_after.match(after):
        return False
    if words.bracketed.search(before):
        return True
    if words.other_before.search(before):
        return False
    return bool(words.tumour_before.search(before) or words.tumour_after.match(after))


def with_derived(
    t: Field, n: Field, source: AnnotatedDocument, site: str | None, rules: ExtentRules
) -> Sequence[Field]:
    """T and N as written where they are, else as derived. NX stays NX unless nodes are described."""
    if t.value is None:
        t = derived_t(source, site, rules)
    if n.value is None or n.value == "NX":
        derived = derived_n(source, site, rules)
        n = derived if derived.value is not None else n
    return t, n
