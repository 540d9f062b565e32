"""A second reading of words that hold digits, where one wrong character makes another value.

What recognition gets wrong about a date, a size or a number it gets wrong surely: a lost decimal point has
the confidence of a good word. So each such word is cut out and read once more, enlarged and on its own,
and from the image before it was blurred: blur makes good words and closes the 6 and the 9. Where that
differs, a recogniser of another kind, which looks at the shapes of single characters, is asked too, and
where it knows neither, the blurred word, larger still. Only what two of these agree on against the first
reading is taken. A lone figure is not asked about: out of its line it is read worse than in it.

On a coarse fax the first kind reads one wrong digit and reads it again, for it has learnt what digits look
like: an agreement that is worth something is one of both kinds. There a word is confirmed by it, or not.

N0 and M0 beside other letters of a stage are read NO and MO by the first kind, which has learnt words;
there the shape of the character decides.

All that stands here is what an engine saw. What a code or a date can be is not asked: that is for the
stages that take values from the text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property

import cv2
import numpy as np

from pipeline.ocr import Engine, Image, OcrWord

_ENLARGED, _LARGER_STILL = 1.5, 2.0
_AROUND, _PAPER = 6, 12  # pixels of the page around a word's box, and of white paper around those
_LEAST_HEIGHT = 8  # pixels; lower is a dash or a speck
# Letters and digits from which it is worth its time to ask whether a coarse fax's word is confirmed. A
# shorter one is asked about beside such a word, of which it may be a part ("30077514 01"). The time that it
# takes is not spent on what has the form of a telephone number, nor on the many dates of this century, unless
# a label says that somebody was born then.
_LONG = 5
_NOT_ASKED = re.compile(r"\W*(?:\d{1,2}[/.-]\d{1,2}[/.-](?:20)?[012]\d|(?:\d{3}[.-])?\d{3}[.-]\d{4})\W*")
_YEAR = re.compile(r"\W*19\d\d\W*")
_BIRTH = re.compile(r"\b(?:d\W{0,2}o\W{0,2}b|born|birth\w*|bdate)\b", re.IGNORECASE)
_DATE_WORDS = 3  # of a date that is written out
_LABEL_WORDS = 5  # in which the label of a date's last word begins
# Characters that the recognisers write differently without seeing anything else.
_SAME = str.maketrans({"l": "1", "I": "1", "|": "1", "!": "1", "O": "0", "o": "0", " ": None})
_ZERO_OR_O = re.compile(r"(?P<stem>[cpyra]{0,3}[NM])O(?P<rest>[.,;:)]?)")
_STAGE_LETTER = re.compile(r"\(?[cpyra]{0,3}(?:T(?:is|[0-4XIlO])|N[0-3XO]|M[01XOIl])")


def read_digits_again(
    sharp: Image, blurred: Image, words: Sequence[OcrWord], engine: Engine, *, coarse: bool = False
) -> list[OcrWord]:
    """The words, those with digits in the reading that most agree on; the page before and after blurring.

    On a `coarse` page words with digits are `confirmed` only where recognisers of both kinds read them so.
    """
    result = [word._replace(confirmed=not (coarse and _has_digit(word))) for word in words]
    if engine.reread is None or engine.reread_by_shape is None:
        return result
    for index, word in enumerate(words):
        if word.bottom - word.top < _LEAST_HEIGHT:
            continue
        if _has_digit(word) and (coarse or not _is_lone(word)):
            readings = _Readings(_cut_out(sharp, word), _cut_out(blurred, word), engine)
            text = word.text if _is_lone(word) else _agreed(word.text, readings)
            asked = coarse and _is_asked(words, index)
            confirmed = not coarse or (asked and _is_confirmed(text, readings))
            result[index] = word._replace(text=text, confirmed=confirmed)
        elif _ZERO_OR_O.fullmatch(word.text) and _stands_in_stage(words, index):
            text = _with_zero(word.text, _cut_out(blurred, word), engine)
            result[index] = word._replace(text=text)
    return result


def _has_digit(word: OcrWord) -> bool:
    return any(map(str.isdigit, word.text))


def _is_lone(word: OcrWord) -> bool:
    return sum(map(str.isalnum, word.text)) == 1


def _is_asked(words: Sequence[OcrWord], index: int) -> bool:
    """Whether it is worth its time to ask if a word of a coarse fax is confirmed."""
    if any(_YEAR.fullmatch(word.text) for word in words[index : index + _DATE_WORDS]):
        return True
    if _BIRTH.search(" ".join(word.text for word in words[max(0, index - _LABEL_WORDS) : index])):
        return True
    return not _is_lone(words[index]) and any(map(_is_long, words[max(0, index - 1) : index + 2]))


def _is_long(word: OcrWord) -> bool:
    is_long = sum(map(str.isalnum, word.text)) >= _LONG
    return is_long and _has_digit(word) and not _NOT_ASKED.fullmatch(word.text)


class _Readings:
    """What a word reads as when it is read again, each way once and when it is asked for."""

    def __init__(self, sharp: Image, blurred: Image, engine: Engine) -> None:
        assert engine.reread is not None
        assert engine.reread_by_shape is not None
        self._sharp, self._blurred = sharp, blurred
        self._reread, self._by_shape = engine.reread, engine.reread_by_shape

    @cached_property
    def second(self) -> str:
        return self._reread(_on_paper(self._sharp, _ENLARGED))

    @cached_property
    def third(self) -> str:
        return self._reread(_on_paper(self._blurred, _LARGER_STILL))

    @cached_property
    def shape(self) -> str:
        return self._by_shape(_on_paper(self._sharp, 1))

    @cached_property
    def blurred_shape(self) -> str:
        return self._by_shape(_on_paper(self._blurred, _ENLARGED))


def _cut_out(image: Image, word: OcrWord) -> Image:
    top, left = max(0, int(word.top) - _AROUND), max(0, int(word.x0) - _AROUND)
    return image[top : int(word.bottom) + _AROUND, left : int(word.x1) + _AROUND]


def _on_paper(image: Image, scale: float) -> Image:
    if scale != 1:
        image = np.asarray(
            cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC), np.uint8
        )
    return np.pad(image, _PAPER, constant_values=255)


def _agreed(first: str, readings: _Readings) -> str:
    second = readings.second
    # What is cut out may hold the end of the next word, which has its own place in the text.
    if not second or any(_same(first, part) for part in (second, *second.split())):
        return first
    if _same(first, readings.shape):
        return first
    if _same(second, readings.shape) or _same(second, readings.third):
        return second
    return first


def _is_confirmed(text: str, readings: _Readings) -> bool:
    """Whether the first kind of recogniser reads `text` again, and the other kind does."""
    again = _sees(text, readings.second) or _sees(text, readings.third)
    return again and (_sees(text, readings.blurred_shape) or _sees(text, readings.shape))


def _sees(text: str, reading: str) -> bool:
    """Whether a reading has the same letters and digits, whatever marks between them: those are often specks.

    By its shape a 0 that fell apart is two brackets.
    """
    reading = reading.replace("()", "0")
    return any(_letters(text) == _letters(part) for part in (reading, *reading.split()))


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text.translate(_SAME)))


def _same(one: str, other: str) -> bool:
    return one.translate(_SAME) == other.translate(_SAME)


def _stands_in_stage(words: Sequence[OcrWord], index: int) -> bool:
    """Whether a T, N or M with a number stands beside the word: "T1a NO MO", never "NO MASS"."""
    beside = [words[other].text for other in (index - 1, index + 1) if 0 <= other < len(words)]
    return any(_STAGE_LETTER.match(text) for text in beside)


def _with_zero(first: str, cut: Image, engine: Engine) -> str:
    assert engine.reread_by_shape is not None
    match = _ZERO_OR_O.fullmatch(first)
    assert match is not None
    shape = engine.reread_by_shape(_on_paper(cut, 1))
    return f"{match['stem']}0{match['rest']}" if f"{match['stem'][-1]}0" in shape else first
