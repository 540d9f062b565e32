"""A reading as JSON and back, equal record for record."""

from __future__ import annotations

from typing import Any

from pipeline.domain import Barcode, Box, Page, Problem, Reading, Word


def reading_to_json(reading: Reading) -> dict[str, Any]:
    """Only dicts, lists, strings, numbers, booleans and None."""
    return {
        "pages": [_page_to_json(page) for page in reading.pages],
        "problems": [[item.file, item.page, item.code, item.message] for item in reading.problems],
        "page_counts": dict(reading.page_counts),
    }


def reading_from_json(content: dict[str, Any]) -> Reading:
    """What `reading_to_json` was given."""
    return Reading(
        pages=tuple(_page_from_json(page) for page in content["pages"]),
        problems=tuple(Problem(*item) for item in content["problems"]),
        page_counts=content["page_counts"],
    )


def _page_to_json(page: Page) -> dict[str, Any]:
    return {
        "file": page.file,
        "number": page.number,
        "source": page.source,
        "rotation": page.rotation,
        "width": page.width,
        "height": page.height,
        "text": page.text,
        # A word's text is page.text[start:end], always, and is not written twice.
        "words": [[word.start, word.end, *word.box, word.confidence] for word in page.words],
        "unconfirmed": [number for number, word in enumerate(page.words) if not word.confirmed],
        "blank": page.blank,
        "duplicate_of": page.duplicate_of,
        "banner": page.banner,
        "mean_confidence": page.mean_confidence,
        "barcodes": [[code.text, *code.box] for code in page.barcodes],
    }


def _page_from_json(content: dict[str, Any]) -> Page:
    text, unconfirmed = content["text"], set(content.get("unconfirmed", ()))
    words = tuple(
        Word(text[start:end], Box(x0, top, x1, bottom), start, end, confidence, number not in unconfirmed)
        for number, (start, end, x0, top, x1, bottom, confidence) in enumerate(content["words"])
    )
    pairs = {name: tuple(content[name]) if content[name] else None for name in ("duplicate_of", "banner")}
    barcodes = tuple(Barcode(said, Box(*box)) for said, *box in content.get("barcodes", ()))
    page = {name: value for name, value in content.items() if name != "unconfirmed"}
    return Page(**{**page, **pairs, "words": words, "barcodes": barcodes})
