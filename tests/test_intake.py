"""Paths to submissions."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import UsageError
from pipeline.files import printable
from pipeline.intake.folder import media_type, receive, submissions_in


def write(folder: Path, **files: bytes) -> Path:
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_bytes(content)
    return folder


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"%PDF-1.7\n", "application/pdf"),
        (b"\x00" * 500 + b"%PDF-1.4", "application/pdf"),
        (b"\x00" * 1024 + b"%PDF-1.4", "application/octet-stream"),
        (b"II*\x00\x08\x00", "image/tiff"),
        (b"MM\x00*\x00\x08", "image/tiff"),
        (b"MMX*\x00\x08", "application/octet-stream"),
        (b"\x89PNG\r\n\x1a\n...", "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"PK\x03\x04", "application/octet-stream"),
        (b"", "application/octet-stream"),
    ],
)
def test_media_type_is_told_by_content(tmp_path: Path, head: bytes, kind: str) -> None:
    file = tmp_path / "referral.pdf"
    file.write_bytes(head)
    assert media_type(file) == kind


def test_folder_is_one_submission_sorted_by_name(tmp_path: Path) -> None:
    write(tmp_path, b__pdf=b"%PDF-2", a__tif=b"II*\x00", expected__json=b"{}", __hidden=b"x")
    (tmp_path / "inner").mkdir()
    assert [file.name for file in receive([tmp_path]).files] == ["a.tif", "b.pdf"]


def test_same_bytes_make_the_same_submission(tmp_path: Path) -> None:
    one = write(tmp_path / "one", a=b"first", b=b"second")
    two = write(tmp_path / "two", x=b"second", y=b"first")
    other = write(tmp_path / "other", a=b"first", b=b"third")
    assert receive([one]).id == receive([two / "y", two / "x"]).id
    assert receive([one]).id != receive([other]).id
    assert len(receive([one]).id) == 16


def test_files_of_one_name_are_told_apart(tmp_path: Path) -> None:
    one, two = write(tmp_path / "one", fax__pdf=b"1"), write(tmp_path / "two", fax__pdf=b"2")
    assert [file.name for file in receive([one, two]).files] == ["fax.pdf", "fax (2).pdf"]


def test_nothing_there_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not there"):
        receive([tmp_path / "gone.pdf"])
    with pytest.raises(UsageError, match="no file"):
        receive([tmp_path])


def test_each_entry_is_a_submission(tmp_path: Path) -> None:
    write(tmp_path / "p2", a=b"1", b=b"2")
    write(tmp_path / "empty")
    write(tmp_path / "p1", a=b"1", expected__json=b"{}")
    write(tmp_path, lone__pdf=b"3", p1__pdf=b"4", expected__json=b"{}")
    assert submissions_in(tmp_path) == [
        (name, tmp_path / name) for name in ("empty", "lone.pdf", "p1", "p1.pdf", "p2")
    ]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Müller, ø.pdf", "Müller, ø.pdf"),
        ("日本語 \N{THUMBS UP SIGN}.pdf", "日本語 \N{THUMBS UP SIGN}.pdf"),
        ("\udcff.pdf", "\ufffd.pdf"),
        ("\udcc3\udca4.pdf", "ä.pdf"),  # read as bytes, they were UTF-8
        ("\ud800.pdf", "?.pdf"),
        ("\u202efdp.exe", "\ufffdfdp.exe"),
        ("new\nline\r\x1b[2J\0.pdf", "new\ufffdline\ufffd\ufffd[2J\ufffd.pdf"),
        ("a\u2028b\x85c", "a\ufffdb\ufffdc"),
    ],
)
def test_what_a_name_shows(name: str, shown: str) -> None:
    assert printable(name) == shown
