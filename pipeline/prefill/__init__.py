"""The reviewer's form, filled from a case, in the forms in which other systems take it.

    form_of(case, catalog, touches) -> Form                  each question, its answer, and whose it is
    questionnaire(policy, catalog) -> dict                   what a policy asks for, as FHIR
    questionnaire_response(form, catalog, at=...) -> dict    Da Vinci DTR

A form holds what stands; what is unknown, uncertain or contradictory is never an answer.
"""

from pipeline.prefill.asked import asked_of
from pipeline.prefill.fill import filled, form_of
from pipeline.prefill.questionnaire import questionnaire
from pipeline.prefill.records import Answer, Asked, By, Form, Question, Source, Touch, Touches
from pipeline.prefill.response import questionnaire_response

__all__ = [
    "Answer",
    "Asked",
    "By",
    "Form",
    "Question",
    "Source",
    "Touch",
    "Touches",
    "asked_of",
    "filled",
    "form_of",
    "questionnaire",
    "questionnaire_response",
]
