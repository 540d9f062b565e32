"""Encryption at rest: AES-256-GCM under keys that are named, so that they can be changed one by one.

    keyring(settings) -> Keyring               from the settings; the first is made where there is none
    Keyring.seal(data, about) -> bytes         a short record; `about` must be given again to open it
    Keyring.seal_stream(source, target)        a file of any length, a mebibyte at a time
    Keyring.open_stream(source, target)

A key is 32 bytes in base64 under a name. What is sealed names its key, so several are readable at once: the
first seals, all open. To change keys, put a new one in front, run `triage ledger rekey`, then drop the old.

A sealed file is its header, then pieces of a mebibyte, each with its number and whether it is the last in
its nonce (the STREAM construction), so that none can be cut off, moved or left out. Each file has a key of
its own, derived with the salt in its header. This module is the home of the `cryptography` library.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import io
import os
import secrets
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from pipeline.errors import ConfigurationError, TriageError
from pipeline.files import make_private, write_whole
from pipeline.settings import Settings

_MAGIC: Final = b"TS1"
_KEY_BYTES: Final = 32
_SALT_BYTES: Final = 16
_NONCE_BYTES: Final = 12
_TAG_BYTES: Final = 16
_PIECE: Final = 1 << 20
_LONGEST_NAME: Final = 32


class SealBroken(TriageError):
    """What was sealed has been changed or cut, or is not what it is taken for."""


class Keyring:
    """Keys by name; the first seals, all open. Never shown: it has no repr of its keys."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        if not keys:
            raise ConfigurationError("There is no key to seal with.")
        self._keys = dict(keys)
        self.current = next(iter(self._keys))

    @property
    def names(self) -> tuple[str, ...]:
        """Of all keys, the current one first."""
        return tuple(self._keys)

    def __repr__(self) -> str:
        return f"Keyring({', '.join(self._keys)})"

    def seal(self, data: bytes, about: str) -> bytes:
        """`data`, compressed and sealed; opens only with the same `about`."""
        head = _head(self.current)
        nonce = secrets.token_bytes(_NONCE_BYTES)
        key = AESGCM(self._derived(self.current, b"", b"record"))
        return head + nonce + key.encrypt(nonce, zlib.compress(data, 3), head + about.encode())

    def open(self, sealed: bytes, about: str) -> bytes:
        """What `seal` was given. Raises SealBroken, and ConfigurationError where its key is not there."""
        stream = io.BytesIO(sealed)
        name, head = _read_head(stream)
        key = AESGCM(self._derived(name, b"", b"record"))
        try:
            return zlib.decompress(
                key.decrypt(stream.read(_NONCE_BYTES), stream.read(), head + about.encode())
            )
        except (InvalidTag, ValueError, zlib.error):  # ValueError: too short to hold a nonce
            raise SealBroken("A record of the ledger was changed or damaged.") from None

    def seal_stream(self, source: IO[bytes], target: IO[bytes], *, head: bytes = b"") -> tuple[str, int]:
        """Seal `head` and then what is left in `source` into `target`. Returns (SHA-256 of the plain
        bytes in hexadecimal, how many there were)."""
        salt = secrets.token_bytes(_SALT_BYTES)
        header = _head(self.current) + salt
        key = AESGCM(self._derived(self.current, salt, b"file"))
        target.write(header)
        digest, length, number = hashlib.sha256(), 0, 0
        piece = head + _read(source, _PIECE - len(head))
        while True:
            following = _read(source, _PIECE)
            digest.update(piece)
            length += len(piece)
            target.write(key.encrypt(_nonce(number, last=not following), piece, header))
            if not following:
                return digest.hexdigest(), length
            piece, number = following, number + 1

    def open_stream(self, source: IO[bytes], target: IO[bytes]) -> str:
        """Write what was sealed into `target`; returns its SHA-256. Raises SealBroken if it is not whole."""
        name, head = _read_head(source)
        salt = _read(source, _SALT_BYTES)
        header = head + salt
        key = AESGCM(self._derived(name, salt, b"file"))
        digest, number = hashlib.sha256(), 0
        piece = _read(source, _PIECE + _TAG_BYTES)
        while True:
            following = _read(source, _PIECE + _TAG_BYTES)
            try:
                plain = key.decrypt(_nonce(number, last=not following), piece, header)
            except (InvalidTag, ValueError):
                raise SealBroken("A kept file was changed or cut off.") from None
            digest.update(plain)
            target.write(plain)
            if not following:
                return digest.hexdigest()
            piece, number = following, number + 1

    def weak(self) -> list[str]:
        """Names of keys that were not drawn: their bytes repeat."""
        return [name for name, key in self._keys.items() if len(set(key)) < 8]

    def mark(self, data: bytes) -> str:
        """A keyed digest of `data`, NAME:hex: who has no key can neither make one nor mend one."""
        return f"{self.current}:{self._digest(self.current, data)}"

    def is_marked(self, data: bytes, mark: str) -> bool:
        """Whether `mark` was made for `data`. Raises ConfigurationError where its key is not there."""
        name, _, digest = mark.partition(":")
        return hmac.compare_digest(self._digest(name, data), digest)

    def _digest(self, name: str, data: bytes) -> str:
        return hmac.digest(self._derived(name, b"", b"mark"), data, "sha256").hex()

    def key_of(self, sealed: IO[bytes]) -> str:
        """The name of the key that a file was sealed with. Raises SealBroken."""
        return _read_head(sealed)[0]

    def _derived(self, name: str, salt: bytes, purpose: bytes) -> bytes:
        if name not in self._keys:
            raise ConfigurationError(
                f"The key {name!r} is needed and not there.",
                next_step="Put it back into TRIAGE_KEYS or TRIAGE_KEY_FILE, behind the current one.",
            )
        return HKDF(SHA256(), _KEY_BYTES, salt or None, b"triage " + purpose).derive(self._keys[name])


