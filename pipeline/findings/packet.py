"""The order in which the findings of one packet are made: plan, target, diagnosis, stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from pipeline.catalog.findings import FindingRules
from pipeline.domain import AnnotatedDocument, Field, Request, Status
from pipeline.findings.airway import find_airway_obstruction
from pipeline.findings.area import Phrase, area_phrases, find_area
from pipeline.findings.categories import find_category
from pipeline.findings.codes import with_codes
from pipeline.findings.diagnosis import (
    Reading,
    disputed_by_codes,
    find_behavior,
    find_lung_type,
    find_origin,
    find_primary_site,
    readings,
)
from pipeline.findings.extent import with_derived
from pipeline.findings.extent_nodes import derived_m
from pipeline.findings.histology import find_histology
from pipeline.findings.intent import find_intent
from pipeline.findings.lesions import STAGE_LABELS, Context, Weigher, contexts
from pipeline.findings.nodes import doubted_by_nodes, find_nodes
from pipeline.findings.procedure import find_procedure
from pipeline.findings.regions import Region, regions
from pipeline.findings.side import find_side
from pipeline.findings.site import principal_site
from pipeline.findings.stage import StageFindings, checked_against_tnm, derive_stage_group, find_stage
from pipeline.findings.target import Target, diagnosis_votes, find_site, plan_words, site_votes
from pipeline.findings.told import find_told
from pipeline.findings.unproven import find_unproven

_OF_ONE_TEXT = ("t", "n", "m", "stage_group", "derived_stage_group", "node_status")


@dataclass(frozen=True)
class Packet:
    """One patient's documents with the request, and what is read of them on the way to the findings."""

    documents: Sequence[AnnotatedDocument]
    request: Request
    rules: FindingRules
    derive_categories: bool = False

    @cached_property
    def regions(self) -> list[Region]:
        return regions(self.documents, self.rules.treatment.regions)

    @cached_property
    def phrases(self) -> list[Phrase]:
        return area_phrases(self.regions, self.rules.treatment)

    @cached_property
    def weigher(self) -> Weigher:
        return Weigher(
            self.rules.target,
            self.rules.treatment.area,
            plan_words(self.phrases, self.rules.treatment),
            alone=len(self.documents) == 1,
        )

    @cached_property
    def tumours(self) -> list[Context]:
        return list(contexts(self.documents, frozenset({"neoplasm"})))

    @cached_property
    def stages(self) -> list[Context]:
        return list(contexts(self.documents, STAGE_LABELS))

    @property
    def is_one_text(self) -> bool:
        """A lone document without a request: what it is about is its own principal tumour."""
        return len(self.documents) == 1 and not self.request.cpt and not self.phrases

    @cached_property
    def site(self) -> Field:
        found = (
            principal_site(self.documents[0], self.rules.one_text.site)
            if self.is_one_text
            else self._voted_site()
        )
        return replace(found, code=self.rules.topography.get(str(found.value))) if found.value else found

    def _voted_site(self) -> Field:
        rules = self.rules.target
        votes = site_votes(
            self.documents, self.regions, self.phrases, self.request, self.rules.treatment, rules
        )
        return find_site([*votes, *diagnosis_votes(self.tumours, self.weigher, rules)], rules)

    @cached_property
    def side(self) -> Field:
        site = str(self.site.value) if self.site.value else None
        return find_side(
            site, self.regions, self.phrases, self.request, self.tumours, self.weigher, self.rules.target
        )

    @cached_property
    def target(self) -> Target:
        site, side = self.site.value, self.side.value
        found = Target(
            site=str(site) if site else None,
            side=str(side) if side and self.side.status is Status.FOUND else None,
            words=self.weigher.anchor,
        )
        statements = readings(self.tumours, found, self.weigher, self.rules.target)
        origin = find_origin(statements, found, self.request, self.rules.target, find_area(self.phrases))
        return replace(found, in_metastasis=origin.value == "metastatic")

    @cached_property
    def readings(self) -> list[Reading]:
        return readings(self.tumours, self.target, self.weigher, self.rules.target)


