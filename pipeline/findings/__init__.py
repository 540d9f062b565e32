"""Findings about the target lesion: the tumour that the requested procedure would treat.

`extract_findings` is the one entry, for a packet of documents as for one plain text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from pipeline.catalog.findings import FindingRules
from pipeline.domain import AnnotatedDocument, Field, Request
from pipeline.findings.lesions import is_unit, with_benign, with_histology
from pipeline.findings.packet import Packet
from pipeline.findings.packet import findings_of as _findings_of

__all__ = ["extract_findings"]


def extract_findings(
    documents: Sequence[AnnotatedDocument],
    request: Request,
    rules: FindingRules,
    *,
    derive_categories: bool = False,
) -> Mapping[str, Field]:
    """Every finding of the contract by name, `not_found` where the packet does not say.

    Documents that belong to another patient are not read. `derive_categories` lets T, N and M of a lone
    pathology report be derived from what it describes (extractor `rule:derived_t` and so on); never in
    a packet, where a category counts only as written.
    """
    own = [
        replace(
            source,
            mentions=tuple(
                with_histology(with_benign(source, m), rules.histologies)
                for m in source.mentions
                if not is_unit(source, m)
            ),
        )
        for source in documents
        if source.document.belongs_to_patient is not False
    ]
    return _findings_of(Packet(own, request, rules, derive_categories))
