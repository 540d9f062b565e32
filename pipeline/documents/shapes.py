"""Things that stand on a page and are no fixed words: codes, tick boxes, stains, a salutation.

Each has a name by which `models/documents/*.toml` weigh it.
"""

from __future__ import annotations

import re

_I = re.IGNORECASE | re.MULTILINE

# name -> (pattern, how often it must stand on the page)
_SHAPES: dict[str, tuple[re.Pattern[str], int]] = {
    "procedure_code": (
        re.compile(
            r"""(?<![\w.,/$#-])(?:0\d{3}T|1[157]\d{3}|1910[56]|19[1-4]\d\d|20982|20983|31\d{3}|32\d{3}|47[1-3]\d\d
              |50\d{3}|55\d{3}|57[45]\d\d|67[0-2]\d\d|7[67]\d{3})(?![\w/]|[-.]\d)""",
            re.VERBOSE,
        ),
        1,
    ),
    "diagnosis_code": (re.compile(r"(?<![\w.-])[A-TV-Z]\d[\dA-Z]\.\d[\dA-Z]{0,3}(?![\w.-])"), 1),
    "tick_boxes": (re.compile(r"[\[(][ ]{0,2}[xX]?[ ]{0,2}[\])](?=\s)|[\u2610\u2611\u2612]"), 4),
    "asks_approval": (
        re.compile(
            r"""\bplease\s(?:approve|authorize|pre-?certify|ok)\b
              | \b(?:auth\w*|approval|ok)\s(?:is\s)?(?:wanted|needed)\b
              | \bprior\s(?:ok|approval)\b | \bneeds?\s(?:prior\s)?(?:auth|approval|ok)\b
              | \b(?:asking|request|applying)\s(?:for\s)?(?:prior\s)?(?:auth|approval|coverage|pre-?cert)""",
            re.VERBOSE | _I,
        ),
        1,
    ),
    "to_line": (
        re.compile(r"(?:^|(?<!\s)\s{2,})(?:fax[ ])?(?:to|for|addressee|attn)[ ]*(?:[:.]|[ ]{2,}\S)", _I),
        1,
    ),
    "from_line": (
        re.compile(r"(?:^|(?<!\s)\s{2,})(?:fax[ ])?(?:from|sender|sent[ ]by)[ ]*(?:[:.]|[ ]{2,}\S)", _I),
        1,
    ),
    "page_count": (
        re.compile(
            r"""\b(?:pages|pgs|sheets|pp|pg\.?[ ]count)\b[ .:=]*\(?[ ]?\d{1,2}\b(?![ ]?(?:of|/))
              | \b\d{1,2}[ ](?:pages|pgs|sheets)\b[ ]?(?:total|in[ ]all|with|incl|\(|$|counting)
              | \btotal[ ](?:of[ ])?\d{1,2}[ ](?:pages|pgs|sheets)""",
            re.VERBOSE | _I,
        ),
        1,
    ),
    "salutation": (re.compile(r"^[ \t]*(?:dear\b|to[ ]whom|to[ ]the[ ](?:medical|review|plan))", _I), 1),
    "salutation_plan": (
        re.compile(
            r"""^[ \t]*(?:to[ ]whom|(?:dear|to[ ]the|attention)\b[ ](?:\w+[ ]){0,2}
              (?:reviewers?|director|plan|sirs?|madam|colleagues?|friends|committee|board|department|team|review|medical|appeals?
              |insurance|um|utilization|people)\b)""",
            re.VERBOSE | _I,
        ),
        1,
    ),
    "salutation_doctor": (re.compile(r"^[ \t]*dear[ ](?:dr|doctor|drs|doctors)\b", _I), 1),
    "stains": (
        re.compile(
            r"""\b(?:TTF-?1|PAX-?[28]|CK[ ]?\d+(?:/\d)?|p40|p63|p16|GATA-?3|napsin(?:[ -]A)?|SOX-?10|MART-?1
              |S-?100|AMACR|CDX-?2|SATB2|NKX3\.1|synaptophysin|chromogranin|HER-?2|Ki-?67|CA-?IX|HMB-?45
              |vimentin|desmin|beta-?catenin|CD\d{1,3}
              |E-?cadherin|calretinin|ERG|HepPar|arginase|PSMA|WT-?1|Melan-?A|BerEP4|EMA|keratin|racemase)\b""",
            re.VERBOSE,
        ),
        3,
    ),
    "nodes_counted": (re.compile(r"\(\s?\d{1,2}\s?/\s?\d{1,2}\s?\)|\b\d{1,2} of \d{1,2}\b|\b0/\d{1,2}\b"), 3),
    "pathologic_stage": (re.compile(r"\by?p?pT(?:is|[0-4X])[a-d]?\b|\bpN[0-3X]|\bAJCC\b|\bTNM\b"), 1),
    "specimen_number": (re.compile(r"\b[A-Z]{1,4}\d{0,2}-?\d{2}-(?:[A-Z]{1,3}-)?[A-Z]?\d{3,6}\b"), 1),
    "freeze_times": (
        re.compile(
            r"""\b\d{1,2}(?:\.\d)?[ ]?(?:min(?:utes?)?|s|sec)\b[ ](?:freeze|thaw)|\bfreeze\b.{0,12}\bthaw\b
              |\bice[ ]?ball\b|\bcryo(?:probe|needle)s?\b|\b\d{2}[ ]?(?:g|gauge)\b
              |\b(?:double|triple)[ ]freeze""",
            re.VERBOSE | _I,
        ),
        2,
    ),
    "laboratory_rows": (
        re.compile(
            r"""^[ \t]*[A-Za-z][\w ,()/-]{1,28}?[ ]{1,}[<>]?\d+(?:\.\d+)?[ ]*(?:[HL*]{1,2}[ ]+)?
              .{0,24}(?:\d+(?:\.\d+)?[ ]?-[ ]?\d+(?:\.\d+)?|[<>][ ]?\d)""",
            re.VERBOSE | _I,
        ),
        4,
    ),
    "vital_signs": (
        re.compile(
            r"""\b(?:BP|blood[ ]pressure|pulse|temp(?:erature)?|HR|RR|resp(?:irations)?|wt|weight|sat|SpO2)\b
              [ :]{1,3}\d""",
            re.VERBOSE | _I,
        ),
        2,
    ),
}


def find_shapes(text: str) -> frozenset[str]:
    """The names of the shapes that stand on a page, each as often as it must."""
    return frozenset(
        name for name, (pattern, least) in _SHAPES.items() if _count(pattern, text, least) >= least
    )


def _count(pattern: re.Pattern[str], text: str, least: int) -> int:
    found = 0
    for _ in pattern.finditer(text):
        found += 1
        if found == least:
            break
    return found
