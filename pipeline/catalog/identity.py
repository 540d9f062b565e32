"""What is known of how papers name a patient (`models/identity.toml`)."""

from __future__ import annotations

import re
from functools import cached_property
from pathlib import Path

from pydantic import Field

from pipeline.catalog.toml import Entry, read_toml
from pipeline.spelling import Phrases


class IdentityLabels(Entry):
    """Labels in front of a value, by what the value is; `others` name other people and things."""

    name: tuple[str, ...]
    last_name: tuple[str, ...]
    first_name: tuple[str, ...]
    dob: tuple[str, ...]
    member_id: tuple[str, ...]
    mrn: tuple[str, ...]
    others: tuple[str, ...]


class NameRules(Entry):
    """What is no name, what is no part of one, and which first names mean one person.

    `credentials` are degrees and licences of people who treat, as they are written behind a name;
    `particles` are small words inside last names.
    """

    not_names: frozenset[str]
    never_names: frozenset[str]
    suffixes: frozenset[str]
    credentials: tuple[str, ...] = Field(min_length=1)
    particles: frozenset[str]
    same_first: tuple[frozenset[str], ...]

    @cached_property
    def credential(self) -> re.Pattern[str]:
        """A degree or licence behind a name, its comma included; capitals count."""
        degrees = sorted(self.credentials, key=len, reverse=True)
        return re.compile(rf"\s*,?\s*(?:{'|'.join(map(_degree, degrees))})\b")


def _degree(written: str) -> str:
    """ "MD" as it may be written: "M.D"."""
    return r"\.?".join(map(re.escape, written))


class NumberLabels(Entry):
    """Words of labels in front of a number: what makes it the plan's number for its member, and what not.

    `second` are words of a line about another plan that covers the member too.
    """

    member: tuple[str, ...]
    words: tuple[str, ...]
    weak: tuple[str, ...]
    others: tuple[str, ...]
    second: tuple[str, ...]

    @cached_property
    def kinds(self) -> dict[str, str]:
        """Each word with the list that it stands in."""
        return {word: kind for kind in ("member", "words", "weak", "others") for word in getattr(self, kind)}

    @cached_property
    def phrases(self) -> Phrases:
        return Phrases(self.kinds)

    @cached_property
    def second_phrases(self) -> Phrases:
        return Phrases(self.second)


class Believed(Entry):
    """When what recognised pages print of a name, a birth date or a member number is believed.

    On one paper alone: `page` is the least mean confidence of the page's words, `word` the least confidence
    of its own. `papers` is how many papers at least must print a name or a birth date so, where others print
    it otherwise or nothing confirms the digits.
    """

    page: float = Field(ge=0, le=1)
    word: float = Field(ge=0, le=1)
    papers: int = Field(ge=2)


class IdentityRules(Entry):
    """All that `pipeline.identity` knows."""

    labels: IdentityLabels
    numbers: NumberLabels
    believed: Believed
    names: NameRules

    @cached_property
    def by_label(self) -> dict[str, frozenset[str]]:
        """Label to the kinds of value that may follow it ("member" heads a name or a number)."""
        kinds: dict[str, frozenset[str]] = {}
        for kind in IdentityLabels.model_fields:
            for label in getattr(self.labels, kind):
                kinds[label] = kinds.get(label, frozenset()) | {kind}
        return kinds

    @cached_property
    def sure(self) -> frozenset[str]:
        """Labels that need no room before them: what follows, a date or a number, tells them."""
        return frozenset(label for label in (*self.labels.dob, *self.labels.mrn) if len(label) >= 3)

    @cached_property
    def joined(self) -> frozenset[str]:
        """Labels of two words that may follow a value without room: "Last name X First name Y"."""
        return frozenset(label for label in self.labels.first_name if " " in label)

    @cached_property
    def phrases(self) -> Phrases:
        return Phrases(self.by_label)


def load_identity(models_dir: Path) -> IdentityRules:
    """The rules of `models/identity.toml`. Raises CatalogError."""
    return read_toml(models_dir / "identity.toml", IdentityRules)
