from __future__ import annotations

import pytest
from findings_texts import TREATMENT, regions_of, request

from pipeline.domain import Request, Status
from pipeline.findings.procedure import find_procedure

PLAN, NOTE, FORM = "treatment_plan", "consultation", "pa_request_form"


@pytest.mark.parametrize(
    ("documents", "expected"),
    [
        ([(PLAN, "Procedure:   Percutaneous cryoablation, CT guidance")], "cryoablation"),
        ([(PLAN, "METHOD    LN2 spray, two cycles")], "cryoablation"),
        ([(PLAN, "Modality     Microwave ablation of the mass")], "microwave_ablation"),
        ([(PLAN, "PROC   renal ablation\n   ( ) cryo    (x) RF    ( ) MW")], "radiofrequency_ablation"),
        ([(PLAN, "[ ] RFA   [ ] microwave   [X] cryoablation")], "cryoablation"),
        ([(NOTE, "PLAN\nTransrectal HIFU of the left hemigland next month.")], "hifu"),
        ([(NOTE, "PLAN: Y-90 radioembolization of segment 8.")], "radioembolization"),
        ([(NOTE, "PLAN: focal laser ablation of the index lesion under MRI.")], "focal_laser_ablation"),
        # Preferred over another: the first is meant.
        ([(NOTE, "PLAN: Cryoablation preferred over heat-based ablation (RFA, microwave).")], "cryoablation"),
        ([(NOTE, "PLAN: Radiofrequency ablation rather than cryoablation.")], "radiofrequency_ablation"),
        # A remark about what was not done does not outweigh the plan.
        (
            [
                (
                    NOTE,
                    "HPI: We first talked about cryoablation; its console is broken.\nPLAN: RFA of the mass.",
                ),
                (PLAN, "Procedure: percutaneous RFA, CT"),
            ],
            "radiofrequency_ablation",
        ),
        # The printed title of a form is not a request.
        (
            [
                (FORM, "CRYOSURGICAL ABLATION - PRIOR AUTHORIZATION REQUEST FORM\nCPT 50592"),
                (PLAN, "Procedure: percutaneous radiofrequency ablation"),
            ],
            "radiofrequency_ablation",
        ),
        (
            [(PLAN, "Alternatives    microwave not suitable near the bowel\nProcedure   cryoablation")],
            "cryoablation",
        ),
        # Nothing of a treatment is said.
        ([(PLAN, "Follow up CT in three months.")], None),
        ([("other", "Freezing (cryotherapy) destroys the outer layer.")], None),
        ([(NOTE, "PLAN: He declined cryoablation.")], None),
    ],
)
def test_words_of_the_plan(documents: list[tuple[str, str]], expected: str | None) -> None:
    assert find_procedure(regions_of(*documents), Request(), TREATMENT).value == expected


@pytest.mark.parametrize(
    ("code", "expected"),
    [("50593", "cryoablation"), ("50592", "radiofrequency_ablation"), ("50542", None), ("31641", None)],
)
def test_a_code_tells_the_modality_only_where_it_names_one(code: str, expected: str | None) -> None:
    assert find_procedure(regions_of(), request(code), TREATMENT).value == expected


def test_words_beat_the_code() -> None:
    field = find_procedure(
        regions_of((PLAN, "Procedure: laparoscopic microwave ablation")), request("50593"), TREATMENT
    )
    assert field.value == "microwave_ablation"
    assert [alternative.value for alternative in field.alternatives] == ["cryoablation"]


def test_two_plans_of_one_weight_conflict() -> None:
    field = find_procedure(
        regions_of((PLAN, "Procedure: cryoablation"), (PLAN, "Procedure: microwave ablation")),
        Request(),
        TREATMENT,
    )
    assert field.status is Status.CONFLICTING


def test_evidence_is_the_documents_own_words() -> None:
    text = "Date 1/1\nProcedure:   Percutaneous cryoablation, CT guidance\n"
    (evidence,) = find_procedure(regions_of((PLAN, text)), Request(), TREATMENT).evidence
    assert (
        text[evidence.start : evidence.end]
        == evidence.quote
        == "Procedure:   Percutaneous cryoablation, CT guidance"
    )
