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
        # What it is for is not what is treated, on the next line as little as behind a comma.
        (
            "Treatment area: 2.4 cm mass, lower pole left kidney, 5 mm margin\nCurative intent",
            "2.4 cm mass, lower pole left kidney, 5 mm margin",
        ),
        (
            "TREATMENT AREA: 2.4 CM MASS, LOWER POLE LEFT KIDNEY WITH A 5 MM MARGIN\nPALLIATIVE INTENT",
            "2.4 CM MASS, LOWER POLE LEFT KIDNEY WITH A 5 MM MARGIN",
        ),
        ("Area to be treated: left apical nodule, 14 mm, curative intent", "left apical nodule, 14 mm"),
        ("Treatment area: (to be filled in by MD)", None),
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
        # Labels nobody listed: the words decide.
        (
            "Frozen region ..... right lower pole mass 2.2 cm, 5 mm rim",
            "right lower pole mass 2.2 cm, 5 mm rim",
        ),
        ("freeze what ... anterior mass 1.9 cm, right kidney", "anterior mass 1.9 cm, right kidney"),
        ("which one     RUL apical mass 3.1 cm, whole + 1 cm", "RUL apical mass 3.1 cm, whole + 1 cm"),
        (
            "1  Procedure  Bronchoscopy\n2  Site       Left main bronchus, tumor at 2 cm",
            "Left main bronchus, tumor at 2 cm",
        ),
        (
            "Job    left breast 3:00 mass, 9 mm, upper outer quadrant",
            "left breast 3:00 mass, 9 mm, upper outer quadrant",
        ),
        # The same words under a label that heads something else.
        ("MRI           right lower pole mass 2.2 cm", None),
        ("not treat ..... right lower pole mass 2.2 cm", None),
        ("Target        lumen half open, lower lobe aerated", None),
        ("Target        -40 C at the apex", None),
        ("Approach      left lateral, lower rib", None),
        ("Skin          upper outer quadrant, 14 mm deep", None),
        ("Site marked : R kidney, posterior, 2.3 cm", "R kidney, posterior, 2.3 cm"),
        ("| Target zone | right mid pole mass 2.5 cm |\n| Edge | 5 mm |", "right mid pole mass 2.5 cm"),
        (
            "What is frozen?   mass nasal to the disc OS, 5 x 4 mm\nWhat is not?      macula",
            "mass nasal to the disc OS, 5 x 4 mm",
        ),
        (
            "PROCEDURE: CRYOABLATION. TARGET: LEFT\nKIDNEY, 2.4 CM HILAR MASS. POWER: 65 W.",
            "LEFT KIDNEY, 2.4 CM HILAR MASS",
        ),
        (
            "Lesion treated in 2022: right upper pole 2 cm\nLesion now: left lower pole 2.6 cm mass",
            "left lower pole 2.6 cm mass",
        ),
        # A richer line beats a poorer one with a better word in its label.
        (
            "Target  left kidney\nLesion  2.4 cm upper pole mass, left kidney",
            "2.4 cm upper pole mass, left kidney",
        ),
    ],
)
def test_any_labelled_row_of_a_plan(text: str, expected: str | None) -> None:
    assert area((PLAN, text)) == expected


def test_outside_a_plan_only_a_label_that_speaks_of_treating() -> None:
    area_words = "left posterior renal lesion, 2.1 cm"
    assert area((NOTE, f"OPINION\nStable.\n\nTo be frozen .... {area_words}")) == area_words
    assert area((NOTE, f"OPINION\nStable.\n\nKidney ..... {area_words}")) is None


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
        (
            "PLAN: We propose cryoablation under CT guidance of the right posterior renal lesion,\n"
            "2.1 x 2 cm, 4 mm rim, on 3 May.",
            "right posterior renal lesion, 2.1 x 2 cm, 4 mm rim",
        ),
        ("PLAN: 1.1 cm left apical nodule: cryoablation.", "1.1 cm left apical nodule"),
        (
            "PLAN: Cryoablation. The ice will cover the entire 1.9 cm nodule of the right middle lobe.",
            "entire 1.9 cm nodule of the right middle lobe",
        ),
        (
            "PLAN: The 2 cm mass of the left lower pole will be frozen in two cycles.",
            "2 cm mass of the left lower pole",
        ),
        ("PLAN: The 2 cm mass of the left lower pole will be watched.", None),
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


_SHEET = (
    "{title}\nzone     left hemigland, base to apex\nanes     spinal\nprobes   4\ncath     5 d\n"
    "hold     aspirin\n"
)


def test_a_plan_sent_as_another_paper_is_read_as_a_plan() -> None:
    assert area(("other", _SHEET.format(title="ENERGY PLAN, cryo"))) == "left hemigland, base to apex"
    assert area(("consent_form", _SHEET.format(title="CRYO ORDER"))) == "left hemigland, base to apex"
    # A form of the payer stays a form, a leaflet a leaflet, whatever they are headed.
    assert area(("pa_request_form", _SHEET.format(title="PLAN\nMember ID   X1"))) is None
    assert (
        area(("other", "Your cryo plan\nzone     left hemigland, base to apex\nRest for two days.")) is None
    )
