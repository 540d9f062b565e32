"""The report: everything is in it, everything that it links is there, and packet text stays text."""

from __future__ import annotations

import base64
import hashlib
import re
from collections import Counter
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from report_samples import SETTINGS, case_of, evidence_in, write_packet

from pipeline.__main__ import main
from pipeline.domain import (
    Alternative,
    Box,
    Case,
    CaseFile,
    CasePage,
    Evaluation,
    EvaluatorInfo,
    Evidence,
    Field,
    Problem,
    Status,
    Submission,
)
from pipeline.errors import ExitCode
from pipeline.intake.folder import receive
from pipeline.report import write_report

HOSTILE = (
    "<script>pwned=1</script><img src=x onerror=pwned=1>\"'><svg onload=pwned=1>{{ 7*7 }}</title>&lt;\u202e"
)


@dataclass
class Parsed(HTMLParser):
    """Elements of a page as (tag, attributes), its ids, links and text."""

    html: str
    elements: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    contents: list[tuple[str, str]] = field(default_factory=list)
    text: str = ""
    raw: str = ""

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(self.html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.raw = tag if tag in ("script", "style") else ""

    def handle_endtag(self, tag: str) -> None:
        self.raw = ""

    def handle_data(self, data: str) -> None:
        if self.raw:
            self.contents.append((self.raw, data))
        else:
            self.text += data

    @property
    def ids(self) -> list[str]:
        return [str(attributes["id"]) for _, attributes in self.elements if "id" in attributes]

    @property
    def words(self) -> str:
        return " ".join(self.text.split())

    def one(self, element_id: str) -> dict[str, str | None]:
        [found] = [attributes for _, attributes in self.elements if attributes.get("id") == element_id]
        return found


def report(case: Case, submission: Submission, folder: Path) -> Parsed:
    path = folder / "report.html"
    write_report(case, submission, path, SETTINGS)
    return Parsed(path.read_text("utf-8"))


@pytest.fixture(scope="module")
def submission(tmp_path_factory: pytest.TempPathFactory) -> Submission:
    return write_packet(tmp_path_factory.mktemp("packet"))


@pytest.fixture(scope="module")
def page(submission: Submission, tmp_path_factory: pytest.TempPathFactory) -> Parsed:
    return report(case_of(submission), submission, tmp_path_factory.mktemp("report"))


# --------------------------------------------------------------------------- what it says


@pytest.mark.parametrize(
    "words",
    [
        "Recommendation More information is needed before a review",
        "On what is documented: criterion I.C: Tumor of the kidney",
        "A person decides.",
        "Missing: to ask the provider for Which lesion is treated, and where.",
        "For a person to look at Pages of another patient are in the packet.",
        "T: conflict",
        "file 2, page 3: Reading it failed.",
        "tumor site kidney confidence 70%",
        "not lung (a relative's) file 3, page 1",
        "T1A conflict clinical",
        "or T1B (the packet says both) file 1, page 1",
        "Not stated in the packet: intent.",
        "Required: Treatment plan including the treatment area incomplete",
        "treatment area missing",
        "I.F.1 unknown",
        "because of intent, lung stage",
        "would be settled by stage group, or by T and N",
        "The packet: 4 pages in 3 files",
        "file 1, page 1 Consultation document 1",
        "file 2, page 1 Copy of an earlier page same as file 1, page 1 turned 180° hard to read",
        "file 2, page 2 Blank page blank",
        "file 2, page 3 Could not be read not read",
        "file 3, page 1 Treatment plan document 2 other patient",
    ],
)
def test_report_says(words: str, page: Parsed) -> None:
    assert words in page.words


def test_what_is_missing_stands_before_all_answers(page: Parsed) -> None:
    assert page.words.index("Missing: to ask") < page.words.index("For a person") < page.words.index("Marlow")


OUTCOMES = ("meets", "investigational", "needs_information", "out_of_scope", "other_policy")


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_an_outcome_is_a_recommendation_and_never_a_decision(
    outcome: str, submission: Submission, tmp_path: Path
) -> None:
    evaluation = Evaluation(EvaluatorInfo("embedded", "1", "p@1"), outcome, None)  # type: ignore[arg-type]
    case = case_of(submission, evaluation=evaluation)
    words = report(case, submission, tmp_path).words.lower()
    assert "recommendation" in words
    assert "a person decides" in words
    assert not re.search(r"\b(approv|den(y|ied|ial)|authorized|reject)", words)


@pytest.mark.parametrize(("status", "says"), [("present", True), ("incomplete", False), ("unclear", False)])
def test_nothing_is_said_to_be_complete_that_is_not(
    status: str, says: bool, submission: Submission, tmp_path: Path
) -> None:
    case = case_of(submission)
    assert case.evaluation is not None
    plan = replace(case.completeness.documents["treatment_plan"], status=status)
    case = replace(
        case,
        evaluation=replace(case.evaluation, missing=()),
        completeness=replace(case.completeness, documents={"treatment_plan": plan}),
    )
    words = report(case, submission, tmp_path).words
    assert ("All documents that the policy requires are in the packet" in words) is says


def test_a_parked_case_gives_its_reason(submission: Submission, tmp_path: Path) -> None:
    problem = Problem("a.pdf", None, "encrypted", "The PDF is locked with a password.")
    parked = Case("abc", "parked", (problem,), None, (CaseFile("a.pdf", "0", "application/pdf", 0),))
    words = report(parked, submission, tmp_path).words
    assert "Parked Put aside for a person; not evaluated" in words
    assert "file 1: The PDF is locked with a password." in words
    assert "Recommendation" not in words


def test_a_case_of_a_policy_that_is_not_kept_is_shown_all_the_same(
    submission: Submission, tmp_path: Path
) -> None:
    case = case_of(submission)
    assert case.policy is not None
    old = replace(case, policy=replace(case.policy, version="1999-01-01"))
    assert "tumor site kidney" in report(old, submission, tmp_path).words


# --------------------------------------------------------------------------- links and marks


def test_ids_are_unique_and_every_link_resolves(page: Parsed) -> None:
    assert [name for name, times in Counter(page.ids).items() if times > 1] == []
    links = [str(attributes["href"]) for tag, attributes in page.elements if tag == "a"]
    assert len(links) > 30
    assert {link[0] for link in links} == {"#"}
    assert {link[1:] for link in links} <= set(page.ids)


def test_every_place_that_an_answer_shows_is_a_mark_with_a_box(page: Parsed) -> None:
    geometry = page.contents[1][1]
    places = {
        str(attributes["href"])[1:] for _, attributes in page.elements if attributes.get("class") == "place"
    }
    assert len(places) == 4  # a name, a site on two lines, a procedure, a size
    for place in places:
        assert str(page.one(place)["href"]).startswith("#r"), "a mark leads to its row"
        assert re.search(
            rf"^#{place}\{{left:\S+%;top:\S+%;width:\S+%;height:\S+%\}}$", geometry, re.MULTILINE
        )


def test_one_place_is_one_mark_that_leads_to_what_weighs_most(page: Parsed) -> None:
    """2.7 cm on the coarse fax: another patient's identity, one side of a conflict, and not taken."""
    assert "aria-label" in page.one("m4")
    assert page.one("m4")["aria-label"] == "identity, T; not taken: tumor site, file 3, page 1"


def test_evidence_without_a_page_is_quoted_without_a_link(submission: Submission, tmp_path: Path) -> None:
    nowhere = Evidence("gone.pdf", 9, "d9", 0, 4, "gone", (Box(1, 2, 3, 4),))
    finding = Field("curative", Status.FOUND, 0.9, evidence=(nowhere,))
    parsed = report(case_of(submission, findings={"intent": finding}), submission, tmp_path)
    assert "intent curative page 9 gone" in parsed.words


def test_a_page_whose_file_is_gone_keeps_its_marks(submission: Submission, tmp_path: Path) -> None:
    case = case_of(submission)
    parsed = report(case, replace(submission, files=submission.files[:1]), tmp_path)
    assert "The image of this page cannot be shown." in parsed.words
    assert "m4" in parsed.ids


def test_a_page_too_large_to_show_is_told_of_and_the_others_are_shown(
    submission: Submission, tmp_path: Path
) -> None:
    """A text page is drawn as large as allowed; a fax is 3.7 million pixels, the coarse one 1.9."""
    path = tmp_path / "report.html"
    write_report(case_of(submission), submission, path, replace(SETTINGS, max_page_megapixels=2))
    assert Parsed(path.read_text("utf-8")).words.count("The image of this page cannot be shown.") == 2


def test_one_page_is_written_for_one_submission(tmp_path: Path) -> None:
    arguments = ["run", "--each", str(tmp_path), "--output-dir", str(tmp_path), "--report", "x.html"]
    assert main(arguments, {}) == ExitCode.USAGE


# --------------------------------------------------------------------------- nothing but itself


def test_nothing_is_loaded_from_elsewhere(page: Parsed) -> None:
    tags = {tag for tag, _ in page.elements}
    assert not tags & {"link", "iframe", "object", "embed", "form", "base", "video", "audio"}
    for _, attributes in page.elements:
        assert not [name for name in attributes if name.startswith("on") or name in ("style", "srcset")]
        assert (attributes.get("src") or "data:image/png;base64,").startswith("data:image/png;base64,")
    assert "url(" not in page.html
    assert "@import" not in page.html


def test_the_policy_admits_the_script_and_the_styles_of_the_page_and_nothing_else(page: Parsed) -> None:
    [policy] = [
        str(attributes["content"])
        for _, attributes in page.elements
        if attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    assert [tag for tag, _ in page.contents] == ["style", "style", "script"]
    hashes = [
        f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
        for _, text in page.contents
    ]
    assert policy == (
        f"default-src 'none'; img-src data:; style-src {hashes[0]} {hashes[1]}; script-src {hashes[2]}; "
        "base-uri 'none'; form-action 'none'"
    )


def hostile_case(submission: Submission) -> Case:
    """The sample with hostile text wherever a text can come from a packet, a sender or an evaluator."""
    case = case_of(submission)
    assert case.evaluation is not None
    quote = replace(evidence_in(submission, "2.7 cm"), quote=HOSTILE, section=HOSTILE)
    finding = Field(
        HOSTILE, Status.CONFLICTING, 0.5, evidence=(quote,), alternatives=(Alternative(HOSTILE, HOSTILE),)
    )
    return replace(
        case,
        case_id=HOSTILE,
        problems=(Problem(HOSTILE, 1, HOSTILE, HOSTILE),),
        files=(*case.files, CaseFile(HOSTILE, "0", HOSTILE, 0)),
        pages=(*case.pages, CasePage(HOSTILE, 1, "ocr", 0, False, None, 0.9, 612, 792)),
        documents=tuple(replace(one, title=HOSTILE, type=HOSTILE) for one in case.documents),
        patient=replace(case.patient, name=replace(finding, basis=HOSTILE, edition=HOSTILE)),
        findings={HOSTILE: finding, "tumor_site": finding},
        completeness=replace(
            case.completeness,
            documents={HOSTILE: case.completeness.documents["treatment_plan"]},
        ),
        evaluation=replace(
            case.evaluation,
            evaluator=EvaluatorInfo(HOSTILE, HOSTILE, HOSTILE),
            criterion=HOSTILE,
            criteria=tuple(
                replace(one, id=HOSTILE, because=(HOSTILE,), would_settle=(HOSTILE,))
                for one in case.evaluation.criteria
            ),
            missing=tuple(replace(one, message=HOSTILE) for one in case.evaluation.missing),
            other_policy=HOSTILE,
            needs_person=(HOSTILE,),
        ),
    )


def test_hostile_text_stays_text(submission: Submission, tmp_path: Path) -> None:
    parsed = report(hostile_case(submission), submission, tmp_path)
    tags = Counter(tag for tag, _ in parsed.elements)
    assert (tags["script"], tags["svg"], tags["title"]) == (1, 0, 1)
    assert not [attributes for _, attributes in parsed.elements if {"onerror", "onload"} & attributes.keys()]
    assert parsed.words.count("<script>pwned=1</script>") > 15
    assert "{{ 7*7 }}" in parsed.words
    assert "\u202e" not in parsed.html


def test_text_that_cannot_be_written_is_shown_as_such(submission: Submission, tmp_path: Path) -> None:
    quote = replace(evidence_in(submission, "2.7 cm"), quote="left\ud800 kid\x00ney\f")
    finding = Field("kidney", Status.FOUND, 0.9, evidence=(quote,))
    parsed = report(case_of(submission, findings={"tumor_site": finding}), submission, tmp_path)
    assert "left\ufffd kid\ufffdney" in parsed.words


# --------------------------------------------------------------------------- size


def test_ten_noisy_fax_pages_stay_small(tmp_path: Path) -> None:
    noise = np.random.default_rng(7)
    fax = np.asarray(PIL.Image.open(write_packet(tmp_path / "in").files[2].path).resize((1728, 2200)))
    pages = [PIL.Image.fromarray(fax ^ (noise.random(fax.shape) < 0.01)) for _ in range(10)]
    packet = tmp_path / "fax.tif"
    pages[0].save(packet, save_all=True, append_images=pages[1:], compression="group4", dpi=(204, 196))
    case = Case(
        "abc",
        "complete",
        (),
        None,
        (CaseFile("fax.tif", "0", "image/tiff", 10),),
        pages=tuple(CasePage("fax.tif", n, "ocr", 0, False, None, 0.9, 610, 808) for n in range(1, 11)),
    )
    path = tmp_path / "report.html"
    write_report(case, receive([packet]), path, SETTINGS)
    assert path.read_text("utf-8").count("data:image/png;base64,") == 20
    assert path.stat().st_size < 3_000_000


def test_a_fax_is_shown_bit_by_bit_and_a_text_page_in_few_greys(page: Parsed) -> None:
    shown = [str(attributes["src"]) for tag, attributes in page.elements if tag == "img"]
    with_alt = [
        str(attributes["src"]) for tag, attributes in page.elements if tag == "img" and attributes["alt"]
    ]
    assert (len(shown), len(with_alt)) == (8, 4)
    modes = []
    for source in with_alt:
        data = base64.b64decode(source.removeprefix("data:image/png;base64,"))
        modes.append((data[24], data[25]))  # bit depth and colour type, of the PNG's header
    assert modes == [(4, 3), (1, 0), (1, 0), (1, 0)]
