"""The letter: legible on a fax, easy to read, of one patient only, and without a word that decides."""

from __future__ import annotations

import io
import re
import shutil
import unicodedata
from dataclasses import replace
from pathlib import Path

import fpdf
import pypdfium2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from request_packets import KNOWLEDGE, LETTERS, REFERENCE, draft_of, made, sent

from pipeline.catalog.facts import load_facts
from pipeline.domain import Alternative, Completeness, Element, Field, Met, Missing, Requirement, Status
from pipeline.errors import CatalogError
from pipeline.information_request import InformationRequest
from pipeline.information_request.letter import letter_blocks, letter_html
from pipeline.information_request.pdf import letter_pdf
from pipeline.information_request.plain import reading_grade, syllables
from pipeline.information_request.record import AskedAbout

DOCUMENTED = Path(__file__).parents[1] / "docs" / "requests.md"
PACKETS = [
    ("kidney_clear_cell", "no_exam"),
    ("prostate_focal", "no_area"),
    ("lung_adenocarcinoma_ia", "no_history"),
    ("lung_stage_not_stated", "wrong_patient"),
    ("skin_without_biopsy", "complete"),
]


def text_of(pdf: bytes) -> str:
    pages = pypdfium2.PdfDocument(pdf)
    return "\n".join(page.get_textpage().get_text_range() for page in pages)


@pytest.fixture(scope="module")
def request_() -> InformationRequest:
    return made("lung_stage_not_stated", "wrong_patient").request


# ------------------------------------------------------------------ what stands in it


def test_the_letter_holds_the_items_the_days_and_the_reference(request_: InformationRequest) -> None:
    text = " ".join(text_of(letter_pdf(request_, LETTERS)).split())
    for item in request_.items:
        assert item.ask in text
        assert item.loinc.code in text
        for found in item.found:
            assert found.text in text
    assert "Please answer by 11/27/2026." in text
    assert text.count(REFERENCE) >= 4
    assert LETTERS.plan.fax in text


def test_html_and_pdf_say_the_same(request_: InformationRequest) -> None:
    html = re.sub(r"<style>.*?</style>|<svg.*?</svg>", "", letter_html(request_, LETTERS), flags=re.DOTALL)
    words = re.sub(r"<[^>]+>", " ", html).replace("&quot;", '"').replace("&#x27;", "'")
    for block in letter_blocks(request_, LETTERS)[0]:
        assert " ".join(block.plain.split()) in " ".join(words.split()) or "**" in block.text


def test_the_cover_sheet_names_no_patient(request_: InformationRequest) -> None:
    _, cover = letter_blocks(request_, LETTERS)
    told = " ".join(block.plain for block in cover)
    about = request_.about
    assert about.name
    assert about.dob
    for value in (*about.name.split(", "), about.dob, about.dob[:4], about.member_id):
        assert str(value) not in told


def test_the_letter_does_not_hold_the_member_number(request_: InformationRequest) -> None:
    assert request_.about.member_id
    assert request_.about.member_id not in text_of(letter_pdf(request_, LETTERS))


def test_the_same_request_gives_the_same_bytes(request_: InformationRequest) -> None:
    assert letter_pdf(request_, LETTERS) == letter_pdf(request_, LETTERS)


def test_a_draft_is_shown_without_reference_and_barcode() -> None:
    draft = made("kidney_clear_cell", "no_exam").draft
    assert draft is not None
    assert "<svg" not in letter_html(draft, LETTERS)
    assert letter_pdf(draft, LETTERS).startswith(b"%PDF")


# ------------------------------------------------------------------ legible and plain


