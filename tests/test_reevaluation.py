"""Cases under another version of a policy: what changes, what is left alone, and how long it takes."""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest
from decisions import case_of, decisions

from pipeline.__main__ import main
from pipeline.case_json import from_json, to_json
from pipeline.domain import Case, PolicyRef, Problem
from pipeline.errors import ExitCode, UsageError
from pipeline.evaluation import evaluate
from pipeline.reevaluation import case_files, policy_named, reevaluate, report
from pipeline.settings import Settings, load_settings

OLD = "2023-02-01"
NEW = "2025-01-01"


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Two versions of the policy: the newer one wants kidney tumors to be malignant."""
    models = tmp_path_factory.mktemp("settings") / "models"
    shutil.copytree(load_settings({}).models_dir, models, ignore=shutil.ignore_patterns("ner"))
    packs = models / "policies" / "cryosurgical-ablation"
    shutil.copytree(packs / OLD, packs / NEW)
    path = packs / NEW / "policy.toml"
    text = path.read_text(encoding="utf-8").replace(OLD, NEW)
    kidney = 'when = "tumor_site is kidney"'
    assert kidney in text
    text = text.replace(kidney, 'when = "tumor_site is kidney and behavior is malignant"')
    path.write_text(text, encoding="utf-8")
    return replace(load_settings({}), models_dir=models)


def filled(folder: Path, settings: Settings, *cases: Case) -> list[Path]:
    for number, case in enumerate(cases):
        (folder / f"{number:05}").mkdir(parents=True)
        evaluated = case if case.status == "parked" else replace(case, evaluation=evaluate(case, settings))
        text = json.dumps({**to_json(replace(evaluated, case_id=f"c{number}")), "note": "kept"})
        (folder / f"{number:05}" / "case.json").write_text(text, encoding="utf-8")
    return case_files(folder)


CASES = (
    case_of("tumor_site=kidney; behavior=malignant"),
    case_of("tumor_site=kidney; behavior=benign"),
    case_of("tumor_site=kidney"),
    case_of("tumor_site=prostate"),
    case_of("tumor_site=kidney; behavior=benign", "plan=missing"),
    replace(
        case_of("tumor_site=kidney"), status="parked", problems=(Problem(None, None, "empty", "No page."),)
    ),
)


def test_what_changes_is_told(tmp_path: Path, settings: Settings) -> None:
    paths = filled(tmp_path, settings, *CASES)
    before = [path.read_bytes() for path in paths]
    ref = PolicyRef("cryosurgical-ablation", NEW)
    told = report(reevaluate(paths, ref, settings), ref)
    assert (told["cases"], told["changed"]) == (5, 3)
    assert {(row["before"], row["after"]): row["cases"] for row in told["outcomes"]} == {
        ("meets", "meets"): 2,
        ("meets", "investigational"): 1,
        ("meets", "needs_information"): 1,
        ("needs_information", "needs_information"): 1,
    }
    benign, silent, lacking = told["changes"]
    assert (benign["case_id"], benign["after"]["criterion"]) == ("c1", "II")
    assert benign["before"]["ruleset"].endswith(OLD)
    assert benign["after"]["ruleset"].endswith(NEW)
    assert [each["id"] for each in benign["criteria"]] == ["I.C", "II"]
    assert silent["after"]["missing"] == ["behavior"]
    assert (lacking["before"]["criterion"], lacking["after"]["criterion"]) == ("I.C", "II")
    assert told["skipped"] == [{"path": str(paths[5]), "why": "is parked"}]
    assert [path.read_bytes() for path in paths] == before


def test_under_its_own_version_no_case_changes(tmp_path: Path, settings: Settings) -> None:
    paths = filled(tmp_path, settings, *[row.case for row in decisions()][::7])
    ref = PolicyRef("cryosurgical-ablation", OLD)
    assert report(reevaluate(paths, ref, settings), ref)["changed"] == 0


def test_written_only_where_that_is_asked_for(tmp_path: Path, settings: Settings) -> None:
    paths = filled(tmp_path, settings, *CASES)
    before = [json.loads(path.read_bytes()) for path in paths]
    paths[0].chmod(0o640)
    reevaluate(paths, PolicyRef("cryosurgical-ablation", NEW), settings, write=True)
    after = [json.loads(path.read_bytes()) for path in paths]
    for old, new in zip(before[:5], after[:5], strict=True):
        case = from_json(new)
        assert case.policy == PolicyRef("cryosurgical-ablation", NEW)
        assert case.evaluation == evaluate(case, settings)
        judged = dict.fromkeys(("policy", "evaluation", "information_request"), 0)
        assert {**new, **judged} == {**old, **judged}
        asks = case.evaluation is not None and case.evaluation.outcome == "needs_information"
        assert bool(new["information_request"]) is asks
    assert after[5] == before[5]
    assert paths[0].stat().st_mode & 0o777 == 0o640
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} == {"case.json"}


def test_a_case_that_cannot_be_read_is_left_out(tmp_path: Path, settings: Settings) -> None:
    paths = filled(tmp_path, settings, *CASES[:3])
    paths[0].write_text("{", encoding="utf-8")
    paths[1].write_text('{"schema_version": "9"}', encoding="utf-8")
    ref = PolicyRef("cryosurgical-ablation", NEW)
    told = report(reevaluate(paths, ref, settings), ref)
    assert told["cases"] == 1
    assert "is not JSON" in told["skipped"][0]["why"]
    assert "schema_version" in told["skipped"][1]["why"]


def test_a_case_without_an_evaluation_gets_one(tmp_path: Path, settings: Settings) -> None:
    paths = filled(tmp_path, settings, CASES[0])
    paths[0].write_text(json.dumps(to_json(CASES[0])), encoding="utf-8")
    ref = PolicyRef("cryosurgical-ablation", NEW)
    told = report(reevaluate(paths, ref, settings), ref)
    assert told["outcomes"] == [{"before": "not evaluated", "after": "meets", "cases": 1}]


def test_the_command(tmp_path: Path, settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    filled(tmp_path / "cases", settings, *CASES[:5])
    environ = {"TRIAGE_MODELS_DIR": str(settings.models_dir)}
    output = tmp_path / "report.json"
    command = ["reevaluate", str(tmp_path / "cases"), "--output", str(output), "--policy"]
    assert main([*command, f"cryosurgical-ablation@{NEW}"], environ) == ExitCode.DONE
    told = capsys.readouterr().out
    assert f"5 cases under cryosurgical-ablation@{NEW}: 3 change." in told
    assert "       1  meets → investigational" in told
    assert "meets (I.C) → investigational (II)" in told
    assert json.loads(output.read_text())["changed"] == 3
    for wrong in ("no-such-policy", "cryosurgical-ablation@1999-01-01"):
        assert main([*command, wrong], environ) == ExitCode.USAGE
    assert main(["reevaluate", str(tmp_path / "none"), "--policy", "x"], environ) == ExitCode.USAGE


def test_the_newest_version_where_none_is_named(settings: Settings) -> None:
    assert policy_named("cryosurgical-ablation", settings).version == NEW
    assert policy_named(f"cryosurgical-ablation@{OLD}", settings).version == OLD


def test_a_folder_without_cases_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no case\.json"):
        case_files(tmp_path)


def test_a_thousand_cases_take_a_few_seconds(tmp_path: Path, settings: Settings) -> None:
    """Ten thousand take ten times as long: benchmarks/bench_evaluator.py --reevaluate."""
    (path,) = filled(tmp_path, settings, CASES[1])
    seen: list[tuple[int, int]] = []
    started = time.process_time()
    results = reevaluate(
        [path] * 1000,
        PolicyRef("cryosurgical-ablation", NEW),
        settings,
        on_case=lambda done, in_all: seen.append((done, in_all)),
    )
    assert time.process_time() - started < 5
    assert len(results) == 1000
    assert seen[-1] == (1000, 1000)
