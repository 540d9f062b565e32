"""`triage explain` and `triage policy check` as a user types them."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from decisions import case_of, evidence, field_of

from pipeline.__main__ import main
from pipeline.case_json import to_json
from pipeline.domain import Case, CaseDocument, Problem, Request
from pipeline.errors import ExitCode
from pipeline.evaluation import evaluate
from pipeline.settings import load_settings

SETTINGS = load_settings({})
PACK = "policies/cryosurgical-ablation/2023-02-01/policy.toml"


def saved(case: Case, folder: Path) -> str:
    path = folder / "case.json"
    path.write_text(json.dumps(to_json(case)), encoding="utf-8")
    return str(path)


def explained(case: Case, folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    done = ExitCode.PARKED if case.status == "parked" else ExitCode.DONE
    assert main(["explain", saved(case, folder)], {}) == done
    return capsys.readouterr().out


def test_explain(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stage = field_of("IB|IIB")
    (other,) = stage.alternatives
    stage = replace(
        stage,
        evidence=(evidence(3, "stage IB"),),
        alternatives=(replace(other, evidence=(evidence(7, "stage IIB"),)),),
    )
    case = case_of("tumor_site=lung; lung_type=nsclc; intent=curative")
    case = replace(
        case,
        findings={**case.findings, "stage_group": stage},
        documents=(CaseDocument("d1", "packet.pdf", "history_and_physical", None, "H&P", 2, 4, 1.0),),
    )
    text = explained(replace(case, evaluation=evaluate(case, SETTINGS)), tmp_path, capsys)
    for line in (
        "More information is needed before a review.",
        "      stage group: IB, but the records also say IIB",
        '        packet.pdf page 3: "stage IB"',
        '        packet.pdf page 7: "stage IIB"',
        "      would be settled by: stage group",
        "  - History and Physical: present, packet.pdf pages 2-4",
        "This is a recommendation. A person decides.",
    ):
        assert line in text.splitlines()


def test_explain_says_what_a_service_code_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case = case_of("tumor_site=lung; lung_type=nsclc; stage_group=IIIA; cpt=32994")
    assert case.request == Request(cpt=(field_of("32994"),))
    text = explained(replace(case, evaluation=evaluate(case, SETTINGS)), tmp_path, capsys)
    assert "      approach: percutaneous, by the requested code 32994" in text.splitlines()


def test_explain_of_a_parked_case_says_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parked = replace(case_of(), status="parked", problems=(Problem(None, None, "evaluator", "It was down."),))
    text = explained(parked, tmp_path, capsys)
    assert text == "Case case-1 has not been evaluated.\n  - It was down.\n"


@pytest.mark.parametrize(
    "content", [None, b"{", b"\xff", b"[]", b'{"schema_version": "1", "status": "Quill"}']
)
def test_what_is_no_case_is_told_without_a_quote(
    content: bytes | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "case.json"
    if content is not None:
        path.write_bytes(content)
    for command in ("explain", "evaluate"):
        assert main([command, str(path)], {}) == ExitCode.USAGE
        told = capsys.readouterr().err
        assert str(path) in told
        assert "Quill" not in told


# ---------------------------------------------------------------------- triage policy check


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A copy of the knowledge files, to be spoilt; without the weights."""
    shutil.copytree(SETTINGS.models_dir, tmp_path / "models", ignore=shutil.ignore_patterns("entities"))
    return tmp_path / "models"


def checked(models: Path, pack: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    code = main(["policy", "check", pack], {"TRIAGE_MODELS_DIR": str(models)})
    captured = capsys.readouterr()
    return code, captured.out + captured.err


def test_the_packs_that_ship_pass(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for pack in (
        "cryosurgical-ablation",
        "example-bone-metastasis@2026-01-01",
        str(models / PACK),
        str((models / PACK).parent),
        str((models / PACK).parent.parent),
    ):
        code, told = checked(models, pack, capsys)
        assert code == ExitCode.DONE
        assert told.count("policy.toml: ") == 1


@pytest.mark.parametrize(
    ("old", "new", "line", "told", "code"),
    [
        ("behavior is malignant and", "behaviour is malignant and", None, "there is no fact behaviour", 3),
        ("tumor_site is prostate", "tumor_site is prostat", None, "tumor_site is never prostat", 3),
        (
            'when = "tumor_site is kidney"',
            'when = "tumor_site is kidney and tumor_site is lung"',
            'when = "tumor_site is kidney and tumor_site is lung"',
            "Criterion I.C can never be met.",
            1,
        ),
        (
            'when = "tumor_site is prostate"',
            'when = "tumor_site is one of prostate, kidney"',
            'when = "tumor_site is one of prostate, kidney"',
            "Criteria I.C and I.D can be met together; the outcome then names I.C.",
            1,
        ),
        ('code = "50593"', 'code = "5O593"', 'code = "5O593"', "5O593 is no CPT or HCPCS code.", 1),
        ('code = "0581T"', 'code = "0581X"', 'code = "0581X"', "0581X is no CPT or HCPCS code.", 1),
        ('"17260-17286"', '"17286-17260"', 'code = "17286-17260"', "17286-17260 is no range.", 1),
        ('loinc = "34117-2"', 'loinc = "34117-3"', 'loinc = "34117-3"', "34117-3 is no LOINC code", 1),
        ('loinc = "18776-5"', 'loinc = "18767-5"', 'loinc = "18767-5"', "18767-5 is no LOINC code", 1),
    ],
    ids=range(9),
)
def test_what_is_wrong_is_told_with_file_and_line(
    old: str, new: str, line: str | None, told: str, code: int, models: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    path = models / PACK
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    assert old in text
    got, output = checked(models, "cryosurgical-ablation", capsys)
    assert got == code
    assert told in output
    fault = next(row for row in output.splitlines() if told in row)
    number = int(fault.split(f"{path}:")[1].split(":")[0])
    assert (line or new) in path.read_text(encoding="utf-8").splitlines()[number - 1]


@pytest.mark.parametrize("code", ["50593", "0582T", "0001F", "0002M", "0001U", "0001A", "C9751", "G0297"])
def test_codes_that_can_exist(code: str, models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = models / PACK
    path.write_text(path.read_text(encoding="utf-8").replace("50593", code), encoding="utf-8")
    done, told = checked(models, "cryosurgical-ablation", capsys)
    assert "is no CPT or HCPCS code" not in told
    known = code == "50593" or code[0].isalpha()  # HCPCS level II is a book of its own
    assert done == (ExitCode.DONE if known else ExitCode.PARKED)
    assert ("is not in models/procedure_codes.toml" in told) is not known


@pytest.mark.parametrize("code", ["ABCDE", "W1234", "1234Z", "5O593"])
def test_codes_that_cannot(code: str, models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = models / PACK
    path.write_text(path.read_text(encoding="utf-8").replace("50593", code), encoding="utf-8")
    assert checked(models, "cryosurgical-ablation", capsys)[0] == ExitCode.PARKED


def test_a_pack_that_is_not_there_is_told(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, told = checked(models, "cryo", capsys)
    assert code == ExitCode.USAGE
    assert "cryosurgical-ablation" in told
