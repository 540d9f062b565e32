"""What is attached to a message, whoever wrote it and however."""

from __future__ import annotations

import base64
import hashlib
from email.message import EmailMessage
from email.mime.multipart import MIMEMultipart

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.files import printable
from pipeline.intake.attachments import Unusable, attachments, message_id

PDF = b"%PDF-1.7 one"
CODED = base64.encodebytes(PDF).decode()


def found(raw: bytes, most: int = 100) -> list[tuple[str, bytes]]:
    return attachments(raw, most=most)


def plain(*parts: str, kind: str = "mixed") -> bytes:
    """A message of parts as they are written here, each its headers and its text."""
    head = f'Message-ID: <1@x>\nMIME-Version: 1.0\nContent-Type: multipart/{kind}; boundary="b"\n\n'
    return (head + "".join(f"--b\n{part}\n" for part in parts) + "--b--\n").encode("utf-8", "surrogateescape")


def part(header: str, text: str = CODED) -> str:
    return f"{header}\nContent-Transfer-Encoding: base64\n\n{text}"


TEXT = "Content-Type: text/plain\n\nAttached."
NAMED = 'Content-Disposition: attachment; filename="a.pdf"'


@pytest.mark.parametrize(
    ("header", "name"),
    [
        (f"Content-Type: application/pdf\n{NAMED}", "a.pdf"),
        ('Content-Type: application/pdf; name="b.pdf"', "b.pdf"),
        ('Content-Type: application/pdf\nContent-Disposition: inline; filename="c.pdf"', "c.pdf"),
        ("Content-Type: application/pdf", "attachment 1"),
        ("Content-Type: application/octet-stream", "attachment 1"),
        (f"Content-Type: text/plain\n{NAMED}", "a.pdf"),
        ("Content-Type: text/plain\nContent-Disposition: attachment", "attachment 1"),
        ("Content-Type: image/jpeg\nContent-Disposition: inline", "attachment 1"),
        ("Content-Type: application/pkcs7-mime; name=smime.p7m", "smime.p7m"),
        ("Content-Type: image/png\nContent-ID: <1>", "attachment 1"),
        ("Content-Type: multipart/mixed", "attachment 1"),  # it says so, and has no parts
    ],
)
def test_what_is_attached(header: str, name: str) -> None:
    assert found(plain(TEXT, part(header))) == [(name, PDF)]


@pytest.mark.parametrize(
    "header",
    [
        "Content-Type: text/plain",
        "Content-Type: text/html; charset=utf-8",
        "Content-Type: text/calendar",
        "Content-Type: application/pkcs7-signature; name=smime.p7s",
        "Content-Type: application/pgp-signature",
    ],
)
def test_what_is_not(header: str) -> None:
    assert found(plain(TEXT, part(header))) == []


def test_a_picture_that_the_text_shows_is_decoration_and_a_pdf_there_is_not() -> None:
    html = "Content-Type: text/html\n\n<img src=cid:1>"
    logo = part("Content-Type: image/png\nContent-ID: <1>\nContent-Disposition: inline; filename=logo.png")
    scan = part(
        "Content-Type: image/png\nContent-ID: <2>\nContent-Disposition: attachment; filename=scan.png"
    )
    pdf = part("Content-Type: application/pdf\nContent-ID: <3>")
    raw = plain(html, logo, scan, pdf, kind="related")
    assert [name for name, _ in found(raw)] == ["scan.png", "attachment 2"]


def test_a_message_without_parts_can_be_an_attachment_itself() -> None:
    raw = f"Content-Type: application/pdf\n{NAMED}\nContent-Transfer-Encoding: base64\n\n{CODED}"
    assert found(raw.encode()) == [("a.pdf", PDF)]
    assert found(b"Subject: no more than this\n\nHello.") == []
    assert found(b"") == []


def forwarded(inner: bytes, *, coded: bool = False) -> bytes:
    text = base64.encodebytes(inner).decode() if coded else inner.decode()
    how = "Content-Transfer-Encoding: base64\n" if coded else ""
    return plain(TEXT, f"Content-Type: message/rfc822\n{how}\n{text}")


