"""T, N and M as people, forms and OCR write them.

Grammar: UICC/AJCC, prefixes c, p, yc, yp, r, rc, a; suffixes (m), (sn), (i+), (mol+), mi; see
`models/staging/`. A lone "T2" is taken only where something says that it is a stage.
"""

from __future__ import annotations

import bisect
import re
import sys
from collections.abc import Iterator

from pipeline.catalog.stage_words import StageWords
from pipeline.domain import Mention
from pipeline.nlp.editions import Editions

EXTRACTOR = "rule:tnm"

_PREFIX = r"(?:(?P<{0}pre>r[cp]|y[cp]|[cpyra]|R[CP]|Y[CP]|[CP](?=[TNM]))[ ]?)?"
_CATEGORY_T = (
    r"(?:(?:[0-4OoIlZ]|i(?=[a-d]\b))(?:[a-dA-D](?:[1-3](?![\d.]))?|[ ][a-dA-D](?![A-Za-z]))?|[Xx](?![a-z])"
    r"|[il1]s\b(?:[ ]?\((?:DCIS|LCIS|Paget|LAMN|AIS|SCIS)\))?|IS\b|[aA]\b|1mi|1MI)"
)
_CATEGORY_N = (
    r"(?:[0-3OoIlZ@](?:[a-cA-C](?:[1-3](?![\d.]))?|[ ][a-cA-C](?![A-Za-z]))?(?:[ ]?mi\b"
    r"|[ ]?\(mi\))?|[Xx](?![a-z]))"
)
_CATEGORY_M = (
    r"(?:(?:[01](?:[a-dA-D](?:[1-3](?![\d.]))?|[ ][a-dA-D](?![A-Za-z]))?|[OoIl@](?![A-Za-z]))|[Xx](?![a-z]))"
)
_ASIDE = r"(?:[ ]?\([^()\n]{0,40}\)){0,2}"
_BETWEEN = r"[ ,;:/.&\-]{0,3}(?:[ \n]{1,4})?(?:and )?"

