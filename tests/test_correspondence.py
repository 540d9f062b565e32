"""The whole way in the ledger: sent once, delivered, answered in part, asked again for the rest, closed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pypdfium2
import pytest
from ledgers import DATABASES, Time, ledger_settings
from request_packets import KNOWLEDGE, LETTERS, Made, made, read_exactly, recipe_of
from sqlalchemy import update

from fixtures import render
from fixtures.assemble import assemble
from fixtures.printing import print_packet
from fixtures.records import Sheet
from fixtures.replies import answering_records
from pipeline import audit
from pipeline import correspondence as cor
from pipeline import ledger as led
from pipeline.__main__ import main
from pipeline.cases import Knowledge, build_case
from pipeline.domain import Case, Reading, Submission
from pipeline.errors import DeliveryError, ExitCode, UsageError
from pipeline.information_request import InformationRequest, case_with_request
from pipeline.information_request.as_json import request_from_json
from pipeline.information_request.fhir import Provider
from pipeline.information_request.pdf import letter_pdf
from pipeline.ledger import Arrival, Incoming, Ledger
from pipeline.ledger.database import Database
from pipeline.ledger.tables import records
from pipeline.settings import Settings
from pipeline.working import Stages, Worker

ACTOR = "user:clerk"
PROVIDER = Provider("Lakeside Urology", "1234567893", "(614) 555-0101")


_BUILT: dict[tuple[object, ...], Case] = {}


def _built(submission: Submission, reading: Reading) -> Case:
    """The case of a submission; the same one is built once a session."""
    key = (submission.id, submission.received, tuple((file.name, file.sha256) for file in submission.files))
    if key not in _BUILT:
        _BUILT[key] = build_case(submission, reading, KNOWLEDGE)
    return _BUILT[key]


class House:
    """A ledger with a worker that reads text layers in this process, and counts what it read."""

    def __init__(self, ledger: Ledger, settings: Settings, time: Time) -> None:
        self.ledger, self.settings, self.time = ledger, settings, time
        self.knowledge = Knowledge(settings)
        self.read: list[str] = []
        from pipeline.evaluation import evaluate

        stages = Stages(
            read=lambda submission, after: self._read(submission),
            build=_built,
            evaluate=lambda case: evaluate(case, settings),
        )
        self.worker = Worker(ledger, settings, "w", stages=stages)

    def _read(self, submission: Submission) -> Reading:
        self.read.append(submission.id)
        return read_exactly(submission)

    def receive(self, content: bytes, name: str = "fax.pdf") -> str:
        """It comes a second after whatever was sent before."""
        self.time.pass_(seconds=1)
        [receipt] = led.receive(self.ledger, [Arrival([Incoming(name, content)], channel="test")])
        self.work()
        return receipt.submission_id

    def work(self) -> None:
        """All that waits, until nothing does."""
        while claims := led.claim(self.ledger, "w", 1):
            self.worker.work(claims[0])
        while sendings := led.claim_sendings(self.ledger, "w", 1):
            self.worker.send(sendings[0])

    def send(self, submission_id: str, *channels: str) -> InformationRequest:
        to = cor.To(channels or ("folder",), PROVIDER, "(614) 555-0101")
        return cor.send(self.ledger, self.knowledge, submission_id, to, actor=ACTOR)

    def run(self) -> None:
        """What `triage request run` does, and the work that comes of it."""
        cor.find_replies(self.ledger, self.knowledge, actor=ACTOR)
        self.work()
        cor.settle_requests(self.ledger, self.knowledge, actor=ACTOR)

    def entries(self) -> list[cor.Entry]:
        return cor.requests_of(self.ledger, states=list(cor.State))

    def sent(self) -> dict[str, str]:
        """Where the sendings of the only request are."""
        [entry] = self.entries()
        return {channel: str(sent) for channel, sent in entry.sendings.items()}

    def outcome(self, submission_id: str) -> str | None:
        return led.item(self.ledger, submission_id).outcome

    def kinds(self, submission_id: str) -> list[str]:
        return [event.kind for event in led.history(self.ledger, submission_id).events]


@pytest.fixture(params=DATABASES)
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    time = Time()
    time.now = datetime(2026, 11, 23, 9, tzinfo=UTC)
    more = {"request_folder": str(tmp_path / "out")}
    with (
        ledger_settings(request.param, tmp_path / "home", **more) as settings,
        led.open_ledger(settings, clock=time) as ledger,
    ):
        yield House(ledger, settings, time)


def packet_bytes(packet: Made) -> bytes:
    [file] = print_packet(assemble(packet.recipe))
    return file.content


def text_of(pdf: bytes) -> str:
    return "\n".join(page.get_textpage().get_text_range() for page in pypdfium2.PdfDocument(pdf))


def pdf_of(sheets: list[Sheet], letter: bytes | None = None) -> bytes:
    """Records as a digital PDF, the plan's cover sheet on top where a letter is given."""
    import pikepdf

    pages = [
        render.DrawnPage(lines, sheet.font, sheet.two_column)
        for sheet in sheets
        for lines in render.paginate(sheet)
    ]
    content = render.draw(pages)[0]
    if letter is None:
        return content
    import io

    with pikepdf.open(io.BytesIO(letter)) as own, pikepdf.open(io.BytesIO(content)) as records:
        whole = pikepdf.new()
        whole.pages.append(own.pages[-1])
        whole.pages.extend(records.pages)
        out = io.BytesIO()
        whole.save(out, deterministic_id=True)
    return out.getvalue()


