"""What a provider would be asked, for the person who decides whether to ask. Nothing is entered or sent."""

from __future__ import annotations

from dataclasses import dataclass, field

from pipeline.case_json import from_json
from pipeline.cases import Knowledge
from pipeline.correspondence.listing import requests_of, sent_request
from pipeline.correspondence.records import Entry, To
from pipeline.delivery import channels_in
from pipeline.domain import Case
from pipeline.information_request import InformationRequest, draft_of
from pipeline.information_request.fhir import Provider, lacking
from pipeline.information_request.letter import letter_blocks, letter_html
from pipeline.information_request.plain import reading_grade
from pipeline.ledger import Ledger, standing_case


@dataclass(frozen=True, slots=True)
class Preview:
    """A request as a person sees it before it goes.

    `request` is a draft, or the open request that asks for the same already (`sent`): sending it again adds
    nothing. `to` is where it can go: the channels that are set up, and the provider as the packet names it,
    for the person to complete. `html` is letter and cover sheet, `grade` the school grade at which the letter
    reads; `fhir_lacks` what the FHIR form needs and does not have, empty where it has all.
    """

    request: InformationRequest
    to: To
    html: str = field(repr=False)
    grade: float
    sent: Entry | None = None
    fhir_lacks: tuple[str, ...] = ()


def preview(
    ledger: Ledger, knowledge: Knowledge, submission_id: str, provider: Provider | None = None
) -> Preview | None:
    """What `send` would ask for now; None where the submission's case lacks nothing or there is none.

    `provider` is who is asked, where a person has said it.
    """
    content = standing_case(ledger, submission_id)
    case = None if content is None else from_json(content)
    draft = None if case is None else draft_of(case, knowledge.catalog)
    if case is None or draft is None:
        return None
    entries = requests_of(ledger, submission_id=submission_id)
    asked = [(entry, sent_request(ledger, entry.reference)) for entry in entries]
    sent, request = next(((one, kept) for one, kept in asked if kept.codes == draft.codes), (None, draft))
    letters = knowledge.catalog.letters
    to = To(tuple(channels_in(knowledge.settings)), provider or _named(case))
    return Preview(
        request=request,
        to=to,
        html=letter_html(request, letters),
        grade=reading_grade(letter_blocks(request, letters)[0]),
        sent=sent,
        fhir_lacks=tuple(lacking(request, to.provider)),
    )


def _named(case: Case) -> Provider:
    """The provider that the request names. Its NPI is not taken over: FHIR asks for the organization's, and
    a form gives the person's (`case.request.npi`) as often."""
    last, _, first = (str(case.request.provider.value or "")).partition(", ")
    return Provider(f"{first} {last}".strip())