_STRING = re.compile(
    rf"""(?:(?<![A-Za-z0-9./+])|(?<=\bAJCC)|(?<=\bUICC)|(?<=\bTNM))(?<!\bST )
    {_PREFIX.format("t")}[Tt][ :]{{0,3}}(?P<t>{_CATEGORY_T})(?:m\b)?
    (?P<tr>[ ]?(?:-|/|or|to)[ ]?(?:p|c)?T?[0-4][a-d]?(?![\d.]))?
    {_ASIDE}(?:,?[ ]?G[1-4X](?:-[1-4])?)?
    (?:{_BETWEEN}{_PREFIX.format("n")}N[ :]{{0,3}}(?P<n>{_CATEGORY_N})
       (?P<nr>[ ]?(?:-|/)[ ]?(?:p|c)?N?[0-3X][a-c]?(?![\d.]))?
       {_ASIDE}
    )?
    (?:{_BETWEEN}{_PREFIX.format("m")}M[ :]{{0,3}}(?P<m>{_CATEGORY_M}){_ASIDE})?
    (?![A-Za-z0-9])""",
    re.VERBOSE,
)
_LONE_N = re.compile(
    rf"""(?<![A-Za-z0-9./])
    {_PREFIX.format("n")}N[ ]?(?P<n>{_CATEGORY_N})(?P<nr>[ ]?(?:-|/)[ ]?(?:p
    |c)?N?[0-3X][a-c]?(?![\d.]))?{_ASIDE}
    (?:{_BETWEEN}{_PREFIX.format("m")}M[ :]{{0,3}}(?P<m>{_CATEGORY_M}))?
    (?![A-Za-z0-9])""",
    re.VERBOSE,
)
_LONE_M = re.compile(
    rf"(?<![A-Za-z0-9./]){_PREFIX.format('m')}M[ ]?(?P<m>{_CATEGORY_M})(?![A-Za-z0-9])", re.VERBOSE
)
# A form's or synoptic report's field: "Primary tumor (pT): 3a", "pT: 2", "N stage: 1".
_FIELD = re.compile(
    r"""(?:
      (?:primary\s+tumou?r|tumou?r|regional\s+lymph\s+nodes?|lymph\s+nodes?|regional\s+nodes|nodes
      |distant\s+metastas[ie]s|metastas[ie]s|t|n|m)
      \s*[({\[]\s*(?P<basis1>[cpyr]{0,2})\s?(?P<letter1>[TNM])\s*[)}\]]
    | (?P<basis2>[cpyr]{0,2})(?P<letter2>[TNM])[ \-]?(?:stage|category|classification|status)
    | (?P<word4>patholog(?:ic(?:al)?|y)|clinical)\s(?P<letter4>(?-i:[TNM]))\s?[.:]
    | (?P<letter5>(?-i:(?<=ymph\s)N|(?<=YMPH\s)N))ODES?\s+STAGE(?:\s*\([^()\n]{1,30}\))?
    | (?<![A-Za-z0-9])(?P<basis3>(?-i:[cp]|y[cp]))(?P<letter3>(?-i:[TNM]))(?=[ ]?[:=])
    )
    \s*[:=\-]*\s*
    (?P<value>[cpyr]{0,2}\s?[TNM]?\s?(?:[0-4](?:[a-d]?[1-3]?)(?:mi)?|[XxO]|is)(?![A-Za-z0-9]|\.\d|\s?(?:cm|mm|of|/)))""",
    re.VERBOSE | re.IGNORECASE,
)
# What makes a lone T2 or N1 a stage.
_CONTEXT = re.compile(
    r"stag(?:e|ed|ing)|\bTNM|AJCC|UICC|disease\b|clinical(?:ly)?\b|patholog|classification"
    r"|category|tumou?r|cancer|carcinoma|lesion|primary|\bca\b|NSCLC|RCC|melanoma|\bPSA\b"
    r"|gleason|\bGG ?\d",
    re.IGNORECASE,
)
_HEDGE = re.compile(
    r"(?:at least|probabl[ey]|presumed|likely|\?|questionable|minimum|possibl[ey]|suspected"
    r"|vs\.?|versus)[ ]?(?:a |clinical |stage )?$",
    re.IGNORECASE,
)
_CONFUSED = str.maketrans("OoIliZ@", "0011120")


def find_tnm(text: str, words: StageWords) -> Iterator[Mention]:
    """Mentions tnm_t, tnm_n and tnm_m of `text`.

    `value` is upper case without prefix (T1A, N0, MX); attributes `basis`, `edition` (4 to 9),
    `hedge` (words like "at least"), and `range` "true" where a range is written.
    """
    editions = Editions(text)
    seen: set[tuple[str, int]] = set()
    for mention in _all(text, words):
        key = (mention.label, mention.end)
        if key not in seen:
            seen.add(key)
            yield editions.added_to(mention)


def _all(text: str, words: StageWords) -> Iterator[Mention]:
    spans, taken = _Spans(), _Spans()
    for match in _FIELD.finditer(text):
        mention = _field(match, text)
        if mention is not None:
            spans.add((mention.start, mention.end))
            yield mention
    for match in _STRING.finditer(text):
        if _is_stage(match, text, words):
            taken.add(match.span())
            for letter in "tnm":
                if match[letter] and not spans.holds(match.start(letter)):
                    yield _mention(match, letter, text)
    for pattern, letters in ((_LONE_N, "nm"), (_LONE_M, "m")):
        for match in pattern.finditer(text):
            if taken.holds(match.start(letters[0])) or not _is_lone_stage(match, letters[0], text, taken):
                continue
            if _is_word_no(match, letters[0]):
                continue
            taken.add(match.span())
            for letter in letters:
                if match[letter] and not spans.holds(match.start(letter)):
                    yield _mention(match, letter, text)


def _is_word_no(match: re.Match[str], letter: str) -> bool:
    """Whether what looks like N0 or MO is the word "No" (T2a, No adenopathy)."""
    return letter == "n" and match["n"] == "o" and not match["m"]


