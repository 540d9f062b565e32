"""A request's body onto the disk as it comes: one file, or the parts of a form; bounded in size, number and
time. The folder is private, in the vault's work place (TRIAGE_HOME), and goes with the request. Files pass
through the program piece by piece; only `whole` holds a body, for who parses it as one.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from email.message import Message
from pathlib import Path
from typing import IO, Any, Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from pipeline.intake_server.refusals import Refused

_LONGEST_FIELD: Final = 200  # bytes
_MOST_FIELDS: Final = 10
_GRACE_S: Final = 60.0
_LEAST_RATE: Final = 128 * 1024  # bytes a second, over a whole body
_BETWEEN_FILES: Final = 16_384


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one submission may be: bytes of a file, of all, how many files; seconds without a byte."""

    file_bytes: int
    all_bytes: int
    files: int
    idle_s: float = 60.0

    @property
    def form_bytes(self) -> int:
        """What a form with such files may be, its headers and fields included."""
        return self.all_bytes + _BETWEEN_FILES * (self.files + 1)


@dataclass(frozen=True, slots=True)
class Spooled:
    """One file that came, under the sender's name for it."""

    name: str = field(repr=False)
    path: Path
    size: int
    sha256: str


async def one_file(request: Request, folder: Path, name: str, bounds: Bounds) -> list[Spooled]:
    """The whole body as a file. Raises Refused where it is empty or larger than a file may be."""
    with _Writer(folder, bounds) as writer:
        writer.begin(name)
        async for chunk in _chunks(request, bounds.file_bytes, bounds.idle_s):
            await run_in_threadpool(writer.write, chunk)
        writer.end()
    return _some(writer.files)


async def form(request: Request, folder: Path, bounds: Bounds) -> tuple[list[Spooled], dict[str, str]]:
    """The files and the fields of a multipart form. Raises Refused, also where its end is missing."""
    _, options = parse_options_header(request.headers.get("content-type", ""))
    boundary = options.get(b"boundary", b"")
    if not boundary:
        raise Refused(400, "malformed", "The form does not say what stands between its parts (boundary).")
    with _Writer(folder, bounds) as writer:
        parts = _Parts(writer)
        try:
            parser = MultipartParser(boundary, parts.callbacks())
            async for chunk in _chunks(request, bounds.form_bytes, bounds.idle_s):
                await run_in_threadpool(parser.write, chunk)
        except (FormParserError, UnicodeDecodeError):
            raise Refused(400, "malformed", "The body is no form as its Content-Type says.") from None
    if not parts.ended:
        raise Refused(400, "cut_off", "The form ended before it was whole.")
    return _some(writer.files), parts.fields


async def whole(request: Request, most: int, *, idle_s: float = 60.0) -> bytes:
    """A body that is held in memory, of at most so many bytes. Raises Refused."""
    body = bytearray()
    async for chunk in _chunks(request, most, idle_s):
        body += chunk
    return bytes(body)


def _longest_s(most: int) -> float:
    """What a body of at most so many bytes may take in all: a byte now and then holds nothing for ever, and
    the largest body comes over a slow line."""
    return _GRACE_S + most / _LEAST_RATE


async def _chunks(request: Request, most: int, idle_s: float) -> AsyncIterator[bytes]:
    """The body as it comes, refused before it is read where it says that it is longer than `most`, and later
    where nothing comes for `idle_s` or the whole takes too long."""
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length[:18]) > most:
        raise _too_large()
    stream, came = aiter(request.stream()), 0
    ends = time.monotonic() + _longest_s(most)
    while True:
        try:
            chunk = await asyncio.wait_for(anext(stream, None), min(idle_s, ends - time.monotonic()))
        except TimeoutError:
            raise Refused(408, "too_slow", "It came too slowly, or nothing more came.") from None
        if chunk is None:
            return
        came += len(chunk)
        if came > most:
            raise _too_large()
        if chunk:
            yield chunk


