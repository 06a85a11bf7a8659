"""Rules for the names of traders and agents, so that no two look alike.

They follow Unicode's security mechanisms (UTS #39): one script, no invisible characters, and no two names
with the same skeleton. Existing names are not checked again.
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
"""Printable characters without a visible shape (Default_Ignorable_Code_Point)."""

WRITTEN_TOGETHER: Final = (
    frozenset({"HAN", "HIRAGANA", "KATAKANA"}),
    frozenset({"HAN", "HANGUL"}),
    frozenset({"HAN", "BOPOMOFO"}),
)
"""Scripts that one language uses together."""

MOST_MARKS: Final = 2
"""Combining marks on one letter."""


def check_name(name: str) -> None:
    """Raises INVALID_ARGUMENTS."""
    if not 1 <= len(name) <= MAX_NAME or not name.isprintable() or name != name.strip():
        raise invalid(
            "name", f"must have 1 to {MAX_NAME} printable characters, without spaces at the start or end"
        )
    for letter in name:
        if ord(letter) in INVISIBLE:
            raise invalid("name", f"must not contain invisible characters such as U+{ord(letter):04X}")
        if unicodedata.category(letter)[0] not in "LMN" and letter not in ALLOWED_BESIDE_LETTERS:
            allowed = "".join(sorted(ALLOWED_BESIDE_LETTERS - {" "}))
            raise invalid("name", f"may contain letters, digits, spaces and {allowed}, but not {letter!r}")
    if unicodedata.normalize("NFKC", name) != name:
        plain = unicodedata.normalize("NFKC", name)
        raise invalid("name", f"must use plain letters: {plain!r} instead of {name!r}")
    if not name[0].isalnum() or "  " in name or _too_many_marks(name):
        raise invalid(
            "name", "must start with a letter or digit, without two spaces or many accents in a row"
        )
    scripts = _scripts(name)
    if len(scripts) > 1 and not any(scripts <= together for together in WRITTEN_TOGETHER):
        mixed = " and ".join(sorted(script.capitalize() for script in scripts))
        raise invalid("name", f"mixes {mixed} letters; use one script")


def require_distinct(name: str, others: Iterable[str], kind: str) -> None:
    """Refuses a name that looks like another one. `kind`: "trader" or "agent". Raises INVALID_ARGUMENTS."""
    own_skeletons = skeletons(name)
    for other in others:
        if own_skeletons & skeletons(other):
            raise taken(name, other, kind)


def taken(name: str, other: str, kind: str) -> BrokerError:
    """The error for a name that another trader or agent has."""
    if name.casefold() == other.casefold():
        return invalid("name", f"is taken by another {kind}")
    return invalid("name", f"looks like {other!r}, which is taken by another {kind}")


def skeletons(name: str) -> frozenset[str]:
    """Names that look alike, in any case, have a skeleton in common.

    The case is folded before and after the mapping: a capital I looks like a small L, but a small i does not.
    """
    return frozenset((_skeleton(name.casefold()), _skeleton(_skeleton(name).casefold())))


def _skeleton(name: str) -> str:
    """UTS #39, section 4."""
    prototypes = _prototypes()
    decomposed = unicodedata.normalize("NFD", name)
    mapped = (prototypes.get(letter, letter) for letter in decomposed if ord(letter) not in INVISIBLE)
    return unicodedata.normalize("NFD", "".join(mapped))


@cache
def _prototypes() -> dict[str, str]:
    """Maps each letter that looks like another to one prototype of that group.

    The library lists pairs in both directions. A letter with more than one partner is its group's prototype.
    In a group of two, either can be the prototype; the choice must be the same for both.
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


def _too_many_marks(name: str) -> bool:
    marks = 0
    for letter in name:
        marks = marks + 1 if unicodedata.category(letter).startswith("M") else 0
        if marks > MOST_MARKS:
            return True
    return False
