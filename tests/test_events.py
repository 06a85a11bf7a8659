"""Every kind of event has its facts and its words, and stands in one module alone."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from broker.events import FACTS, LEVELS, LOG_ONLY, STATES, Event, EventKind, Topic
from broker.halt import Level
from broker.intents import State
from broker.web.notices import notice
from broker.web.wording import happened

ROOT = Path(__file__).parent.parent
KINDS = set(EventKind) - {EventKind.OTHER}
BEGINNINGS = {f"{kind.partition(':')[0]}:" for kind in KINDS} - {"agent:", "trader:"}
"""What a kind could be put together from. Actors begin so too: "trader:Ana"."""


def event(kind: EventKind) -> Event:
    data = {"name": "phone", "trader": "Ana", "symbol": "BTCUSDT", "orders": ["1"]}
    at = datetime(2026, 11, 22, tzinfo=UTC)
    return Event(seq=1, at=at, kind=kind, actor="trader:Ben", intent_id=None, data=data)


def test_every_kind_has_a_row() -> None:
    assert list(FACTS) == list(EventKind)


@pytest.mark.parametrize("kind", EventKind)
def test_every_kind_has_words_unless_the_log_alone_tells_of_it(kind: EventKind) -> None:
    facts = FACTS[kind]
    assert facts.history or facts.notice or facts is LOG_ONLY
    said = [say(event(kind)) for text, say in ((facts.history, happened), (facts.notice, notice)) if text]
    assert all(words and "{" not in words for words in said)


@pytest.mark.parametrize("kind", STATES)
def test_what_changes_a_request_has_a_line_in_its_record(kind: EventKind) -> None:
    assert FACTS[kind].history


@pytest.mark.parametrize("kind", EventKind)
def test_what_every_page_announces_has_a_notice(kind: EventKind) -> None:
    facts = FACTS[kind]
    assert facts.notice or not (facts.announced or facts.alarm)


@pytest.mark.parametrize("kind", [kind for kind in EventKind if FACTS[kind].topic is Topic.ALERTS])
def test_an_alert_has_a_type_a_heading_and_a_sentence(kind: EventKind) -> None:
    facts = FACTS[kind]
    assert facts.type and facts.heading and (facts.alert or facts.notice)


def test_every_state_and_every_level_has_a_kind() -> None:
    assert set(STATES.values()) == set(State)
    assert set(LEVELS.values()) == set(Level)


def test_no_kind_is_written_out_but_where_the_kinds_are() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {text}"
        for path in (ROOT / "broker").rglob("*.py")
        if path != ROOT / "broker" / "events.py" and "paper" not in path.parts
        for text in _texts(path)
        if text in KINDS | BEGINNINGS
    ]
    templates = [path for path in (ROOT / "templates").rglob("*") if path.is_file()]
    found += [
        f"{path.relative_to(ROOT)}: {kind}"
        for path in templates
        for kind in KINDS
        if kind in path.read_text()
    ]
    assert templates and not found


def _texts(path: Path) -> Iterator[str]:
    """Every literal text, also the fixed parts of an f-string."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
