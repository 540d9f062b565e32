"""Sealed files: whole or not there, opened only by their key, and never beyond the room there is."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import stat
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import sealing
from pipeline.errors import ConfigurationError, StorageFull
from pipeline.sealing import Keyring, SealBroken, keyring, new_key
from pipeline.settings import load_settings
from pipeline.vault import Vault

KEYS = Keyring({"k1": bytes(32)})
KEY = "A" * 43 + "="
PIECE = 1 << 20


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault(tmp_path / "vault", tmp_path / "opened", KEYS)


def keep(vault: Vault, content: bytes) -> str:
    (stored,) = vault.keep([io.BytesIO(content)])
    assert stored.sha256 == hashlib.sha256(content).hexdigest()
    return stored.sha256


@pytest.mark.parametrize(
    "length", [0, 1, 1023, 1024, 1025, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, 2 * PIECE + 7]
)
def test_what_is_kept_comes_back(vault: Vault, length: int) -> None:
    content = os.urandom(length)
    (stored,) = vault.keep([io.BytesIO(content)])
    with vault.opened([stored.sha256]) as (path,):
        assert path.read_bytes() == content
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert (stored.size, path.exists()) == (length, False)


def test_a_source_that_gives_little_at_a_time(vault: Vault) -> None:
    class Trickle(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            return super().read(min(size or 0, 1000) if size and size > 0 else size)

    content = os.urandom(PIECE + 5000)
    (stored,) = vault.keep([Trickle(content)])
    with vault.opened([stored.sha256]) as (path,):
        assert path.read_bytes() == content


def test_nothing_of_the_content_is_on_the_disk(vault: Vault) -> None:
    secret = b"Quillfeather, Ambrosius" * 100
    keep(vault, secret)
    kept = b"".join(path.read_bytes() for path in vault.folder.iterdir())
    assert b"Quill" not in kept
    assert len({kept[start : start + 16] for start in range(0, len(kept), 16)}) > 100


def test_the_same_content_is_kept_once(vault: Vault) -> None:
    assert keep(vault, b"1") == keep(vault, b"1")
    assert len(list(vault.folder.iterdir())) == 1


@pytest.mark.parametrize("place", [0, 3, 10, 40, 60, PIECE, PIECE + 60, -1])
def test_a_changed_byte_is_found(vault: Vault, place: int) -> None:
    name = keep(vault, os.urandom(PIECE + 1000))
    damaged = bytearray((vault.folder / name).read_bytes())
    damaged[place] ^= 1
    (vault.folder / name).write_bytes(damaged)
    with pytest.raises((SealBroken, ConfigurationError)), vault.opened([name]):
        pass
    assert not list(Path(vault._work_folder).rglob("*"))


@pytest.mark.parametrize("left", [0, 3, 20, 100, PIECE, PIECE + 40])
def test_a_file_that_was_cut_off_is_found(vault: Vault, left: int) -> None:
    name = keep(vault, os.urandom(PIECE + 1000))
    os.truncate(vault.folder / name, left)
    with pytest.raises(SealBroken), vault.opened([name]):
        pass


def test_pieces_cannot_be_left_out_at_the_end(vault: Vault) -> None:
    """Cut exactly between two pieces, each of which opens by itself."""
    name = keep(vault, os.urandom(2 * PIECE))
    head = len(b"TS1") + 1 + len("k1") + 16
    os.truncate(vault.folder / name, head + PIECE + 16)
    with pytest.raises(SealBroken), vault.opened([name]):
        pass


def test_one_file_cannot_stand_in_for_another(vault: Vault) -> None:
    one, other = keep(vault, b"1"), keep(vault, b"2")
    (vault.folder / one).write_bytes((vault.folder / other).read_bytes())
    with pytest.raises(SealBroken, match="not what its name says"), vault.opened([one]):
        pass


@pytest.mark.parametrize("bad", ["", "../x", "A" * 64, "0" * 63, "0" * 64 + "\n"])
def test_names_that_could_be_paths_are_refused(vault: Vault, bad: str) -> None:
    with pytest.raises(ValueError, match="sha-256"):
        vault.has(bad)


def test_only_the_owner_may_look(vault: Vault) -> None:
    old = os.umask(0)
    try:
        name = keep(vault, b"1")
    finally:
        os.umask(old)
    assert stat.S_IMODE(vault.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((vault.folder / name).stat().st_mode) == 0o600


# --------------------------------------------------------------------------- a full disk


def test_with_too_little_room_nothing_is_taken_in(tmp_path: Path) -> None:
    vault = Vault(tmp_path / "vault", tmp_path / "opened", KEYS, reserve=1 << 60)
    with pytest.raises(StorageFull, match="nothing was taken in"):
        vault.keep([io.BytesIO(b"1")])
    assert vault.names() == set()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_disk_that_fills_up_leaves_nothing_half_written(
    vault: Vault, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(number, "full")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageFull):
        vault.keep([io.BytesIO(b"1")])
    assert list(vault.folder.iterdir()) == []


def test_other_errors_of_the_disk_are_not_taken_for_a_full_one(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(descriptor: int) -> None:
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(OSError, match="broken"):
        vault.keep([io.BytesIO(b"1")])


def test_what_killed_processes_left_is_swept_after_a_day(vault: Vault) -> None:
    name = keep(vault, b"1")
    (vault._work_folder / "77-x").mkdir(parents=True)
    left = [vault.folder / ".a.part", vault._work_folder / "77-x" / "0"]
    fresh = vault.folder / ".b.part"
    for path in (*left, fresh):
        path.write_bytes(b"half")
    for path in (*left, vault.folder / name):
        os.utime(path, (time.time() - 90_000,) * 2)
    assert vault.sweep() == 2
    assert [path.exists() for path in (*left, fresh, vault.folder / name)] == [False, False, True, True]


# --------------------------------------------------------------------------- keys


@given(data=st.binary(max_size=3000), about=st.text(max_size=20))
def test_records_open_only_as_what_they_are(data: bytes, about: str) -> None:
    sealed = KEYS.seal(data, about)
    assert KEYS.open(sealed, about) == data
    with pytest.raises(SealBroken):
        KEYS.open(sealed, about + "x")


@given(cut=st.integers(0, 60))
def test_a_record_that_was_cut_off_is_found(cut: int) -> None:
    sealed = KEYS.seal(b"a record", "names")
    with pytest.raises(SealBroken):
        KEYS.open(sealed[: min(cut, len(sealed) - 1)], "names")


def test_the_first_key_seals_and_all_open() -> None:
    old = Keyring({"old": bytes(32)})
    both = Keyring({"new": b"1" * 32, "old": bytes(32)})
    assert both.open(old.seal(b"1", "x"), "x") == b"1"
    with pytest.raises(ConfigurationError, match="'new' is needed"):
        old.open(both.seal(b"1", "x"), "x")


def test_a_key_is_made_at_the_first_use_and_stays(tmp_path: Path) -> None:
    settings = load_settings({"TRIAGE_HOME": str(tmp_path)})
    sealed = keyring(settings).seal(b"1", "x")
    assert keyring(settings).open(sealed, "x") == b"1"
    path = tmp_path / "keys" / "keys"
    assert (stat.S_IMODE(path.stat().st_mode), len(list(path.parent.iterdir()))) == (0o600, 1)


def test_keys_of_the_settings_go_before_a_file(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text(f"# comment\n{new_key('b')}\n{new_key('a')}\n")
    from_file = load_settings({"TRIAGE_KEY_FILE": str(path)})
    assert keyring(from_file).current == "b"
    assert keyring(load_settings({"TRIAGE_KEY_FILE": str(path), "TRIAGE_KEYS": new_key("c")})).current == "c"


@pytest.mark.parametrize(
    "text", ["", "x", "k=short", "k=!!!", f"k={KEY}\nk={KEY}", f"ä={KEY}", f"{'a' * 33}={KEY}"]
)
def test_a_wrong_key_file_is_told_without_a_key(tmp_path: Path, text: str) -> None:
    path = tmp_path / "keys"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        keyring(load_settings({"TRIAGE_KEY_FILE": str(path)}))
    assert all(part not in str(caught.value) for part in text.split("=") if len(part) > 40)


def test_a_keyring_shows_no_key() -> None:
    assert repr(KEYS) == "Keyring(k1)"
    assert sealing.new_key("k").startswith("k=")