class _Spans:
    """Spans of a text, none within another, that can be asked for by offset in little time."""

    def __init__(self) -> None:
        self._spans: list[tuple[int, int]] = []

    def add(self, span: tuple[int, int]) -> None:
        bisect.insort(self._spans, span)

    def holds(self, offset: int) -> bool:
        """Whether `offset` stands in one of the spans."""
        index = bisect.bisect_right(self._spans, (offset, sys.maxsize)) - 1
        return index >= 0 and offset < self._spans[index][1]

    def near(self, start: int, end: int, reach: int) -> bool:
        """Whether a span ends or starts less than `reach` characters from this one."""
        index = bisect.bisect_left(self._spans, (start, start))
        beside = self._spans[max(0, index - 1) : index + 2]
        return any(abs(start - other[1]) < reach or abs(other[0] - end) < reach for other in beside)


def _is_stage(match: re.Match[str], text: str, words: StageWords) -> bool:
    after, before = text[match.end() : match.end() + 24], text[max(0, match.start() - 60) : match.start()]
    category = match["t"].replace(" ", "")
    if match["n"]:
        return True
    if match.group()[0] == "t" or words.t_followed.match(after):
        return False
    if match["m"] and category[0].isdigit():
        return True
    if category in "Xx" and (match["tpre"] == "P" or f"t{category}" in match.group()):
        return False  # "ptx" and "PTX" are a pneumothorax
    if category in ("a", "A"):
        return match["tpre"] in ("p", "c") or bool(
            re.search(r"bladder|urothelial|\bTCC\b|ureter|renal pelvis", before + after, re.I)
        )
    if category.lower() == "is" and re.search(r"[Tt][ :]", match.group()):
        return False  # "pT is not assigned"
    if category[0] == "i" and category != "is":
        return match["tpre"] in ("p", "c", "yp", "yc")  # "Tib" alone is a shin, "Tid" a dose
    if (category[0] in "OoIlZ" and len(category) == 1) or category == "IS":
        return match["tpre"] in ("p", "c", "yp", "yc")
    if match["tpre"] and match["tpre"] not in ("a", "r", "y"):
        return not (match["tpre"] in "CP" and category.isdigit() and " " in match.group()[:3])
    if words.t_preceded.search(before):
        return False
    around = before[-45:] + " " + after
    has_suffix = len(category) > 1 and category[0].isdigit() and category[1] in "abcdABCD"
    if match["tr"]:
        return bool(re.search(r"stag|TNM|AJCC", around, re.I)) and "lock" not in after
    if re.match(r"[:,(][ (]{0,2}(?:tumou?r|invades|invasion|limited|confined)", after, re.I):
        return True
    if category in ("is", "ls", "1s"):
        return bool(re.search(r"stag|TNM|carcinoma|bladder|pT|urothelial|cancer", around, re.I))
    if " " in match.group() and not re.search(r"stag|TNM|AJCC|tumou?r", around, re.I):
        return False
    return bool((_CONTEXT if has_suffix else _STRONG).search(around))


_STRONG = re.compile(
    r"stag(?:e|ed|ing)\b|\bTNM|AJCC|UICC|disease\b|clinical(?:ly)? $|category|classification"
    r"|\bG[1-3]\b|lesion\b|cancer",
    re.IGNORECASE,
)


def _is_lone_stage(match: re.Match[str], letter: str, text: str, taken: _Spans) -> bool:
    prefix = match[f"{letter}pre"]
    category = match[letter].replace(" ", "")
    near = taken.near(*match.span(), 40)
    if prefix in ("p", "c", "yp", "yc", "rp", "rc") and " " not in match.group()[:2]:
        return category[0] not in "Il" or near
    if category[0] in "OoIlZ@":
        return near or bool(letter == "n" and match["m"] and category[0] == "@" and match["m"] in "@01Xx")
    if near and " " not in match.group()[:3]:
        return True
    around = text[max(0, match.start() - 45) : match.end() + 30]
    if letter == "n":
        if category == "0" and not match["m"] and _is_misread_no(match, text):
            return False
        if re.match(
            r"[ ,]{1,3}(?:\w+ ){0,3}(?:lymph|nodes?\b|LN)", text[match.end() : match.end() + 40], re.I
        ):
            return False  # a nodal station of the lung, or a cassette
        if match["m"] or category == "0":
            return not re.search(r"nephrometry|R\.E\.N\.A\.L|karyotype", around, re.I)
        return bool(re.search(r"stag(?:e|ed|ing)\b|TNM|AJCC|nodal|node", around, re.I)) and not re.search(
            r"nephrometry|R\.E\.N\.A\.L|station", around, re.I
        )
    return bool(re.search(r"stag(?:e|ed|ing)\b|TNM|AJCC|distant|metasta", around, re.I))


