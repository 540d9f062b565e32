"""T and N that a pathology report describes without naming them: from size, extent and counted nodes.

What is derived is marked by its extractor, `rule:derived_t` and `rule:derived_n`, and a confidence of at
most 0.75. It never stands in for a category that is written, and nothing is derived from silence.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import NamedTuple

from pipeline.catalog.extent import ExtentRules, SiteExtent, category_for
from pipeline.domain import NOT_FOUND, AnnotatedDocument, Assertion, Field, Mention, Status
from pipeline.evidence import evidence_for

DERIVED_T, DERIVED_N, DERIVED_M = "rule:derived_t", "rule:derived_n", "rule:derived_m"
_BY_EXTENT, _BY_SIZE, _BY_COUNT, _BY_WORDS = 0.75, 0.7, 0.75, 0.65
_CONCLUDING = frozenset(
    {
        "final_diagnosis",
        "synoptic",
        "preamble",
        "addendum",
        "comment",
        "staging",
        "microscopic",
        "postoperative_diagnosis",
        "procedure",
        "pathology_summary",
        "impression",
    }
)
_DESCRIBING = frozenset({"gross", "intraoperative_diagnosis", "specimen", "clinical_history", "findings"})
_DENIED_BEFORE = re.compile(
    r"\b(?:no|not|without|negative for|absence of|absent|free of|uninvolved|does not|do not"
    r"|did not|is not|nor|neither|rule out|denies|cannot|lack of"
    r"|no evidence of)\b[^.;:]{0,60}$",
    re.IGNORECASE,
)
_DENIED_AFTER = re.compile(
    r"^[^.;]{0,25}?(?:\b(?:not (?:identified|seen|present|involved|applicable|specified"
    r"|assessed)|absent|negative|none|uninvolved|no\b|cannot|free\b|without))",
    re.IGNORECASE,
)
_TUMOUR_SIZE = re.compile(
    r"(?:tumou?r|mass|lesion|carcinoma|cancer|neoplasm|nodule|invasive)[^.;]{0,70}$"
    r"|(?:greatest|maximum|largest|maximal) (?:tumou?r )?(?:dimension|diameter)[^.;]{0,25}$"
    r"|size[^.;]{0,30}$",
    re.IGNORECASE,
)
_IMPLAUSIBLE_MM = 300
_LABELLED_SIZE = re.compile(
    r"(?:(?:tumou?r|lesion|mass) (?:maximum |greatest )?(?:size|dimensions?|diameter)"
    r"|size of (?:the )?(?:invasive )?(?:tumou?r|carcinoma|lesion|component)"
    r"|invasive (?:tumou?r |carcinoma )?size)"
    r"(?: \([^)]*\))?[:\s,]*(?:is |approximately |about |greatest diameter is "
    r"|greatest dimension:? |maximum )*$",
    re.IGNORECASE,
)
_DISTANCE = re.compile(
    r"(?:within|less than|<|distances?|at least|clearance|closest)[^.;]{0,25}$", re.IGNORECASE
)
_DISTANCE_AFTER = re.compile(r"^\s?(?:from|away|to the|deep to|of the margin|\(?depth)", re.IGNORECASE)
_SIZE_BEFORE_TUMOUR = re.compile(
    r"^[^.;]{0,40}\b(?:tumou?r|mass|carcinoma|lesion|neoplasm|adenocarcinoma|nodule"
    r"|maximum dimension|greatest dimension|diameter)\b",
    re.IGNORECASE,
)
_OTHER_SIZE = re.compile(
    r"\b(?:margin|node|nodes|nodal|metasta\w+|deposit|skin|ellipse|specimen|prostate|kidney"
    r"|lobe|uterus|spleen|adrenal gland|cyst|away|from the|distance|biopsy cavity|depth"
    r"|thickness|segment|fragment|portion|in situ|DCIS|adenoma|benign|weigh\w*|aggregate"
    r"|container|polyp|extranodal|fibroadenoma|hemangioma|breast tissue|cores?)\b[^;]{0,30}$",
    re.IGNORECASE,
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
    r"(?:metasta\w+ (?:\w+ ){0,6}(?:in|to|involving) (?:\w+ ){0,6}?(?:lymph )?nodes?\b"
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


class _Span(NamedTuple):
    start: int
    end: int


def derived_t(source: AnnotatedDocument, site: str | None, rules: ExtentRules) -> Field:
    """The T that extent and size give for `site`; not found where the report describes neither."""
    site_rules = rules.of(site)
    if site_rules is None:
        return NOT_FOUND
    depths = [mention for mention in source.mentions if mention.label == "breslow"]
    if depths and site_rules.depths:
        deepest = max(depths, key=lambda mention: float(mention.value))
        value = category_for(site_rules.depths, float(deepest.value)) or "T1"
        return _field(source, value, _Span(deepest.start, deepest.end), DERIVED_T, _BY_EXTENT)
    by_extent = _extent(source, site_rules)
    size = _largest_tumour(source)
    by_size = category_for(site_rules.sizes, size[0]) if size else None
    if by_extent and (by_size is None or by_extent[0] >= by_size):
        return _field(source, by_extent[0], by_extent[1], DERIVED_T, _BY_EXTENT)
    if by_size and size:
        return _field(source, by_size, _Span(size[1].start, size[1].end), DERIVED_T, _BY_SIZE)
    return NOT_FOUND


def _field(source: AnnotatedDocument, value: str, span: _Span, extractor: str, confidence: float) -> Field:
    evidence = evidence_for(source.document, span.start, span.end, extractor=extractor)
    return Field(value=value, status=Status.FOUND, confidence=confidence, evidence=(evidence,), edition="7")


def _extent(source: AnnotatedDocument, rules: SiteExtent) -> tuple[str, _Span] | None:
    """The highest extent that the report affirms."""
    text = source.document.text
    for row in sorted(rules.extent, key=lambda row: row.category, reverse=True):
        for words in row.words:
            for match in _pattern(words).finditer(text):
                if _affirmed(text, match):
                    return row.category, _Span(*match.span())
    return None


@cache
def _pattern(words: str) -> re.Pattern[str]:
    """The expression with its spaces open for line wraps, at which some archives put a full stop."""
    return re.compile(words.replace(" ", r"[\s.]{1,3}"), re.IGNORECASE)


def _affirmed(text: str, match: re.Match[str]) -> bool:
    if re.match(r"no\b|.*not identified|.*absent|.*negative|.*none", match.group(), re.IGNORECASE):
        return True  # the words themselves say what is denied
    before = re.split(r"[.;]\s", text[max(0, match.start() - 70) : match.start()])[-1]
    return not _DENIED_BEFORE.search(before) and not _DENIED_AFTER.match(text[match.end() : match.end() + 60])


def _largest_tumour(source: AnnotatedDocument) -> tuple[float, Mention] | None:
    """The size said of the tumour: where it is labelled so, else the largest of the conclusions, else of
    the description."""
    text = source.document.text
    sizes = [
        (float(mention.value), mention)
        for mention in source.mentions
        if mention.label == "size" and 1 <= float(mention.value) <= _IMPLAUSIBLE_MM
    ]
    for sections, belongs in (
        (_CONCLUDING, _is_labelled),
        (_CONCLUDING, _is_of_tumour),
        (_DESCRIBING, _is_of_tumour),
    ):
        found = [size for size in sizes if size[1].section in sections and belongs(text, size[1])]
        if found:
            return max(found, key=lambda size: size[0])
    return None


def _is_labelled(text: str, size: Mention) -> bool:
    return bool(_LABELLED_SIZE.search(text[max(0, size.start - 60) : size.start]))


def _is_of_tumour(text: str, size: Mention) -> bool:
    before = re.split(r"[;]|\.\s+(?=[A-Z])", text[max(0, size.start - 110) : size.start])[-1]
    after = text[size.end : size.end + 60]
    if _OTHER_SIZE.search(before) or _DISTANCE.search(before) or _DISTANCE_AFTER.match(after):
        return False
    return bool(_TUMOUR_SIZE.search(before) or _SIZE_BEFORE_TUMOUR.match(after))


def derived_n(source: AnnotatedDocument, site: str | None, rules: ExtentRules) -> Field:
    """The N that counted or described nodes give for `site`; not found where no node was looked at."""
    site_rules = rules.of(site)
    if site_rules is None or not site_rules.nodes:
        return NOT_FOUND
    counted = _count_nodes(source)
    if counted is not None:
        value = category_for(site_rules.nodes, counted[0])
        if value is not None:
            return _field(source, value, counted[1], DERIVED_N, _BY_COUNT)
    return _by_words(source, site_rules)


def _count_nodes(source: AnnotatedDocument) -> tuple[int, _Span] | None:
    """Positive nodes of the whole report: a stated total, else the sum over specimens."""
    text = source.document.text
    counts = list(_counts(source))
    ratios = [(involved, examined) for involved, examined, _ in counts]
    if counts:
        total = max(ratios, key=lambda ratio: ratio[1])
        others = [ratio for ratio in ratios if ratio is not total]
        is_total = total[1] >= sum(examined for _, examined in others) * 0.8 and total[0] >= sum(
            i for i, _ in others
        )
        involved = total[0] if is_total else sum(i for i, _ in ratios)
        return involved, max(counts, key=lambda count: (count[0] > 0, count[1]))[2]
    numbers = [(match, match["positive"] or match["positive2"]) for match in _EXAMINED.finditer(text)]
    numbers = [
        (m, n)
        for m, n in numbers
        if re.search(r"nodes?\b", text[max(0, m.start() - 90) : m.end() + 20], re.I)
    ]
    if not numbers:
        return None
    return sum(int(n) if n.isdigit() else 0 for _, n in numbers), _Span(*numbers[0][0].span())


def _counts(source: AnnotatedDocument) -> Iterator[tuple[int, int, _Span]]:
    """(involved, examined) of each counted specimen, what is said in words and figures only once."""
    previous: tuple[tuple[int, int], int] | None = None
    for mention in source.mentions:
        ratio = mention.attributes.get("ratio") if mention.label == "nodes" else None
        if ratio is None or mention.section in ("gross", "block_key", "clinical_history"):
            continue
        involved, examined = (int(part) for part in ratio.split("/"))
        repeated = (
            previous is not None and previous[0] == (involved, examined) and mention.start - previous[1] < 60
        )
        previous = ((involved, examined), mention.end)
        if not repeated:
            yield involved, examined, _Span(mention.start, mention.end)


def _by_words(source: AnnotatedDocument, rules: SiteExtent) -> Field:
    text = source.document.text
    affirmed = [
        m
        for m in _NODE_AFFIRMED.finditer(text)
        if not _DENIED_BEFORE.search(text[max(0, m.start() - 40) : m.start()])
    ]
    if affirmed:
        value = category_for(rules.nodes, len(affirmed) if len(affirmed) < 3 else 2)
        return _field(source, value or "N1", _Span(*affirmed[0].span()), DERIVED_N, _BY_WORDS)
    denied = _NODE_DENIED.search(text)
    return _field(source, "N0", _Span(*denied.span()), DERIVED_N, _BY_WORDS) if denied else NOT_FOUND


def derived_m(source: AnnotatedDocument, site: str | None) -> Field:
    """M1 where a diagnosis finds the tumour in another organ; never M0, which no report shows."""
    text = source.document.text
    for mention in source.mentions:
        if mention.label != "neoplasm" or "metastatic" not in mention.attributes:
            continue
        if mention.section not in _CONCLUDING or mention.assertion is not Assertion.PRESENT:
            continue
        organ = _organ_beside(source, mention)
        if organ in _DISTANT and organ != site:
            return _field(source, "M1", _Span(mention.start, mention.end), DERIVED_M, _BY_WORDS)
        if _LIVER_OR_PERITONEUM.match(text, mention.start) and site not in ("liver", "ovary"):
            return _field(source, "M1", _Span(mention.start, mention.end), DERIVED_M, _BY_WORDS)
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
