"""`triage run --each`, and what stands in a folder and is no file of its submission: all of it is told."""

from __future__ import annotations

import json
import os
from pathlib import Path

import page_samples as samples
import pytest

from pipeline.__main__ import main
from pipeline.errors import ExitCode


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"TRIAGE_HOME": str(tmp_path / "home"), "TRIAGE_OCR_ENGINE": "none"}


def letter(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return samples.text_pdf(folder / "letter.pdf")


def each(tmp_path: Path, environ: dict[str, str], *more: str) -> dict[str, dict[str, object]]:
    out = tmp_path / "out"
    arguments = ["run", "--each", str(tmp_path / "in"), "--output-dir", str(out), *more]
    main(arguments, environ)
    return {path.parent.name: json.loads(path.read_text()) for path in out.glob("*/case.json")}


def problems(case: dict[str, object]) -> list[tuple[str | None, str]]:
    return [(told["file"], told["code"]) for told in case["problems"]]  # type: ignore[attr-defined, index]


def test_what_holds_no_file_is_parked_with_the_reason(
    tmp_path: Path, environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    letter(tmp_path / "in" / "good")
    (tmp_path / "in" / "nothing").mkdir()
    letter(tmp_path / "in" / "nested" / "Monday")
    (tmp_path / "in" / "gone.pdf").symlink_to(tmp_path / "no-such-file.pdf")
    os.mkfifo(tmp_path / "in" / "pipe")
    cases = each(tmp_path, environ)
    assert {name: (case["status"], problems(case)) for name, case in cases.items()} == {
        "good": ("complete", []),
        "nothing": ("parked", [(None, "not_received")]),
        "nested": ("parked", [("Monday", "not_received"), (None, "not_received")]),
        "gone.pdf": ("parked", [(None, "not_received")]),
        "pipe": ("parked", [(None, "not_received")]),
    }
    told = capsys.readouterr().out
    assert "5 submissions: 1 complete, 0 partial, 4 parked." in told
    assert "good: More information is needed before a review\n" in told
    assert "nothing: parked\n    There is no file in it that can be read." in told
    assert "Monday: This folder inside the submission was not opened; files in it: 1." in told


def test_a_folder_or_a_dead_link_beside_the_files_makes_the_case_partial(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    letter(tmp_path / "in" / "a")
    letter(tmp_path / "in" / "a" / "imaging")
    (tmp_path / "in" / "a" / "labs.tif").symlink_to("no-such-file")
    (tmp_path / "in" / "a" / "empty").mkdir()
    case = each(tmp_path, environ)["a"]
    told = [("imaging", "not_received"), ("labs.tif", "not_received")]
    assert (case["status"], problems(case)) == ("partial", told)

    output = tmp_path / "case.json"
    arguments = ["run", str(tmp_path / "in" / "a"), "--output", str(output), "--quiet"]
    assert main(arguments, environ) == ExitCode.PARKED
    assert problems(json.loads(output.read_text())) == told


def test_a_folder_without_submissions_is_a_usage_error(
    tmp_path: Path, environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in").mkdir()
    arguments = ["run", "--each", str(tmp_path / "in"), "--output-dir", str(tmp_path / "out")]
    assert main(arguments, environ) == ExitCode.USAGE
    assert "holds no submission" in capsys.readouterr().err


def test_each_case_gets_its_report_and_images(tmp_path: Path, environ: dict[str, str]) -> None:
    letter(tmp_path / "in" / "a")
    each(tmp_path, environ, "--report", "case.html", "--images", "pages")
    made = [path for path in (tmp_path / "out" / "a").rglob("*") if path.is_file()]
    assert {path.name for path in made} == {"case.json", "case.html", "file-1-page-1.png"}
    assert [path for path in made if path.stat().st_mode & 0o077] == [], "for the owner alone"


@pytest.mark.parametrize("name", ["/tmp/case.html", "../case.html"])
def test_names_beside_each_case_stay_in_its_folder(
    tmp_path: Path, environ: dict[str, str], name: str
) -> None:
    arguments = ["run", "--each", str(tmp_path), "--output-dir", "out", "--report", name]
    assert main(arguments, environ) == ExitCode.USAGE


def test_cases_are_not_written_among_the_submissions(tmp_path: Path, environ: dict[str, str]) -> None:
    letter(tmp_path / "in" / "a")
    arguments = ["run", "--each", str(tmp_path / "in"), "--output-dir", str(tmp_path / "in" / "out")]
    assert main(arguments, environ) == ExitCode.USAGE


def test_names_that_print_alike_do_not_overwrite_one_another(tmp_path: Path, environ: dict[str, str]) -> None:
    for last in (b"\xfe", b"\xff"):
        folder = tmp_path / "in" / os.fsdecode(b"a" + last)
        letter(folder)
    assert len(each(tmp_path, environ)) == 2


def test_a_dash_is_standard_output_for_extract_too(
    tmp_path: Path,
    environ: dict[str, str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("in.jsonl").write_text('{"id": 1, "text": "Plan: cryoablation of the right renal mass."}\n')
    assert main(["extract", "in.jsonl", "--output", "-"], environ) == ExitCode.DONE
    assert json.loads(capsys.readouterr().out)["id"] == 1
    assert not Path("-").exists()
    assert main(["extract", "in.jsonl", "--output", "out.jsonl"], environ) == ExitCode.DONE
    assert Path("out.jsonl").stat().st_mode & 0o077 == 0