NO_EXAM = made("kidney_clear_cell", "no_exam")
TWO_ITEMS = made("lung_stage_not_stated", "wrong_patient")


# ------------------------------------------------------------------ sending


def test_a_request_is_sent_once_however_often_it_is_asked(house: House, tmp_path: Path) -> None:
    submission = house.receive(packet_bytes(NO_EXAM))
    first = house.send(submission)
    house.work()
    assert house.send(submission) == first
    house.work()
    [folder] = (tmp_path / "out").iterdir()
    assert folder.name.startswith(f"{first.reference}-")
    assert (folder / "letter.pdf").read_bytes() == letter_pdf(first, LETTERS)
    assert json.loads((folder / "task.json").read_text())["identifier"][0]["value"] == first.reference
    [entry] = house.entries()
    assert (entry.state, entry.open_items) == ("open", ("history_and_physical.physical_exam",))
    assert house.sent() == {"folder": "handed_over"}
    assert house.kinds(submission).count("request_sent") == 1
    assert led.item(house.ledger, submission).pended_at is not None


def test_a_case_that_lacks_nothing_is_not_asked_about(house: House) -> None:
    submission = house.receive(packet_bytes(made("kidney_clear_cell", "complete")))
    with pytest.raises(UsageError, match="lacks nothing"):
        house.send(submission)
    assert house.entries() == []


def test_a_person_sees_what_would_be_asked_before_and_after_it_is_sent(house: House) -> None:
    submission = house.receive(packet_bytes(NO_EXAM))
    before = cor.preview(house.ledger, house.knowledge, submission)
    assert before is not None
    assert NO_EXAM.draft is not None
    assert before.request.items == NO_EXAM.draft.items
    assert before.request.reference is None
    assert before.sent is None
    assert before.to.channels == ("folder",)
    assert before.to.provider.name
    assert before.fhir_lacks == ("the provider's NPI",)
    assert before.grade <= 9
    assert "has no physical examination" in before.html
    assert house.entries() == []
    request = house.send(submission)
    after = cor.preview(house.ledger, house.knowledge, submission, PROVIDER)
    assert after is not None
    assert after.request == request
    assert after.sent is not None
    assert (after.sent.reference, after.fhir_lacks) == (request.reference, ())
    assert str(request.reference) in after.html
    complete = house.receive(packet_bytes(made("kidney_clear_cell", "complete")))
    assert cor.preview(house.ledger, house.knowledge, complete) is None
    assert cor.preview(house.ledger, house.knowledge, "nothing") is None


def test_a_request_goes_by_all_channels_that_are_set_up_and_by_no_other(house: House) -> None:
    submission = house.receive(packet_bytes(NO_EXAM))
    with pytest.raises(UsageError, match="no such channel"):
        house.send(submission, "pigeon")
    cor.send(house.ledger, house.knowledge, submission, cor.To(()), actor=ACTOR)
    assert house.sent()["folder"].startswith("waiting")


