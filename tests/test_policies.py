"""Policy packs: every fault told with its line, versions side by side, and what a check finds."""

from __future__ import annotations

import contextlib
import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from decisions import case_of, field_of
from hypothesis import given
from hypothesis import strategies as st

from pipeline.catalog.conditions import All, Any, ConditionError, Is, Mentions, Named, Not, parse
from pipeline.catalog.facts import load_facts
from pipeline.catalog.places import Places
from pipeline.catalog.policies import Policies, RequiredDocument
from pipeline.catalog.policy_packs import load_policies
from pipeline.catalog.procedure_codes import load_procedure_codes
from pipeline.domain import Case, CaseDocument, Completeness, IdentityConflict, PolicyRef, Requirement
from pipeline.errors import CatalogError, UsageError
from pipeline.rules import Ruleset, evaluate
from pipeline.rules.check import Books, check
from pipeline.settings import load_settings

MODELS = load_settings({}).models_dir
BOOKS = Books(load_procedure_codes(MODELS), frozenset({"34117-2", "18776-5", "18748-4"}))
PACK = "policies/cryosurgical-ablation/2023-02-01/policy.toml"


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A copy of the packs and of what they are held against, to be spoilt."""
    for folder in ("policies", "documents", "fields", "staging"):
        shutil.copytree(MODELS / folder, tmp_path / folder)
    return tmp_path


def replaced(models: Path, old: str, new: str) -> Policies:
    path = models / PACK
    text = path.read_text(encoding="utf-8")
    assert text.count(old) >= 1
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return load_policies(models)


def rules(policies: Policies, policy_id: str = "cryosurgical-ablation") -> Ruleset:
    return Ruleset(policies[policy_id], load_facts(MODELS))


# ---------------------------------------------------------------------- the packs that ship


def test_the_packs_that_ship_have_no_faults_and_nothing_to_remark() -> None:
    policies = load_policies(MODELS)
    assert sorted(policies.versions) == ["cryosurgical-ablation", "example-bone-metastasis"]
    for policy_id in policies.versions:
        assert check(rules(policies, policy_id), BOOKS) == []
    assert policies["example-bone-metastasis"].example
    assert not policies["cryosurgical-ablation"].example


def test_what_the_policy_requires_to_be_submitted() -> None:
    documents = load_policies(MODELS)["cryosurgical-ablation"].required_documents
    assert [(document.name, document.elements) for document in documents] == [
        ("history_and_physical", ("history", "physical_exam")),
        ("treatment_plan", ("procedure", "treatment_area")),
    ]
    assert all(isinstance(document, RequiredDocument) for document in documents)


@pytest.mark.parametrize(
    ("code", "listed"),
    [
        ("50593", True), ("0581T", True), ("17260", True), ("17281", True), ("17286", True),
        ("17259", False), ("17287", False), ("50592", False), ("1728", False), ("172800", False),
    ],
)  # fmt: skip
def test_service_codes(code: str, listed: bool) -> None:
    policy = load_policies(MODELS)["cryosurgical-ablation"]
    assert any(service.covers(code) for service in policy.service_codes) is listed


@pytest.mark.parametrize(
    ("facts", "outcome", "criterion"),
    [
        ("tumor_site=bone; origin=metastatic; intent=palliative", "meets", "1"),
        ("procedure=microwave_ablation; tumor_site=bone; origin=metastatic; intent=palliative", "meets", "1"),
        ("tumor_site=bone; origin=metastatic; intent=curative; primary_site=kidney", "meets", "2"),
        ("tumor_site=bone; origin=metastatic; intent=curative; primary_site=lung", "investigational", "3"),
        ("tumor_site=bone; origin=metastatic; intent=curative", "needs_information", "2"),
        ("tumor_site=bone; origin=primary", "investigational", "3"),
        ("procedure=hifu; tumor_site=bone", "other_policy", "other_policy"),
    ],
)
def test_the_example_of_another_shape_needs_no_python(
    facts: str, outcome: str, criterion: str | None
) -> None:
    case = case_of(facts)
    hp = case.completeness.documents["history_and_physical"]
    both = Completeness(
        {"history_and_physical": hp, "imaging_report": Requirement("present")}, IdentityConflict(False)
    )
    ruleset = rules(load_policies(MODELS), "example-bone-metastasis")
    evaluation = evaluate(type(case)(**{**fields(case), "completeness": both}), ruleset)
    assert (evaluation.outcome, evaluation.criterion) == (outcome, criterion)
    without = evaluate(case, ruleset)
    if outcome != "other_policy":
        assert "imaging_report" in [missing.code for missing in without.missing]


def with_imaging_of(day: str | None, received: date | None) -> Case:
    case = case_of("tumor_site=bone; origin=primary")
    imaging = CaseDocument("d2", "a.pdf", "imaging_report", None, "CT", 3, 3, 1.0, service_date=day)
    documents = {**case.completeness.documents, "imaging_report": Requirement("present", {}, "d2")}
    completeness = replace(case.completeness, documents=documents)
    return replace(case, documents=(imaging,), completeness=completeness, received=received)


@pytest.mark.parametrize(
    ("received", "missing"), [(date(2026, 4, 5), []), (date(2026, 4, 6), ["imaging_report.date"])]
)
def test_a_document_that_is_too_old_on_receipt_is_asked_for_anew(received: date, missing: list[str]) -> None:
    ruleset = rules(load_policies(MODELS), "example-bone-metastasis")
    evaluation = evaluate(with_imaging_of("2026-01-05", received), ruleset)
    assert [item.code for item in evaluation.missing] == missing
    assert (evaluation.outcome == "needs_information") is bool(missing)
    assert evaluation.needs_person == ()
    if missing:
        assert "the one sent was 91 days old" in evaluation.missing[0].message


@pytest.mark.parametrize(
    ("day", "received", "told"),
    [
        ("2026-01-05", None, "Here it is of 2026-01-05."),
        ("2026-01-05", date(2026, 1, 4), "Here it is of 2026-01-05."),
        (None, date(2026, 1, 4), "Here it states no date."),
    ],
)
def test_a_document_that_may_be_too_old_is_for_a_person(
    day: str | None, received: date | None, told: str
) -> None:
    case = with_imaging_of(day, received)
    (question,) = evaluate(case, rules(load_policies(MODELS), "example-bone-metastasis")).needs_person
    assert "no more than 90 days old" in question
    assert question.endswith(told)
    assert evaluate(case, rules(load_policies(MODELS))).needs_person == ()


def fields(record: object) -> dict[str, object]:
    return {name: getattr(record, name) for name in record.__slots__}  # type: ignore[attr-defined]


def test_a_finding_may_have_a_threshold_of_its_own(models: Path) -> None:
    case = case_of("tumor_site=kidney")
    field = replace(case.findings["tumor_site"], confidence=0.8)
    case = replace(case, findings={**case.findings, "tumor_site": field})
    policies = replaced(
        models, "minimum_confidence = 0.65", "minimum_confidence = 0.65\nthresholds = { tumor_site = 0.85 }"
    )
    assert evaluate(case, rules(load_policies(MODELS))).outcome == "meets"
    assert evaluate(case, rules(policies)).outcome == "needs_information"
    with pytest.raises(CatalogError, match=r"thresholds\.tumour_site: there is no finding tumour_site"):
        replaced(models, "{ tumor_site = 0.85 }", "{ tumour_site = 0.85 }")


# ---------------------------------------------------------------------- faults


@pytest.mark.parametrize(
    ("old", "new", "key", "told"),
    [
        (
            "tumor_site is skin and behavior",
            "tumour_site is skin and behavior",
            "criteria.0.when",
            "there is no fact tumour_site; facts: airway_obstruction, approach",
        ),
        (
            'behavior is malignant"',
            'behavior is malign"',
            "criteria.0.when",
            "behavior is never malign; values: malignant, benign",
        ),
        (
            'tumor_site is kidney"',
            'tumor_site equals kidney"',
            "criteria.2.when",
            "'and', 'or' or the end was expected before 'equals'",
        ),
        (
            'when = "tumor_site is prostate"',
            'when = "tumor_site is"',
            "criteria.3.when",
            "a value was expected at the end",
        ),
        (
            "and lung_stage is one of stage_1, stage_2a",
            "and lung_stage is one of stage_1, stage_2b",
            "criteria.5.when",
            "lung_stage is never stage_2b; values: stage_0, stage_1, stage_2a, later",
        ),
        (
            'when = "lung_cancer and',
            'when = "lung_tumor and',
            "criteria.6.when",
            "there is no condition named lung_tumor before this one; names: lung_cancer",
        ),
        (
            "histology mentions melanoma, melanomas",
            "behavior mentions melanoma",
            "criteria.1.when",
            "behavior is not a fact that holds a phrase; such facts: histology, treatment_area",
        ),
        (
            "histology mentions melanoma, melanomas",
            "histology is melanoma",
            "criteria.1.when",
            "compare it with 'mentions'",
        ),
        (
            'criteria = ["I.A"]',
            'criteria = ["I.Z"]',
            "rulings.0.criteria",
            "there is no criterion I.Z; criteria: I.A, I.B",
        ),
        ('id = "I.B"', 'id = "I.A"', "criteria.1.id", "I.A is there twice"),
        (
            'title = "Melanoma of the uvea"',
            'titel = "Melanoma of the uvea"',
            "criteria.1.titel",
            "Extra inputs are not permitted",
        ),
        ('result = "not_met"', 'result = "denied"', "rulings.0.result", "Input should be 'met' or 'not_met'"),
        (
            '  "history_and_physical", "consultation"',
            '  "history_and_physicals", "consultation"',
            "required_documents.0.accepted_types",
            "there is no document type history_and_physicals; types:",
        ),
        (
            'elements = ["history", "physical_exam"]',
            'elements = ["history", "exam"]',
            "required_documents.0.elements",
            "does not say how to ask for exam",
        ),
        (
            'states = { procedure = "cryoablation" }',
            'states = { procedure = "cryo" }',
            "service_codes.0.states",
            "procedure is never cryo",
        ),
        ('code = "50250"', 'code = "5025"', "service_codes.6.code", "String should match pattern"),
        ('code = "50250"', 'code = "50593"', "service_codes.8.code", "50593 is there twice"),
        ('name = "nodes"', 'name = "n"', "combined.1.name", "n is already the name of a fact"),
        ('version = "2023-02-01"', 'version = "2024-02-01"', "version", "the folder is called 2023-02-01"),
        ('beside = ["I.F.2"]', 'beside = ["I.F.3"]', "criteria.5.beside", "there is no criterion I.F.3"),
    ],
)
def test_a_fault_is_told_with_its_line(models: Path, old: str, new: str, key: str, told: str) -> None:
    with pytest.raises(CatalogError) as caught:
        replaced(models, old, new)
    text = (models / PACK).read_text(encoding="utf-8")
    fault = next(line for line in str(caught.value).splitlines() if f": {key}: " in line)
    assert told in fault
    number = int(fault.removeprefix(f"{models / PACK}:").split(":")[0])
    assert line_of(text, key, new) == number


def line_of(text: str, key: str, new: str) -> int:
    """The line that a person would be sent to: where the spoilt words stand, or their key."""
    line = text[: text.index(new)].count("\n") + 1 + new.count("\n")
    moved = {"criteria.1.id": 0, "service_codes.8.code": 0, "required_documents.0.accepted_types": -1}
    if key == "service_codes.8.code":
        return text[: text.rindex('code = "50593"')].count("\n") + 1
    if key == "criteria.1.id":
        return text[: text.rindex('id = "I.A"\n')].count("\n") + 1
    return line + moved.get(key, 0)


def test_every_fault_is_told_at_once(models: Path) -> None:
    text = (models / PACK).read_text(encoding="utf-8")
    for site in ("kidney", "prostate"):
        text = text.replace(f'when = "tumor_site is {site}"', f'when = "tumor_site is my {site}"')
    (models / PACK).write_text(text, encoding="utf-8")
    with pytest.raises(CatalogError) as caught:
        load_policies(models)
    assert "criteria.2.when" in str(caught.value)
    assert "criteria.3.when" in str(caught.value)


def test_what_is_no_toml_is_told_with_its_line(models: Path) -> None:
    with pytest.raises(CatalogError, match="line 1"):
        replaced(models, "# Cryosurgical", "Cryosurgical")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('values = ["nsclc", "sclc"]', 'values = ["nsclc", "slc"]', "lung_type: lacks sclc"),
        ('values = ["nsclc", "sclc"]', 'values = ["nsclc", "slc"]', "lung_type: the finding is never slc"),
        ('name = "intent"', 'name = "intend"', "intend: there is no finding intend"),
        ('finding = "stage_group"', 'finding = "stage"', "stage_edition: there is no finding stage"),
        ('kind = "flag"', 'kind = "phrase"', "airway_obstruction: the finding is a flag, not a phrase"),
        ('  "0", "0A", "0IS", "I", "IA",', '  "0", "0A", "0IS", "I",', "derived_stage_group: lacks IA"),
    ],
)
def test_facts_are_held_against_the_findings(models: Path, old: str, new: str, told: str) -> None:
    path = models / "policies" / "facts.toml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    spoilt = text.replace(old, new)
    path.write_text(spoilt, encoding="utf-8")
    with pytest.raises(CatalogError) as caught:
        load_facts(models)
    fault = next(line for line in str(caught.value).splitlines() if told in line)
    line = int(fault.removeprefix(f"{path}:").split(":")[0])
    assert spoilt.splitlines()[line - 1] == "[[facts]]"
    assert spoilt.splitlines()[line] == f'name = "{told.split(":")[0]}"'


# ---------------------------------------------------------------------- what a check finds


@pytest.mark.parametrize(
    ("old", "new", "remark"),
    [
        (
            'tumor_site is kidney"',
            'tumor_site is kidney and tumor_site is lung"',
            "Criterion I.C can never be met.",
        ),
        (
            'tumor_site is kidney"',
            'tumor_site is one of kidney, prostate"',
            "Criteria I.C and I.D can be met together; the outcome then names I.C.",
        ),
        ('tumor_site is kidney"', 'tumor_site is kidney or not tumor_site is kidney"', None),
        (
            'beside = ["I.F.2"]\n',
            "",
            "Criteria I.F.1 and I.F.2 can be met together; the outcome then names I.F.1.",
        ),
        (
            'when = "tumor_site is liver"',
            'when = "tumor_site is liver and tumor_site is skin"',
            "Route liver can never be taken.",
        ),
        (
            'when = "tumor_site is uvea and origin is metastatic"',
            'when = "tumor_site is uvea and tumor_site is skin"',
            "Ruling uvea_metastasis can never apply.",
        ),
        (
            'when = "lung_cancer and airway',
            'when = "tumor_site is lung and airway',
            "lung_cancer is defined and nowhere used.",
        ),
        (
            'elements = ["history", "physical_exam"]',
            'elements = ["history"]',
            "Element physical_exam is required by no document.",
        ),
        ('code = "50593"', 'code = "99993"', "99993 is no CPT or HCPCS code."),
        (
            'code = "50593"',
            'code = "50594"',
            "50594 is not in models/procedure_codes.toml: correct it, or add it there.",
        ),
        ('"34117-2"', '"34117-3"', "34117-3 is no LOINC code: its check digit is wrong."),
        ('"34117-2"', '"11502-2"', "11502-2 is the LOINC code of no type in models/documents/."),
    ],
)
def test_what_a_check_remarks(models: Path, old: str, new: str, remark: str | None) -> None:
    remarks = [remark.message for remark in check(rules(replaced(models, old, new)), BOOKS)]
    if remark is None:
        assert remarks
    else:
        assert remark in remarks


# ---------------------------------------------------------------------- versions


@pytest.fixture
def two_versions(models: Path) -> Policies:
    folder = models / "policies" / "cryosurgical-ablation"
    shutil.copytree(folder / "2023-02-01", folder / "2025-01-01")
    path = folder / "2025-01-01" / "policy.toml"
    text = path.read_text(encoding="utf-8").replace("2023-02-01", "2025-01-01")
    text = text.replace(
        'when = "tumor_site is kidney"', 'when = "tumor_site is kidney and behavior is malignant"'
    )
    path.write_text(text, encoding="utf-8")
    return load_policies(models)


@pytest.mark.parametrize(
    ("day", "version"),
    [
        (date(2022, 1, 1), "2023-02-01"),
        (date(2023, 2, 1), "2023-02-01"),
        (date(2024, 12, 31), "2023-02-01"),
        (date(2025, 1, 1), "2025-01-01"),
        (date(2030, 1, 1), "2025-01-01"),
    ],
)
def test_the_version_in_force_on_a_day(two_versions: Policies, day: date, version: str) -> None:
    assert two_versions.in_force("cryosurgical-ablation", day).version == version


def test_a_case_keeps_the_version_it_was_judged_under(two_versions: Policies) -> None:
    outcomes = []
    for version in ("2023-02-01", "2025-01-01"):
        policy = two_versions.version(PolicyRef("cryosurgical-ablation", version))
        evaluation = evaluate(
            case_of("tumor_site=kidney; behavior=benign"), Ruleset(policy, load_facts(MODELS))
        )
        outcomes.append((evaluation.outcome, evaluation.evaluator.ruleset))
    assert outcomes == [
        ("meets", "cryosurgical-ablation@2023-02-01"),
        ("investigational", "cryosurgical-ablation@2025-01-01"),
    ]


def test_unknown_policies_and_versions_are_told_with_those_there_are(two_versions: Policies) -> None:
    with pytest.raises(UsageError, match="Policies: cryosurgical-ablation, example-bone-metastasis"):
        two_versions["knee"]
    with pytest.raises(UsageError, match="Versions kept: 2023-02-01, 2025-01-01"):
        two_versions.version(PolicyRef("cryosurgical-ablation", "2020-01-01"))


# ---------------------------------------------------------------------- the language


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("a is b", Is("a", ("b",))),
        ("a is not b", Not(Is("a", ("b",)))),
        ("a is one of b, c", Is("a", ("b", "c"))),
        ('a mentions "in situ", b', Mentions("a", ("in situ", "b"))),
        ("x", Named("x")),
        ("not x and y", All((Not(Named("x")), Named("y")))),
        ("x or y and z", Any((Named("x"), All((Named("y"), Named("z")))))),
        ("(x or y) and z", All((Any((Named("x"), Named("y"))), Named("z")))),
        ("a is true\nand b is c", All((Is("a", ("true",)), Is("b", ("c",), 1)))),
    ],
)
def test_parse(text: str, tree: object) -> None:
    assert parse(text) == tree


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", 0),
        ("a is", 0),
        ("a is b,", 0),
        ("a is b c", 0),
        ("(a is b", 0),
        ("a is b\nand and", 1),
        ("a = b", 0),
        ("a is b)", 0),
        ("a is one", 0),
        ("a is one of", 0),
        ("a\nis one of ,", 1),
    ],
)
def test_what_is_no_condition_is_refused(text: str, line: int) -> None:
    with pytest.raises(ConditionError) as caught:
        parse(text)
    assert caught.value.line == line


@given(st.text(alphabet='abis onetrd()",\n', max_size=40))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    """Nothing but a ConditionError may come of it."""
    with contextlib.suppress(ConditionError):
        parse(text)


def test_places() -> None:
    places = Places("a = 1\n[t]\nb.c = 2\n[[x]]\nd = '''\none\ntwo\n'''\n[[x.y]]\ne = 3\n[[x]]\nd = 'z'\n")
    assert places.line(("a",)) == 1
    assert places.line(("t", "b", "c")) == 3
    assert places.line(("x", 0, "d")) == 5
    assert places.line_in_value(("x", 0, "d"), 1) == 7
    assert places.line(("x", 0, "y", 0, "e")) == 10
    assert places.line(("x", 1, "d")) == 12
    assert places.line(("x", 1, "nothing")) == 11
    assert places.line(("nowhere",)) == 1


def test_the_table_s_fields_are_what_it_says() -> None:
    assert field_of("IIA@7").edition == "7"
    assert field_of("a|b").alternatives[0].value == "b"
