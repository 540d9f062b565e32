"""What the documents say is so: commands, targets, settings, files and links that they name exist."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

from pipeline.__main__ import parser
from pipeline.settings import PREFIX, Settings

ROOT = Path(__file__).parent.parent
GUIDES = sorted([ROOT / "README.md", *ROOT.glob("docs/*.md"), *ROOT.glob("*/README.md")])
_BLOCK = re.compile(r"^```[a-z]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)\s]*)?\)")


def _lines() -> Iterator[tuple[str, str]]:
    """Every command line in a block of a document: (document, line without its comment)."""
    for guide in GUIDES:
        for block in _BLOCK.findall(guide.read_text(encoding="utf-8")):
            for line in block.replace("\\\n", " ").splitlines():
                yield guide.relative_to(ROOT).as_posix(), line.strip().removeprefix("$ ")


def _commands(name: str) -> list[tuple[str, str]]:
    started = re.compile(rf"^(?:[A-Z_]+=\S+ )*(?:\.venv/bin/)?{name} (.*)")
    return [(guide, found[1]) for guide, line in _lines() if (found := started.match(line))]


def _words(command: str) -> list[str]:
    """The words of a command line up to a pipe, a redirection or what comes behind it."""
    lexer = shlex.shlex(command, posix=True, punctuation_chars="|&;<>")
    lexer.whitespace_split = True
    words = []
    for word in lexer:
        if set(word) <= set("|&;<>"):
            break
        words.append(word)
    return words


class _Refused(Exception):
    pass


@pytest.fixture
def no_exit(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: argparse.ArgumentParser, message: str) -> None:
        raise _Refused(message)

    monkeypatch.setattr(argparse.ArgumentParser, "error", refuse)


@pytest.mark.parametrize(("guide", "command"), _commands("triage"))
def test_every_command_of_the_documents_is_one(guide: str, command: str, no_exit: None) -> None:
    try:
        parser().parse_args(_words(command))
    except _Refused as error:
        pytest.fail(f"{guide}: `triage {command}`: {error}")


def _mentioned() -> list[tuple[str, str]]:
    """Every `triage ...` in the text of a document; `triage user add|list` is each of them."""
    told = []
    for guide in GUIDES:
        text = _BLOCK.sub("", guide.read_text(encoding="utf-8")).replace("\n", " ")
        for code in re.findall(r"`(?:[A-Z_]+=\S+ )*triage ([^`]+)`", text):
            first, *more = re.split(r"\|(?=\w)", code)
            told += [
                (guide.name, one) for one in (first, *(f"{first.rsplit(' ', 1)[0]} {sub}" for sub in more))
            ]
    return told


@pytest.mark.parametrize(("guide", "command"), _mentioned())
def test_every_command_in_the_text_is_one(guide: str, command: str, no_exit: None) -> None:
    """As far as it is said: a command may be named without all that it needs."""
    words = ["1" if word == "N" else word for word in _words(command)]
    try:
        parser().parse_args(words)
    except _Refused as error:
        if not re.search("are required: |expected one argument", str(error)):
            pytest.fail(f"{guide}: `triage {command}`: {error}")


def test_the_documents_have_commands() -> None:
    assert len(_commands("triage")) > 30
    assert len(_mentioned()) > 60


def _told() -> set[str]:
    """Every command that a document names, with its sub-command; `triage user add|list` names two."""
    told = {" ".join(_words(command)[:n]) for _, command in _commands("triage") for n in (1, 2)}
    for guide in GUIDES:
        for code in _INLINE.findall(guide.read_text(encoding="utf-8")):
            if found := re.match(r"triage ([a-z-]+)(?: ([a-z|-]+))?", code):
                told |= {found[1], *(f"{found[1]} {sub}" for sub in (found[2] or "").split("|"))}
    return told


def test_every_command_is_in_a_document() -> None:
    """Each command, and each of its sub-commands, stands in some document."""
    told = _told()
    top = next(action for action in parser()._actions if isinstance(action, argparse._SubParsersAction))
    for name, command in top.choices.items():
        below = [one for one in command._actions if isinstance(one, argparse._SubParsersAction)]
        wanted = [f"{name} {sub}" for one in below for sub in one.choices] or [name]
        assert [one for one in wanted if one not in told] == []


def test_every_target_of_the_documents_is_one() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    told = {(guide, _words(command)[0]) for guide, command in _commands("make")}
    for guide in GUIDES:
        for code in _INLINE.findall(guide.read_text(encoding="utf-8")):
            if found := re.match(r"make ([a-z-]+)", code):
                told.add((guide.name, found[1]))
    assert {(guide, target) for guide, target in told if target not in targets} == set()


def _programs() -> list[tuple[str, list[str]]]:
    """Every `python FILE` and `python -m MODULE` of a document, in a block or in its text."""
    told = [(guide, f"python {command}") for guide, command in _commands("python")]
    for guide in GUIDES:
        text = guide.read_text(encoding="utf-8").replace("\n", " ")
        told += [(guide.name, code) for code in re.findall(r"`(python (?:-m |\S+\.py)[^`]*)`", text)]
    return [(guide, _words(command)[1:]) for guide, command in told]


@pytest.mark.parametrize(("guide", "words"), _programs())
def test_every_program_of_the_documents_is_one(guide: str, words: list[str]) -> None:
    """Its file is there and knows the options; a reader has no other way to it."""
    named = words[1].replace(".", "/") + ".py" if words[0] == "-m" else words[0]
    found = [path for path in (ROOT / named, ROOT / named[:-3] / "__main__.py") if path.is_file()]
    assert found, guide
    source = found[0].read_text(encoding="utf-8")
    for option in (word for word in words if word.startswith("--")):
        assert f'"{option}"' in source, guide


def test_the_documents_have_programs() -> None:
    assert len(_programs()) > 10


def test_every_setting_of_the_documents_is_one() -> None:
    settings = {PREFIX + field.name.upper() for field in fields(Settings)}
    compose = set(re.findall(r"\$\{(TRIAGE_\w+?)[:}]", (ROOT / "compose.yaml").read_text(encoding="utf-8")))
    known = settings | {f"{name}_FILE" for name in settings} | compose | {PREFIX + "TEST_POSTGRES"}
    for guide in GUIDES:
        named = set(re.findall(r"\bTRIAGE_[A-Z0-9_]*[A-Z0-9]\b(?!_?[*<])", guide.read_text(encoding="utf-8")))
        assert named <= known, guide.name


def test_every_link_leads_somewhere() -> None:
    for guide in GUIDES:
        for target in _LINK.findall(guide.read_text(encoding="utf-8")):
            if "://" not in target:
                assert (guide.parent / target).exists(), f"{guide.name}: {target}"


def test_every_file_that_is_named_is_there() -> None:
    """In backticks, with a folder of the project in front."""
    rooms = "pipeline|models|flows|tests|fixtures|benchmarks|tools|docs|deploy"
    for guide in GUIDES:
        for code in _INLINE.findall(guide.read_text(encoding="utf-8")):
            if re.fullmatch(rf"(?:{rooms})/[\w./-]+", code):
                assert (ROOT / code).exists(), f"{guide.name}: {code}"
