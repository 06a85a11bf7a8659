"""Makes text from others safe to display on pages, in notifications and on a terminal.

For display only: stored, sealed, sent and exported text never changes. Pages also put each such text into a
box of its own (`.untrusted` in broker.css), because its size in a font cannot be predicted.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect
from typing import Final

MOST: Final = 1000
"""Default limit of characters in one text."""

MOST_READ: Final = 20
"""Characters read per character that may be shown, so that an endless text costs no time."""

MOST_MARKS: Final = 4
"""Combining marks on one letter (Unicode Technical Standard 39, section 5.4, calls more suspicious)."""

MOST_JOINED: Final = 8
"""Letters that join the previous letter; no line can break between them."""

_IGNORABLE: Final = re.compile(
    "[\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
"""Invisible characters: Default_Ignorable_Code_Point (Unicode 17, DerivedCoreProperties.txt)."""

_EMPTY: Final = frozenset("\u2800\U0001d159\U00013441\U00013442\U00016fe4")
"""Letters by their Unicode properties, but empty space in fonts."""

_JOINERS: Final = frozenset("\u0e33\u0eb3\uff9e\uff9f") | {chr(code) for code in range(0x1F3FB, 0x1F400)}
"""Thai and Lao am, voiced kana, skin tones (GraphemeBreakProperty.txt: Extend, SpacingMark)."""

_PREPENDED: Final = frozenset(
    "\u0d4e\U000111c2\U000111c3\U000113d1\U0001193f\U00011941\U00011a84\U00011a85\U00011a86\U00011a87"
    "\U00011a88\U00011a89\U00011d46\U00011f02"
)
"""Characters that join the next letter (GraphemeBreakProperty.txt, Prepend)."""

_JAMO: Final = (0x1100, 0x1200, 0xA960, 0xA980, 0xD7B0, 0xD800)
"""Starts and ends of the ranges of Hangul jamo (parts of syllables)."""

_VIRAMA: Final = 9
"""The combining class of characters that join two Indic letters."""


def scrubbed(text: str) -> str:
    """The text without characters that reverse, hide, widen or cover the text around it.

    Invisible characters, line ends and control characters are removed or become spaces. The numbers of marks
    on one letter and of joined letters are limited.
    """
    if text.isascii() and text.isprintable():
        return text
    # Limit the marks first: NFC with thousands of marks on one letter takes seconds.
    limited = "".join(_with_few_marks(text))
    return "".join(_with_few_joined(unicodedata.normalize("NFC", limited)))


def one_line(text: str, most: int = MOST) -> str:
    """The scrubbed text on one line, cut to at most `most` characters."""
    read = text[: most * MOST_READ]
    line = " ".join(scrubbed(read).split())
    return line if len(line) <= most and len(read) == len(text) else f"{line[: most - 1].rstrip()}…"


def is_blank(text: str) -> bool:
    """Whether the text has nothing visible: only spaces, invisible characters, and marks without a letter."""
    return all(letter == " " or _is_mark(letter) for letter in scrubbed(text))


def _with_few_marks(text: str) -> list[str]:
    kept: list[str] = []
    marks = 0
    for letter in text:
        if not letter.isprintable() or letter in _EMPTY:
            letter = " "
        elif _IGNORABLE.match(letter):
            continue
        marks = marks + 1 if _is_mark(letter) else 0
        if marks <= MOST_MARKS:
            kept.append(letter)
    return kept


def _with_few_joined(text: str) -> list[str]:
    kept: list[str] = []
    before, joined = "", 0
    for letter in text:
        joined = joined + 1 if _joins(before, letter) else 0
        if joined <= MOST_JOINED:
            kept.append(letter)
        before = letter
    return kept


def _joins(before: str, letter: str) -> bool:
    if not before or letter == " ":
        return False
    if _is_mark(letter) or letter in _JOINERS or before in _PREPENDED:
        return True
    if _is_jamo(letter):
        return _is_jamo(before) or "\uac00" <= before <= "\ud7a3"
    return unicodedata.combining(before) == _VIRAMA or (_is_jamo(before) and "\uac00" <= letter <= "\ud7a3")


def _is_mark(letter: str) -> bool:
    return unicodedata.category(letter).startswith("M")


def _is_jamo(letter: str) -> bool:
    return bisect(_JAMO, ord(letter)) % 2 == 1