def test_a_channel_that_fails_gets_it_later_and_nothing_is_lost(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.delivery.folder import Folder

    deliver, failures = Folder.deliver, [3]

    def failing(self: Folder, parcel: object) -> object:
        if failures[0]:
            failures[0] -= 1
            raise DeliveryError("The gateway answered with status 500.", retryable=True)
        return deliver(self, parcel)  # type: ignore[arg-type]

    monkeypatch.setattr(Folder, "deliver", failing)
    submission = house.receive(packet_bytes(NO_EXAM))
    house.send(submission)
    for _ in range(3):
        house.work()
        assert house.sent()["folder"].startswith("waiting")
        house.time.pass_(minutes=11)
    house.work()
    assert house.sent() == {"folder": "handed_over"}
    assert len(list((tmp_path / "out").iterdir())) == 1


def test_what_was_refused_for_good_can_be_sent_again(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipeline.delivery.folder import Folder

    def refusing(self: Folder, parcel: object) -> object:
        raise DeliveryError("The gateway answered with status 400.", retryable=False)

    submission = house.receive(packet_bytes(NO_EXAM))
    with monkeypatch.context() as patch:
        patch.setattr(Folder, "deliver", refusing)
        house.send(submission)
        house.work()
    assert house.sent() == {"folder": "failed (refused)"}
    house.send(submission)
    house.work()
    assert house.sent() == {"folder": "handed_over"}


def test_no_text_of_a_patient_stands_in_clear_in_the_database(house: House, tmp_path: Path) -> None:
    request = house.send(house.receive(packet_bytes(NO_EXAM), "Doe, Jane.pdf"))
    assert request.about.name
    if house.ledger.database.is_sqlite:
        content = b"".join(path.read_bytes() for path in (tmp_path / "home").glob("ledger.db*"))
        for word in (*request.about.name.split(", "), str(request.about.dob), "Lakeside"):
            assert word.encode() not in content


# ------------------------------------------------------------------ handed over, and then


def collect(house: House) -> tuple[int, int, int]:
    heard = cor.collect(house.ledger, house.knowledge, actor=ACTOR)
    return len(heard.acknowledged), len(heard.failed), len(heard.late)


def test_what_the_fax_gateway_leaves_in_the_folder_comes_into_the_ledger(
    house: House, tmp_path: Path
) -> None:
    submission = house.receive(packet_bytes(NO_EXAM))
    house.send(submission)
    house.work()
    assert house.sent() == {"folder": "handed_over"}
    assert collect(house) == (0, 0, 0)
    [folder] = (tmp_path / "out").iterdir()
    (folder / "acknowledged").touch()
    assert collect(house) == (0, 0, 0)  # asked a minute later, not at once
    house.time.pass_(minutes=2)
    assert collect(house) == (1, 0, 0)
    assert house.sent() == {"folder": "acknowledged"}
    house.time.pass_(days=1)
    assert collect(house) == (0, 0, 0)
    assert house.kinds(submission).count("delivery_acknowledged") == 1


def test_what_did_not_go_out_is_told_with_its_code_and_sent_anew_when_a_person_says_so(
    house: House, tmp_path: Path
) -> None:
    submission = house.receive(packet_bytes(NO_EXAM))
    request = house.send(submission)
    house.work()
    [folder] = (tmp_path / "out").iterdir()
    (folder / "failed").write_text("no_answer")
    assert collect(house) == (0, 1, 0)
    assert house.sent() == {"folder": "failed (no_answer)"}
    [event] = [e for e in led.history(house.ledger, submission).events if e.kind == "delivery_failed"]
    assert (event.cause, event.data["channel"]) == ("no_answer", "folder")
    house.time.pass_(hours=5)
    assert collect(house) == (0, 0, 0)
    # with another number: a second parcel, under a key of its own
    to = cor.To(("folder",), PROVIDER, "(614) 555-0199")
    assert cor.send(house.ledger, house.knowledge, submission, to, actor=ACTOR) == request
    house.work()
    assert house.sent() == {"folder": "handed_over"}
    told = [json.loads((one / "parcel.json").read_text()) for one in (tmp_path / "out").iterdir()]
    assert sorted(one["to"] for one in told) == ["(614) 555-0101", "(614) 555-0199"]
    assert len({one["key"] for one in told}) == 2
    house.send(submission)
    house.work()
    assert len(list((tmp_path / "out").iterdir())) == 2


def test_a_sending_that_nobody_acknowledged_for_hours_is_told_once(house: House) -> None:
    submission = house.receive(packet_bytes(NO_EXAM))
    house.send(submission)
    house.work()
    house.time.pass_(hours=3.9)
    assert collect(house) == (0, 0, 0)
    house.time.pass_(hours=0.2)
    assert collect(house) == (0, 0, 1)
    assert collect(house) == (0, 0, 0)
    assert house.sent() == {"folder": "handed_over, late"}
    assert house.kinds(submission).count("acknowledgement_late") == 1


def test_an_acknowledgement_that_a_gateway_calls_in_is_written_once(house: House) -> None:
    submission = house.receive(packet_bytes(NO_EXAM))
    request = house.send(submission)
    assert request.reference
    with pytest.raises(UsageError, match="was handed no request"):
        cor.tell(house.ledger, request.reference, "folder", failed=None, actor=ACTOR)
    house.work()
    for _ in range(2):
        cor.tell(house.ledger, request.reference, "folder", failed=None, actor=ACTOR)
    cor.tell(house.ledger, request.reference, "folder", failed="busy", actor=ACTOR)
    assert house.sent() == {"folder": "failed (busy)"}
    assert [k for k in house.kinds(submission) if k.startswith("delivery_")] == [
        "delivery_acknowledged",
        "delivery_failed",
    ]


def test_a_channel_that_was_away_for_a_night_gets_it_in_the_morning(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.delivery.folder import Folder

    def away(self: Folder, parcel: object) -> object:
        raise DeliveryError("The gateway answered with status 503.", retryable=True)

    submission = house.receive(packet_bytes(NO_EXAM))
    with monkeypatch.context() as patch:
        patch.setattr(Folder, "deliver", away)
        house.send(submission)
        for _ in range(20):
            house.work()
            house.time.pass_(minutes=11)
    assert house.sent() == {"folder": "failed (not_taken)"}
    assert cor.try_again(house.ledger, actor=ACTOR) == 1
    assert cor.try_again(house.ledger, actor=ACTOR) == 0
    house.work()
    assert house.sent() == {"folder": "handed_over"}


def test_a_channel_is_left_alone_for_as_long_as_it_asks(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.delivery.folder import Folder

    def busy(self: Folder, parcel: object) -> object:
        raise DeliveryError("It answered with status 429.", retryable=True, wait_s=1800)

    submission = house.receive(packet_bytes(NO_EXAM))
    with monkeypatch.context() as patch:
        patch.setattr(Folder, "deliver", busy)
        house.send(submission)
        house.work()
    house.time.pass_(minutes=29)
    assert not led.sendings_due(house.ledger)
    house.time.pass_(minutes=2)
    assert led.sendings_due(house.ledger)


def test_what_was_closed_before_it_went_out_never_does(house: House, tmp_path: Path) -> None:
    submission = house.receive(packet_bytes(NO_EXAM))
    request = house.send(submission)
    assert request.reference
    cor.close(house.ledger, request.reference, reason="withdrawn_by_office", actor=ACTOR)
    house.work()
    assert not (tmp_path / "out").exists()
    assert house.sent() == {"folder": "cancelled"}
    again = house.send(submission)  # of the same case: a request of its own
    house.work()
    assert (again.number, again.follows) == (2, request.reference)
    assert {entry.reference: entry.state for entry in house.entries()} == {
        request.reference: "closed",
        again.reference: "open",
    }
    assert len(list((tmp_path / "out").iterdir())) == 1


def test_a_letter_that_its_template_spoils_waits_and_nothing_else_does(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.correspondence import outgoing
    from pipeline.errors import CatalogError

    def spoilt(*arguments: object, **more: object) -> bytes:
        raise CatalogError("letter.md.jinja:3: 'titel' is undefined.")

    submission = house.receive(packet_bytes(NO_EXAM))
    with monkeypatch.context() as patch:
        patch.setattr(outgoing, "letter_pdf", spoilt)
        house.send(submission)
        house.work()
        assert house.sent()["folder"] == "waiting (not_taken)"
        assert house.outcome(house.receive(packet_bytes(made("kidney_clear_cell", "complete")))) == "meets"
    house.time.pass_(minutes=11)
    house.work()
    assert house.sent() == {"folder": "handed_over"}


# ------------------------------------------------------------------ answered


def test_a_reply_with_its_sheet_is_joined_worked_again_and_closes_the_request(house: House) -> None:
    submission = house.receive(packet_bytes(NO_EXAM))
    request = house.send(submission)
    assert house.outcome(submission) == "needs_information"
    reply = house.receive(pdf_of(answering_records(NO_EXAM.recipe), letter_pdf(request, LETTERS)), "fax.pdf")
    read_before = list(house.read)
    house.run()
    assert house.read == read_before  # nothing is recognised twice
    assert house.outcome(submission) == "meets"
    [entry] = house.entries()
    assert (entry.state, entry.cause, entry.open_items) == ("answered", "answered", ())
    case = led.load_case(house.ledger, submission)
    assert case is not None
    assert [file["name"] for file in case["files"]] == [NO_EXAM.submission.files[0].name, "fax.pdf"] or len(
        case["files"]
    ) == 2
    own = led.load_case(house.ledger, reply)
    assert own is not None
    assert len(case["pages"]) == len(NO_EXAM.reading.pages) + len(own["pages"])
    assert led.item(house.ledger, submission).pended_at is None
    assert "joined" in house.kinds(reply)
    assert "request_settled" in house.kinds(submission)
    with led.opened(house.ledger, submission) as opened:
        assert len(opened.files) == 2
        assert all(file.path.stat().st_size for file in opened.files)


def test_a_partial_reply_closes_its_item_and_a_second_request_asks_only_for_the_rest(house: House) -> None:
    submission = house.receive(packet_bytes(TWO_ITEMS))
    first = house.send(submission)
    assert first.codes == ("history_and_physical", "stage_group")
    house.receive(pdf_of(answering_records(TWO_ITEMS.recipe)))  # no sheet on top
    house.run()
    [entry] = house.entries()
    assert (entry.state, entry.open_items, entry.closed_items) == (
        "open",
        ("stage_group",),
        ("history_and_physical",),
    )
    house.time.pass_(days=1)
    second = house.send(submission)
    assert (second.number, second.follows, second.codes) == (2, first.reference, ("stage_group",))
    states = {entry.reference: (entry.state, entry.cause) for entry in house.entries()}
    assert states == {first.reference: ("closed", "followed"), second.reference: ("open", None)}
    rows = audit.entries(house.ledger, action="request_closed")
    assert [(row.actor, row.submission_id, row.data) for row in rows] == [
        ("clerk", submission, {"reference": first.reference, "reason": "followed"})
    ]
    case = led.load_case(house.ledger, submission)
    assert case is not None
    assert len(case["files"]) == 2


def test_running_again_changes_nothing(house: House) -> None:
    submission = house.receive(packet_bytes(NO_EXAM))
    house.send(submission)
    house.receive(pdf_of(answering_records(NO_EXAM.recipe)))
    house.run()
    events = len(led.history(house.ledger, submission).events)
    house.run()
    house.run()
    assert len(led.history(house.ledger, submission).events) == events


def test_packets_of_others_are_left_alone(house: House) -> None:
    submission = house.receive(packet_bytes(NO_EXAM))
    house.send(submission)
    other = house.receive(packet_bytes(made("prostate_focal", "no_area")))
    house.run()
    assert cor.waiting_replies(house.ledger) == []
    assert "joined" not in house.kinds(other)
    assert house.outcome(submission) == "needs_information"


def test_a_doubtful_reply_waits_and_a_person_joins_it(house: House) -> None:
    submission = house.receive(packet_bytes(NO_EXAM))
    request = house.send(submission)
    house.send(house.receive(packet_bytes(TWO_ITEMS)))
    # the right sheet on the records of somebody else
    wrong = pdf_of(answering_records(recipe_of("prostate_focal", "no_area")), letter_pdf(request, LETTERS))
    reply = house.receive(wrong)
    house.run()
    [waiting] = cor.waiting_replies(house.ledger)
    assert (waiting.submission_id, waiting.reason) == (reply, "another_patient")
    assert request.reference
    cor.join(house.ledger, reply, request.reference, actor=ACTOR)
    cor.join(house.ledger, reply, request.reference, actor=ACTOR)  # asked twice, done once
    house.run()
    assert cor.waiting_replies(house.ledger) == []
    entry = next(entry for entry in house.entries() if entry.reference == request.reference)
    assert entry.open_items == ("history_and_physical.physical_exam",)  # it answered nothing
    case = led.load_case(house.ledger, submission)
    assert case is not None
    assert case["completeness"]["identity_conflict"]["value"] is True


def test_records_that_came_before_they_were_asked_for_are_no_reply(house: House) -> None:
    submission = house.receive(packet_bytes(NO_EXAM))
    early = house.receive(pdf_of(answering_records(NO_EXAM.recipe)))
    house.time.pass_(minutes=3)  # the same day
    house.send(submission)
    house.run()
    assert cor.waiting_replies(house.ledger) == []
    assert "joined" not in house.kinds(early)
    [entry] = house.entries()
    assert (entry.state, house.outcome(submission)) == ("open", "needs_information")
    late = house.receive(pdf_of([*answering_records(NO_EXAM.recipe)] * 2))
    house.run()
    assert "joined" in house.kinds(late)
    assert house.entries()[0].state == "answered"


def test_a_reply_to_a_request_that_ended_before_it_was_looked_at_waits_for_a_person(house: House) -> None:
    submission = house.receive(packet_bytes(TWO_ITEMS))
    request = house.send(submission)
    assert request.reference
    reply = house.receive(pdf_of(answering_records(TWO_ITEMS.recipe), letter_pdf(request, LETTERS)))
    house.time.pass_(days=2)
    cor.close(house.ledger, request.reference, reason="answered_by_phone", actor=ACTOR)
    house.run()  # no request is open
    assert [(one.submission_id, one.reason) for one in cor.waiting_replies(house.ledger)] == [
        (reply, "closed")
    ]


def test_our_sheet_is_a_reply_whatever_the_channels_clock_says(house: House) -> None:
    request = house.send(house.receive(packet_bytes(NO_EXAM)))
    content = pdf_of(answering_records(NO_EXAM.recipe), letter_pdf(request, LETTERS))
    said = house.time.now - timedelta(minutes=30)
    arrival = Arrival([Incoming("fax.pdf", content)], channel="test", received_at=said)
    [receipt] = led.receive(house.ledger, [arrival])
    house.work()
    house.run()
    assert "joined" in house.kinds(receipt.submission_id)
    assert house.entries()[0].state == "answered"


def test_a_reply_that_holds_another_patients_pages_waits_unless_our_sheet_lies_on_it(house: House) -> None:
    submission = house.receive(packet_bytes(NO_EXAM))
    request = house.send(submission)
    records = answering_records(NO_EXAM.recipe)
    mixed = [*records, *answering_records(recipe_of("prostate_focal", "no_area"))]
    bare = house.receive(pdf_of(mixed))
    house.run()
    [waiting] = cor.waiting_replies(house.ledger)
    assert (waiting.submission_id, waiting.reason) == (bare, "another_patient")
    [event] = [e for e in led.history(house.ledger, bare).events if e.kind == "reply_waits"]
    assert event.data["candidates"] == [request.reference]
    assert house.kinds(submission).count("reply_joined") == 0
    sheeted = house.receive(pdf_of(mixed, letter_pdf(request, LETTERS)))
    house.run()
    assert "joined" in house.kinds(sheeted)
    case = led.load_case(house.ledger, submission)
    assert case is not None
    assert case["completeness"]["identity_conflict"]["value"] is True  # and a person sees it


def test_two_replies_to_one_request_come_one_after_the_other(house: House) -> None:
    submission = house.receive(packet_bytes(TWO_ITEMS))
    request = house.send(submission)
    sheet = letter_pdf(request, LETTERS)
    records = answering_records(TWO_ITEMS.recipe)
    first = house.receive(pdf_of(records, sheet))
    second = house.receive(pdf_of([*records, *records], sheet))
    found = cor.find_replies(house.ledger, house.knowledge, actor=ACTOR)
    assert set(found) == {first}  # the case has to be worked before more is joined to it
    house.work()
    house.run()
    assert ["joined" in house.kinds(reply) for reply in (first, second)] == [True, True]
    case = led.load_case(house.ledger, submission)
    assert case is not None
    assert len(case["files"]) == 3


def test_the_sheet_in_one_fax_and_the_records_in_the_next(house: House) -> None:
    submission = house.receive(packet_bytes(NO_EXAM))
    request = house.send(submission)
    sheet = house.receive(pdf_of([], letter_pdf(request, LETTERS)))
    house.run()
    [entry] = house.entries()
    assert entry.open_items == ("history_and_physical.physical_exam",)  # a sheet alone answers nothing
    records = house.receive(pdf_of(answering_records(NO_EXAM.recipe)))
    house.run()
    assert ["joined" in house.kinds(reply) for reply in (sheet, records)] == [True, True]
    assert house.entries()[0].state == "answered"
    assert house.outcome(submission) == "meets"


def test_several_rounds_at_once_do_each_thing_once(house: House, tmp_path: Path) -> None:
    submission = house.receive(packet_bytes(NO_EXAM))
    request = house.send(submission)
    house.work()
    reply = house.receive(pdf_of(answering_records(NO_EXAM.recipe), letter_pdf(request, LETTERS)))
    other = house.receive(packet_bytes(TWO_ITEMS))
    house.send(other)
    house.time.pass_(days=2)

    def round_(_: int) -> cor.Done:
        return cor.run_due(house.ledger, house.knowledge, actor=ACTOR)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(round_, range(8)))
    house.work()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(round_, range(8)))
    kinds = house.kinds(submission) + house.kinds(reply) + house.kinds(other)
    once = ("joined", "reply_joined", "request_settled")
    assert [kinds.count(kind) for kind in once] == [1, 1, 1]
    assert house.kinds(other).count("request_reminded") == 1
    house.work()
    assert led.balance(house.ledger).holds


def test_two_who_ask_at_once_ask_once(house: House) -> None:
    submission = house.receive(packet_bytes(NO_EXAM))
    with ThreadPoolExecutor(4) as pool:
        sent = list(pool.map(lambda _: house.send(submission).reference, range(4)))
    assert len(set(sent)) == 1
    assert len(house.entries()) == 1
    assert house.kinds(submission).count("request_sent") == 1


def test_a_sending_whose_first_answer_was_lost_is_one_deed(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Database.write

    def twice(self: Database, work: Any, *, durable: bool = False) -> Any:
        write(self, work, durable=durable)
        return write(self, work, durable=durable)

    def told() -> tuple[int, int]:
        rows = audit.entries(house.ledger, action="request_sent")
        return len(rows), house.kinds(submission).count("request_sent")

    submission = house.receive(packet_bytes(NO_EXAM))
    with monkeypatch.context() as patch:
        patch.setattr(Database, "write", twice)
        request = house.send(submission)
    assert told() == (1, 1)
    assert house.send(submission) == request  # a person sends it again: a deed of its own
    assert told() == (2, 1)


def test_a_submission_that_was_rejected_is_reminded_of_no_more(house: House) -> None:
    submission = house.receive(packet_bytes(NO_EXAM))
    house.send(submission)
    led.reject(house.ledger, submission, reason="sent_by_mistake", actor=ACTOR)
    house.time.pass_(days=3)
    assert cor.remind(house.ledger, house.knowledge, actor=ACTOR) == ([], [])
    [entry] = house.entries()
    assert (entry.state, entry.cause) == ("closed", "submission_rejected")
    told = {"reference": entry.reference}
    events = led.history(house.ledger, submission).events
    assert [event.data for event in events if event.kind == "request_closed"] == [told]
    rows = audit.entries(house.ledger, action="request_closed")
    assert [(row.submission_id, row.data) for row in rows] == [
        (submission, told | {"reason": "submission_rejected"})
    ]


@pytest.mark.parametrize("end", ["expired", "rejected", "rejected before"])
def test_what_nobody_waits_for_any_more_is_erased_in_its_time(house: House, end: str) -> None:
    submission = house.receive(packet_bytes(NO_EXAM))
    house.send(submission)
    house.work()
    [entry] = house.entries()
    if end == "expired":
        house.time.pass_(days=(entry.expires_on - entry.issued_on).days)
    else:
        led.reject(house.ledger, submission, reason="sent_by_mistake", actor=ACTOR)
        assert led.item(house.ledger, submission).pended_at is None
    if end == "rejected before":  # while a rejection still left it pended
        led.pend(house.ledger, submission, cause="request_sent", actor=ACTOR)
    cor.remind(house.ledger, house.knowledge, actor=ACTOR)
    house.work()
    assert led.item(house.ledger, submission).pended_at is None
    assert house.kinds(submission).count("resumed") == 1 + (end == "rejected before")
    house.time.pass_(days=100)
    assert led.erase_old(house.ledger, timedelta(days=90), actor=ACTOR) == [submission]


def spoil(house: House, submission: str, kind: str = "request") -> None:
    """A record of the ledger is damaged on the disk."""
    which = (records.c.submission_id == submission, records.c.kind == kind)
    spoilt = update(records).where(*which).values(content=b"damaged")
    assert house.ledger.write(lambda db: db.execute(spoilt).rowcount) >= 1


def test_a_request_whose_record_is_broken_holds_up_no_other(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("ERROR", "pipeline")
    broken, whole = house.receive(packet_bytes(TWO_ITEMS)), house.receive(packet_bytes(NO_EXAM))
    lost, request = house.send(broken), house.send(whole)
    house.time.pass_(days=LETTERS.deadlines(request.policy.id, expedited=False).remind_days[0])
    spoil(house, broken)
    named = house.receive(pdf_of([], letter_pdf(lost, LETTERS)))
    reply = house.receive(pdf_of(answering_records(NO_EXAM.recipe), letter_pdf(request, LETTERS)))
    done = cor.run_due(house.ledger, house.knowledge, actor=ACTOR)
    assert done.reminded == (request.reference,)
    assert (list(done.found), house.kinds(reply).count("joined")) == ([reply], 1)
    assert [(one.submission_id, one.reason) for one in cor.waiting_replies(house.ledger)] == [
        (named, "not_joinable")
    ]
    assert f"Request {lost.reference} is left as it is: SealBroken." in caplog.text
    led.replay(house.ledger, broken, actor=ACTOR, read_again=True)
    house.work()  # both have a newer case now
    settled = cor.settle_requests(house.ledger, house.knowledge, actor=ACTOR)
    assert list(settled) == [request.reference]


def test_a_submission_whose_case_is_broken_holds_up_no_reply(house: House) -> None:
    submission = house.receive(packet_bytes(NO_EXAM))
    request = house.send(submission)
    spoil(house, house.receive(packet_bytes(made("prostate_focal", "no_area"))), "case")
    reply = house.receive(pdf_of(answering_records(NO_EXAM.recipe), letter_pdf(request, LETTERS)))
    assert list(cor.find_replies(house.ledger, house.knowledge, actor=ACTOR)) == [reply]


@pytest.mark.parametrize(
    ("error", "asked"),
    [
        (DeliveryError("It answered with status 503.", retryable=True), 1),
        (DeliveryError("It answered with status 404.", retryable=False), 2),
        (TypeError("a bug"), 2),
    ],
)
def test_a_channel_that_is_away_is_asked_once_a_round(
    house: House, monkeypatch: pytest.MonkeyPatch, error: Exception, asked: int
) -> None:
    from pipeline.delivery.folder import Folder

    calls = []

    def failing(self: Folder, receipt: str) -> object:
        calls.append(receipt)
        raise error

    for packet in (NO_EXAM, TWO_ITEMS):
        house.send(house.receive(packet_bytes(packet)))
    house.work()
    monkeypatch.setattr(Folder, "later", failing)
    house.time.pass_(minutes=2)
    assert collect(house) == (0, 0, 0)
    assert len(calls) == asked
    assert collect(house) == (0, 0, 0)
    assert len(set(calls)) == 2  # the other has its turn in the next round


class Killed(BaseException):
    pass


@contextmanager
def killed_after_one_write(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The process ends before it can write a second time."""
    write, left = Ledger.write, [1]

    def once(self: Ledger, work: Any, *, durable: bool = False) -> Any:
        if not left:
            raise Killed
        left.pop()
        return write(self, work, durable=durable)

    with monkeypatch.context() as patch, suppress(Killed):
        patch.setattr(Ledger, "write", once)
        yield


def test_what_waits_and_what_it_waits_for_are_written_at_once(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stands() -> tuple[list[str], bool]:
        states = [str(entry.state) for entry in house.entries()]
        return states, led.item(house.ledger, submission).pended_at is not None

    submission = house.receive(packet_bytes(NO_EXAM))
    with killed_after_one_write(monkeypatch):
        house.send(submission)
    assert stands() == (["open"], True)
    reference = house.entries()[0].reference
    with killed_after_one_write(monkeypatch):
        cor.close(house.ledger, reference, reason="withdrawn_by_office", actor=ACTOR)
    assert stands() == (["closed"], False)
    house.send(submission)
    house.receive(pdf_of(answering_records(NO_EXAM.recipe)))
    cor.find_replies(house.ledger, house.knowledge, actor=ACTOR)
    house.work()
    with killed_after_one_write(monkeypatch):
        cor.settle_requests(house.ledger, house.knowledge, actor=ACTOR)
    assert sorted(stands()[0]) == ["answered", "closed"]
    assert not stands()[1]


# ------------------------------------------------------------------ days, closing, the command


def test_reminders_and_expiry_come_by_the_policys_days(house: House, tmp_path: Path) -> None:
    request = house.send(house.receive(packet_bytes(NO_EXAM)))
    days = LETTERS.deadlines(request.policy.id, expedited=False)
    [entry] = house.entries()

    def remind() -> tuple[list[str], list[str]]:
        told = cor.remind(house.ledger, house.knowledge, actor=ACTOR)
        house.work()
        return told

    house.work()
    passed = 0
    for day in days.remind_days:
        house.time.pass_(days=day - passed - 1)
        assert remind() == ([], [])
        house.time.pass_(days=1)
        assert remind() == ([request.reference], [])
        assert remind() == ([], [])
        passed = day
    folders = list((tmp_path / "out").iterdir())
    assert len(folders) == 1 + len(days.remind_days)
    texts = ["Reminder" in text_of((folder / "letter.pdf").read_bytes()) for folder in folders]
    assert texts.count(True) == len(days.remind_days)
    house.time.pass_(days=(entry.expires_on - entry.issued_on).days - passed)
    assert remind() == ([], [request.reference])
    [entry] = house.entries()
    assert (entry.state, entry.cause, entry.reminders) == ("expired", "no_answer", len(days.remind_days))
    assert remind() == ([], [])
    rows = audit.entries(house.ledger, action="request_expired")
    assert [(row.submission_id, row.data) for row in rows] == [
        (entry.submission_id, {"reference": request.reference, "reason": "no_answer"})
    ]


def test_a_person_closes_a_request_with_a_reason(house: House) -> None:
    submission = house.receive(packet_bytes(NO_EXAM))
    request = house.send(submission)
    assert request.reference
    with pytest.raises(UsageError, match="reason is a code"):
        cor.close(house.ledger, request.reference, reason="they called, Mr. Doe", actor=ACTOR)
    cor.close(house.ledger, request.reference, reason="withdrawn_by_office", actor=ACTOR)
    [entry] = house.entries()
    assert (entry.state, entry.cause) == ("closed", "withdrawn_by_office")
    with pytest.raises(UsageError, match="no open request"):
        cor.close(house.ledger, request.reference, reason="again", actor=ACTOR)
    assert led.item(house.ledger, submission).pended_at is None


def test_the_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with ledger_settings("sqlite", tmp_path / "home") as settings, led.open_ledger(settings) as ledger:
        submission = House(ledger, settings, Time()).receive(packet_bytes(NO_EXAM))
    environ = {
        "TRIAGE_HOME": str(settings.home),
        "TRIAGE_KEYS": settings.keys,
        "TRIAGE_MIN_FREE_MB": "1",
        "TRIAGE_REQUEST_FOLDER": str(tmp_path / "out"),
    }

    def triage(*arguments: str) -> tuple[int, str]:
        code = main(["request", *arguments], environ)
        return code, capsys.readouterr().out

    code, text = triage("preview", submission)
    assert code == ExitCode.DONE
    assert "has no physical examination" in text
    assert "(Reads at school grade" in text
    code, text = triage("send", submission, "--npi", "1234567893", "--to", "(614) 555-0101")
    assert code == ExitCode.DONE
    reference = text.split()[1].rstrip(":")
    assert "folder: handed_over" in text
    for form in ("html", "pdf", "json", "task", "communication", "x12"):
        out = tmp_path / f"request.{form}"
        code, _ = triage("preview", reference, "--format", form, "--npi", "1234567893", "--output", str(out))
        assert code == ExitCode.DONE
        assert out.stat().st_size > 400
        assert out.stat().st_mode & 0o077 == 0
    listed = triage("list")[1].splitlines()
    assert listed[0].split()[:3] == ["REFERENCE", "SUBMISSION", "STATE"]
    assert listed[1].split()[:3] == [reference, submission, "open"]
    assert listed[2:4] == [
        "    open: history_and_physical.physical_exam",
        listed[3],
    ]
    assert listed[3].startswith("    sent by folder: handed_over, ")
    assert json.loads(triage("list", "--json")[1])["requests"][0]["reference"] == reference
    assert triage("run")[1].startswith("0 replies joined, 0 requests settled, 0 sendings acknowledged")
    assert triage("acknowledge", reference, "--failed", "no_answer")[0] == ExitCode.DONE
    assert "folder: failed (no_answer)" in triage("list")[1]
    assert triage("acknowledge", reference, "--failed", "Mr. Doe was out")[0] == ExitCode.USAGE
    assert triage("acknowledge", reference, "--channel", "mail")[0] == ExitCode.USAGE
    assert triage("join", submission, reference)[0] == ExitCode.USAGE
    assert triage("close", reference, "--reason", "no_longer_needed")[0] == ExitCode.DONE
    assert triage("list")[1] == "No request is open, and no reply waits for a person.\n"
    assert "closed" in triage("list", "--all")[1]
    assert triage("preview", "nothing")[0] == ExitCode.USAGE
    assert triage("send", submission, "--by", "pigeon")[0] == ExitCode.USAGE


def test_a_case_says_what_its_provider_would_be_asked_for() -> None:
    told = case_with_request(NO_EXAM.case, KNOWLEDGE.catalog)["information_request"]
    assert [item["code"] for item in told["items"]] == ["history_and_physical.physical_exam"]
    assert (told["reference"], told["due"]) == (None, None)
    assert request_from_json(told) == NO_EXAM.draft
    complete = made("kidney_clear_cell", "complete").case
    assert case_with_request(complete, KNOWLEDGE.catalog)["information_request"] is None


def test_preview_of_a_case_file_needs_no_ledger(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from pipeline.case_json import to_json

    for packet, told in (
        (NO_EXAM, "We need more records"),
        (made("kidney_clear_cell", "complete"), "Nothing"),
    ):
        (tmp_path / "case.json").write_text(json.dumps(to_json(packet.case)))
        assert main(["request", "preview", str(tmp_path / "case.json")], {}) == ExitCode.DONE
        assert told in capsys.readouterr().out
