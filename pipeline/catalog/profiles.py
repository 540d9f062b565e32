"""What FHIR profiles require of a resource (`models/fhir/profiles.toml`)."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from pipeline.catalog.toml import Entry, read_toml

_PATH = r"^[A-Za-z]+(\[[^\]=]+=[^\]]*\])?(\.[A-Za-z]+(\[[^\]=]+=[^\]]*\])?)*$"


class RequiredElement(Entry):
    """An element that a profile requires, in the resource or in each element at `of`. Paths are written as in
    the file's head."""

    path: str = Field(pattern=_PATH)
    of: str | None = Field(default=None, pattern=_PATH)
    min: int = Field(default=1, ge=0)
    max: int | None = None
    value: str | None = Field(default=None, alias="is")


class Profile(Entry):
    """One profile by its canonical URL."""

    url: str
    resource: str
    source: str
    elements: tuple[RequiredElement, ...]


class ProfilesFile(Entry):
    """`models/fhir/profiles.toml`."""

    profiles: tuple[Profile, ...]


def load_profiles(models_dir: Path) -> dict[str, Profile]:
    """The profiles by URL. Raises CatalogError."""
    file = read_toml(models_dir / "fhir" / "profiles.toml", ProfilesFile)
    return {profile.url: profile for profile in file.profiles}
