"""T and N that a pathology report describes without naming them: from size, extent and counted nodes.

What is derived is marked by its extractor, `rule:derived_t` and `rule:derived_n`, and a confidence of at
most 0.75. It never stands in for a category that is written, and nothing is derived from silence.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from pipeline.catalog.extent import ExtentRules, SiteExtent, category_by_height, category_for
from pipeline.domain import NOT_FOUND, AnnotatedDocument, Field, Mention
from pipeline.findings.extent_nodes import derived_n
from pipeline.findings.extent_words import (
    BY_EXTENT,
    BY_SIZE,
    CONCLUDING,
    DENIED_BEFORE,
    DERIVED_T,
    SENTENCE,
    Span,
    derived_field,
    open_pattern,
)

_DESCRIBING = frozenset({"gross", "intraoperative_diagnosis", "specimen", "clinical_history", "findings"})
_DENIED_AFTER = re.compile(
    r"^[^.;]{0,25}?(?:\b(?:not (?:identified|seen|present|involved|applicable|specified"
    r"|assessed)|absent|negative|none|uninvolved|no\b|cannot|free\b|without))",
    re.IGNORECASE,
)
_TUMOUR_SIZE = re.compile(
    r"(?:tumou?r|mass|lesion|carcinoma|cancer|neoplasm|nodule|invasive)(?:[^.;]|\.(?=\s(?-i:[a-z\d]))){0,70}$"
    r"|(?:greatest|maximum|largest|maximal) (?:tumou?r )?(?:dimension|diameter)"
    r"(?:[^.;]|\.(?=\s(?-i:[a-z\d]))){0,25}$"
    r"|size(?:[^.;]|\.(?=\s(?-i:[a-z\d]))){0,30}$",
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
_CLAUSE = re.compile(r";(?!\s*(?:and\s+)?measur)|\.\s+(?=[A-Z])")
_MEASURED_AFTER = re.compile(
    r"[\s.]{1,3}in[\s.]{1,3}(?:its[\s.])?(?:largest|greatest|maxim\w+)[\s.]{1,3}(?:dimension|diameter)",
    re.IGNORECASE,
)


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
    by_extent = _extent(source, site_rules, rules.extent_labels)
    if site_rules.heights:
        by_extent = max(filter(None, (by_extent, _by_height(source, site_rules, rules))), default=None)
    size = _largest_tumour(source)
    by_size = category_for(site_rules.sizes, size[0]) if size else None
    if by_extent and (by_size is None or by_extent[0] >= by_size):
        return derived_field(source, by_extent[0], by_extent[1], DERIVED_T, BY_EXTENT)
    if by_size and size:
        return derived_field(source, by_size, Span(size[1].start, size[1].end), DERIVED_T, BY_SIZE)
    return NOT_FOUND


def _extent(source: AnnotatedDocument, rules: SiteExtent, labels: tuple[str, ...]) -> tuple[str, Span] | None:
    """The highest extent that the report affirms."""
    text = source.document.text
    asked = "|".join(labels)
    for row in sorted(rules.extent, key=lambda row: row.category, reverse=True):
        answers = (rf"\b(?:{asked}) ?: ?(?:{words})" for words in row.labelled)
        for match in (match for words in answers for match in open_pattern(words).finditer(text)):
            if not _DENIED_AFTER.match(text[match.end() : match.end() + 60].split(".")[0]):
                return row.category, Span(*match.span())
        for match in (match for words in row.words for match in open_pattern(words).finditer(text)):
            if _affirmed(text, match):
                return row.category, Span(*match.span())
    return None


def _by_height(source: AnnotatedDocument, site: SiteExtent, rules: ExtentRules) -> tuple[str, Span] | None:
    """The T of a tumour whose height and largest basal diameter the report labels."""
    base = _labelled_mm(source, rules.base_labels)
    height = _labelled_mm(source, rules.height_labels)
    if base is None or height is None:
        return None
    category = category_by_height(site.heights, height[0], base[0])
    return (category, base[1]) if category else None


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


def _affirmed(text: str, match: re.Match[str]) -> bool:
    if re.match(r"no\b|.*not identified|.*absent|.*negative|.*none", match.group(), re.IGNORECASE):
        return True  # the words themselves say what is denied
    before = SENTENCE.split(text[max(0, match.start() - 70) : match.start()])[-1]
    return not DENIED_BEFORE.search(before) and not _DENIED_AFTER.match(text[match.end() : match.end() + 60])


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
        (CONCLUDING, _is_labelled),
        (CONCLUDING, _is_of_tumour),
        (CONCLUDING, _is_measured),
        (_DESCRIBING, _is_of_tumour),
    ):
        found = [size for size in sizes if size[1].section in sections and belongs(text, size[1])]
        if found:
            return max(found, key=lambda size: size[0])
    return None


def _is_labelled(text: str, size: Mention) -> bool:
    return bool(_LABELLED_SIZE.search(text[max(0, size.start - 60) : size.start]))


def _is_measured(text: str, size: Mention) -> bool:
    """Whether a diagnosis goes on to measure what it named ("... grade III. Measuring 2.3 cm in largest
    dimension")."""
    before = text[max(0, size.start - 110) : size.start]
    return (
        bool(re.search(r"\bmeasur\w+\s*$", before, re.IGNORECASE))
        and not _OTHER_SIZE.search(before)
        and bool(_MEASURED_AFTER.match(text, size.end))
    )


def _is_of_tumour(text: str, size: Mention) -> bool:
    before = _CLAUSE.split(text[max(0, size.start - 110) : size.start])[-1]
    after = text[size.end : size.end + 60]
    if _OTHER_SIZE.search(before) or _DISTANCE.search(before) or _DISTANCE_AFTER.match(after):
        return False
    return bool(_TUMOUR_SIZE.search(before) or _SIZE_BEFORE_TUMOUR.match(after))


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
