"""`triage prefill` and `triage corrections` over a desk with a worked case."""

from __future__ import annotations

import csv
import io
import json
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pdfplumber
import pytest
from desks import LETTER, TestDesk, _stages, open_desk
from ledgers import DATABASES, KEYS
from prefill_cases import CATALOG, KIDNEY, case_of
from sqlalchemy import delete

from pipeline import audit
from pipeline.__main__ import main
from pipeline.case_json import to_json
from pipeline.domain import Box
from pipeline.errors import ExitCode, UsageError
from pipeline.ledger import claim, claim_sendings, erase_old, load_reading, replay
from pipeline.ledger.tables import records
from pipeline.prefill import FORMATS, Source, questionnaire_response
from pipeline.prefill_commands import FORMATS as OFFERED
from pipeline.review.casefile import open_case
from pipeline.review.correcting import Change, Mark, correct
from pipeline.review.corrections import Correction, Kind
from pipeline.review.pictures import Pictures
from pipeline.review.prefilled import exported, form_of_file, forms_in, touches_of
from pipeline.review.regression import export_set, share_report
from pipeline.working import Worker

OTHER = (
    LETTER.replace("Alma", "Berta")
    .replace("right upper lobe", "left lower lobe")
    .replace("curative", "palliative")
)


AT = datetime(2026, 8, 7, 9, 30, tzinfo=UTC)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[TestDesk]:
    """A desk of the test's own."""
    with open_desk(tmp_path / "home", LETTER) as opened:
        yield opened


@pytest.fixture(scope="module", params=DATABASES)
def afternoon(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestDesk]:
    """A desk with two cases, one of them corrected; tests look at it and change nothing."""
    home = tmp_path_factory.mktemp("desk")
    with open_desk(home, LETTER, OTHER, kind=request.param) as opened:
        corrected(opened)
        yield opened


def trail(desk: TestDesk, action: str, after: int = 0) -> list[audit.Entry]:
    """The rows of an action, from the oldest on."""
    rows = audit.entries(desk.ledger, most=1000)
    return [one for one in reversed(rows) if one.action == action and one.number > after]


def last_row(desk: TestDesk) -> int:
    return audit.entries(desk.ledger, most=1)[0].number


def change(
    desk: TestDesk, kind: Kind, subject: str, after: Any = None, words: str = "", actor: str = "nora"
) -> None:
    """A correction by hand; `words` are what the person marks."""
    file = open_case(desk.ledger, desk.submission_id)
    assert file is not None
    marks = (_mark(desk, words),) if words else ()
    asked = Change(
        kind, subject, after=after, why="" if kind is Kind.ACCEPT else "as the note says", marks=marks
    )
    correct(desk.ledger, desk.settings, desk.submission_id, asked, version=file.version, actor=actor)


def _mark(desk: TestDesk, words: str) -> Mark:
    file = open_case(desk.ledger, desk.submission_id)
    reading = load_reading(desk.ledger, desk.submission_id, 1)
    assert file is not None
    assert reading is not None
    page = reading.pages[0]
    start = page.text.index(words)
    boxes = [word.box for word in page.words if start <= word.start < start + len(words)]
    area = Box(boxes[0].x0 - 1, boxes[0].top - 1, boxes[-1].x1 + 1, boxes[-1].bottom + 1)
    return Mark(file.case.files[0].name, 1, area)


def corrected(desk: TestDesk) -> None:
    """What a reviewer does on an afternoon: confirms, changes, enters, refuses, and takes one back."""
    change(desk, Kind.ACCEPT, "findings.intent")
    change(desk, Kind.CHANGE, "findings.t", "T2B", words="cT2a")
    change(desk, Kind.REJECT, "findings.m")
    change(desk, Kind.CHANGE, "patient.member_id", "TEST 1", words="Testperson")
    change(desk, Kind.REJECT, "findings.laterality")
    change(desk, Kind.UNDO, "5")


def run(desk: TestDesk, *arguments: str) -> int:
    environ = {"TRIAGE_HOME": str(desk.settings.home), "TRIAGE_KEYS": KEYS, "TRIAGE_MIN_FREE_MB": "1"}
    if desk.settings.ledger_url:
        environ["TRIAGE_LEDGER_URL"] = desk.settings.ledger_url
    return main(list(arguments), environ)


# --------------------------------------------------------------------------- prefill


def test_the_commands_offer_every_format() -> None:
    assert tuple(FORMATS) == OFFERED


