"""Codes of the request against their code books, the words beside them and the rest of the packet.

A contradiction is told as a problem on the code's page, and shows in the code's status; what is asked for
is never changed to what would fit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from pipeline.catalog.request import RequestRules
from pipeline.domain import (
    Alternative,
    AnnotatedDocument,
    Code,
    Document,
    Evidence,
    Field,
    Problem,
    Request,
    Status,
)
from pipeline.evidence import evidence_for
from pipeline.icd10 import SYSTEM, load_icd10
from pipeline.request.against_findings import SiteOf, against_findings
from pipeline.request.beside import (
    Words,
    cpt_differs,
    cpt_fits,
    cpt_perhaps_misread,
    icd10_differs,
    icd10_fitting,
    looks_like,
    words_of,
)
from pipeline.request.diagnoses import diagnosis_codes
from pipeline.request.lines import StatedCode
from pipeline.request.procedures import procedure_codes
from pipeline.request.provider import npi_problems

# How sure a code is that its book does not have, and one that the words beside it contradict.
_UNKNOWN, _DISPUTED, _CATEGORY = 0.5, 0.6, 0.9


@dataclass(frozen=True)
class _Doubt:
    """Why a code cannot be taken as it reads: the problem's code and message; `disputed` by words beside."""

    code: str
    message: str
    disputed: bool = False
    misread: bool = False
    """Whether it is most likely not what the page says: then it has no value."""


_TWO_READINGS = _Doubt("code_not_readable", "reads otherwise in another place of the packet.", True, True)


class _Book(NamedTuple):
    """One code system: how a code's doubt is found, and another statement of it that fits better."""

    system: str
    title: str
    doubt: Callable[[str, Words], _Doubt | None]
    elsewhere: Callable[[str, Words, Sequence[AnnotatedDocument]], tuple[str, Evidence] | None]
    name: Callable[[str, RequestRules], str]


def check_request(
    documents: Sequence[AnnotatedDocument],
    request: Request,
    findings: Mapping[str, Field],
    rules: RequestRules,
    site_of: SiteOf,
) -> tuple[Request, tuple[Problem, ...]]:
    """The request with doubtful codes marked, and a problem for each contradiction, with its page.

    `site_of` tells the organ of a diagnosis code and whether it is a metastasis there.
    """
    own = {one.document.id: one for one in documents if one.document.belongs_to_patient is not False}
    cpt, of_cpt = _checked(request.cpt, _PROCEDURES, own, rules)
    icd10, of_icd10 = _checked(request.icd10, _DIAGNOSES, own, rules)
    request = replace(request, cpt=cpt, icd10=icd10)
    papers = against_findings(request, findings, rules, site_of)
    return request, (*of_cpt, *of_icd10, *npi_problems(request.npi), *papers)


def _checked(
    fields: Sequence[Field], book: _Book, own: Mapping[str, AnnotatedDocument], rules: RequestRules
) -> tuple[tuple[Field, ...], list[Problem]]:
    """The codes of one book, named and marked, and what is doubtful about them."""
    marked, problems = [], []
    stated = {field.value for field in fields}
    for number, field in enumerate(fields, 1):
        shown, value = field.evidence[0], str(field.value)
        source = own.get(shown.document or "")
        words = words_of(source, shown, rules) if source else None
        other = book.elsewhere(value, words, tuple(own.values())) if words else None
        if words is not None and (doubt := book.doubt(value, words) or (_TWO_READINGS if other else None)):
            field = _marked(field, doubt, words, other if other and other[0] not in stated else None)
            told = f"{book.title} code {number} {doubt.message}"
            problems.append(Problem(shown.file, shown.page, doubt.code, told))
        marked.append(_named(field, book, rules))
    return tuple(marked), problems


