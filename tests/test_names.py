"""Names that people tell apart by eye."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.errors import BrokerError
from broker.names import check_name, require_distinct, skeletons


@pytest.mark.parametrize(
    "name",
    ["Ana", "O’Neil", "ana.b@desk-2", "Zoë", "Nguyễn", "Анна", "山田 たろう", "김철수", "प्रिया", "נועה", "1"],
)
def test_names_of_one_script_are_taken(name: str) -> None:
    check_name(name)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("Аna", "mixes Cyrillic and Latin letters"),
        ("Anα", "mixes Greek and Latin letters"),
        ("Ana\u3164", "invisible characters such as U\\+3164"),
        ("Ana\ufe0f", "invisible characters such as U\\+FE0F"),
        ("A\u034fna", "invisible characters such as U\\+034F"),
        ("Ana\u2800", "may contain letters"),
        ("Ana\u200b", "printable characters"),
        ("Ana\u202e", "printable characters"),
        ("Ａna", "plain letters: 'Ana'"),
        ("𝐀na", "plain letters: 'Ana'"),
        ("Ana🦊", "may contain letters"),
        ("q\u0323\u0331\u0332na", "many accents"),
        ("-Ana", "must start with a letter or digit"),
        ("Ana  B", "two spaces"),
        ("Ana\u00a0B", "printable characters"),
    ],
)
def test_a_name_that_hides_something_is_refused_and_told_why(name: str, why: str) -> None:
    with pytest.raises(BrokerError, match=why):
        check_name(name)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ana", "ANA"),
        ("Ana", "Аnа"),
        ("copa", "сора"),
        ("bot-1", "bot-l"),
        ("bot-1", "bot-I"),
        ("BOTI", "bot1"),
        ("modern", "modem"),
        ("v0", "vO"),
        ("straße", "STRASSE"),
    ],
)
def test_names_that_look_alike_are_no_two_names(one: str, other: str) -> None:
    for name, there in ((one, other), (other, one)):
        with pytest.raises(BrokerError, match=r"^name: (looks like|is taken by)"):
            require_distinct(name, ["Ben", there], "trader")


@pytest.mark.parametrize(
    ("one", "other"), [("Ana", "Anna"), ("bot1", "bot2"), ("Ana", "Ana B"), ("Zoe", "Zoë"), ("Ana", "Анна")]
)
def test_names_that_differ_to_the_eye_are_two(one: str, other: str) -> None:
    require_distinct(one, [other], "agent")


@settings(max_examples=50)
@given(st.text(max_size=40))
def test_case_makes_no_other_name(text: str) -> None:
    """Of any text: names of before may have anything."""
    assert skeletons(text) & skeletons(text.casefold())
