from __future__ import annotations

import pytest
from findings_texts import TREATMENT, packet

from pipeline.findings.airway import find_airway_obstruction

NOTE, IMAGING = "consultation", "imaging_report"


@pytest.mark.parametrize(
    ("type", "text", "expected"),
    [
        (IMAGING, "FINDINGS: A mass narrows the right main bronchus by about 70%.", True),
        (IMAGING, "IMPRESSION: Endobronchial tumor occluding the bronchus intermedius.", True),
        (NOTE, "IMPRESSION: Malignant central airway obstruction, trachea.", True),
        # What is blocked outweighs what is open.
        (IMAGING, "FINDINGS: Mass obstructs the left mainstem. Trachea and right bronchi are clear.", True),
        (IMAGING, "FINDINGS: Central airways patent. No endobronchial lesion.", False),
        (IMAGING, "FINDINGS: Airways patent.", False),
        (NOTE, "IMPRESSION: Peripheral mass with no airway involvement.", False),
        ("pa_request_form", "Central airway obstruction?        no", False),
        ("pa_request_form", "5. Is there an obstructing central airway lesion?   [ ] Yes  [X] No", False),
        ("pa_request_form", "5. Is there an obstructing central airway lesion?   [X] Yes  [ ] No", True),
        # Not a finding.
        ("pa_request_form", "[ ] lung, palliation of central airway obstruction", None),
        (NOTE, "RISKS: airway obstruction, bleeding.", None),
        (NOTE, "PHYSICAL EXAM: Airway Mallampati II.", None),
        (NOTE, "DISCUSSION: The policy covers palliation of a central airway obstructing lesion.", None),
        ("consent_form", "The airway may be blocked by swelling. Airway obstruction.", None),
        (NOTE, "PMH: COPD, sleep apnea.", None),
    ],
)
def test_airway(type: str, text: str, expected: bool | None) -> None:
    assert find_airway_obstruction(packet((type, text)), TREATMENT).value is expected
