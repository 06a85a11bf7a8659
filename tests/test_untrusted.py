"""Text that others wrote turns, hides, widens and covers nothing."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.untrusted import MOST_JOINED, MOST_MARKS, is_blank, one_line, scrubbed

INVISIBLE = (
    "\u3164",  # Hangul filler
    "\u115f",  # Hangul choseong filler
    "\u1160",  # Hangul jungseong filler
    "\uffa0",  # halfwidth Hangul filler
    "\u2800",  # Braille blank
    "\u200b",  # zero width space
    "\u200d",  # zero width joiner
    "\u2060",  # word joiner
    "\ufeff",  # zero width no-break space
    "\u00ad",  # soft hyphen
    "\u034f",  # combining grapheme joiner
    "\u061c",  # Arabic letter mark
    "\u180e",  # Mongolian vowel separator
    "\u202e",  # right-to-left override
    "\ufe0f",  # variation selector
    "\U000e0041",  # tag letter
    "\U000e0100",  # variation selector supplement
    "\U0001d159",  # musical null notehead
    "\u00a0",  # no-break space
    "\u3000",  # ideographic space
    "\x00",
    "\n",
)


@pytest.mark.parametrize("letter", INVISIBLE, ids=ascii)
def test_what_cannot_be_seen_is_blank(letter: str) -> None:
    assert is_blank(letter)
    assert is_blank(letter * 3 + " ")
    assert one_line(letter * 3) == ""
    assert not is_blank(f"{letter}a")


def test_nothing_and_marks_on_nothing_are_blank() -> None:
    assert is_blank("") and is_blank("  ") and is_blank("\u0301\u0489")


@pytest.mark.parametrize(
    "text",
    [
        "The dip looks overdone. 64,213.50 USDT (−0.4 %) “now” – ok?",
        "Việt Nam, São Paulo, Łódź, Ελλάδα, Київ",
        "שָׁלוֹם",
        "ทำไมไม่ซื้อ",
        "कार्त्स्न्य",
        "한국어 币安人生 日本語 が",
        "🟢👍🏽",
    ],
)
def test_what_people_write_stays_as_it_is(text: str) -> None:
    assert one_line(text) == unicodedata.normalize("NFC", text)
    assert one_line(unicodedata.normalize("NFD", text)) == unicodedata.normalize("NFC", text)


def test_marks_on_one_letter_are_limited() -> None:
    shown = scrubbed("s" + "\u0489\u0316" * 300 + "ell")
    assert shown.startswith("s") and shown.endswith("ell")
    assert len(shown) == len("sell") + MOST_MARKS


@pytest.mark.parametrize(
    "text",
    [
        "\u1100" * 500,
        "\u0915\u094d" * 250,
        "a" + "\u0e33" * 500,
        "a" + "\U0001f3ff" * 500,
        "\U000111c2" * 500,
    ],
    ids=["Hangul", "Indic", "Thai", "skin tones", "prepended"],
)
def test_letters_that_join_into_one_are_limited(text: str) -> None:
    assert len(scrubbed(text)) == 1 + MOST_JOINED


@settings(deadline=None)
@given(st.text(max_size=300))
def test_whatever_comes_one_visible_bounded_line_is_shown(text: str) -> None:
    shown = one_line(text, 50)
    assert len(shown) <= 50
    assert shown.isprintable() and shown == shown.strip() and "  " not in shown
    assert one_line(shown, 50) == shown
    assert (shown == "") == (one_line(text) == "")


def test_a_text_that_is_cut_says_so() -> None:
    assert one_line("x" * 20, 10) == "x" * 9 + "…"
    assert one_line("x" * 10, 10) == "x" * 10
    assert one_line("\u200b" * 10_000 + "x", 10).endswith("…")


def test_a_hundred_thousand_marks_take_no_time() -> None:
    """Composing them would take minutes; the suite's own time-out is the bound."""
    assert len(scrubbed("e" + "\u0301\u0316" * 50_000)) <= 1 + MOST_MARKS
