"""Names that people tell apart by eye: of traders, and of agents.

The rules follow Unicode's security mechanisms (UTS #39): one script, nothing invisible, and no name whose
skeleton equals another's. Names of before are not checked again.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from functools import cache
from typing import Final

from .credentials import MAX_NAME
from .errors import BrokerError, invalid

ALLOWED_BESIDE_LETTERS: Final = frozenset(" .-_'’@+")

INVISIBLE: Final = frozenset(
    {
        *(0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164, 0xFFA0),
        *range(0x180B, 0x1810),
        *range(0xFE00, 0xFE10),
        *range(0xE0100, 0xE01F0),
    }
)
"""Letters and marks that Unicode draws as nothing (Default_Ignorable_Code_Point)."""

WRITTEN_TOGETHER: Final = (
    frozenset({"HAN", "HIRAGANA", "KATAKANA"}),
    frozenset({"HAN", "HANGUL"}),
    frozenset({"HAN", "BOPOMOFO"}),
)
"""Scripts that one language writes side by side."""

MOST_MARKS: Final = 2
"""On one letter."""


def check_name(name: str) -> None:
    """Raises INVALID_ARGUMENTS that says what is wrong."""
    if not 1 <= len(name) <= MAX_NAME or not name.isprintable() or name != name.strip():
        raise invalid("name", f"must have 1 to {MAX_NAME} printable characters, no space around them")
    for letter in name:
        if ord(letter) in INVISIBLE:
            raise invalid("name", f"must not have invisible characters such as U+{ord(letter):04X}")
        if unicodedata.category(letter)[0] not in "LMN" and letter not in ALLOWED_BESIDE_LETTERS:
            allowed = "".join(sorted(ALLOWED_BESIDE_LETTERS - {" "}))
            raise invalid("name", f"must be letters, digits, spaces and {allowed}, without {letter!r}")
    if unicodedata.normalize("NFKC", name) != name:
        plain = unicodedata.normalize("NFKC", name)
        raise invalid("name", f"must be written in plain letters: {plain!r} instead of {name!r}")
    if not name[0].isalnum() or "  " in name or _stacked(name):
        raise invalid("name", "must begin with a letter or digit, without two spaces or many marks in a row")
    scripts = _scripts(name)
    if len(scripts) > 1 and not any(scripts <= together for together in WRITTEN_TOGETHER):
        mixed = " and ".join(sorted(script.capitalize() for script in scripts))
        raise invalid("name", f"mixes letters of {mixed}; write it in one script")


def require_distinct(name: str, others: Iterable[str], whose: str) -> None:
    """Refuse what looks like another's name. `whose`: "trader" or "agent". Raises INVALID_ARGUMENTS."""
    mine = skeletons(name)
    for other in others:
        if mine & skeletons(other):
            raise taken(name, other, whose)


def taken(name: str, other: str, whose: str) -> BrokerError:
    if name.casefold() == other.casefold():
        return invalid("name", f"is taken by another {whose}")
    return invalid("name", f"looks like {other!r}, which is taken by another {whose}")


def skeletons(name: str) -> frozenset[str]:
    """Names that may be taken for each other have one in common, whatever their case.

    Folded before and after: a capital I looks like a small L, a small one does not.
    """
    return frozenset((_skeleton(name.casefold()), _skeleton(_skeleton(name).casefold())))


def _skeleton(name: str) -> str:
    """UTS #39, section 4."""
    prototypes = _prototypes()
    decomposed = unicodedata.normalize("NFD", name)
    drawn = (prototypes.get(letter, letter) for letter in decomposed if ord(letter) not in INVISIBLE)
    return unicodedata.normalize("NFD", "".join(drawn))


@cache
def _prototypes() -> dict[str, str]:
    """Each letter that looks like another, and what stands for all of these.

    The library lists pairs in both directions: what has more than one partner is what they all look like. Of
    two that have only each other either will do, as long as it is the same for both.
    """
    from confusable_homoglyphs.confusables import confusables_data

    found: dict[str, str] = {}
    for letter, alike in confusables_data.items():
        partners = [one["c"] for one in alike]
        if len(partners) != 1 or len(letter) != 1:
            continue
        [other] = partners
        of_pair = max(letter, other, key=lambda one: (len(one), one.isascii(), one))
        found[letter] = other if len(confusables_data.get(other, ())) > 1 else of_pair
    return found


def _scripts(name: str) -> set[str]:
    from confusable_homoglyphs.categories import alias

    return {alias(letter) for letter in name} - {"COMMON", "INHERITED", "Unknown"}


def _stacked(name: str) -> bool:
    marks = 0
    for letter in name:
        marks = marks + 1 if unicodedata.category(letter).startswith("M") else 0
        if marks > MOST_MARKS:
            return True
    return False
