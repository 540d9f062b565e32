"""The request in the shape of an X12 277 Request for Additional Information, as JSON for gateways.

It is no EDI: envelopes, counts and delimiters are the gateway's. Loops and segments are those of 006020X313,
which asks by LOINC code in STC (list LOI); a gateway that speaks another version maps them.
"""

from __future__ import annotations

from typing import Any

from pipeline.catalog.letters import Letters
from pipeline.information_request.fhir import Provider
from pipeline.information_request.record import InformationRequest

VERSION = "006020X313"
_CATEGORY = "R4"  # requests for additional information


def x12_277(request: InformationRequest, letters: Letters, provider: Provider) -> dict[str, Any]:
    """Loops with their segments; elements by their position. What is not known is left out."""
    plan, about = letters.plan, request.about
    last, _, first = (about.name or "").partition(", ")
    due = request.due.strftime("%Y%m%d") if request.due else None
    told: dict[str, Any] = _known(
        {
            "transaction": "277",
            "version": VERSION,
            "purpose": "request for additional information, prior authorization",
            "BHT": {
                "BHT01": "0010",
                "BHT02": "48",
                "BHT03": request.reference,
                "BHT04": request.issued.strftime("%Y%m%d") if request.issued else None,
            },
            "2100A": {
                "NM1": {
                    "NM101": "PR",
                    "NM102": "2",
                    "NM103": plan.name,
                    "NM108": "PI",
                    "NM109": plan.payer_id,
                }
            },
            "2100C": {
                "NM1": {
                    "NM101": "1P",
                    "NM102": "2",
                    "NM103": provider.name,
                    "NM108": "XX",
                    "NM109": provider.npi,
                }
            },
            "2100D": {
                "NM1": {
                    "NM101": "QC",
                    "NM102": "1",
                    "NM103": last,
                    "NM104": first,
                    "NM108": "MI",
                    "NM109": about.member_id,
                }
            },
            "2200D": {
                "TRN": {"TRN01": "1", "TRN02": request.reference},
                "REF": [{"REF01": "1K", "REF02": request.case_id}],
                "DTP": {"DTP01": "106", "DTP02": "D8", "DTP03": due},
                "STC": [
                    {
                        "STC01": {"1": _CATEGORY, "2": item.loinc.code, "4": "LOI"},
                        "STC12": item.ask,
                        # an evaluator of the plan's own may call an item by what it decides
                        "item": f"item_{number}" if letters.decides(item.code) else item.code,
                    }
                    for number, item in enumerate(request.items, 1)
                ],
            },
        }
    )
    return told


def _known(value: Any) -> Any:
    """Without what is empty or None, all the way down."""
    if isinstance(value, dict):
        kept = {key: _known(inner) for key, inner in value.items()}
        return {key: inner for key, inner in kept.items() if inner not in (None, "", {}, [])}
    return [_known(inner) for inner in value] if isinstance(value, list) else value
