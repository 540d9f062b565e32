"""Knowledge files: all of them load, and a wrong one is told with its place, never read past."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pipeline.catalog import Catalog
from pipeline.errors import CatalogError
from pipeline.settings import load_settings

MODELS = load_settings({}).models_dir
KINDS = ["documents", "elements", "findings", "identity", "policies", "request"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_knowledge_loads(kind: str) -> None:
    assert getattr(Catalog(MODELS), kind)


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return Path(shutil.copytree(MODELS, tmp_path / "models"))


def test_misspelt_key_is_named_with_its_file(models: Path) -> None:
    changed = models / "identity.toml"
    changed.write_text("lables = []\n" + changed.read_text())
    with pytest.raises(CatalogError, match=r"identity\.toml: .*lables"):
        _ = Catalog(models).identity


def test_file_that_is_not_toml_is_named_with_its_line(models: Path) -> None:
    (models / "request.toml").write_text("a = 1\nb == 2\n")
    with pytest.raises(CatalogError, match=r"request\.toml is not valid TOML.*line 2"):
        _ = Catalog(models).request


def test_missing_file_is_named(models: Path) -> None:
    (models / "elements.toml").unlink()
    with pytest.raises(CatalogError, match=r"elements\.toml is missing"):
        _ = Catalog(models).elements


def test_all_faults_of_a_file_are_told_at_once(models: Path) -> None:
    (models / "documents" / "other.toml").write_text('titel = "x"\nprior = "high"\n')
    with pytest.raises(CatalogError) as error:
        _ = Catalog(models).documents
    for fault in ("titel", "prior", "title"):
        assert fault in str(error.value)
