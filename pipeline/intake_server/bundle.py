"""A prior-authorization request as a bundle (Da Vinci PAS): held to what is needed of it, and taken apart
into its Claim, what the Claim refers to, and the documents inside.

Documents become files of the submission. The bundle without their bytes is kept beside them, sealed, so that
no code of the request is lost; the two together are all that was sent.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from pipeline.fhir import Fault, faults_of, objects_at
from pipeline.intake_server.refusals import Refused

_MOST_ENTRIES: Final = 1000
_ATTACHMENT: Final = frozenset(
    ["id", "extension", "contentType", "language", "data", "url", "size", "hash", "title", "creation"]
)
_NO_DOCUMENTS: Final = frozenset(["photo"])  # pictures of people
_ENDINGS: Final = {
    "application/pdf": ".pdf",
    "image/tiff": ".tif",
    "image/png": ".png",
    "image/jpeg": ".jpg",
}
Resource = dict[str, Any]


@dataclass(frozen=True)
class InlineDocument:
    """A document that stood in the bundle; `place` says where."""

    place: str
    name: str = field(repr=False)
    content: bytes = field(repr=False)


@dataclass(frozen=True)
class Request:
    """A bundle taken apart. `bundle` is without the documents' bytes; `urls` are its resources by fullUrl."""

    bundle: Resource = field(repr=False)
    claim: Resource = field(repr=False)
    urls: Mapping[str, Resource] = field(repr=False)
    documents: Sequence[InlineDocument] = ()

    @property
    def key(self) -> str:
        """The Claim's identifier as a digest: the sender's own id of the request."""
        return claim_key(self.claim)

    @property
    def digest(self) -> str:
        """Of all that was sent, documents included, but not of the message that carries it."""
        told = [entry["resource"] for entry in self.bundle["entry"]]
        hashes = [hashlib.sha256(one.content).hexdigest() for one in self.documents]
        text = json.dumps([told, hashes], sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def resource(self, reference: Any) -> Resource | None:
        """What a Reference element names in the bundle: by fullUrl, or by type and id."""
        return find(self.urls, reference)


def find(urls: Mapping[str, Resource], reference: Any) -> Resource | None:
    """What a Reference element names among resources by their fullUrl; None where it is not there."""
    named = reference.get("reference") if isinstance(reference, dict) else None
    if not isinstance(named, str):
        return None
    if named in urls:
        return urls[named]
    return next((urls[url] for url in urls if url.endswith(f"/{named}")), None) if "/" in named else None


def claim_key(claim: Mapping[str, Any]) -> str:
    """The first identifier of a Claim as a digest. Raises Refused where it has none."""
    identifiers = claim.get("identifier")
    first = identifiers[0] if isinstance(identifiers, list) and identifiers else None
    value = first.get("value") if isinstance(first, dict) else None
    if not isinstance(first, dict) or not isinstance(value, str) or not value.strip():
        raise _invalid(Fault("Bundle.entry[0].resource.identifier", "the request has no identifier"))
    return hashlib.sha256(f"{first.get('system', '')}|{value}".encode("utf-8", "replace")).hexdigest()


def entries_of(data: Resource) -> list[Resource]:
    """The entries of a bundle whose first is a Claim. Raises Refused."""
    if data.get("resourceType") != "Bundle" or data.get("type") != "collection":
        raise _invalid(Fault("Bundle", "it must be a Bundle of type collection"))
    entries = data.get("entry")
    if not isinstance(entries, list) or not 0 < len(entries) <= _MOST_ENTRIES:
        raise _invalid(Fault("Bundle.entry", f"there must be 1 to {_MOST_ENTRIES} entries"))
    for number, entry in enumerate(entries):
        place = f"Bundle.entry[{number}]"
        if not isinstance(entry, dict) or not isinstance(entry.get("resource"), dict):
            raise _invalid(Fault(place, "an entry must have a resource"))
        if not isinstance(entry.get("fullUrl"), str) or not entry["fullUrl"]:
            raise _invalid(Fault(f"{place}.fullUrl", "an entry must have a fullUrl"))
    if entries[0]["resource"].get("resourceType") != "Claim":
        raise _invalid(Fault("Bundle.entry[0]", "the first entry must be the Claim"))
    if len({entry["fullUrl"] for entry in entries}) < len(entries):
        raise _invalid(Fault("Bundle.entry", "each fullUrl must stand once"))
    return entries


def take_apart(data: Resource) -> Request:
    """The request in a bundle. Raises Refused with the places of what is wrong; nothing of it is quoted."""
    entries_of(data)
    documents: list[InlineDocument] = []
    bundle = _without_bytes(data, "Bundle", documents)
    resources = [entry["resource"] for entry in bundle["entry"]]
    faults = [
        fault
        for number, resource in enumerate(resources)
        for fault in faults_of(resource, f"Bundle.entry[{number}].resource")
    ]
    if faults:
        raise _invalid(*faults)
    urls = {entry["fullUrl"]: entry["resource"] for entry in bundle["entry"]}
    request = Request(bundle, resources[0], urls, documents)
    if faults := list(_lacking(request)):
        raise _invalid(*faults)
    request.key  # noqa: B018  raises where there is none
    return request


def _lacking(request: Request) -> Iterator[Fault]:
    """What a request needs besides being FHIR."""
    claim, at = request.claim, "Bundle.entry[0].resource"
    if claim.get("use") != "preauthorization":
        yield Fault(f"{at}.use", "it must be preauthorization")
    if claim.get("status") != "active":
        yield Fault(f"{at}.status", "it must be active")
    if not isinstance(claim.get("type"), dict):
        yield Fault(f"{at}.type", "it must be a CodeableConcept")
    if not objects_at(claim, "item"):
        yield Fault(f"{at}.item", "a request asks for one item at least")
    references = {f"{at}.{name}": claim.get(name) for name in ("patient", "provider")}
    references |= {
        f"{at}.supportingInfo[{number}].valueReference": info["valueReference"]
        for number, info in enumerate(objects_at(claim, "supportingInfo"))
        if "valueReference" in info
    }
    for place, reference in references.items():
        if request.resource(reference) is None:
            yield Fault(place, "what is referred to must be in the bundle")
    for number, entry in enumerate(request.bundle["entry"]):
        if entry["resource"]["resourceType"] == "DocumentReference":
            yield from _not_inline(request, entry["resource"], f"Bundle.entry[{number}].resource")


def _not_inline(request: Request, note: Resource, at: str) -> Iterator[Fault]:
    inline = {one.place for one in request.documents}
    for number, attachment in enumerate(objects_at(note, "content.attachment")):
        place = f"{at}.content[{number}].attachment"
        named = request.resource({"reference": attachment.get("url")}) or {}
        if place not in inline and named.get("resourceType") != "Binary":
            yield Fault(place, "the document must be in the bundle: data, or a Binary that url names")


def _without_bytes(value: Any, place: str, found: list[InlineDocument]) -> Any:
    """The value without the bytes of its documents, which go to `found`."""
    if isinstance(value, list):
        return [_without_bytes(one, f"{place}[{number}]", found) for number, one in enumerate(value)]
    if not isinstance(value, dict):
        return value
    data = value.get("data")
    is_document = value.get("resourceType") == "Binary" or value.keys() <= _ATTACHMENT
    if isinstance(data, str) and is_document:
        found.append(_document(value, data, place, len(found) + 1))
        value = {name: inner for name, inner in value.items() if name != "data"}
    return {
        name: inner if name in _NO_DOCUMENTS else _without_bytes(inner, f"{place}.{name}", found)
        for name, inner in value.items()
    }


def _document(attachment: Resource, data: str, place: str, number: int) -> InlineDocument:
    try:
        content = base64.b64decode("".join(data.split()).encode("ascii"), validate=True)
    except ValueError:
        raise _invalid(Fault(f"{place}.data", "it is no base64")) from None
    if not content:
        raise _invalid(Fault(f"{place}.data", "there is nothing in it"))
    size, digest = attachment.get("size"), attachment.get("hash")
    sha1 = base64.b64encode(hashlib.sha1(content, usedforsecurity=False).digest()).decode()
    if (isinstance(size, int) and size != len(content)) or (isinstance(digest, str) and digest != sha1):
        raise _invalid(Fault(place, "the document is not as long, or not as its hash, says: it was cut"))
    title, kind = attachment.get("title"), attachment.get("contentType")
    ending = _ENDINGS.get(kind, "") if isinstance(kind, str) else ""
    name = title if isinstance(title, str) and title.strip() else f"document-{number}{ending}"
    return InlineDocument(place, name, content)


def _invalid(*faults: Fault) -> Refused:
    told = "; ".join(dict.fromkeys(f"{fault.place}: {fault.told}" for fault in faults[:20]))
    places = tuple(dict.fromkeys(fault.place for fault in faults[:20]))
    return Refused(422, "invalid", f"{told}.", places)
