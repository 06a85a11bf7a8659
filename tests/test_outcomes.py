"""Every state has a meaning, and every outcome its phrase wherever outcomes are told."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from broker.events import FACTS, EventKind, Topic
from broker.intents import RECORDABLE, Intent, State
from broker.notify import message
from broker.outcomes import MEANINGS, WORDS, OutcomeKind, meaning, meaning_of_state
from broker.reasons import Reason
from broker.tools import intent_answer
from broker.web import wording

from .web.support import NOON
from .web.test_wording import intent, order

KINDS = {means.kind for rows in MEANINGS.values() for _, means in rows} | {
    means.kind for means in WORDS.values()
}
SITUATIONS: list[dict[str, Any]] = [
    {},
    {"order": order("open", "0")},
    {"order": order("filled", "0.015", "64210.50")},
    {"order": order("cancelled", "0")},
    {"reason_code": Reason.PARTLY_DONE, "note": "some of it"},
    {"reason_code": Reason.UNCERTAIN, "note": "not certain"},
    {"wire_timestamp_ms": 1},
]


def situations(state: State) -> list[Intent]:
    return [intent(state, **changes) for changes in SITUATIONS]


def test_every_state_has_a_meaning_whatever_became_of_it() -> None:
    assert list(MEANINGS) == list(State)
    for state in State:
        for one in situations(state):
            assert meaning(one, NOON).next.say


def test_every_outcome_comes_of_the_table() -> None:
    assert KINDS == set(OutcomeKind)


@pytest.mark.parametrize("phrases", [intent_answer.SAID, wording.SAID], ids=["answers", "pages"])
def test_every_outcome_has_its_phrase(phrases: dict[OutcomeKind, Any]) -> None:
    assert set(phrases) == set(OutcomeKind)


def test_every_outcome_that_a_channel_hears_of_has_its_phrase() -> None:
    told = {state for state in State if FACTS[EventKind.of(state)].topic is Topic.OUTCOMES}
    heard = {
        means.kind for state in told - {State.PLACED} for _, means in MEANINGS[state]
    }  # a stop that is filled has a message of its own
    assert set(message.SAID) == heard


def test_what_waits_too_long_is_overdue_until_it_expires() -> None:
    one = intent(State.PENDING)
    assert meaning(one, NOON).kind is OutcomeKind.WAITS
    assert meaning(one, NOON + timedelta(minutes=5)).kind is OutcomeKind.OVERDUE


@pytest.mark.parametrize("state", RECORDABLE)
def test_once_binance_confirms_a_traders_word_the_agent_goes_on_as_the_state_says(state: State) -> None:
    recorded = intent(state, word_by="Ana")
    assert meaning(recorded, NOON).next.say.startswith("Do not repeat it. Tell the user")
    confirmed = replace(recorded, word_holds=True)
    assert meaning(confirmed, NOON).kind is OutcomeKind.CONFIRMED
    assert meaning(confirmed, NOON).next == meaning_of_state(confirmed, NOON).next
