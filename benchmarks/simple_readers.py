"""What one would write first, to be measured beside: keywords and regular expressions, and a bag of words.

Both get the words of a whole packet and give values of the contract's fields, or None. They are made in good
faith: the regular expressions know the notations of TNM, the keyword list has each site's usual words and
counts them, the bag of words is a logistic regression over word pairs, trained on packets of another seed.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline

FIELDS: Final = ("tumor_site", "laterality", "procedure", "intent", "t", "n", "m", "stage_group")

_SITES: Final = {
    "kidney": r"kidney|renal",
    "prostate": r"prostat\w+",
    "lung": r"lung|pulmonary|bronch\w+|lobe",
    "breast": r"breast|mammary",
    "bone": r"bone|osteo\w+|femur|tibia|vertebra\w*|rib",
    "pancreas": r"pancrea\w+",
    "liver": r"liver|hepat\w+",
    "skin": r"skin|cutaneous|basal cell|keratosis|dermat\w+",
    "uvea": r"uvea\w*|choroid\w*|iris|ocular|eye",
    "cervix": r"cervix|cervical|CIN",
    "soft_tissue": r"soft tissue|desmoid|sarcoma",
    "adrenal": r"adrenal",
    "thyroid": r"thyroid",
    "head_neck": r"tongue|larynx|oral|neck|pharyn\w+",
    "esophagus": r"esophag\w+",
    "lymph_node": r"lymph nodes?",
}
_PROCEDURES: Final = {
    "cryoablation": r"cryo\w+",
    "radiofrequency_ablation": r"radiofrequency|RFA",
    "microwave_ablation": r"microwave|MWA",
    "hifu": r"HIFU|high[- ]intensity focused",
    "focal_laser_ablation": r"focal laser",
    "radioembolization": r"radioemboli\w+|Y-?90|yttrium",
}
_SIDES: Final = {"left": r"left|lt", "right": r"right|rt", "bilateral": r"bilateral"}
_INTENTS: Final = {"curative": r"curative|cure", "palliative": r"palliat\w+"}
_STAGED: Final = {
    "t": r"\b(?:[cpyr]{0,2})T(is|x|[0-4][a-d]?)(?![a-z])",
    "n": r"(?:\b|(?<=[0-9a-d]))[cpyr]{0,2}N(x|[0-3][a-c]?)(?![a-z0-9])",
    "m": r"(?:\b|(?<=[0-9a-d]))[cpyr]{0,2}M(x|[01][a-c]?)(?![a-z0-9])",
}


def keywords_and_regex(text: str) -> dict[str, str | None]:
    """The keyword that occurs most often; the first notation that fits."""
    counted = {"tumor_site": _SITES, "procedure": _PROCEDURES, "laterality": _SIDES, "intent": _INTENTS}
    found = {field: _most_frequent(text, words) for field, words in counted.items()}
    for field, pattern in _STAGED.items():
        match = re.search(pattern, text, re.IGNORECASE)
        found[field] = f"{field}{match[1]}".upper() if match else None
    stage = re.search(r"\bstage\s*(?:group)?\s*[:=]?\s*(IV[AB]?|I{1,3}[ABC]?[1-3]?|0)\b", text, re.IGNORECASE)
    found["stage_group"] = stage[1].upper() if stage else None
    return found


def _most_frequent(text: str, words: Mapping[str, str]) -> str | None:
    counts = Counter(
        {name: len(re.findall(rf"\b(?:{word})\b", text, re.IGNORECASE)) for name, word in words.items()}
    )
    name, count = counts.most_common(1)[0]
    return name if count else None


class BagOfWords:
    """A classifier a field; a packet without a value is a class of its own, so that it may stay silent."""

    def __init__(self, texts: Sequence[str], truths: Sequence[Mapping[str, str | None]]) -> None:
        self._models: dict[str, Pipeline] = {}
        for field in FIELDS:
            answers = [str(truth.get(field)) for truth in truths]
            if len(set(answers)) > 1:
                model = make_pipeline(
                    TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True),
                    LogisticRegression(C=30, max_iter=2000),
                )
                self._models[field] = model.fit(texts, answers)

    def __call__(self, text: str) -> dict[str, str | None]:
        found = {field: str(model.predict([text])[0]) for field, model in self._models.items()}
        return {field: None if value == "None" else value for field, value in found.items()}