def _is_misread_no(match: re.Match[str], text: str) -> bool:
    """Whether N0 is the word "No" as OCR reads it: at the start of a clause that goes on ("N0 nodules")."""
    starts = re.search(r"(?:^|[.;:,!?\n])\s*$", text[max(0, match.start() - 4) : match.start()])
    return starts is not None and _GOES_ON.match(text, match.end()) is not None


_GOES_ON = re.compile(
    r"\s+(?!disease|status|stage|based|clinical|radio|patholog|neck|node)[A-Za-z]{4,}", re.IGNORECASE
)


def _field(match: re.Match[str], text: str) -> Mention | None:
    letter = next((match[f"letter{i}"] for i in range(1, 6) if match[f"letter{i}"]), "").upper()
    basis = (match["basis1"] or match["basis2"] or match["basis3"] or (match["word4"] or "")[:1]).lower()
    value = re.sub(r"\s", "", match["value"])
    inner = re.match(r"([cpyrCPYR]{0,2})([TNM]?)(.*)", value)
    if inner is None or (inner[2] and inner[2].upper() != letter):
        return None
    if not inner[2] and re.match(r"[ ]+[a-z]{2,}", text[match.end() : match.end() + 8]):
        return None  # "Regional lymph nodes (pN): 3 perithyroidal nodes" is a count
    return Mention(
        label=f"tnm_{letter.lower()}",
        value=letter + _normal(inner[3]),
        start=match.start("value"),
        end=match.end("value"),
        extractor=EXTRACTOR,
        attributes=_attributes(text, match.start("value"), match.end("value"), inner[1].lower() or basis, ""),
    )


def _mention(match: re.Match[str], letter: str, text: str) -> Mention:
    prefix = match[f"{letter}pre"] or ""
    inherited = prefix or _inherited(match, letter)
    start = match.start(f"{letter}pre") if prefix else text.rfind(letter.upper(), 0, match.start(letter))
    if start < match.start():
        start = match.start() if letter == "t" else match.start(letter)
    range_words = match.groupdict().get(f"{letter}r") or ""
    value = (
        letter.upper()
        + _normal(match[letter])
        + (range_words.replace(" ", "").upper() if range_words else "")
    )
    return Mention(
        label=f"tnm_{letter}",
        value=value,
        start=start,
        end=match.end(f"{letter}r") if range_words else match.end(letter),
        extractor=EXTRACTOR,
        attributes=_attributes(text, start, match.end(letter), inherited.lower(), range_words),
    )


def _inherited(match: re.Match[str], letter: str) -> str:
    """The prefix said once for the whole string: on the T, or else on the N."""
    groups = match.groupdict()
    for other in "tn":
        if other != letter and groups.get(f"{other}pre"):
            return groups[f"{other}pre"] or ""
    return ""


def _normal(category: str) -> str:
    compact = category.replace(" ", "").replace("(", "").replace(")", "")
    if compact.lower()[:2] in ("is", "ls", "1s"):
        return "IS"
    return (compact[:1].translate(_CONFUSED) + compact[1:]).upper()


def _attributes(text: str, start: int, end: int, basis: str, range_words: str) -> dict[str, str]:
    attributes: dict[str, str] = {}
    if basis:
        attributes["basis"] = basis
    if range_words:
        attributes["range"] = "true"
    hedge = _HEDGE.search(text[max(0, start - 24) : start])
    if hedge:
        attributes["hedge"] = hedge.group().strip().lower()
    return attributes
