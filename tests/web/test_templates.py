"""Every value that a template draws is our own, or stands in a box for text that others wrote."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Final

import pytest

from broker.web.assets import folder, render

TEMPLATES = sorted(folder("templates").rglob("*.html"))

OURS: Final = re.compile(
    r"""
    .*\|\ (?:in_words|cents|plain|length|upper)              # times, numbers, words of an enum
    | (?:moment|figures|checks|price|against|outcome|rejection|row|step|volume|news)\(.*
    | (?:act|common|unreachable|rights|new_key|fault|put)\(.*   # macros, which are walked by themselves
    | (?:card|page\.card|frame|new)\.\w+\.(?:count|digest)
    | page\.more | frame\.tally\.count | agent\.known\.pending | tally\.count
    | event\.seq | card\.asked_at | delivery\.(?:progress|attempts) | card\.intent\.digest
    | ".*"\ if\ .*                                           # one of two constants
    | live\.label | live\.value\ \|\ unbroken                 # a price, as we write it
    | words | title | preset | shortest | url | tool
    | labels\[.*\] | label | name | channel\.kind | channel\ \|\ channel_state
    | before | act | after                                   # of the macro headline, whose callers need a box
    | address | target | swap | seconds | ceilings\[name\].*  # of macros for attributes
    | page\.form\.typed\[name\]\ if\ .* | events\ \|\ length\ -\ 1
    | new\.key | new\.note | page\.secret
    """,
    re.VERBOSE,
)
"""Constants, counts, times, names of fields and tools, and secrets of the broker's own making."""

IN_ITSELF: Final = frozenset({"button", "summary", "textarea", "title", "option"})
"""Elements whose content stays inside whatever it is; buttons and summaries by broker.css."""

VOID: Final = frozenset({"input", "meta", "link", "img", "br"})


class Walk(HTMLParser):
    """Of a template's source, with a number in each expression's place: those that stand in no box."""

    def __init__(self, expressions: list[str]) -> None:
        super().__init__(convert_charrefs=True)
        self._expressions = expressions
        self._open: list[tuple[str, bool]] = []
        self.bare: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in VOID:
            return
        classes = re.sub(r"\ue000\d+\ue001", " ", dict(attrs).get("class") or "").split()
        self._open.append((tag, "untrusted" in classes or tag in IN_ITSELF))

    def handle_endtag(self, tag: str) -> None:
        for place in reversed(range(len(self._open))):
            if self._open[place][0] == tag:
                del self._open[place:]
                return

    def handle_data(self, data: str) -> None:
        if not any(boxed for _, boxed in self._open):
            self.bare += [self._expressions[int(number)] for number in re.findall(r"\ue000(\d+)\ue001", data)]


def bare(source: str) -> list[str]:
    expressions: list[str] = []

    def keep(found: re.Match[str]) -> str:
        expressions.append(found[1].strip())
        return f"\ue000{len(expressions) - 1}\ue001"

    source = re.sub(r"{% block title %}.*?{% endblock %}", "", source)  # a page's title holds text alone
    source = re.sub(r"{#.*?#}|{%.*?%}", "", source, flags=re.DOTALL)
    walk = Walk(expressions)
    walk.feed(re.sub(r"{{-?(.*?)-?}}", keep, source, flags=re.DOTALL))
    walk.close()
    return walk.bare


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_every_value_is_ours_or_stands_in_a_box(template: Path) -> None:
    assert [value for value in bare(template.read_text()) if not OURS.fullmatch(value)] == []


def test_a_value_outside_a_box_is_found() -> None:
    source = (
        '<p class="x {{ tone }}">{{ card.reason }}</p><p class="y untrusted{{ tone }}">{{ card.act }}</p>'
    )
    assert bare(source + "<button>{{ card.act }}</button>{{ card.note }}") == ["card.reason", "card.note"]


def test_there_is_no_way_around_the_scrubbing() -> None:
    """Neither where no filter is named, nor in an attribute."""
    page = render("message.html", title="a\u202eb", message="q\u3164\u0301" + "\u0301" * 50)
    assert "\u202e" not in page and "\u3164" not in page and page.count("\u0301") == 4
    assert not any("| safe" in path.read_text() for path in TEMPLATES)
