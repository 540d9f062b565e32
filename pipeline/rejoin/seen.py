"""The references that a reply bears, in barcodes and in print."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from pipeline.domain import Reading
from pipeline.information_request.reference import from_barcode, near_printed, read_printed


@dataclass(frozen=True, slots=True)
class Seen:
    """Known references on the pages of a reply, by how surely they were read."""

    barcodes: frozenset[str] = frozenset()
    printed: frozenset[str] = frozenset()
    misread: frozenset[str] = frozenset()


def references_in(reading: Reading, known: Collection[str]) -> Seen:
    """What a reply bears of the `known` references. A printed one that is misread counts only where it is
    near to one of them alone."""
    codes = [from_barcode(code.text) for page in reading.pages for code in page.barcodes]
    text = "\n".join(page.text for page in reading.pages)
    printed = set(read_printed(text)) & set(known)
    return Seen(
        barcodes=frozenset(code for code in codes if code is not None and code in known),
        printed=frozenset(printed),
        misread=frozenset(near_printed(text, known) - printed),
    )
