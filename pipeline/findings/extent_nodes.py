"""N and M that a pathology report describes without naming them: from counted and described nodes."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pipeline.catalog.extent import ExtentRules, SiteExtent, category_for
from pipeline.domain import NOT_FOUND, AnnotatedDocument, Assertion, Field, Mention
from pipeline.findings.extent_words import (
    BY_COUNT,
    BY_WORDS,
    CONCLUDING,
    DENIED_BEFORE,
    DERIVED_M,
    DERIVED_N,
    SENTENCE,
    Span,
    derived_field,
    open_pattern,
)

_EXAMINED = re.compile(
    r"(?:number|total)(?: \w+){0,4} (?:examined|identified|nodes|sampled"
    r"|retrieved)[^\d.;]{0,20}(?P<examined>\d{1,3})[^\d]{0,60}?(?:number"
    r"|total)?(?: \w+){0,4} ?(?:positive|metasta\w+"
    r"|involved)(?: \w+){0,2}[^\d.;]{0,12}(?P<positive>\d{1,2}|none|zero)"
    r"|(?:number|total)(?: \w+){0,6} ?(?:positive|metasta\w+"
    r"|involved)(?: \w+){0,2}[^\d.;]{0,12}(?P<positive2>\d{1,2}|none|zero)",
    re.IGNORECASE,
)
_NODE_DENIED = re.compile(
    r"(?:\b(?:lymph )?nodes?\b(?:[^.;]"
    r"|\.(?=[ ]?[a-z(])){0,90}?\b(?:no (?:evidence of )?(?:tumou?r|malignan\w+|metasta\w+"
    r"|carcinoma|neoplasm)|negative|benign|free of|not involved|uninvolved|without|reactive"
    r"|no metasta\w+)"
    r"|\b(?:no|negative for"
    r"|without) (?:evidence of )?(?:\w+ ){0,2}metasta\w+[^.;]{0,40}\bnodes?"
    r"|benign (?:\w+ ){0,3}lymph nodes?|no (?:\w+ ){0,2}nodal metasta\w+)",
    re.IGNORECASE,
)
_NODE_AFFIRMED = re.compile(
    r"(?:metasta\w+ (?:\w+ ){0,6}(?:in|to|involving|involves) (?:[\w()/,-]+ ){0,8}?(?:lymph\.?\s)?nodes?\b"
    r"|\b(?:lymph )?nodes?\b[^.;]{0,50}\b(?:with metasta\w+|positive for|involved by"
    r"|metastatic (?:carcinoma|adenocarcinoma|melanoma|squamous))|nodal metasta\w+ (?:is "
    r"|are )?(?:present|identified))",
    re.IGNORECASE,
)


_DISTANT = frozenset({"liver", "brain", "bone", "lung", "adrenal"})
_LIVER_OR_PERITONEUM = re.compile(
    r"(?:metastatic|metastas[ie]s)[^.;]{0,60}\b(?:in|to|involving)\s+(?:the\s+)?(?:liver|omentum|peritoneum)\b",
    re.IGNORECASE,
)
_SPECIMEN_REACH = 90
# Where nodes are counted as they are cut; a result counts there too ("0/5 positive for metastasis").
_NOT_COUNTED = frozenset({"gross", "block_key", "clinical_history"})
_POSITIVE_AFTER = re.compile(r"[\s.]{1,2}(?:lymph nodes )?positive[\s.]{1,2}for", re.IGNORECASE)


def derived_n(source: AnnotatedDocument, site: str | None, rules: ExtentRules) -> Field:
    """The N that counted or described nodes give for `site`; not found where no node was looked at."""
    site_rules = rules.of(site)
    if site_rules is None or not site_rules.nodes:
        return NOT_FOUND
    found = _by_count(source, site_rules)
    if found.value is None:
        found = _by_words(source, site_rules)
    return _at_least_region(source, site_rules, found)


def _by_count(source: AnnotatedDocument, rules: SiteExtent) -> Field:
    counted = _count_nodes(source)
    value = category_for(rules.nodes, counted[0]) if counted is not None else None
    if counted is None or value is None:
        return NOT_FOUND
    return derived_field(source, value, counted[1], DERIVED_N, BY_COUNT)


def _at_least_region(source: AnnotatedDocument, rules: SiteExtent, found: Field) -> Field:
    """The N raised where involved nodes stand in a farther region (mediastinal: N2 of the lung)."""
    if found.value in (None, "N0") or not rules.regions:
        return found
    for span in _involved(source):
        around = SENTENCE.split(source.document.text[max(0, span.start - 90) : span.start])[-1]
        around += SENTENCE.split(source.document.text[span.start : span.end + 70])[0]
        for region in rules.regions:
            if any(open_pattern(words).search(around) for words in region.words):
                higher = max(region.category, str(found.value))
                return derived_field(source, higher, span, DERIVED_N, BY_WORDS)
    return found


def _involved(source: AnnotatedDocument) -> Iterator[Span]:
    """Where the text finds nodes involved: by count, then by words."""
    for involved, _, span in _counts(source):
        if involved:
            yield span
    for match in _affirmed_nodes(source.document.text):
        yield Span(*match.span())


def _count_nodes(source: AnnotatedDocument) -> tuple[int, Span] | None:
    """Positive nodes of the whole report: a stated total, else the sum over specimens."""
    text = source.document.text
    counts = list(_counts(source))
    ratios = [(involved, examined) for involved, examined, _ in counts]
    stated = _stated_positive(text)
    if counts:
        total = max(ratios, key=lambda ratio: ratio[1])
        others = [ratio for ratio in ratios if ratio is not total]
        is_total = total[1] >= sum(examined for _, examined in others) * 0.8 and total[0] >= sum(
            i for i, _ in others
        )
        involved = max(total[0] if is_total else sum(i for i, _ in ratios), stated[0] if stated else 0)
        return involved, max(counts, key=lambda count: (count[0] > 0, count[1]))[2]
    return stated


def _stated_positive(text: str) -> tuple[int, Span] | None:
    """The sum of "Number of nodes with metastatic disease: 2" over the specimens."""
    numbers = [(match, match["positive"] or match["positive2"]) for match in _EXAMINED.finditer(text)]
    numbers = [
        (m, n)
        for m, n in numbers
        if re.search(r"nodes?\b", text[max(0, m.start() - 90) : m.end() + 20], re.I)
    ]
    if not numbers:
        return None
    return sum(int(n) if n.isdigit() else 0 for _, n in numbers), Span(*numbers[0][0].span())


def _counts(source: AnnotatedDocument) -> Iterator[tuple[int, int, Span]]:
    """(involved, examined) of each counted specimen, what is said in words and figures only once."""
    previous: tuple[tuple[int, int], int] | None = None
    text = source.document.text
    for mention in source.mentions:
        ratio = mention.attributes.get("ratio") if mention.label == "nodes" else None
        if ratio is None or (
            mention.section in _NOT_COUNTED and not _POSITIVE_AFTER.match(text, mention.end)
        ):
            continue
        involved, examined = (int(part) for part in ratio.split("/"))
        repeated = (
            previous is not None and previous[0] == (involved, examined) and mention.start - previous[1] < 60
        )
        previous = ((involved, examined), mention.end)
        if not repeated:
            yield involved, examined, Span(mention.start, mention.end)


def _by_words(source: AnnotatedDocument, rules: SiteExtent) -> Field:
    text = source.document.text
    affirmed = _affirmed_nodes(text)
    if affirmed:
        value = category_for(rules.nodes, len(affirmed) if len(affirmed) < 3 else 2)
        return derived_field(source, value or "N1", Span(*affirmed[0].span()), DERIVED_N, BY_WORDS)
    denied = _NODE_DENIED.search(text)
    return derived_field(source, "N0", Span(*denied.span()), DERIVED_N, BY_WORDS) if denied else NOT_FOUND


def _affirmed_nodes(text: str) -> list[re.Match[str]]:
    return [
        match
        for match in _NODE_AFFIRMED.finditer(text)
        if not DENIED_BEFORE.search(SENTENCE.split(text[max(0, match.start() - 40) : match.start()])[-1])
    ]


def derived_m(source: AnnotatedDocument, site: str | None) -> Field:
    """M1 where a diagnosis finds the tumour in another organ; never M0, which no report shows."""
    text = source.document.text
    for mention in source.mentions:
        if mention.label != "neoplasm" or "metastatic" not in mention.attributes:
            continue
        if mention.section not in CONCLUDING or mention.assertion is not Assertion.PRESENT:
            continue
        organ = _organ_beside(source, mention)
        if organ in _DISTANT and organ != site:
            return derived_field(source, "M1", Span(mention.start, mention.end), DERIVED_M, BY_WORDS)
        if _LIVER_OR_PERITONEUM.match(text, mention.start) and site not in ("liver", "ovary"):
            return derived_field(source, "M1", Span(mention.start, mention.end), DERIVED_M, BY_WORDS)
    return NOT_FOUND


def _organ_beside(source: AnnotatedDocument, tumour: Mention) -> str | None:
    """The organ of the specimen whose diagnosis the mention is: the nearest one named before it."""
    text = source.document.text
    window = text[max(0, tumour.start - _SPECIMEN_REACH) : tumour.end + 30]
    if re.search(
        r"\bnod(?:e|es|al)\b|\bno\b|history|consistent with|differential|rule out|cannot", window, re.I
    ):
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
