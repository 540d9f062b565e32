from __future__ import annotations

import pytest
from findings_texts import TREATMENT, regions_of

from pipeline.domain import Status
from pipeline.findings.intent import find_intent

PLAN, NOTE = "treatment_plan", "consultation"


@pytest.mark.parametrize(
    ("type", "text", "expected"),
    [
        (PLAN, "Intent:   curative", "curative"),
        (PLAN, "intent          cure", "curative"),
        (PLAN, "Goal      cure / local control, not palliative", "curative"),
        (PLAN, "Goal      Palliation: less pain. Not curative.", "palliative"),
        (PLAN, "INTENT   Palliative - relief of dyspnea. Cure of the tumor is not expected.", "palliative"),
        (NOTE, "PLAN: Cryoablation with curative intent.", "curative"),
        (NOTE, "PLAN: Freeze the lesion, 2 cycles. Curative. Recheck 6 wk.", "curative"),
        (NOTE, "ASSESSMENT: He elects focal cryotherapy of the index lesion for cure.", "curative"),
        (NOTE, "A/P:\nGoal is cure with preservation of the kidney.", "curative"),
        ("pa_request_form", "Purpose   [ ] Cure   [X] Palliation", "palliative"),
        # Not an intent of this procedure.
        (PLAN, "Intent    Bridge to transplant; local control", None),
        (PLAN, "Goal    shrink the lump, relieve pain", None),
        (NOTE, "PLAN: Palliative care following.", None),
        (NOTE, "PLAN: Cryoablation. Hospice was mentioned.", None),
        (NOTE, "PMH: breast cancer 2009, curative surgery.\nPLAN: Cryoablation.", None),
        (NOTE, "PLAN: prior palliative radiation, cryoablation now.", None),
        ("pa_request_form", "Purpose   [ ] Cure   [ ] Palliation", None),
        (PLAN, "if N1   re-discuss - not cure by itself", None),
        (PLAN, "Procedure: cryoablation", None),
    ],
)
def test_intent(type: str, text: str, expected: str | None) -> None:
    assert find_intent(regions_of((type, text)), TREATMENT).value == expected


def test_plans_that_differ_conflict() -> None:
    field = find_intent(regions_of((PLAN, "Intent: curative"), (PLAN, "Intent: palliative")), TREATMENT)
    assert field.status is Status.CONFLICTING