def keyring(settings: Settings) -> Keyring:
    """The keys that the settings name: TRIAGE_KEYS, else TRIAGE_KEY_FILE, else a file under TRIAGE_HOME that
    is made at the first use. Raises ConfigurationError; no message quotes a key."""
    if settings.keys:
        return Keyring(_parsed(settings.keys.replace(",", "\n"), "TRIAGE_KEYS"))
    path = Path(settings.key_file) if settings.key_file else settings.home / "keys" / "keys"
    if not settings.key_file and not path.exists():
        _make_key(path)
    try:
        return Keyring(_parsed(path.read_text(encoding="ascii"), str(path)))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"The key file {path} cannot be read ({type(error).__name__}).",
            next_step="TRIAGE_KEY_FILE must name a file with lines NAME=KEY.",
        ) from None


def new_key(name: str) -> str:
    """A line of a key file with a new random key."""
    return f"{name}={base64.b64encode(secrets.token_bytes(_KEY_BYTES)).decode()}"


def _make_key(path: Path) -> None:
    make_private(path.parent)
    # Another process may be doing the same: the first one's key stays, and nobody has used another yet.
    beside = path.with_name(f".{os.getpid()}-{secrets.token_hex(4)}")
    write_whole(beside, new_key("k1") + "\n")
    try:
        os.link(beside, path)
    except FileExistsError:
        pass
    finally:
        beside.unlink()


def _parsed(text: str, where: str) -> dict[str, bytes]:
    keys: dict[str, bytes] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, _, value = line.strip().partition("=")
        try:
            key = base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if len(key) != _KEY_BYTES or not name.isalnum() or len(name) > _LONGEST_NAME or name in keys:
            raise ConfigurationError(
                f"{where}, entry {number} is not NAME=KEY.",
                next_step="A name has letters and digits and stands once; a key is 32 bytes in base64: "
                "`triage ledger new-key NAME` makes one.",
            )
        keys[name] = key
    if not keys:
        raise ConfigurationError(
            f"{where} holds no key.", next_step="`triage ledger new-key NAME` makes one."
        )
    return keys


def _head(name: str) -> bytes:
    encoded = name.encode("ascii")
    return _MAGIC + bytes([len(encoded)]) + encoded


def _read_head(sealed: IO[bytes]) -> tuple[str, bytes]:
    """The name of the key, and the bytes read so far."""
    start = _read(sealed, len(_MAGIC) + 1)
    is_ours = len(start) > len(_MAGIC) and start.startswith(_MAGIC)
    name = _read(sealed, start[-1]) if is_ours else b""
    if not name or len(name) < start[-1]:
        raise SealBroken("What is kept here is not sealed as it should be.")
    return name.decode("ascii", "replace"), start + name


def _read(source: IO[bytes], length: int) -> bytes:
    """So many bytes, fewer only at the end: a socket gives what it has."""
    pieces = bytearray()
    while len(pieces) < length and (piece := source.read(length - len(pieces))):
        pieces += piece
    return bytes(pieces)


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(_NONCE_BYTES - 1, "big") + bytes([last])