def test_no_type_below_twelve_points_no_grey_no_thin_rule(
    request_: InformationRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes, widths = [], []
    set_font, set_line_width = fpdf.FPDF.set_font, fpdf.FPDF.set_line_width
    monkeypatch.setattr(
        fpdf.FPDF,
        "set_font",
        lambda pdf, family=None, style="", size=0: (sizes.append(size), set_font(pdf, family, style, size)),
    )
    monkeypatch.setattr(
        fpdf.FPDF, "set_line_width", lambda pdf, width: (widths.append(width), set_line_width(pdf, width))
    )
    pdf = letter_pdf(request_, LETTERS)
    assert min(sizes) >= 12
    assert min(widths) >= 1
    for page in pypdfium2.PdfDocument(pdf):
        # drawn without smoothing, every dot is black or white
        image = page.render(scale=2, grayscale=True, no_smoothtext=True, no_smoothpath=True).to_numpy()
        assert set(image.ravel().tolist()) <= {0, 255}


@pytest.mark.parametrize(("scenario", "gap"), PACKETS, ids="-".join)
def test_the_letter_is_read_at_ninth_grade_or_below(scenario: str, gap: str) -> None:
    request = made(scenario, gap).request
    second = replace(request, number=2, follows="X0YY-46A9-YT")
    for reminder, one in ((0, request), (1, request), (0, second), (0, replace(request, expedited=True))):
        letter, cover = letter_blocks(one, LETTERS, reminder=reminder)
        assert 0 < reading_grade(letter) <= 9
        assert reading_grade(cover) <= 9


_FACTS = [fact.name for fact in load_facts(KNOWLEDGE.settings.models_dir) if fact.ask and not fact.computed]
_POLICY = KNOWLEDGE.catalog.policies["cryosurgical-ablation"]
_CODES = [
    *_FACTS,
    *(name.name for name in _POLICY.required_documents),
    *(f"{one.name}.{element}" for one in _POLICY.required_documents for element in one.elements),
    *(f"{one.name}.date" for one in _POLICY.required_documents),
]


@pytest.mark.parametrize("code", _CODES)
@pytest.mark.parametrize("state", ["missing", "incomplete", "unclear"])
def test_every_kind_of_item_is_read_at_ninth_grade_or_below(code: str, state: str) -> None:
    """Each thing that can be asked for, alone, in the words in which the evaluator asks for it."""
    case = made("lung_stage_not_stated", "wrong_patient").case
    asks = {fact.name: fact.ask for fact in load_facts(KNOWLEDGE.settings.models_dir)}
    asks |= {wording.name: wording.ask for wording in _POLICY.elements}
    ask = asks.get(code.rpartition(".")[2]) or f"{code.partition('.')[0].replace('_', ' ')}"
    assert case.evaluation is not None
    name = code.partition(".")[0]
    elements = {
        element: Element(Met.UNCLEAR if state == "unclear" else Met.MISSING)
        for element in ("history", "physical_exam", "procedure", "treatment_area")
    }
    record = None if state == "missing" else case.documents[-1].id
    case = replace(
        case,
        evaluation=replace(case.evaluation, missing=(Missing(code, ask),)),
        completeness=Completeness({name: Requirement(state, elements, record)}),  # type: ignore[arg-type]
    )
    draft = draft_of(case)
    assert draft is not None
    assert draft.codes == (code,)
    letter, _ = letter_blocks(sent(draft), LETTERS)
    assert 0 < reading_grade(letter) <= 9, "\n".join(block.plain for block in letter)


def test_the_grade_tells_hard_from_easy() -> None:
    from pipeline.information_request.markup import Block

    easy = [Block("text", "Please send us the note of the visit. We need it to go on.")]
    hard = [
        Block(
            "text",
            "Notwithstanding the aforementioned documentation deficiencies, the utilization management "
            "organization necessitates supplementary clinical information demonstrating appropriateness.",
        )
    ]
    assert reading_grade(easy) < 3
    assert reading_grade(hard) > 18


@pytest.mark.parametrize(
    ("word", "count"),
    [
        ("page", 1), ("pages", 2), ("named", 1), ("needed", 2), ("table", 2), ("area", 3), ("physical", 3),
        ("criterion", 4), ("pathology", 4), ("examination", 5), ("miscellaneous", 5), ("radiology", 5),
    ],
)  # fmt: skip
def test_syllables(word: str, count: int) -> None:
    assert syllables(word) == count


# ------------------------------------------------------------------ what it never says


@pytest.mark.parametrize(("scenario", "gap"), PACKETS, ids="-".join)
def test_no_word_of_a_letter_decides(scenario: str, gap: str) -> None:
    for blocks in letter_blocks(made(scenario, gap).request, LETTERS):
        for block in blocks:
            assert not LETTERS.decides(block.plain), block.plain


@pytest.mark.parametrize(
    "text", ["Your request was denied.", "It is APPROVED", "an approval", "This is not medically necessary."]
)
def test_words_that_decide_are_known(text: str) -> None:
    assert LETTERS.decides(text)


# ------------------------------------------------------------------ templates


@settings(max_examples=25, deadline=None)
@given(
    name=st.text(max_size=60),
    found=st.sampled_from(
        ["# no heading", "**bold**", "[[code]]", "{{ plan.name }}", "- no item", "<script>"]
    ),
)
def test_what_a_packet_says_stays_text(name: str, found: str) -> None:
    request = made("kidney_clear_cell", "no_exam").request
    hostile = replace(request, about=AskedAbout(name=f"{found} {name}", dob=None))
    letter, cover = letter_blocks(hostile, LETTERS)
    plain, cover_plain = letter_blocks(replace(request, about=AskedAbout("Doe, Jane")), LETTERS)
    assert [block.kind for block in letter] == [block.kind for block in plain]
    assert cover == cover_plain
    assert "<script>" not in letter_html(hostile, LETTERS)
    assert letter_pdf(hostile, LETTERS).startswith(b"%PDF")


def _with_template(tmp_path: Path, text: str) -> Path:
    folder = tmp_path / "letters"
    shutil.copytree(LETTERS.folder, folder)
    (folder / "letter.md.jinja").write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("template", "told"),
    [
        ("Dear {{ plan.name }},\n\n{{ provider_name }}", "letter.md.jinja:3: 'provider_name' is undefined"),
        (
            "{% for item in items %}\n{{ item.titel }}\n{% endfor %}",
            "letter.md.jinja:2: 'dict object' has",
        ),
        ("line one\n{% if due %}", "letter.md.jinja:2: "),
        ("{{ items.__class__.__mro__ }}", "letter.md.jinja:1: access to attribute '__class__'"),
        ("one\n{{ items + 1 }}", "letter.md.jinja:2: TypeError"),
        ("{% include 'other.jinja' %}", "'other.jinja' not found"),
        ("{% for n in range(10 ** 9) %}{% endfor %}", "letter.md.jinja:1: OverflowError"),
    ],
    ids=["unknown name", "misspelt", "unclosed", "not for templates", "no sum", "no file", "too much"],
)
def test_a_template_that_cannot_be_filled_is_told_with_file_and_line(
    tmp_path: Path, request_: InformationRequest, template: str, told: str
) -> None:
    letters = replace(LETTERS, folder=_with_template(tmp_path, template))
    with pytest.raises(CatalogError, match="Names that a template may use") as error:
        letter_blocks(request_, letters)
    assert told in str(error.value)


