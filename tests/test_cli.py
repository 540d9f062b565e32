"""The command line as a user types it: exit codes, parked files, outputs."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from fpdf import FPDF

from pipeline.__main__ import main
from pipeline.errors import ExitCode
from pipeline.settings import load_settings

LETTER = """SAMPLE VALLEY UROLOGY
HISTORY AND PHYSICAL                      Date of service: 03/02/2026
Patient: Testperson, Alma     DOB 02/03/1950

HISTORY OF PRESENT ILLNESS: 76 y/o woman with a 2.1 cm mass of the left kidney.
PHYSICAL EXAMINATION: Abdomen soft, no mass. Lungs clear. Heart regular.
ASSESSMENT: Clear cell renal cell carcinoma, left kidney.
PLAN: CT-guided cryoablation of the 2.1 cm left lower pole renal mass, curative intent.
"""


def write_pdf(path: Path, text: str = LETTER, **encryption: str) -> Path:
    pdf = FPDF(format="letter")
    if encryption:
        pdf.set_encryption(**encryption)
    pdf.add_page()
    pdf.set_font("Courier", size=10)
    pdf.multi_cell(0, 5, text)
    path.parent.mkdir(parents=True, exist_ok=True)
    pdf.output(str(path))
    return path


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"TRIAGE_HOME": str(tmp_path / "home"), "TRIAGE_WORKERS": "1"}


@pytest.mark.parametrize(
    "arguments",
    [
        ["run"],
        ["run", "a.pdf", "--each", "folder"],
        ["run", "--each", "folder"],
        ["run", "a.pdf", "--output-dir", "out"],
        ["run", "no-such-file.pdf"],
        ["extract", "no-such-file.jsonl", "--output", "out.jsonl"],
        ["evaluate-set", "no-such-folder"],
    ],
    ids=" ".join,
)
def test_wrong_usage_exits_with_2(arguments: list[str], environ: dict[str, str]) -> None:
    assert main(arguments, environ) == ExitCode.USAGE


def test_unknown_command_exits_with_2(environ: dict[str, str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["no-such-command"], environ)
    assert stop.value.code == ExitCode.USAGE


def test_unknown_setting_exits_with_3_and_names_the_known(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", "case"], {"TRIAGE_WORKER": "1"}) == ExitCode.CONFIGURATION
    assert "TRIAGE_WORKERS" in capsys.readouterr().err


def test_help_does_not_import_what_does_the_work() -> None:
    heavy = "{'spacy', 'cv2', 'numpy', 'pdfplumber', 'pypdfium2', 'pydantic', 'prefect', 'rich', 'httpx'}"
    code = f"import sys, pipeline.__main__ as m; m.parser(); print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_bad_files_are_parked_with_a_reason_and_the_others_done(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    inbox, out = tmp_path / "inbox", tmp_path / "out"
    good = write_pdf(inbox / "good" / "letter.pdf")
    write_pdf(inbox / "locked.pdf", owner_password="owner", user_password="secret")
    (inbox / "empty.pdf").write_bytes(b"")
    (inbox / "truncated.pdf").write_bytes(good.read_bytes()[:700])
    (inbox / "misnamed.pdf").write_bytes(b"PK\x03\x04 this is a zip archive, not a PDF" * 20)

    assert (
        main(["run", "--each", str(inbox), "--output-dir", str(out), "--quiet"], environ) == ExitCode.PARKED
    )

    cases = {path.parent.name: json.loads(path.read_text()) for path in out.glob("*/case.json")}
    assert {name: case["status"] for name, case in cases.items()} == {
        "good": "complete",
        "locked.pdf": "parked",
        "empty.pdf": "parked",
        "truncated.pdf": "parked",
        "misnamed.pdf": "parked",
    }
    codes = {name: [problem["code"] for problem in case["problems"]] for name, case in cases.items()}
    assert codes == {
        "good": [],
        "locked.pdf": ["encrypted"],
        "empty.pdf": ["empty"],
        "truncated.pdf": ["truncated"],
        "misnamed.pdf": ["unsupported_type"],
    }


def test_one_bad_file_among_good_ones_makes_the_case_partial(tmp_path: Path, environ: dict[str, str]) -> None:
    write_pdf(tmp_path / "in" / "letter.pdf")
    (tmp_path / "in" / "extra.pdf").write_bytes(b"")
    output = tmp_path / "case.json"
    assert main(["run", str(tmp_path / "in"), "--output", str(output), "--quiet"], environ) == ExitCode.PARKED
    case = json.loads(output.read_text())
    assert (case["status"], [problem["file"] for problem in case["problems"]]) == ("partial", ["extra.pdf"])
    assert case["findings"]["tumor_site"]["value"] == "kidney"


def test_the_day_of_receipt_chooses_the_version_of_the_policy(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    models = tmp_path / "models"
    shutil.copytree(load_settings({}).models_dir, models)
    packs = models / "policies" / "cryosurgical-ablation"
    shutil.copytree(packs / "2023-02-01", packs / "2026-04-01")
    newer = packs / "2026-04-01" / "policy.toml"
    newer.write_text(newer.read_text(encoding="utf-8").replace("2023-02-01", "2026-04-01"), encoding="utf-8")
    letter, output = write_pdf(tmp_path / "letter.pdf"), tmp_path / "case.json"
    for received, version in (("2026-03-31", "2023-02-01"), ("2026-04-01", "2026-04-01")):
        arguments = ["run", str(letter), "--output", str(output), "--received", received, "--quiet"]
        assert main(arguments, {**environ, "TRIAGE_MODELS_DIR": str(models)}) == ExitCode.DONE
        case = json.loads(output.read_text())
        assert (case["received"], case["policy"]["version"]) == (received, version)
        assert case["evaluation"]["evaluator"]["ruleset"].endswith(f"@{version}")


def test_every_value_of_a_run_has_evidence_whose_quote_stands_at_its_offsets(
    tmp_path: Path, environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    letter = write_pdf(tmp_path / "letter.pdf")
    assert main(["run", str(letter), "--output", "-"], environ) == ExitCode.DONE
    case = json.loads(capsys.readouterr().out)
    texts = {document["id"]: document["text"] for document in case["documents"]}
    fields = [*case["findings"].values(), *case["patient"].values(), *case["request"]["cpt"]]
    found = [field for field in fields if field["value"] is not None]
    assert found
    for field in found:
        assert field["evidence"]
        for evidence in field["evidence"]:
            assert evidence["quote"] == texts[evidence["document"]][evidence["start"] : evidence["end"]]
            assert evidence["boxes"]


def test_summary_names_documents_findings_and_what_is_missing(
    tmp_path: Path, environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    images = tmp_path / "images"
    assert main(["run", str(write_pdf(tmp_path / "letter.pdf")), "--images", str(images)], environ) == 0
    summary = capsys.readouterr().out
    for words in ("history and physical", "kidney", "page 1", "COMPLETENESS", "I.C"):
        assert words in summary
    assert [path.name for path in images.iterdir()] == ["file-1-page-1.png"]


def test_extract_gives_findings_with_offsets_into_the_text(tmp_path: Path, environ: dict[str, str]) -> None:
    text = "FINAL DIAGNOSIS: Left lung, upper lobe, lobectomy: Adenocarcinoma, 2.1 cm, pT1c pN0."
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text(json.dumps({"id": "r1", "text": text}) + "\n")
    assert main(["extract", str(source), "--output", str(target), "--quiet"], environ) == ExitCode.DONE
    line = json.loads(target.read_text())
    assert line["id"] == "r1"
    assert line["document_type"] == "pathology_report"
    findings = line["findings"]
    assert {name: findings[name]["value"] for name in ("tumor_site", "t", "n", "m")} == {
        "tumor_site": "lung",
        "t": "T1C",
        "n": "N0",
        "m": None,
    }
    for field in findings.values():
        for evidence in field["evidence"]:
            assert evidence["quote"] == text[evidence["start"] : evidence["end"]]
    assert line["neoplasms"][0]["site"] == "lung"


def test_extract_names_the_bad_line_without_quoting_it(
    tmp_path: Path, environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text('{"id": "r1", "text": "fine"}\nSECRET NAME\n')
    assert main(["extract", str(source), "--output", str(tmp_path / "o.jsonl")], environ) == ExitCode.USAGE
    message = capsys.readouterr().err
    assert "line 2" in message
    assert "SECRET" not in message


def test_flow_reaches_the_same_case_as_the_library(tmp_path: Path, environ: dict[str, str]) -> None:
    letter = write_pdf(tmp_path / "letter.pdf")
    outputs = tmp_path / "library.json", tmp_path / "flow.json"
    assert main(["run", str(letter), "--output", str(outputs[0]), "--quiet"], environ) == ExitCode.DONE
    assert (
        main(["run", str(letter), "--output", str(outputs[1]), "--quiet", "--flow"], environ) == ExitCode.DONE
    )
    assert json.loads(outputs[0].read_text()) == json.loads(outputs[1].read_text())


def test_a_fault_in_one_submission_does_not_stop_the_others(
    tmp_path: Path,
    environ: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    import pipeline.cases as cases

    real = cases.build_case

    def faulty(submission, reading, knowledge):  # type: ignore[no-untyped-def]
        if submission.files[0].name == "bad.pdf":
            raise ValueError(reading.pages[0].text)
        return real(submission, reading, knowledge)

    monkeypatch.setattr(cases, "build_case", faulty)
    write_pdf(tmp_path / "in" / "bad.pdf", LETTER + "x")
    write_pdf(tmp_path / "in" / "good.pdf")
    out = tmp_path / "out"
    arguments = ["run", "--each", str(tmp_path / "in"), "--output-dir", str(out)]
    assert main(arguments, environ) == ExitCode.PARKED
    cases_by_name = {path.parent.name: json.loads(path.read_text()) for path in out.glob("*/case.json")}
    assert {name: case["status"] for name, case in cases_by_name.items()} == {
        "bad.pdf": "parked",
        "good.pdf": "complete",
    }
    assert [problem["code"] for problem in cases_by_name["bad.pdf"]["problems"]] == ["internal_error"]
    assert "Testperson" not in capsys.readouterr().err


def test_answers_are_no_part_of_a_submission_also_when_they_are_named(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    letter = write_pdf(tmp_path / "letter.pdf")
    answers = tmp_path / "expected.json"
    answers.write_text("{}")
    output = tmp_path / "out" / "case.json"
    arguments = ["run", str(letter), str(answers), "--output", str(output), "--quiet"]
    assert main(arguments, environ) == ExitCode.DONE
    assert [file["name"] for file in json.loads(output.read_text())["files"]] == ["letter.pdf"]
    assert output.stat().st_mode & 0o077 == 0, "a case is for its owner alone"


def test_output_that_cannot_be_written_is_told_without_a_traceback(
    tmp_path: Path, environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    letter = write_pdf(tmp_path / "letter.pdf")
    assert main(["run", str(letter), "--output", str(letter / "case.json")], environ) == ExitCode.USAGE
    assert "cannot be written" in capsys.readouterr().err


def test_unknown_policy_is_a_matter_of_configuration(tmp_path: Path, environ: dict[str, str]) -> None:
    letter = write_pdf(tmp_path / "in" / "letter.pdf")
    environ |= {"TRIAGE_POLICY": "no-such-policy"}
    assert main(["run", str(letter)], environ) == ExitCode.CONFIGURATION
    each = ["run", "--each", str(letter.parent), "--output-dir", str(tmp_path / "out")]
    assert main(each, environ) == ExitCode.CONFIGURATION


@pytest.mark.parametrize(
    "line", [b'{"id": 1, "text": null}', b'{"id": 1}', b'{"text": "x"}', b'"\xff"', b"[1]"]
)
def test_extract_refuses_a_line_that_is_no_text(tmp_path: Path, environ: dict[str, str], line: bytes) -> None:
    source = tmp_path / "in.jsonl"
    source.write_bytes(line)
    assert main(["extract", str(source), "--output", str(tmp_path / "o.jsonl")], environ) == ExitCode.USAGE


def test_extract_takes_odd_characters_and_short_texts(tmp_path: Path, environ: dict[str, str]) -> None:
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    texts = ["", "x", "\ud800 cancer of the left kidney", "Renal cell carcinoma of the left kidney."]
    lines = "\n".join(json.dumps({"id": number, "text": text}) for number, text in enumerate(texts))
    source.write_text("\ufeff" + lines, encoding="utf-8")
    assert main(["extract", str(source), "--output", str(target), "--quiet"], environ) == ExitCode.DONE
    found = [json.loads(line)["findings"] for line in target.read_text(encoding="utf-8").splitlines()]
    assert [one["laterality"]["value"] for one in found] == [None, None, "left", "left"]
