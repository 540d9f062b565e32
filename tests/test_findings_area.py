from __future__ import annotations

import pytest
from findings_texts import TREATMENT, regions_of

from pipeline.findings.area import area_phrases, find_area

PLAN, NOTE = "treatment_plan", "progress_note"


def area(*documents: tuple[str, str]) -> object:
    return find_area(area_phrases(regions_of(*documents), TREATMENT)).value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Treatment area:   left upper pole renal mass, 3.3 cm", "left upper pole renal mass, 3.3 cm"),
        ("TREATMENT AREA    Right hemigland, base to apex", "Right hemigland, base to apex"),
        ("Lesion / area: RIGHT kidney, lateral AML, 5 cm", "RIGHT kidney, lateral AML, 5 cm"),
        ("1. Target: 2 cm nodule of the right lower lobe.", "2 cm nodule of the right lower lobe"),
        (
            " AREA      L kidney lower pole mass, 3 cm, by the colon",
            "L kidney lower pole mass, 3 cm, by the colon",
        ),
        # A single blank is all that OCR may leave after a label of several words.
        ("Treatment area Right lower lobe nodule, 1.9 cm", "Right lower lobe nodule, 1.9 cm"),
        # The value goes on below, under itself.
        (
            "area    ectocervix, whole transformation zone, lesion at\n        2 to 5 o'clock\nprobe   25 mm",
            "ectocervix, whole transformation zone, lesion at 2 to 5 o'clock",
        ),
        # The label with the best name wins.
        (
            "Lesion   Adenoma of the left breast\nTreatment area   LEFT breast 4:00, mass 2 cm",
            "LEFT breast 4:00, mass 2 cm",
        ),
        # Nothing that says where: blank, to be decided, an organ alone.
        ("target + volume: ______________________ (MD to fill in)", None),
        ("Treatment area: TBD", None),
        ("Treatment area: see attached", None),
        ("Treatment area: prostate", None),
        ("Device   2 probes, 17 ga", None),
    ],
)
def test_labelled_line_of_a_plan(text: str, expected: str | None) -> None:
    assert area((PLAN, text)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "PLAN\nCryosurgery, SCC R forearm 9 mm + 3 mm margin, 2 cycles.",
            "SCC R forearm 9 mm + 3 mm margin",
        ),
        (
            "PLAN: Cryosurgery forehead lesion B, 1.1 cm + 2 mm rim, LN2 cone spray",
            "forehead lesion B, 1.1 cm + 2 mm rim",
        ),
        (
            "PLAN: CT-guided cryoablation of the 2.2 cm left upper pole renal mass under sedation.",
            "2.2 cm left upper pole renal mass",
        ),
        (
            "PLAN: Will treat the 1.8 cm right lower lobe nodule with cryoablation.",
            "1.8 cm right lower lobe nodule",
        ),
        ("PLAN: Cryo prostate, general, overnight Foley.", None),
        ("PLAN: cryoablation under CT. Orders to precert.", None),
        ("PLAN: Cryoablation of the renal mass.", None),
        # Not a plan: a finding of the examination, even with all its particulars.
        ("EXAM: 8 mm papule of the left temple.\nPLAN: Cryosurgery.", None),
    ],
)
def test_sentence_of_a_plan(text: str, expected: str | None) -> None:
    assert area((NOTE, text)) == expected


def test_only_a_plan_states_the_area() -> None:
    words = "Treatment area: left upper pole mass, 3 cm"
    assert area(("pa_request_form", words)) is None
    assert area(("imaging_report", words)) is None
    assert area((PLAN, words)) == "left upper pole mass, 3 cm"