def findings_of(packet: Packet) -> Mapping[str, Field]:
    """All findings by name: in the contract's order, then those that an analyst added."""
    rules = packet.rules
    found = {
        "procedure": find_procedure(packet.regions, packet.request, rules.treatment),
        "tumor_site": packet.site,
        "laterality": packet.side,
        "intent": find_intent(packet.regions, rules.treatment),
        "treatment_area": find_area(packet.phrases),
        "airway_obstruction": _airway(packet),
        **_diagnosis(packet),
        **find_told(packet.documents, rules.fields),
    }
    found |= _stages(
        packet, metastatic=found["origin"].value == "metastatic", lung_type=found["lung_type"].value
    )
    if not packet.is_one_text:
        found["node_status"] = find_nodes(
            packet.documents,
            found["n"],
            found["behavior"],
            packet.target,
            rules.treatment.nodes,
            rules.target,
        )
        found |= doubted_by_nodes(found)
    held = {
        name: _held(found.get(name, Field()), rule.least_confidence) for name, rule in rules.fields.items()
    }
    return with_codes(held, rules.site_codes)


def _airway(packet: Packet) -> Field:
    if packet.target.site != "lung":
        return Field()
    return find_airway_obstruction(packet.documents, packet.rules.treatment)


def _diagnosis(packet: Packet) -> dict[str, Field]:
    statements, target, rules = packet.readings, packet.target, packet.rules.target
    behavior = disputed_by_codes(find_behavior(statements), packet.request, target, rules)
    if behavior.value is None:
        unproven = find_unproven(packet.documents, packet.request, target, packet.rules.treatment, rules)
        behavior = replace(unproven, alternatives=behavior.alternatives) if unproven.value else behavior
    origin = find_origin(statements, target, packet.request, rules, find_area(packet.phrases))
    return {
        "origin": origin,
        "primary_site": find_primary_site(statements, target, origin, packet.request, rules),
        "behavior": behavior,
        "histology": find_histology(statements, behavior, origin, target.site),
        "lung_type": find_lung_type(statements, target, origin, rules),
    }


def _stages(packet: Packet, *, metastatic: bool, lung_type: object) -> dict[str, Field]:
    site, tables = packet.target.site, packet.rules.staging
    if packet.is_one_text:
        one = find_stage(packet.documents[0], site, tables, packet.rules.one_text.stage)
        stated = {name: getattr(one, name) for name in _OF_ONE_TEXT}
        return stated | (_derived(packet, one) if packet.derive_categories else {})
    names = {"t": "tnm_t", "n": "tnm_n", "m": "tnm_m", "stage_group": "stage_group"}
    found = {
        name: find_category(
            label, packet.stages, packet.target, packet.weigher, packet.rules.target, metastatic=metastatic
        )
        for name, label in names.items()
    }
    table = tables.get(site or "")
    if not metastatic and lung_type != "sclc":
        found["stage_group"] = checked_against_tnm(
            found["stage_group"], found["t"], found["n"], found["m"], table
        )
    edition = table.default_edition if table else None
    derived = derive_stage_group(site, found["t"], found["n"], found["m"], tables, edition)
    derived = replace(derived, evidence=tuple(dict.fromkeys(derived.evidence)))
    return {**found, "derived_stage_group": Field() if metastatic or lung_type == "sclc" else derived}


def _derived(packet: Packet, stated: StageFindings) -> dict[str, Field]:
    """T, N and M of a pathology report, those that it does not write derived from what it describes."""
    source, site, rules = packet.documents[0], packet.target.site, packet.rules.extent
    if source.document.type != "pathology_report":
        return {}
    t, n = with_derived(stated.t, stated.n, source, site, rules)
    m = derived_m(source, site, rules) if stated.m.value in (None, "MX") else stated.m
    return {"t": t, "n": n, "m": m if m.value is not None else stated.m}


def _held(field: Field, least: float) -> Field:
    """The field, withheld as uncertain where its confidence is under the threshold of its rule."""
    if field.value is None or field.confidence is None or field.confidence >= least:
        return field
    return Field(status=Status.UNCERTAIN, alternatives=field.alternatives)