@pytest.mark.parametrize("coded", [False, True])
@pytest.mark.parametrize("deep", [1, 3])
def test_attachments_of_a_forwarded_message(coded: bool, deep: int) -> None:
    raw = plain(TEXT, part(f"Content-Type: application/pdf\n{NAMED}")).replace(b'"b"', b'"c"')
    raw = raw.replace(b"--b", b"--c")
    for level in range(deep):
        boundary = f"l{level}".encode()
        raw = (
            forwarded(raw, coded=coded)
            .replace(b'"b"', b'"' + boundary + b'"')
            .replace(b"--b", b"--" + boundary)
        )
    assert found(raw) == [("a.pdf", PDF)]


def nested(depth: int) -> bytes:
    message: EmailMessage | MIMEMultipart = EmailMessage()
    message.set_content("deep")
    for number in range(depth):
        outer = MIMEMultipart(boundary=f"b{number}")
        outer.attach(message)
        message = outer
    return message.as_bytes()


@pytest.mark.parametrize("depth", [100, 5000])
def test_messages_in_messages_without_end(depth: int) -> None:
    lines = "".join(f'Content-Type: multipart/mixed; boundary="b{n}"\n\n--b{n}\n' for n in range(depth))
    with pytest.raises(Unusable, match="too_nested"):
        found(lines.encode())
    assert found(nested(20)) == []


def test_more_attachments_than_allowed() -> None:
    raw = plain(*[part("Content-Type: application/pdf")] * 3)
    assert len(found(raw, most=3)) == 3
    with pytest.raises(Unusable, match="too_many_files"):
        found(raw, most=2)


@pytest.mark.parametrize(
    ("text", "content"),
    [
        (CODED[:7], b"%PDF-"),
        ("%%%not base64%%%", None),
        ("", b""),
        (CODED + "=====garbage", None),
    ],
)
def test_bad_coding_loses_no_attachment(text: str, content: bytes | None) -> None:
    ((name, got),) = found(plain(TEXT, part(f"Content-Type: application/pdf\n{NAMED}", text)))
    assert name == "a.pdf"
    assert content is None or got == content


@pytest.mark.parametrize(
    ("given_name", "name"),
    [
        ('filename="=?utf-8?B?w6R0.cGRm?="', None),
        ('filename="=?utf-8?Q?=C3=A4.pdf?="', "ä.pdf"),
        ("filename*=utf-8''%C3%A4.pdf", "ä.pdf"),
        ("filename*0=a; filename*1=b.pdf", "ab.pdf"),
        ('filename="=?no-such-charset?Q?=C3=A4?="', "attachment 1"),
        ("filename*=no-such-charset''%C3%A4", None),
        ("filename*=utf-16''%00%d8", None),
        ("filename*99999999999999999999=a", None),
        ('filename="../../etc/passwd"', "../../etc/passwd"),
        ('filename="a\tb\0c\x1b[2Jd.pdf"', None),
        ('filename="' + "a" * 5000 + '"', "a" * 200),
        ('filename=""', "attachment 1"),
        ('filename="\udcff\udcfe.pdf"', None),
        ('filename="\u202efdp.exe"', None),
    ],
)
def test_hostile_names(given_name: str, name: str | None) -> None:
    raw = plain(TEXT, part(f"Content-Type: application/pdf\nContent-Disposition: attachment; {given_name}"))
    ((got, content),) = found(raw)
    assert content == PDF
    assert name is None or got == name
    assert printable(got)


@given(st.binary(max_size=400), st.integers(0, 400))
def test_no_bytes_raise(noise: bytes, at: int) -> None:
    whole = plain(TEXT, part(f"Content-Type: application/pdf\n{NAMED}"), part("Content-Type: message/rfc822"))
    for raw in (noise, whole[:at] + noise + whole[at:], whole[:at]):
        for name, content in found(raw):
            assert isinstance(content, bytes)
            assert printable(name)
        assert isinstance(message_id(raw), str)


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ("Message-ID: <1@x>\n", "<1@x>"),
        ("message-id:\n <2@x>\n", "<2@x>"),
        ("Subject: none\n", ""),
        ("Subject: none\n\nMessage-ID: <of the text>\n", ""),
        ("MESSAGE-ID:<3@x>\r\n\r\nx", "<3@x>"),
    ],
)
def test_message_id(head: str, expected: str) -> None:
    assert message_id(head.encode()) == expected


def test_a_large_message_is_taken_apart_whole() -> None:
    content = hashlib.sha256(b"seed").digest() * 200_000
    raw = plain(TEXT, part("Content-Type: application/pdf", base64.encodebytes(content).decode()))
    ((_, got),) = found(raw)
    assert got == content
