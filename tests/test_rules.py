"""The embedded evaluator against the decision table, and what must hold of it whatever the case."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from itertools import product

import pytest
from decisions import Decision, case_of, decisions, evidence, field_of
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.catalog.conditions import parse
from pipeline.catalog.facts import load_facts
from pipeline.catalog.policy_packs import load_policies
from pipeline.domain import Alternative, Case, CriterionResult, Evaluation, Field, Status
from pipeline.rules import Ruleset, evaluate
from pipeline.rules.explain import explain
from pipeline.rules.kleene import Truth, conjunction, disjunction, negation
from pipeline.settings import load_settings

MODELS = load_settings({}).models_dir
FACTS = load_facts(MODELS)
POLICY = load_policies(MODELS)["cryosurgical-ablation"]
RULES = Ruleset(POLICY, FACTS)
T, F, U = Truth.TRUE, Truth.FALSE, Truth.UNKNOWN


def judge(facts: str = "", documents: str = "") -> Evaluation:
    return evaluate(case_of(facts, documents), RULES)


def criterion(evaluation: Evaluation, name: str) -> CriterionResult:
    return next(result for result in evaluation.criteria if result.id == name)


# ---------------------------------------------------------------------- the table


@pytest.mark.parametrize("row", list(decisions()), ids=lambda row: row.name)
def test_decision_table(row: Decision) -> None:
    evaluation = evaluate(row.case, RULES)
    results = {result.id: result.result for result in evaluation.criteria}
    assert (evaluation.outcome, evaluation.criterion) == (row.outcome, row.criterion)
    assert results == {name: row.results.get(name, "not_met") for name in results}


def test_the_table_is_large_and_every_row_cites_the_policy() -> None:
    rows = list(decisions())
    assert len(rows) >= 150
    assert all(row.section for row in rows)


def test_every_route_criterion_and_ruling_has_a_row() -> None:
    evaluations = [evaluate(row.case, RULES) for row in decisions()]
    reasons = {reason for evaluation in evaluations for reason in evaluation.needs_person}
    assert {evaluation.other_policy for evaluation in evaluations} >= {
        route.policy for route in POLICY.routes
    }
    assert {evaluation.criterion for evaluation in evaluations} >= {each.id for each in POLICY.criteria}
    for ruling in POLICY.rulings:
        if ruling.needs_person:
            assert f"{ruling.question} {ruling.reason}" in reasons


# ---------------------------------------------------------------------- Kleene's tables


@pytest.mark.parametrize(
    ("left", "right", "both", "either"),
    [
        (T, T, T, T), (T, U, U, T), (T, F, F, T),
        (U, T, U, T), (U, U, U, U), (U, F, F, U),
        (F, T, F, T), (F, U, F, U), (F, F, F, F),
    ],
)  # fmt: skip
def test_conjunction_and_disjunction(left: Truth, right: Truth, both: Truth, either: Truth) -> None:
    assert conjunction([left, right]) is both
    assert disjunction([left, right]) is either


def test_negation() -> None:
    assert [negation(truth) for truth in (T, U, F)] == [F, U, T]


@pytest.mark.parametrize(
    ("condition", "world", "truth"),
    [
        ("tumor_site is lung", {"tumor_site": "lung"}, T),
        ("tumor_site is lung", {"tumor_site": "skin"}, F),
        ("tumor_site is lung", {}, U),
        ("tumor_site is not lung", {"tumor_site": "skin"}, T),
        ("tumor_site is not lung", {}, U),
        ("tumor_site is one of lung, skin", {"tumor_site": "skin"}, T),
        ("not (tumor_site is lung and behavior is benign)", {"behavior": "malignant"}, T),
        ("histology mentions melanoma", {"histology": "uveal Melanoma, spindle"}, T),
        ("histology mentions melanoma", {"histology": "melanomatosis"}, F),
        ('histology mentions "in situ"', {"histology": "carcinoma in-situ"}, T),
        ("histology mentions microinvas*", {"histology": "microinvasive carcinoma"}, T),
        ("histology mentions microinvas*", {"histology": "invasive carcinoma"}, F),
        ("histology mentions melanoma", {}, U),
        ("nodes is negative", {"stage_group": "IB"}, T),
        ("nodes is negative", {"stage_group": "IB", "n": "N1"}, U),
        ("nodes is negative", {"stage_group": "IIA"}, U),
        ("lung_cancer", {"tumor_site": "lung", "lung_type": "sclc"}, T),
        ("lung_cancer", {"tumor_site": "bone"}, F),
    ],
)
def test_conditions(condition: str, world: Mapping[str, str], truth: Truth) -> None:
    assert RULES.truth(parse(condition), world) is truth


# ---------------------------------------------------------------------- reasons


@pytest.mark.parametrize(
    ("facts", "name", "because"),
    [
        ("tumor_site=kidney", "I.C", {"tumor_site"}),
        ("tumor_site=kidney; behavior=malignant", "I.A", {"tumor_site"}),
        ("tumor_site=skin; behavior=malignant", "I.A", {"tumor_site", "behavior"}),
        ("tumor_site=skin; behavior=benign", "I.A", {"behavior"}),
        ("tumor_site=lung; lung_type=sclc; stage_group=IV", "I.F.1", {"lung_type", "stage_group"}),
        (
            "tumor_site=lung; lung_type=sclc; intent=palliative; airway_obstruction=false",
            "I.F.2",
            {"airway_obstruction"},
        ),
        ("tumor_site=lung; lung_type=nsclc; n=N1", "I.F.1", {"n"}),
        ("tumor_site=lung; origin=metastatic", "I.F.2", {"origin"}),
        ("tumor_site=kidney; origin=metastatic", "I.C", {"tumor_site", "origin"}),
    ],
)
def test_a_result_names_what_decides_it(facts: str, name: str, because: set[str]) -> None:
    assert set(criterion(judge(facts), name).because) == because


@pytest.mark.parametrize(
    ("facts", "name", "would_settle"),
    [
        ("tumor_site=skin", "I.A", {"behavior"}),
        ("tumor_site=skin; behavior=uncertain", "I.A", {"behavior"}),
        ("tumor_site=uvea", "I.B", {"behavior+histology"}),
        ("behavior=malignant", "I.C", {"tumor_site"}),
        ("tumor_site=lung; lung_type=nsclc", "I.F.1", {"stage_group", "t+n+m"}),
        ("tumor_site=lung; lung_type=nsclc; n=N0", "I.F.1", {"stage_group", "t+m"}),
        ("tumor_site=lung; lung_type=nsclc; t=T1A; m=M0", "I.F.1", {"stage_group", "n"}),
        ("tumor_site=lung; stage_group=IB", "I.F.1", {"lung_type"}),
        ("tumor_site=lung; lung_type=nsclc; stage_group=IIA", "I.F.1", {"n", "node_status", "stage_edition"}),
        ("tumor_site=lung; lung_type=nsclc; stage_group=IV", "I.F.2", {"intent+airway_obstruction"}),
        ("tumor_site=lung; lung_type=nsclc; stage_group=IB|IIB", "I.F.1", {"stage_group"}),
        ("tumor_site=lung; lung_type=nsclc; stage_group=IB; n=N1", "I.F.1", {"n"}),
        ("tumor_site=kidney; origin=primary|metastatic", "I.C", {"origin"}),
    ],
)
def test_what_would_settle(facts: str, name: str, would_settle: set[str]) -> None:
    assert set(criterion(judge(facts), name).would_settle) == would_settle


@pytest.mark.parametrize(
    ("facts", "documents", "codes"),
    [
        ("tumor_site=kidney", "", []),
        ("tumor_site=kidney", "hp=missing", ["history_and_physical"]),
        ("tumor_site=kidney", "hp=incomplete", ["history_and_physical.physical_exam"]),
        ("tumor_site=kidney", "plan=incomplete", ["treatment_plan.treatment_area"]),
        ("tumor_site=kidney", "plan=unclear", ["treatment_plan"]),
        ("tumor_site=kidney; procedure=none", "", ["procedure"]),
        ("tumor_site=skin", "hp=missing", ["history_and_physical", "behavior"]),
        ("tumor_site=lung; lung_type=nsclc; intent=curative", "", ["stage_group"]),
        ("behavior=malignant", "", ["tumor_site"]),
        ("tumor_site=liver", "hp=missing", []),
    ],
)
def test_what_is_missing(facts: str, documents: str, codes: list[str]) -> None:
    assert [missing.code for missing in judge(facts, documents).missing] == codes


def test_missing_is_said_in_words_and_tells_a_conflict() -> None:
    (missing,) = judge("tumor_site=skin; behavior=malignant|benign").missing
    assert missing.message.startswith("The records disagree. The pathology report")
    (missing,) = judge("tumor_site=kidney", "hp=missing identity=true").missing
    assert "another patient" in missing.message


def test_another_policy_is_named() -> None:
    assert "No. 92" in str(judge("procedure=radiofrequency_ablation; tumor_site=kidney").other_policy)
    assert "No. 204" in str(judge("tumor_site=liver").other_policy)
    assert judge("tumor_site=kidney").other_policy is None


def test_a_ruling_marks_the_case_for_a_person() -> None:
    assert judge("tumor_site=kidney; origin=metastatic").needs_person
    assert judge("tumor_site=lung; lung_type=nsclc; stage_group=IIA@8").needs_person
    assert judge("tumor_site=kidney").needs_person == ()
    assert judge("tumor_site=lung; lung_type=nsclc; stage_group=IIIA; cpt=32994").needs_person == ()


def test_a_value_that_was_set_aside_is_no_side_of_a_conflict() -> None:
    stage = replace(
        field_of("IB|IA2"),
        alternatives=(
            Alternative("IIIA", "historical", (evidence(),)),
            Alternative("IA2", "conflicting", (evidence(),)),
        ),
    )
    case = case_of("tumor_site=lung; lung_type=nsclc")
    case = replace(case, findings={**case.findings, "stage_group": stage})
    assert evaluate(case, RULES).outcome == "meets"
    both = replace(stage, alternatives=(Alternative("IIIA", "other document", (evidence(),)),))
    case = replace(case, findings={**case.findings, "stage_group": both})
    assert evaluate(case, RULES).outcome == "needs_information"


@pytest.mark.parametrize(
    "alternatives",
    [(), (Alternative("nodes positive", "pathology_contradicts"),)],
    ids=["unnamed", "of another kind"],
)
def test_a_conflict_whose_other_side_is_not_known_is_open(alternatives: tuple[Alternative, ...]) -> None:
    case = case_of("tumor_site=lung; lung_type=nsclc; stage_group=IIA")
    n = replace(field_of("N0|N1"), alternatives=alternatives)
    assert evaluate(replace(case, findings={**case.findings, "n": n}), RULES).outcome == "needs_information"


def test_a_finding_of_low_confidence_counts_as_not_documented_where_the_policy_says_so() -> None:
    strict = Ruleset(POLICY.model_copy(update={"minimum_confidence": 0.95}), FACTS)
    assert evaluate(case_of("tumor_site=kidney"), strict).outcome == "needs_information"
    assert evaluate(case_of("tumor_site=kidney"), RULES).outcome == "meets"


def test_no_outcome_or_wording_denies_or_approves() -> None:
    words = " ".join(
        str(evaluate(row.case, RULES)) for row in decisions()
    ).casefold()  # every text that an evaluation can show
    for word in ("denied", "denial", "deny", "approved", "approval", "rejected"):
        assert word not in words


# ---------------------------------------------------------------------- whatever the case

SITES = ("kidney", "prostate", "lung", "skin", "uvea", "cervix", "breast", "liver")
VALUES: dict[str, tuple[str, ...]] = {
    "procedure": ("cryoablation", "radiofrequency_ablation", "other"),
    "tumor_site": SITES,
    "origin": ("primary", "metastatic"),
    "behavior": ("malignant", "benign", "premalignant", "uncertain"),
    "histology": ("melanoma", "melanoma in situ", "carcinoid", "adenocarcinoma"),
    "lung_type": ("nsclc", "sclc"),
    "t": ("T1A", "T2A", "T2B", "T3", "TX", "TIS"),
    "n": ("N0", "N1", "NX"),
    "m": ("M0", "M1", "MX"),
    "stage_group": ("0", "IA2", "IB", "IIA", "IIB", "IV"),
    "derived_stage_group": ("IB", "IIA", "IIIA"),
    "node_status": ("negative", "positive"),
    "intent": ("curative", "palliative"),
    "airway_obstruction": ("true", "false"),
}
# Sources of one fact: told differently they contradict each other, which opens what was settled.
ONE_FACT = {
    "stage_group": {"derived_stage_group", "t", "n", "m", "node_status"},
    "derived_stage_group": {"stage_group", "t", "n", "m", "node_status"},
    "node_status": {"n", "stage_group", "derived_stage_group"},
}
SAME_FACT = {frozenset((name, other)) for name, others in ONE_FACT.items() for other in others}

told = st.fixed_dictionaries({}, optional={name: st.sampled_from(values) for name, values in VALUES.items()})


def case_told(facts: Mapping[str, str]) -> Case:
    return replace(case_of(), findings={name: field_of(value) for name, value in facts.items()})


@settings(max_examples=100, deadline=None)
@given(told)
def test_another_fact_never_turns_met_into_unknown(facts: dict[str, str]) -> None:
    assert turned(case_told(facts)) == []


def test_nor_does_it_in_the_decision_table() -> None:
    assert {row.name: turned(row.case) for row in decisions() if turned(row.case)} == {}


def turned(case: Case) -> list[tuple[str, str, str]]:
    """What turns a met criterion of a case into an unknown one: every further fact is tried with every
    value, unless it is another source of a fact that is told. If those contradict, a person must look."""
    before = evaluate(case, RULES)
    if all(result.result != "met" for result in before.criteria):
        return []
    known = {name for name, field in case.findings.items() if field.status is not Status.NOT_FOUND}
    return [
        (name, value, old.id)
        for name, values in VALUES.items()
        if name not in known and not any(frozenset((name, other)) in SAME_FACT for other in known)
        for value in values
        for old, new in zip(before.criteria, with_fact(case, name, value).criteria, strict=True)
        if (old.result, new.result) == ("met", "unknown")
    ]


def with_fact(case: Case, name: str, value: str) -> Evaluation:
    return evaluate(replace(case, findings={**case.findings, name: field_of(value)}), RULES)


@settings(max_examples=300, deadline=None)
@given(told)
def test_what_is_not_found_or_uncertain_never_matters(facts: dict[str, str]) -> None:
    silent = {name: Field(status=Status.NOT_FOUND) for name in VALUES if name not in facts}
    case = case_told(facts)
    plain = evaluate(case, RULES)
    assert evaluate(replace(case, findings={**silent, **case.findings}), RULES) == plain
    for result in plain.criteria:
        assert set(result.because) <= set(facts)


@settings(max_examples=200, deadline=None)
@given(told)
def test_other_evidence_changes_nothing(facts: dict[str, str]) -> None:
    case = case_told(facts)
    moved = {
        name: replace(field, evidence=(evidence(page=7, quote="elsewhere"),), confidence=0.7)
        for name, field in case.findings.items()
    }
    assert evaluate(replace(case, findings=moved), RULES) == evaluate(case, RULES)


@settings(max_examples=120, deadline=None)
@given(told)
def test_what_would_settle_really_settles(facts: dict[str, str]) -> None:
    """Some values of the facts in each set give an answer; the names are facts one can ask for."""
    for unknown in evaluate(case_told(facts), RULES).criteria:
        if unknown.result != "unknown":
            assert unknown.would_settle == ()
            continue
        assert unknown.would_settle
        for names in unknown.would_settle:
            assert settles(facts, unknown.id, names.split("+"))


def settles(facts: Mapping[str, str], name: str, missing: list[str]) -> bool:
    editions = ("6", "7", "8", "9")
    domains = [editions if fact == "stage_edition" else VALUES[fact] for fact in missing]
    for values in product(*domains):
        filled = {**facts, **dict(zip(missing, values, strict=True))}
        if "stage_edition" in missing:
            filled["stage_group"] = f"{filled['stage_group']}@{filled.pop('stage_edition')}"
        if criterion(evaluate(case_told(filled), RULES), name).result != "unknown":
            return True
    return False


@pytest.mark.parametrize("site", [*SITES, None])
def test_every_combination_of_values_has_one_outcome(site: str | None) -> None:
    """Enumerated over the kinds of values that the criteria tell apart: exactly one of the outcomes,
    `meets` only with a met criterion, and at most one criterion of different sites met."""
    domains = {
        "origin": (None, "primary", "metastatic"),
        "behavior": (None, "malignant", "benign", "premalignant"),
        "histology": (None, "melanoma", "melanoma in situ", "adenocarcinoma") if site != "lung" else (None,),
        "lung_type": (None, "nsclc", "sclc") if site in ("lung", None) else (None,),
        "stage_group": (None, "IB", "IIA", "IIIA") if site in ("lung", None) else (None,),
        "n": (None, "N0", "N1") if site in ("lung", None) else (None,),
        "intent": (None, "curative", "palliative") if site == "lung" else (None,),
        "airway_obstruction": (None, "true", "false") if site == "lung" else (None,),
    }
    for values in product(*domains.values()):
        facts = {name: value for name, value in zip(domains, values, strict=True) if value is not None}
        if site is not None:
            facts["tumor_site"] = site
        evaluation = evaluate(case_told({"procedure": "cryoablation", **facts}), RULES)
        met = [result.id for result in evaluation.criteria if result.result == "met"]
        assert len(met) <= 1 or set(met) == {"I.F.1", "I.F.2"}
        assert evaluation.outcome == expected_outcome(site, met)


def expected_outcome(site: str | None, met: list[str]) -> str:
    if site == "liver":
        return "out_of_scope"
    if not met:
        return "needs_information"
    return "investigational" if met == ["II"] else "meets"


def test_evaluating_costs_under_two_milliseconds() -> None:
    cases = [row.case for row in decisions()]
    for case in cases:
        evaluate(case, RULES)
    start = time.process_time()
    for case in cases:
        evaluate(case, RULES)
    assert (time.process_time() - start) / len(cases) < 0.002


# ---------------------------------------------------------------------- in words


def test_the_reasoning_is_told_criterion_by_criterion_with_pages() -> None:
    case = case_of("tumor_site=lung; lung_type=nsclc; stage_group=IB|IIB; intent=curative", "plan=missing")
    text = explain(replace(case, evaluation=evaluate(case, RULES)), POLICY)
    assert "More information is needed before a review." in text
    assert "stage IIA without involved lymph nodes: not known" in text
    assert "stage group: IB, but the records also say IIB" in text
    assert 'packet.pdf page 1: "words"' in text
    assert "would be settled by: stage group" in text
    assert "Treatment plan including the treatment area." in text
    assert "A person decides." in text


def test_the_reasoning_names_the_other_policy() -> None:
    case = case_of("procedure=microwave_ablation; tumor_site=kidney")
    text = explain(replace(case, evaluation=evaluate(case, RULES)), POLICY)
    assert "Belongs to another policy" in text
    assert "No. 189" in text


def test_a_case_without_an_evaluation_is_not_explained() -> None:
    assert explain(case_of("tumor_site=kidney"), POLICY) == "Case case-1 has not been evaluated.\n"