@pytest.mark.parametrize(
    ("template", "told"),
    [
        ("One.\nYour request is denied.\n", "letter.md.jinja:2: a word that decides"),
        ("{# denied #}\nWe need {{ items|length }} records.", ""),
        ("One.\n{{ 'appro' ~ 'ved' }}", "letter.md.jinja: a word that decides stands in the letter, line 2"),
    ],
    ids=["in the template", "in a comment", "put together"],
)
def test_a_template_that_decides_writes_no_letter(
    tmp_path: Path, request_: InformationRequest, template: str, told: str
) -> None:
    letters = replace(LETTERS, folder=_with_template(tmp_path, template))
    if not told:
        assert letter_blocks(request_, letters)
        return
    with pytest.raises(CatalogError) as error:
        letter_blocks(request_, letters)
    assert told in str(error.value)


def test_every_name_that_is_listed_may_be_used(tmp_path: Path, request_: InformationRequest) -> None:
    listed = re.search(r"\*\*Templates\*\*.*?(?=\n\n)", DOCUMENTED.read_text("utf-8"), re.DOTALL)
    assert listed
    names = re.findall(r"`([a-z_.]+)`", listed[0].partition("They may")[2].partition(". A name")[0])
    of_items = names.index("items") + 1
    lines = [f"{{{{ {name} }}}}" for name in names[: of_items - 1]]
    lines += [f"{{{{ items[0].{name} }}}}" for name in names[of_items:]]
    assert len(lines) > 20
    letters = replace(LETTERS, folder=_with_template(tmp_path, "\n".join(lines)))
    assert letter_blocks(request_, letters)


