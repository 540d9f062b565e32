"""From an evaluated case to what its provider is asked for: a pure function of case and knowledge.

Only what the evaluator names as missing is asked for, in its words; what came, where, and what would
answer is added from the case. What the plan settles by itself (another policy, a ruling) is never asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.catalog import Catalog
from pipeline.catalog.documents import DocumentTypes
from pipeline.catalog.letters import FactItem, Letters
from pipeline.catalog.policies import Policy, RequiredDocument
from pipeline.domain import (
    NOT_FOUND,
    Case,
    Code,
    CriterionResult,
    Evaluation,
    Field,
    Met,
    Missing,
    Status,
    Value,
)
from pipeline.errors import UsageError
from pipeline.information_request.came import Came
from pipeline.information_request.record import AskedAbout, Found, InformationRequest, Record, RequestItem
from pipeline.information_request.say import a, listed, lowered, record_of, sentence

_LOINC = "LOINC"
_TOO_OLD = "date"  # the part of a code that the evaluator gives a document that is too old


def draft_request(
    case: Case, policy: Policy, letters: Letters, types: DocumentTypes
) -> InformationRequest | None:
    """What the provider is asked for; None where nothing is: only a case that needs information asks."""
    evaluation = case.evaluation
    if evaluation is None or evaluation.outcome != "needs_information" or not evaluation.missing:
        return None
    writer = _Writer(case, evaluation, policy, letters, Came(case, letters, types))
    return InformationRequest(
        case_id=case.case_id,
        policy=policy.ref,
        policy_title=policy.id if letters.decides(policy.title) else policy.title,
        about=_about(case),
        items=tuple(writer.item(missing) for missing in evaluation.missing),
        expedited=case.request.expedited.value is True,
        received=case.received,
        notes=tuple(writer.came.not_read()),
    )


def draft_of(case: Case, catalog: Catalog) -> InformationRequest | None:
    """As `draft_request`, under the policy version of the case; None too where that is not kept any more."""
    try:
        policy = catalog.policies.version(case.policy) if case.policy else None
    except UsageError:
        return None
    return draft_request(case, policy, catalog.letters, catalog.documents) if policy else None


def _about(case: Case) -> AskedAbout:
    """Of the patient, and by no page that names another: what stands on such a page alone is left out."""
    strangers = {document.id for document in case.documents if document.belongs_to_patient is False}

    def own(field: Field, value: Value | None) -> str | None:
        is_own = any(shown.document not in strangers for shown in field.evidence)
        return value if is_own and isinstance(value, str) else None

    def text(field: Field) -> str | None:
        return own(field, field.value)

    patient = case.patient
    name = text(patient.name)
    return AskedAbout(
        name=name,
        name_read=None if name else own(patient.name, patient.name.likeliest),
        dob=text(patient.dob),
        member_id=text(patient.member_id),
        services=tuple(dict.fromkeys(code for field in case.request.cpt if (code := text(field)))),
    )


@dataclass(frozen=True)
class _Writer:
    """Writes the items of one case."""

    case: Case
    evaluation: Evaluation
    policy: Policy
    letters: Letters
    came: Came

    def item(self, missing: Missing) -> RequestItem:
        name, _, part = missing.code.partition(".")
        required = next((one for one in self.policy.required_documents if one.name == name), None)
        if required is not None and part == _TOO_OLD:
            return self._too_old(missing, required)
        if required is not None and part:
            return self._element(missing, required, part)
        if required is not None:
            return self._document(missing, required)
        fact = self.letters.items.facts.get(missing.code)
        return self._fact(missing, fact) if fact is not None else self._other(missing)

    # -------------------------------------------------------------- required documents

    def _document(self, missing: Missing, required: RequiredDocument) -> RequestItem:
        requirement = self.case.completeness.documents.get(required.name)
        if requirement is not None and requirement.status == "unclear":
            return self._unclear(missing, required)
        words = self.letters.words.settles
        elements = self._elements(required.elements)
        kinds = [a(self.came.types[kind].title) for kind in required.accepted_types]
        return self._required(
            missing,
            required,
            title=self._title(required),
            found=(
                *self.came.other_patients(),
                *self.came.announced(required.name),
                self.came.other_records(self._title(required)),
            ),
            settled_by=tuple(
                words.document.format(document=kind, elements=elements) for kind in kinds[: words.most]
            ),
        )

    def _unclear(self, missing: Missing, required: RequiredDocument) -> RequestItem:
        """The document is there, but what it must hold is not sure, or stands in several records."""
        words, found = self.letters.words, list[Found]()
        requirement = self.case.completeness.documents[required.name]
        record = self.came.by_id(requirement.document)
        for name, element in requirement.elements.items() if record is not None else ():
            if element.status is Met.UNCLEAR and record is not None:
                told = words.found.unclear.format(record=record_of(record), element=self._name(name))
                found.append(Found(told, (record,)))
            elif element.status is Met.MISSING and record is not None:
                found.append(self._lacks(record, name))
        if not any(element.status is Met.UNCLEAR for element in requirement.elements.values()):
            found.append(Found(words.found.apart))
        elements = self._elements(required.elements)
        title = lowered(self._title(required))
        return self._required(
            missing,
            required,
            title=self._title(required),
            found=tuple(found),
            settled_by=(
                words.settles.copy_of.format(document=title),
                words.settles.document.format(document=a(self._title(required)), elements=elements),
            ),
        )

    def _element(self, missing: Missing, required: RequiredDocument, element: str) -> RequestItem:
        words = self.letters.words.settles
        requirement = self.case.completeness.documents.get(required.name)
        record = self.came.by_id(requirement.document if requirement else None)
        name = self._name(element)
        if record is None:
            found: tuple[Found, ...] = (self.came.other_records(self._title(required)),)
            settled = [words.document.format(document=a(self._title(required)), elements=name)]
        else:
            found = (
                self._lacks(record, element),
                *self.came.other_patients(among=required.accepted_types),
                *self.came.pages_lost(record),
            )
            settled = [
                words.addendum.format(record=record_of(record), element=name),
                words.other_record.format(element=name),
            ]
        document = (
            self.came.types[required.name].title
            if required.name in self.came.types
            else self._title(required)
        )
        title = sentence(f"{name} in the {lowered(document)}").rstrip(".")
        return self._required(missing, required, title=title, found=found, settled_by=tuple(settled))

    def _lacks(self, record: Record, element: str) -> Found:
        told = self.letters.words.found.lacks.format(record=record_of(record), element=self._name(element))
        return Found(told, (record,))

    def _too_old(self, missing: Missing, required: RequiredDocument) -> RequestItem:
        words = self.letters.words
        requirement = self.case.completeness.documents.get(required.name)
        record = self.came.by_id(requirement.document if requirement else None)
        found = (Found(words.found.too_old.format(record=record_of(record)), (record,)),) if record else ()
        newer = words.settles.newer.format(document=a(self._title(required)), days=required.max_age_days)
        return self._required(
            missing, required, title=self._title(required), found=found, settled_by=(newer,)
        )

    def _required(
        self,
        missing: Missing,
        required: RequiredDocument,
        *,
        title: str,
        found: tuple[Found, ...],
        settled_by: tuple[str, ...],
    ) -> RequestItem:
        named = self.came.types[required.name].loinc if required.name in self.came.types else None
        code = required.loinc or (named.code if named else None)
        display = named.display if named is not None and named.code == code else self._title(required)
        return RequestItem(
            code=missing.code,
            title=title,
            ask=self._ask(missing, title),
            why=self._why(self.letters.words.why.document.format(source=required.source)),
            loinc=Code(_LOINC, code, display) if code else self._medical_records(),
            found=found,
            settled_by=settled_by,
            records=required.accepted_types,
        )

    # -------------------------------------------------------------- facts

    def _fact(self, missing: Missing, fact: FactItem) -> RequestItem:
        asking = [result for result in self._open() if missing.code in _facts(result)]
        loinc = self.came.types[fact.records[0]].loinc
        titles = {criterion.id: criterion.title for criterion in self.policy.criteria}
        criterion = next((result.id for result in asking if result.id in titles), None)
        why = self.letters.words.why
        told = why.fact.format(criterion=criterion, title=titles[criterion]) if criterion else why.other
        return RequestItem(
            code=missing.code,
            title=fact.title,
            ask=self._ask(missing, fact.title),
            why=self._why(told),
            loinc=Code(_LOINC, loinc.code, loinc.display) if loinc else self._medical_records(),
            found=tuple(self._on_fact(missing.code, fact)),
            settled_by=tuple(self._settling(fact, asking)),
            records=fact.records,
            criterion=criterion,
        )

    def _open(self) -> list[CriterionResult]:
        """Criteria that are not settled; the sentence that holds where none is met says nothing new."""
        last = self.policy.otherwise.id
        return [one for one in self.evaluation.criteria if one.result == "unknown" and one.id != last]

    def _settling(self, fact: FactItem, asking: list[CriterionResult]) -> Iterator[str]:
        """The sets of facts any one of which would settle, each with the records that usually say them."""
        words = self.letters.words.settles
        sets = _smallest([names for result in asking for names in result.would_settle])
        kinds = [self.came.types[kind].title for kind in fact.records]
        records = listed([a(kinds[0]), *map(lowered, kinds[1:])], last="or")
        for names in sets[: words.most] or [""]:
            facts = listed([self._fact_name(name) for name in names.split("+")]) if names else fact.name
            yield words.facts.format(records=records, facts=facts)

    def _fact_name(self, name: str) -> str:
        known = self.letters.items.facts.get(name)
        return known.name if known else name.replace("_", " ")

    def _on_fact(self, name: str, fact: FactItem) -> Iterator[Found]:
        """What the records say of a fact that is open."""
        field = self.case.findings.get(name, NOT_FOUND)
        said = list(self._said(name, field, fact))
        words, records = self.letters.words.found, self.came.at(field.evidence)
        if len(said) > 1 and not any(self.letters.decides(value) for value, _ in said):
            for value, record in said:
                yield Found(words.says.format(record=record_of(record), value=value), (record,))
        elif field.status is not Status.NOT_FOUND and records:
            yield from (Found(words.open.format(record=record_of(one)), (one,)) for one in records)
        else:
            yield from self._silent(fact)

    def _silent(self, fact: FactItem) -> Iterator[Found]:
        words = self.letters.words.found
        usual = [record for record in self.came.clinical() if record.type in fact.records]
        for record in usual:
            yield Found(words.silent.format(record=record_of(record)), (record,))
        if not usual:
            yield Found(words.silent_all)

    def _said(self, name: str, field: Field, fact: FactItem) -> Iterator[tuple[str, Record]]:
        """The sides of a disagreement: each value with the record that says it. One side is none."""
        sides = [(field.value, field.evidence)]
        sides += [
            (other.value, other.evidence)
            for other in field.alternatives
            if other.reason not in self.letters.items.not_a_side
        ]
        beside = [self.case.findings.get(other, NOT_FOUND) for other in fact.beside if other != name]
        sides += [(shown.value, shown.evidence) for shown in beside]
        for value, evidence in sides:
            if value is None or field.value is None:
                continue
            told = {True: "yes", False: "no"}[value] if isinstance(value, bool) else value
            plain = " ".join(told.replace("_", " ").split())
            yield from ((plain, record) for record in self.came.at(evidence[:1]))

    # -------------------------------------------------------------- both

    def _other(self, missing: Missing) -> RequestItem:
        """What an evaluator asks for by a code that no knowledge file has."""
        title = missing.code.replace("_", " ").replace(".", ": ")
        if self.letters.decides(title):
            title = self.letters.items.medical_records.display
        return RequestItem(
            code=missing.code,
            title=sentence(title).rstrip("."),
            ask=self._ask(missing, title),
            why=self.letters.words.why.other,
            loinc=self._medical_records(),
        )

    def _ask(self, missing: Missing, title: str) -> str:
        """The evaluator's words, unless they decide: then what is asked for by its name."""
        return sentence(title if self.letters.decides(missing.message) else missing.message)

    def _title(self, required: RequiredDocument) -> str:
        """What a required document is called; where the policy's word for it decides, by its type's title."""
        decides = self.letters.decides(required.title)
        return self.came.types[required.accepted_types[0]].title if decides else required.title

    def _why(self, told: str) -> str:
        """A policy calls things by what it decides of them; then that it asks is all that is told."""
        return self.letters.words.why.other if self.letters.decides(told) else told

    def _elements(self, names: tuple[str, ...]) -> str:
        return listed([self._name(name) for name in names])

    def _name(self, element: str) -> str:
        return self.letters.words.elements.get(element, element.replace("_", " "))

    def _medical_records(self) -> Code:
        loinc = self.letters.items.medical_records
        return Code(_LOINC, loinc.code, loinc.display)


def _facts(result: CriterionResult) -> set[str]:
    return {name for names in result.would_settle for name in names.split("+")}


def _smallest(sets: list[str]) -> list[str]:
    """Sets of facts ("t+n") that hold no other of them, each once."""
    held = {names: set(names.split("+")) for names in sets}
    return [names for names in held if not any(other < held[names] for other in held.values())]