def _marked(field: Field, doubt: _Doubt, words: Words, other: tuple[str, Evidence] | None) -> Field:
    printed = Alternative(str(field.value), "as_printed", field.evidence)
    if other is not None:
        # the words beside the code and another place of the packet agree against what is printed here
        return Field(other[0], Status.CONFLICTING, _DISPUTED, evidence=(other[1],), alternatives=(printed,))
    if doubt.misread:
        return Field(status=Status.UNCERTAIN, evidence=field.evidence, alternatives=(printed,))
    if doubt.disputed:
        beside = Alternative(" ".join(words.evidence.quote.split()), "words_beside", (words.evidence,))
        return replace(field, status=Status.CONFLICTING, confidence=_DISPUTED, alternatives=(beside,))
    return replace(field, confidence=_UNKNOWN if doubt.code == "unknown_code" else _CATEGORY)


def _named(field: Field, book: _Book, rules: RequestRules) -> Field:
    """With the code's name in its book, where the book has it."""
    name = book.name(str(field.value), rules)
    return replace(field, code=Code(book.system, str(field.value), name)) if name else field


# --------------------------------------------------------------------------- procedure codes


def _cpt_doubt(code: str, words: Words) -> _Doubt | None:
    listed = code in words.rules.codes.by_code
    if not words.rules.codes.exists(code):
        told = "does not exist. Check it on the page."
        return _Doubt("unknown_code", told, disputed=words.misread, misread=words.misread)
    if cpt_differs(code, words):
        return _Doubt(
            "code_contradicts_words",
            "is not for what the words beside it say.",
            True,
            misread=words.misread and not listed,
        )
    if cpt_perhaps_misread(code, words):
        return _Doubt("code_not_readable", "cannot be read with certainty. Check it on the page.", True, True)
    return None


def _cpt_elsewhere(code: str, words: Words, own: Sequence[AnnotatedDocument]) -> tuple[str, Evidence] | None:
    """Of a code that the words beside it contradict, or that may be misread: one of the same look that
    another place states, and that is for what the words name, if they name anything."""
    listed = words.rules.codes.by_code
    contradicted = cpt_differs(code, words)
    if not contradicted and (code in listed or not words.misread):
        return None
    for value, evidence in _stated(own, words, procedure_codes):
        silent = not contradicted and not (words.sites or words.ways)
        if value in listed and looks_like(code, value) and (silent or cpt_fits(value, words)):
            return value, evidence
    return None


# --------------------------------------------------------------------------- diagnosis codes


def _icd10_doubt(code: str, words: Words) -> _Doubt | None:
    icd10 = load_icd10()
    if not icd10.exists(code):
        told = f"is not in ICD-10-CM ({icd10.edition}). Check it on the page."
        return _Doubt("unknown_code", told, words.misread, words.misread)
    if icd10_differs(code, words):
        misread = words.misread and any(True for _ in icd10_fitting(code, words))
        return _Doubt("code_contradicts_words", "is not for what the words beside it say.", True, misread)
    if not icd10.complete(code):
        return _Doubt("incomplete_code", "is a category. A code with more characters is needed.")
    return None


def _icd10_elsewhere(
    code: str, words: Words, own: Sequence[AnnotatedDocument]
) -> tuple[str, Evidence] | None:
    """Of a code that the words beside it contradict: the one for them that another place states."""
    if not icd10_differs(code, words):
        return None
    fitting = set(icd10_fitting(code, words))
    for value, evidence in _stated(own, words, diagnosis_codes):
        if value in fitting:
            return value, evidence
    return None


def _stated(
    own: Sequence[AnnotatedDocument],
    words: Words,
    read: Callable[[Document, RequestRules], list[StatedCode]],
) -> Iterator[tuple[str, Evidence]]:
    """Codes of the packet's own papers, but for those of the words' page."""
    for source in own:
        for code in read(source.document, words.rules):
            evidence = evidence_for(source.document, code.start, code.end, extractor="rule:request")
            if source is not words.source or evidence.page != words.page:
                yield code.value, evidence


def _title_of_cpt(code: str, rules: RequestRules) -> str:
    listed = rules.codes.by_code.get(code)
    return listed.title if listed else ""


def _meaning_of_icd10(code: str, _: RequestRules) -> str:
    return load_icd10().meaning(code)


_PROCEDURES = _Book("CPT", "Procedure", _cpt_doubt, _cpt_elsewhere, _title_of_cpt)
_DIAGNOSES = _Book(SYSTEM, "Diagnosis", _icd10_doubt, _icd10_elsewhere, _meaning_of_icd10)