@pytest.mark.parametrize("name", OFFERED)
def test_a_case_file_becomes_each_format(name: str, tmp_path: Path) -> None:
    source = tmp_path / "case.json"
    source.write_text(json.dumps(to_json(case_of(KIDNEY))), encoding="utf-8")
    out = tmp_path / "out" / "form"
    assert main(["prefill", str(source), "--format", name, "--output", str(out)], {}) == ExitCode.DONE
    assert out.stat().st_size > 1000
    assert stat.S_IMODE(out.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "arguments",
    [
        ["prefill", "--format", "csv"],
        ["prefill", "x", "--all", "--format", "csv"],
        ["prefill", "--all", "--format", "pdf"],
        ["prefill", "--policy", "cryosurgical-ablation", "--format", "csv"],
        ["prefill", "--policy", "nothing", "--format", "questionnaire"],
        ["prefill", "--policy", "cryosurgical-ablation@2001-01-01", "--format", "questionnaire"],
    ],
)
def test_what_cannot_be_is_refused(arguments: list[str], tmp_path: Path) -> None:
    assert main(arguments, {"TRIAGE_HOME": str(tmp_path)}) == ExitCode.USAGE


def test_no_case_is_no_form(tmp_path: Path) -> None:
    source = tmp_path / "case.json"
    source.write_text("no json", encoding="utf-8")
    assert main(["prefill", str(source), "--format", "csv"], {}) == ExitCode.USAGE


