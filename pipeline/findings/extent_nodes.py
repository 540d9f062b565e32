"""N and M that a pathology report describes without naming them: from counted and described nodes."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pipeline.catalog.extent import ExtentRules, NodeWords, SiteExtent, category_for
from pipeline.domain import NOT_FOUND, AnnotatedDocument, Assertion, Field, Mention
from pipeline.findings.extent_words import (
    BY_COUNT,
    BY_WORDS,
    DERIVED_M,
    DERIVED_N,
    Span,
    derived_field,
    is_denied_before,
    open_pattern,
)

_SPECIMEN_REACH = 90


def derived_n(source: AnnotatedDocument, site: str | None, rules: ExtentRules) -> Field:
    """The N that counted or described nodes give for `site`; not found where no node was looked at."""
    site_rules = rules.of(site)
    if site_rules is None or not site_rules.nodes:
        return NOT_FOUND
    found = _by_count(source, site_rules, rules)
    if found.value is None:
        found = _by_words(source, site_rules, rules)
    return _at_least_region(source, site_rules, rules, found)


def _by_count(source: AnnotatedDocument, site: SiteExtent, rules: ExtentRules) -> Field:
    counted = _count_nodes(source, rules.node)
    value = category_for(site.nodes, counted[0]) if counted is not None else None
    if counted is None or value is None:
        return NOT_FOUND
    return derived_field(source, value, counted[1], DERIVED_N, BY_COUNT)


def _at_least_region(source: AnnotatedDocument, site: SiteExtent, rules: ExtentRules, found: Field) -> Field:
    """The N raised where involved nodes stand in a farther region (mediastinal: N2 of the lung)."""
    if found.value in (None, "N0") or not site.regions:
        return found
    ends = rules.denial.sentence_end
    for span in _involved(source, rules):
        around = ends.split(source.document.text[max(0, span.start - 90) : span.start])[-1]
        around += ends.split(source.document.text[span.start : span.end + 70])[0]
        for region in site.regions:
            if any(open_pattern(words).search(around) for words in region.words):
                higher = max(region.category, str(found.value))
                return derived_field(source, higher, span, DERIVED_N, BY_WORDS)
    return found


def _involved(source: AnnotatedDocument, rules: ExtentRules) -> Iterator[Span]:
    """Where the text finds nodes involved: by count, then by words."""
    for involved, _, span in _counts(source, rules.node):
        if involved:
            yield span
    for match in _affirmed_nodes(source.document.text, rules):
        yield Span(*match.span())


def _count_nodes(source: AnnotatedDocument, words: NodeWords) -> tuple[int, Span] | None:
    """Positive nodes of the whole report: a stated total, else the sum over specimens."""
    text = source.document.text
    counts = list(_counts(source, words))
    ratios = [(involved, examined) for involved, examined, _ in counts]
    stated = _stated_positive(text, words)
    if counts:
        total = max(ratios, key=lambda ratio: ratio[1])
        others = [ratio for ratio in ratios if ratio is not total]
        is_total = total[1] >= sum(examined for _, examined in others) * 0.8 and total[0] >= sum(
            i for i, _ in others
        )
        involved = max(total[0] if is_total else sum(i for i, _ in ratios), stated[0] if stated else 0)
        return involved, max(counts, key=lambda count: (count[0] > 0, count[1]))[2]
    return stated


def _stated_positive(text: str, words: NodeWords) -> tuple[int, Span] | None:
    """The sum of "Number of nodes with metastatic disease: 2" over the specimens."""
    numbers = [(match, match["positive"] or match["positive2"]) for match in words.stated.finditer(text)]
    numbers = [
        (m, n)
        for m, n in numbers
        if re.search(r"nodes?\b", text[max(0, m.start() - 90) : m.end() + 20], re.I)
    ]
    if not numbers:
        return None
    return sum(int(n) if n.isdigit() else 0 for _, n in numbers), Span(*numbers[0][0].span())


def _counts(source: AnnotatedDocument, words: NodeWords) -> Iterator[tuple[int, int, Span]]:
    """(involved, examined) of each counted specimen, what is said in words and figures only once."""
    previous: tuple[tuple[int, int], int] | None = None
    text = source.document.text
    for mention in source.mentions:
        ratio = mention.attributes.get("ratio") if mention.label == "nodes" else None
        if ratio is None or (
            mention.section in words.not_counted and not words.counted_here.match(text, mention.end)
        ):
            continue
        involved, examined = (int(part) for part in ratio.split("/"))
        repeated = (
            previous is not None and previous[0] == (involved, examined) and mention.start - previous[1] < 60
        )
        previous = ((involved, examined), mention.end)
        if not repeated:
            yield involved, examined, Span(mention.start, mention.end)


def _by_words(source: AnnotatedDocument, site: SiteExtent, rules: ExtentRules) -> Field:
    text = source.document.text
    affirmed = _affirmed_nodes(text, rules)
    if affirmed:
        value = category_for(site.nodes, len(affirmed) if len(affirmed) < 3 else 2)
        return derived_field(source, value or "N1", Span(*affirmed[0].span()), DERIVED_N, BY_WORDS)
    denied = rules.node.denied.search(text)
    return derived_field(source, "N0", Span(*denied.span()), DERIVED_N, BY_WORDS) if denied else NOT_FOUND


def _affirmed_nodes(text: str, rules: ExtentRules) -> list[re.Match[str]]:
    return [
        match
        for match in rules.node.affirmed.finditer(text)
        if not is_denied_before(text, match.start(), 40, rules.denial)
    ]


def derived_m(source: AnnotatedDocument, site: str | None, rules: ExtentRules) -> Field:
    """M1 where a diagnosis finds the tumour in another organ; never M0, which no report shows."""
    text, distant = source.document.text, rules.distant
    for mention in source.mentions:
        if mention.label != "neoplasm" or "metastatic" not in mention.attributes:
            continue
        if mention.section not in rules.concluding or mention.assertion is not Assertion.PRESENT:
            continue
        organ = _organ_beside(source, mention, rules)
        if organ in distant.organs and organ != site:
            return derived_field(source, "M1", Span(mention.start, mention.end), DERIVED_M, BY_WORDS)
        if distant.spread.match(text, mention.start) and site not in distant.spread_not:
            return derived_field(source, "M1", Span(mention.start, mention.end), DERIVED_M, BY_WORDS)
    return NOT_FOUND


def _organ_beside(source: AnnotatedDocument, tumour: Mention, rules: ExtentRules) -> str | None:
    """The organ of the specimen whose diagnosis the mention is: the nearest one named before it."""
    text = source.document.text
    window = text[max(0, tumour.start - _SPECIMEN_REACH) : tumour.end + 30]
    if rules.distant.not_a_diagnosis.search(window):
        return None
    before = [
        mention
        for mention in source.mentions
        if mention.label == "site"
        and tumour.start - _SPECIMEN_REACH <= mention.start < tumour.end + 30
        and mention.attributes.get("strength") != "contextual"
    ]
    named = {mention.value for mention in before}
    return named.pop() if len(named) == 1 else None
