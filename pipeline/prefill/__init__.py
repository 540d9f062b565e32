"""The reviewer's form, filled from a case, in the forms in which other systems take it.

    form_of(case, catalog, touches) -> Form                  each question, its answer, and whose it is
    questionnaire(policy, catalog) -> dict                   what a policy asks for, as FHIR
    questionnaire_response(form, catalog, at=...) -> dict    Da Vinci DTR
    mcode_bundle(form, catalog, at=...) -> dict              what is found of the tumour
    rows_of(form) -> [Row, ...]; csv_text, rows_as_json      one row a field
    form_pdf(form, fonts, at=..., page_image=...)            each answer beside its words on the page
    rendered(form, catalog, format, at=...) -> Rendered      any of them as checked bytes, by name

A form holds what stands; what is unknown, uncertain or contradictory is never an answer. Nothing here opens
a ledger or knows a clock: `review.prefilled` makes forms of the desk's cases.
"""

from pipeline.prefill.asked import asked_of
from pipeline.prefill.crops import PageImage, page_images
from pipeline.prefill.fill import filled, form_of
from pipeline.prefill.formats import FORMATS, Rendered, rendered, rendered_questionnaire, rendered_rows
from pipeline.prefill.mcode import mcode_bundle
from pipeline.prefill.questionnaire import questionnaire
from pipeline.prefill.records import Answer, Asked, By, Form, Question, Source, Touch, Touches
from pipeline.prefill.response import questionnaire_response
from pipeline.prefill.rows import COLUMNS, Row, csv_text, rows_as_json, rows_of
from pipeline.prefill.sheet import form_pdf

__all__ = [
    "COLUMNS",
    "FORMATS",
    "Answer",
    "Asked",
    "By",
    "Form",
    "PageImage",
    "Question",
    "Rendered",
    "Row",
    "Source",
    "Touch",
    "Touches",
    "asked_of",
    "csv_text",
    "filled",
    "form_of",
    "form_pdf",
    "mcode_bundle",
    "page_images",
    "questionnaire",
    "questionnaire_response",
    "rendered",
    "rendered_questionnaire",
    "rendered_rows",
    "rows_as_json",
    "rows_of",
]