def test_a_plan_may_write_its_own_letter(tmp_path: Path, request_: InformationRequest) -> None:
    letters = replace(LETTERS, folder=_with_template(tmp_path, "# Ours\n{{ items[0].title }} by {{ due }}"))
    assert "Ours\r\nHistory and Physical by 11/27/2026" in text_of(letter_pdf(request_, letters))


@pytest.mark.parametrize(
    "name",
    [
        "Nguyễn, Thị Hồng",
        "Šimůnek, Jiří",
        "Żółć, Łukasz",
        "Gómez-Ibáñez, María José",
        "Ștefănescu, Ionuț",
        "İğdır, Öztürk",
        "Ødegård, Åse",
        "Παπαδοπούλου, Ελένη",
        "Кузнецова, Ольга",
        "O’Brien–Smith, Siobhán",
        f"Wolfeschlegelsteinhausenbergerdorff-Featherstonehaugh{' von Hohenzollern' * 4}, Maximiliane",
    ],
)
def test_names_are_printed_as_they_are_written(name: str, request_: InformationRequest) -> None:
    named = replace(request_, about=replace(request_.about, name=name))
    text = " ".join(unicodedata.normalize("NFC", text_of(letter_pdf(named, LETTERS))).split())
    assert name.replace("-", "") in text.replace("-", "").replace("\ufffe", "")


def test_a_letter_that_the_type_lacks_is_marked_and_never_logged(
    request_: InformationRequest, caplog: pytest.LogCaptureFixture
) -> None:
    named = replace(request_, about=replace(request_.about, name="李, Anna"))
    assert "?, Anna" in text_of(letter_pdf(named, LETTERS))
    assert "李" not in caplog.text
    apart = replace(request_, about=replace(request_.about, name=unicodedata.normalize("NFD", "Nguyễn, Thị")))
    assert "Nguyễn, Thị" in unicodedata.normalize("NFC", text_of(letter_pdf(apart, LETTERS)))


def test_a_patient_of_whom_nothing_is_known_gets_a_letter_all_the_same(request_: InformationRequest) -> None:
    text = text_of(letter_pdf(replace(request_, about=AskedAbout()), LETTERS))
    assert "Patient:" not in text
    assert "Date of birth:" not in text
    assert REFERENCE in text


def test_a_name_that_could_hardly_be_read_is_told_as_it_was_read() -> None:
    case = made("kidney_clear_cell", "no_exam").case
    printed = Alternative("Vane, Ottille", "not_readable", case.patient.name.evidence)
    unsure = Field(status=Status.UNCERTAIN, evidence=case.patient.name.evidence, alternatives=(printed,))
    draft = draft_of(replace(case, patient=replace(case.patient, name=unsure)))
    assert draft is not None
    assert (draft.about.name, draft.about.name_read) == (None, "Vane, Ottille")
    text = text_of(letter_pdf(draft, LETTERS))
    assert "Patient: Vane, Ottille (as we could read it)" in " ".join(text.split())


def test_long_letters_break_into_pages_that_each_bear_the_reference(request_: InformationRequest) -> None:
    long = replace(request_, items=request_.items * 6)
    pages = pypdfium2.PdfDocument(io.BytesIO(letter_pdf(long, LETTERS)))
    assert len(pages) >= 4
    for page in pages:
        assert REFERENCE in page.get_textpage().get_text_range()
