from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.domain import Box, Page, Problem, Reading, SourceFile, Submission, Word
from pipeline.errors import UnreadableFile, UsageError
from pipeline.store import Store

PAGE = Page(
    file="fax Ünal.pdf",
    number=2,
    source="ocr",
    rotation=180,
    width=612.0,
    height=791.9999,
    text="HISTORY  Fußball\n\u2014 ok \udc80",
    words=(
        Word("HISTORY", Box(10.1, 20.2, 30.3, 40.4), 0, 7, 0.1 + 0.2),
        Word("Fußball", Box(0, 0, 1, 1), 9, 16),
    ),
    duplicate_of=("a.pdf", 1),
    banner=(0, 7),
    mean_confidence=0.875,
)
EMPTY = Page(
    file="a.pdf", number=1, source="text", rotation=0, width=1.0, height=1.0, text="", words=(), blank=True
)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "home")


def submission(folder: Path, **files: bytes) -> Submission:
    sources = []
    for name, content in files.items():
        path = folder / f"{name}.pdf"
        path.write_bytes(content)
        sources.append(SourceFile(path.name, path, hashlib.sha256(content).hexdigest(), "application/pdf"))
    return Submission(id="s-1", files=tuple(sources))


def stored_files(store_home: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(store_home)): path.read_bytes()
        for path in store_home.rglob("*")
        if path.is_file()
    }


def test_put_keeps_bytes_and_senders_names(store: Store, tmp_path: Path) -> None:
    sent = submission(tmp_path, one=b"1", two=b"22")
    assert store.put(sent) == "s-1"
    for file in sent.files:
        file.path.unlink()
    kept = store.submission("s-1")
    assert [file.path.read_bytes() for file in kept.files] == [b"1", b"22"]
    assert [replace(file, path=file.path) for file in kept.files] == [
        replace(file, path=kept.files[number].path) for number, file in enumerate(sent.files)
    ]
    assert all(file.path.is_relative_to(tmp_path / "home") for file in kept.files)


def test_put_twice_changes_nothing(store: Store, tmp_path: Path) -> None:
    sent = submission(tmp_path, one=b"1", same=b"1")
    store.put(sent)
    before = stored_files(tmp_path / "home")
    store.put(sent)
    store.put(store.submission("s-1"))
    assert stored_files(tmp_path / "home") == before
    assert len(before) == 2


def test_senders_names_are_not_paths(store: Store, tmp_path: Path) -> None:
    sent = submission(tmp_path, one=b"1")
    hostile = replace(sent, files=(replace(sent.files[0], name="../../etc/passwd"),))
    store.put(hostile)
    assert store.submission("s-1").files[0].name == "../../etc/passwd"
    assert not any("passwd" in name for name in stored_files(tmp_path))


def test_file_that_changed_is_refused_and_leaves_nothing(store: Store, tmp_path: Path) -> None:
    sent = submission(tmp_path, one=b"1")
    sent.files[0].path.write_bytes(b"2")
    with pytest.raises(UnreadableFile, match="changed while it was taken in") as caught:
        store.put(sent)
    assert caught.value.code == "changed"
    assert stored_files(tmp_path / "home") == {}


@pytest.mark.parametrize(
    "bad", ["", ".", "..", "../s-1", "a/b", "a\\b", "a.b", "-a", "a\n", "a\0", "a" * 129, "ä"]
)
def test_ids_that_could_be_paths_are_refused(store: Store, bad: str) -> None:
    with pytest.raises(UsageError, match="letters, digits"):
        store.load_case(bad)
    with pytest.raises(UsageError, match="letters, digits"):
        store.save_case(bad, {})


@pytest.mark.parametrize("bad", ["", "../x", "A" * 64, "0" * 63])
def test_hashes_that_could_be_paths_are_refused(store: Store, tmp_path: Path, bad: str) -> None:
    sent = submission(tmp_path, one=b"1")
    with pytest.raises(ValueError, match="sha-256"):
        store.put(replace(sent, files=(replace(sent.files[0], sha256=bad),)))


def test_reading_comes_back_equal(store: Store) -> None:
    reading = Reading(
        pages=(EMPTY, PAGE),
        problems=(Problem("a.pdf", 3, "timed_out", "Page 3 took too long."), Problem(None, None, "x", "y")),
        page_counts={"a.pdf": 3, "bad.pdf": 0},
    )
    store.save_reading("s-1", reading)
    assert store.load_reading("s-1") == reading
    store.save_reading("s-1", replace(reading, pages=()))
    assert store.load_reading("s-1").pages == ()


def test_case_comes_back_equal(store: Store) -> None:
    case = {"case_id": "s-1", "findings": {"tumor_site": {"value": "Niere – ä", "confidence": 0.1}}}
    store.save_case("s-1", case)
    assert store.load_case("s-1") == case


@pytest.mark.parametrize("load", [Store.submission, Store.load_reading, Store.load_case])
def test_what_is_not_there(store: Store, load: object) -> None:
    assert callable(load)
    with pytest.raises(UsageError, match=r"Submission s-1 has no \w+\.json in the store"):
        load(store, "s-1")


def test_a_failed_write_leaves_the_old_case(store: Store, tmp_path: Path) -> None:
    store.save_case("s-1", {"case_id": "s-1"})
    with pytest.raises(TypeError):
        store.save_case("s-1", {"case_id": object()})
    assert store.load_case("s-1") == {"case_id": "s-1"}
    assert len(stored_files(tmp_path / "home")) == 1


def test_only_the_owner_may_look(store: Store, tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        store.put(submission(tmp_path, one=b"1"))
        store.save_case("s-1", {})
    finally:
        os.umask(old)
    home = tmp_path / "home"
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (home, *home.rglob("*")) if path.is_dir()}
    assert modes == {0o700}
    assert {stat.S_IMODE(path.stat().st_mode) for path in home.rglob("*") if path.is_file()} == {0o600}


def test_a_folder_that_was_there_keeps_its_permissions(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    Store(tmp_path).save_case("s-1", {})
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755
    assert stat.S_IMODE((tmp_path / "submissions").stat().st_mode) == 0o700