def test_a_policy_alone_gives_its_questionnaire(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    assert main(["prefill", "--policy", "cryosurgical-ablation", "--format", "questionnaire"], {}) == 0
    resource = json.loads(capsysbinary.readouterr().out)
    assert (resource["resourceType"], resource["version"]) == ("Questionnaire", "2023-02-01")


def test_the_ledgers_case_says_who_answered_and_is_audited(
    afternoon: TestDesk, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    before = last_row(afternoon)
    file = open_case(afternoon.ledger, afternoon.submission_id)
    assert file is not None
    form = form_of_file(afternoon.ledger, file, CATALOG)
    sources = {one.question.link_id: one.source for one in form.answers}
    assert sources["findings.intent"] is Source.AUTO
    assert sources["findings.t"] is Source.OVERRIDE
    assert sources["patient.member_id"] is Source.MANUAL
    assert sources["findings.m"] is None
    assert sources["findings.laterality"] is Source.AUTO  # what was undone counts no more
    author = form.of("findings.t")[0].author
    assert author is not None
    assert (author.actor, author.role) == ("nora", "reviewer")
    for name in ("questionnaire-response", "pdf"):
        assert run(afternoon, "prefill", afternoon.submission_id, "--format", name) == ExitCode.DONE
    rows = trail(afternoon, "exported", before)
    assert [one.data["format"] for one in rows] == ["questionnaire-response", "pdf"]
    assert all(one.submission_id == afternoon.submission_id for one in rows)
    assert audit.verify(afternoon.ledger).whole


def test_all_cases_go_out_in_one_table(
    afternoon: TestDesk, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    before = last_row(afternoon)
    assert run(afternoon, "prefill", "--all", "--format", "csv") == ExitCode.DONE
    text = capsysbinary.readouterr().out.decode()
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    forms = list(forms_in(afternoon.ledger, CATALOG))
    assert len({row["case_id"] for row in rows}) == len(forms) == 2
    intents = {row["value"] for row in rows if row["field"] == "findings.intent"}
    assert intents == {"curative", "palliative"}
    [changed] = [row for row in rows if row["origin"] == "override"]
    assert (changed["field"], changed["corrected_by"]) == ("findings.t", "reviewer")
    [version] = {row["model_version"] for row in rows}
    assert version.startswith("0.")
    [told] = trail(afternoon, "exported", before)
    assert (told.submission_id, dict(told.data)) == (None, {"format": "csv", "cases": 2, "left_out": 0})


def test_a_server_has_its_pictures_drawn_elsewhere(afternoon: TestDesk) -> None:
    file = open_case(afternoon.ledger, afternoon.submission_id)
    assert file is not None
    pictures = Pictures(afternoon.ledger, afternoon.settings)
    try:
        made = exported(afternoon.ledger, pictures, file, CATALOG, "pdf", at=AT)
    finally:
        pictures.close()
    with pdfplumber.open(io.BytesIO(made.content)) as document:
        drawn = sum(len(page.images) for page in document.pages)
    shown = [one for one in form_of_file(afternoon.ledger, file, CATALOG).answers if one.evidence]
    assert drawn == len(shown) > 12


def test_every_automatic_answer_leads_to_its_words_on_the_page(afternoon: TestDesk) -> None:
    """Held against the reading: the boxes enclose the words that the offsets quote, and no others."""
    file = open_case(afternoon.ledger, afternoon.submission_id)
    reading = load_reading(afternoon.ledger, afternoon.submission_id, 1)
    assert file is not None
    assert reading is not None
    pages = {(page.file, page.number): page for page in reading.pages}
    texts = {document.id: document.text for document in file.case.documents}
    resource = questionnaire_response(form_of_file(afternoon.ledger, file, CATALOG), CATALOG, at=AT)
    items = [item for group in resource["item"] for item in group["item"]]
    automatic = [
        answer
        for item in items
        for answer in item.get("answer", ())
        if answer["extension"][0]["extension"][0]["valueCode"] == "auto-server"
    ]
    assert len(automatic) >= 12
    for answer in automatic:
        place = next(one["extension"] for one in answer["extension"] if one["url"].endswith("/evidence"))
        told = {part["url"]: value for part in place for key, value in part.items() if key[:5] == "value"}
        boxes = [
            [edge["valueDecimal"] for edge in part["extension"]] for part in place if part["url"] == "box"
        ]
        page = pages[told["file"], told["page"]]
        enclosed = [word.text.strip(".,:;") for word in page.words if _inside(word.box, boxes)]
        quoted = texts[told["document"]][told["start"] : told["end"]].split()
        assert enclosed == [word.strip(".,:;") for word in quoted]


def _inside(box: Box, areas: list[list[float]]) -> bool:
    x, y = (box.x0 + box.x1) / 2, (box.top + box.bottom) / 2
    return any(area[0] <= x <= area[2] and area[1] <= y <= area[3] for area in areas)


# --------------------------------------------------------------------------- corrections


def test_corrections_become_a_set_that_evaluate_set_runs(
    afternoon: TestDesk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before, out = last_row(afternoon), tmp_path / "set"
    assert run(afternoon, "corrections", "export", str(out)) == ExitCode.DONE
    told = capsys.readouterr().out
    assert "1 cases with 4 values" in told
    assert "sealed no more" in told
    [folder] = out.iterdir()
    assert folder.name == afternoon.submission_id
    assert sorted(path.name for path in folder.iterdir()) == ["001.pdf", "expected.json"]
    assert stat.S_IMODE(out.stat().st_mode) == stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    expected = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    about = expected.pop("about")
    assert expected == {
        "patient": {"member_id": "TEST 1"},
        "findings": {"t": "T2B", "m": None, "intent": "curative"},
    }
    assert about["submission"] == afternoon.submission_id
    [row] = trail(afternoon, "regression_exported", before)
    assert (row.submission_id, dict(row.data)) == (afternoon.submission_id, {"fields": 4})

    report = tmp_path / "figures.json"
    assert main(["evaluate-set", str(out), "--output", str(report)], {}) == ExitCode.DONE
    figures = json.loads(report.read_text(encoding="utf-8"))
    scored = {one["field"]: one["accuracy"] for one in figures["fields"]}
    assert scored == {
        "patient.member_id": 0.0,
        "findings.t": 0.0,
        "findings.m": 0.0,  # the reading still has it, a person says the packet does not
        "findings.intent": 1.0,
    }
    assert figures["unsafe_meets"] == []


def test_an_element_is_measured_as_an_element(desk: TestDesk, tmp_path: Path) -> None:
    made = export_set(desk.ledger, CATALOG, tmp_path / "before", actor="operator:test")
    assert (made.cases, made.fields) == (0, 0)  # nothing is corrected yet
    change(desk, Kind.CHANGE, "elements.treatment_plan.treatment_area", "missing")
    export_set(desk.ledger, CATALOG, tmp_path / "set", actor="operator:test")
    assert main(["evaluate-set", str(tmp_path / "set"), "--output", str(tmp_path / "f.json")], {}) == 0
    [figure] = json.loads((tmp_path / "f.json").read_text(encoding="utf-8"))["fields"]
    assert (figure["field"], figure["accuracy"]) == ("elements.treatment_plan.treatment_area", 0.0)


def test_a_set_goes_to_a_folder_of_its_own(afternoon: TestDesk, tmp_path: Path) -> None:
    before = last_row(afternoon)
    full, open_ = tmp_path / "full", tmp_path / "open"
    full.mkdir(mode=0o700)
    (full / "x").write_text("x")
    open_.mkdir(mode=0o755)
    open_.chmod(0o755)
    for folder, told in ((full, "not empty"), (open_, "read by others")):
        with pytest.raises(UsageError, match=told):
            export_set(afternoon.ledger, CATALOG, folder, actor="operator:test")
    assert trail(afternoon, "regression_exported", before) == []


def test_a_report_counts_what_people_did(afternoon: TestDesk, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(afternoon, "corrections", "report", "--json") == ExitCode.DONE
    text = capsys.readouterr().out
    [version] = json.loads(text)["versions"]
    assert (version["cases"], version["version"].startswith("0.")) == (2, True)
    fields = {one["field"]: one for one in version["fields"]}

    def counts(name: str) -> tuple[int, ...]:
        one = fields[name]
        names = ("cases", "filled", "accepted", "changed", "rejected", "untouched", "entered")
        return tuple(one[part] for part in names)

    assert counts("findings.intent") == (2, 2, 1, 0, 0, 1, 0)
    assert counts("findings.t") == (2, 2, 0, 1, 0, 1, 0)
    assert counts("findings.m") == (2, 2, 0, 0, 1, 1, 0)
    assert counts("patient.member_id") == (2, 0, 0, 0, 0, 0, 1)
    assert counts("findings.laterality") == (2, 2, 0, 0, 0, 2, 0)
    assert fields["findings.t"]["shares"] == {
        "filled": 1.0,
        "accepted": 0.0,
        "overridden": 0.5,
        "overridden_of_seen": 1.0,
    }
    for word in ("Testperson", "T2B", "TEST 1", "nora", "as the note says"):
        assert word not in text
    assert run(afternoon, "corrections", "report") == ExitCode.DONE
    assert "findings.intent" in capsys.readouterr().out


def test_a_period_selects(afternoon: TestDesk, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert run(afternoon, "corrections", "report", "--until", "2020-01-01") == ExitCode.DONE
    assert capsys.readouterr().out == "No case in this period.\n"
    assert (
        run(afternoon, "corrections", "export", str(tmp_path / "set"), "--since", "2999-01-01")
        == ExitCode.DONE
    )
    assert "0 cases with 0 values" in capsys.readouterr().out


def test_a_new_reading_is_counted_once_and_without_the_old_corrections(desk: TestDesk) -> None:

    corrected(desk)
    replay(desk.ledger, desk.submission_id, actor="user:test")
    worker = Worker(desk.ledger, desk.settings, "test", stages=_stages())
    for held in claim(desk.ledger, "test", 5):
        worker.work(held)
    for sending in claim_sendings(desk.ledger, "test", 5):
        worker.send(sending)
    shares = share_report(desk.ledger, CATALOG)
    [fields] = shares.fields.values()
    [intent] = [one for one in fields if one.field == "findings.intent"]
    assert (intent.cases, intent.accepted) == (1, 0)


def test_a_deed_that_lapsed_is_not_counted(desk: TestDesk) -> None:
    def accepted() -> int:
        [fields] = share_report(desk.ledger, CATALOG).fields.values()
        return sum(one.accepted for one in fields if one.field == "findings.intent")

    change(desk, Kind.ACCEPT, "findings.intent")
    assert accepted() == 1
    change(desk, Kind.RETYPE, "pages.0.1", "consent_form")  # what it says is no finding any more
    file = open_case(desk.ledger, desk.submission_id)
    assert file is not None
    assert set(file.lapsed) == {1}
    assert accepted() == 0


def test_what_cannot_be_shown_is_left_out_and_told(
    desk: TestDesk, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    corrected(desk)
    gone = delete(records).where(records.c.submission_id == desk.submission_id, records.c.kind == "case")
    desk.ledger.write(lambda db: db.execute(gone))
    assert run(desk, "prefill", "--all", "--format", "csv") == ExitCode.PARKED
    told = capsys.readouterr()
    assert told.out.count("\n") == 1  # the names of the columns
    assert desk.submission_id in told.err
    made = export_set(desk.ledger, CATALOG, tmp_path / "set", actor="operator:test")
    assert (made.cases, made.left_out) == (0, 1)


def test_what_was_erased_is_in_no_set(desk: TestDesk, tmp_path: Path) -> None:
    corrected(desk)
    assert erase_old(desk.ledger, timedelta(0), actor="user:test") == [desk.submission_id]
    made = export_set(desk.ledger, CATALOG, tmp_path / "set", actor="operator:test")
    assert (made.cases, made.left_out) == (0, 1)
    assert list(forms_in(desk.ledger, CATALOG)) == []
    assert share_report(desk.ledger, CATALOG).cases == {}


def test_what_lapsed_is_nobodys_word() -> None:
    at = datetime(2026, 8, 7, tzinfo=UTC)
    said = [
        Correction(number, at, "nora", Kind.ACCEPT, f"findings.{name}")
        for number, name in ((1, "t"), (2, "n"))
    ]
    assert set(touches_of(said, {})) == {"findings.t", "findings.n"}
    assert set(touches_of(said, {}, lapsed={1})) == {"findings.n"}