def _some(files: list[Spooled]) -> list[Spooled]:
    if not any(file.size for file in files):
        raise Refused(422, "empty", "No file came, or only empty ones.")
    return files


def _too_large() -> Refused:
    return Refused(413, "too_large", "It is larger than is taken here. Send the files in several requests.")


class _Writer:
    """Files written one after another, counted and hashed."""

    def __init__(self, folder: Path, bounds: Bounds) -> None:
        self.files: list[Spooled] = []
        self._folder, self._bounds, self._all = folder, bounds, 0
        self._open: IO[bytes] | None = None
        self._name, self._size, self._digest = "", 0, hashlib.sha256()
        self._stack = ExitStack()

    def __enter__(self) -> _Writer:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def begin(self, name: str) -> None:
        if len(self.files) >= self._bounds.files:
            raise Refused(413, "too_many_files", "These are more files than are taken at once.")
        self._name, self._size, self._digest = name, 0, hashlib.sha256()
        self._open = self._stack.enter_context((self._folder / str(len(self.files))).open("xb"))

    def write(self, data: bytes) -> None:
        assert self._open is not None
        self._size += len(data)
        self._all += len(data)
        if self._size > self._bounds.file_bytes or self._all > self._bounds.all_bytes:
            raise _too_large()
        self._digest.update(data)
        self._open.write(data)

    def end(self) -> None:
        assert self._open is not None
        self._open.close()
        path, self._open = Path(self._open.name), None
        self.files.append(Spooled(self._name, path, self._size, self._digest.hexdigest()))


class _Parts:
    """What the parser of a form tells: a part with a file name is a file, any other a field."""

    def __init__(self, writer: _Writer) -> None:
        self.fields: dict[str, str] = {}
        self.ended = False
        self._writer = writer
        self._header, self._value = bytearray(), bytearray()
        self._disposition = ""
        self._field: bytearray | None = None
        self._named = ""

    def callbacks(self) -> Any:
        return {
            "on_part_begin": self._begin,
            "on_header_field": lambda data, start, end: self._header.extend(data[start:end]),
            "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_finished,
            "on_part_data": lambda data, start, end: self._data(data[start:end]),
            "on_part_end": self._end,
            "on_end": self._all_ended,
        }

    def _begin(self) -> None:
        self._disposition = ""

    def _header_end(self) -> None:
        if bytes(self._header).lower() == b"content-disposition":
            self._disposition = self._value.decode("utf-8", "surrogateescape")
        self._header.clear()
        self._value.clear()

    def _headers_finished(self) -> None:
        name = _file_name(self._disposition)
        if name is not None:
            self._field = None
            self._writer.begin(name or "file")
            return
        _, options = parse_options_header(self._disposition.encode("utf-8", "surrogateescape"))
        self._named, self._field = options.get(b"name", b"").decode("utf-8", "replace"), bytearray()
        if not self._named or self._named in self.fields or len(self.fields) >= _MOST_FIELDS:
            raise Refused(422, "unknown_field", "A field of the form has no name, or stands twice.")

    def _data(self, data: bytes) -> None:
        if self._field is None:
            self._writer.write(data)
            return
        self._field += data
        if len(self._field) > _LONGEST_FIELD:
            raise Refused(
                422, "unknown_field", "A field of the form is too long; a file's part needs a filename."
            )

    def _end(self) -> None:
        if self._field is None:
            self._writer.end()
        else:
            self.fields[self._named] = self._field.decode("utf-8", "replace")

    def _all_ended(self) -> None:
        self.ended = True


def _file_name(disposition: str) -> str | None:
    """The name of the part's file, None where it has none; `filename*` (RFC 8187) goes before."""
    if "filename" not in disposition.lower():
        return None
    if "filename*" in disposition.lower():
        message = Message()
        message["Content-Disposition"] = disposition.replace("\r", " ").replace("\n", " ")
        return message.get_filename()
    _, options = parse_options_header(disposition.encode("utf-8", "surrogateescape"))
    name = options.get(b"filename")
    return None if name is None else name.decode("utf-8", "surrogateescape")
