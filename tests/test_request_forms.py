"""The forms for machines say what the letter says, and are valid before they leave."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from typing import Any

import pytest
from request_packets import KNOWLEDGE, LETTERS, Made, made

from pipeline.errors import RequestError
from pipeline.fhir import check_resource
from pipeline.fhir.check import values_at
from pipeline.information_request.fhir import Provider, attachment_task, communication_request
from pipeline.information_request.record import AskedAbout
from pipeline.information_request.x12 import x12_277

PROVIDER = Provider("Lakeside Urology", "1234567893", "(614) 555-0101")
PROFILES = KNOWLEDGE.catalog.profiles
PACKETS = [
    ("kidney_clear_cell", "no_exam"),
    ("prostate_focal", "no_area"),
    ("lung_stage_not_stated", "wrong_patient"),
    ("skin_without_biopsy", "complete"),
]


@pytest.fixture(params=PACKETS, ids="-".join)
def packet(request: pytest.FixtureRequest) -> Made:
    return made(*request.param)


def test_both_resources_are_valid_and_as_their_profiles_require(packet: Made) -> None:
    for form in (attachment_task, communication_request):
        resource = form(packet.request, LETTERS, PROVIDER)
        assert resource["meta"]["profile"][0] in PROFILES
        assert check_resource(resource, PROFILES) == []
        json.dumps(resource)


def test_all_forms_ask_by_the_same_codes_until_the_same_day(packet: Made) -> None:
    request = packet.request
    codes = [item.loinc.code for item in request.items]
    task = attachment_task(request, LETTERS, PROVIDER)
    needed = "input[type.coding.code=attachments-needed].valueCodeableConcept.coding.code"
    assert values_at(task, needed) == codes
    message = communication_request(request, LETTERS, PROVIDER)
    assert values_at(message, "payload.contentString") == list(dict.fromkeys(codes))
    segments = x12_277(request, LETTERS, PROVIDER)["2200D"]
    assert [status["STC01"] for status in segments["STC"]] == [
        {"1": "R4", "2": code, "4": "LOI"} for code in codes
    ]
    assert request.due is not None
    assert (
        task["restriction"]["period"]["end"] == message["occurrencePeriod"]["end"] == request.due.isoformat()
    )
    assert segments["DTP"]["DTP03"] == request.due.strftime("%Y%m%d")
    assert task["identifier"][0]["value"] == segments["TRN"]["TRN02"] == request.reference


def test_the_provenance_names_the_records_and_pages_that_are_cited(packet: Made) -> None:
    task = attachment_task(packet.request, LETTERS, PROVIDER)
    told = values_at(task, "contained[resourceType=Provenance].entity.what.display")
    cited = {
        record.document for item in packet.request.items for found in item.found for record in found.records
    }
    values = values_at(task, "contained[resourceType=Provenance].entity.what.identifier.value")
    assert {value.split("/")[1] for value in values if "/" in value} == cited
    assert all("page" in display for display in told)


def test_no_form_holds_anything_of_another_patient_or_decides() -> None:
    packet = made("lung_stage_not_stated", "wrong_patient")
    other = packet.people.other
    for form in (attachment_task, communication_request, x12_277):
        text = json.dumps(form(packet.request, LETTERS, PROVIDER))
        for word in (other.first, other.born.isoformat(), other.mrn, other.member_id):
            assert word not in text
        assert not LETTERS.decides(text)


@pytest.mark.parametrize(
    ("about", "provider", "told"),
    [
        (AskedAbout(None, "1950-01-01", "M1"), PROVIDER, "the patient's name"),
        (AskedAbout("Doe, Jane", None, "M1"), PROVIDER, "the birth date"),
        (AskedAbout("Doe, Jane", "1950-01-01", None), PROVIDER, "the member number"),
        (AskedAbout("Doe, Jane", "1950-01-01", "M1"), Provider("Somebody"), "the provider's NPI"),
    ],
    ids=["name", "birth date", "member number", "NPI"],
)
def test_what_a_profile_requires_is_never_made_up(about: AskedAbout, provider: Provider, told: str) -> None:
    request = replace(made("kidney_clear_cell", "no_exam").request, about=about)
    for form in (attachment_task, communication_request):
        with pytest.raises(RequestError, match=told):
            form(request, LETTERS, provider)
    assert x12_277(request, LETTERS, provider)["2200D"]["STC"]


def _without(resource: dict[str, Any], *path: str | int) -> dict[str, Any]:
    copied: Any = copy.deepcopy(resource)
    inner = copied
    for step in path[:-1]:
        inner = inner[step]
    del inner[path[-1]]
    return copied  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    "path",
    [
        ("status",), ("intent",), ("code",), ("for",), ("owner",), ("requester",), ("identifier",),
        ("input", 0),
        ("input", 1), ("input", 2), ("restriction",), ("reasonCode",), ("reasonReference",), ("contained", 0),
        ("contained", 1), ("contained", 0, "birthDate"), ("contained", 0, "identifier", 0, "value"),
        ("input", 0, "extension"),
        ("contained", 2), ("contained", 2, "agent"), ("contained", 2, "recorded"), ("contained", 2, "target"),
        ("contained", 2, "entity"), ("contained", 2, "entity", 0, "what"), ("relevantHistory",),
    ],
    ids=lambda path: ".".join(map(str, path)),
)  # fmt: skip
def test_each_required_element_is_missed_where_it_is_not(path: tuple[str | int, ...]) -> None:
    task = attachment_task(made("kidney_clear_cell", "no_exam").request, LETTERS, PROVIDER)
    assert check_resource(_without(task, *path), PROFILES) != []


@pytest.mark.parametrize(
    "path",
    [
        ("status",), ("identifier",), ("category",), ("payload",), ("payload", 0), ("subject",),
        ("authoredOn",), ("requester",), ("sender",), ("contained", 1), ("contained", 2),
        ("identifier", 0, "value"),
    ],
    ids=lambda path: ".".join(map(str, path)),
)  # fmt: skip
def test_each_required_element_of_a_communication_request_too(path: tuple[str | int, ...]) -> None:
    message = communication_request(made("kidney_clear_cell", "no_exam").request, LETTERS, PROVIDER)
    assert check_resource(_without(message, *path), PROFILES) != []


def test_wrong_values_and_wrong_types_are_told_without_being_quoted() -> None:
    task = attachment_task(made("kidney_clear_cell", "no_exam").request, LETTERS, PROVIDER)
    assert check_resource({**task, "intent": "plan"}, PROFILES) == ["intent: must be order"]
    [fault] = check_resource({**task, "authoredOn": "Haines, Roberta"}, PROFILES)
    assert fault.startswith("authoredOn")
    assert "Haines" not in fault
    assert check_resource({"resourceType": "Invented"}, PROFILES) == ["resourceType: no resource of FHIR R4B"]
