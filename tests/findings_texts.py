"""Short texts as documents of a packet, for the tests of findings."""

from __future__ import annotations

from pathlib import Path

from pipeline.catalog.sections import load_sections
from pipeline.catalog.treatment import load_treatment
from pipeline.domain import AnnotatedDocument, Document, Evidence, Field, Page, Request, Status
from pipeline.findings.regions import Region, regions
from pipeline.nlp.sections import find_sections

MODELS = Path(__file__).parent.parent / "models"
SECTIONS = load_sections(MODELS)
TREATMENT = load_treatment(MODELS)


def document(type: str, text: str, *, id: str = "d1") -> AnnotatedDocument:
    """One document of one page, with its sections and no mentions."""
    page = Page("fax.pdf", 1, "text", 0, 612, 792, text, ())
    return AnnotatedDocument(Document(id, type, "", (page,)), find_sections(text, SECTIONS), ())


def packet(*documents: tuple[str, str]) -> list[AnnotatedDocument]:
    """Documents from (type, text) pairs."""
    return [document(type, text, id=f"d{number}") for number, (type, text) in enumerate(documents, start=1)]


def regions_of(*documents: tuple[str, str]) -> list[Region]:
    """The places of a packet where the treatment may be spoken of."""
    return regions(packet(*documents), TREATMENT.regions)


def request(*codes: str) -> Request:
    """A request for these CPT codes."""
    evidence = Evidence("fax.pdf", 1, "d1", 0, 5, "12345")
    return Request(cpt=tuple(Field(code, Status.FOUND, 0.9, evidence=(evidence,)) for code in codes))
