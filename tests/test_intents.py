"""Intents: the table of transitions, the digest, ids."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.clock import from_ms, to_ms
from broker.intents import (
    COMMITTED,
    DECIDED_AGAINST,
    OPEN,
    TRANSITIONS,
    State,
    Suggestion,
    canonical_text,
    client_order_id,
    digest_of,
    fingerprint,
    horizon_ms,
    new_id,
)

from .support import NOON, request

FINAL = {State.PLACED, State.REFUSED, State.NOT_SENT, State.REJECTED, State.EXPIRED, State.WITHDRAWN}
SENT = {
    "tool": "binance_cancel_order",
    "arguments": {"symbol": "BTCUSDT", "side": "buy", "type": "market", "amount": "0.016"},
    "market": "futures",
    "mode": "live",
    "account": "another",
    "reference_price": Decimal(60_001),
    "tolerance_pct": Decimal("0.6"),
    "worst_price": None,
}
NOT_SENT = {
    "agent": "another",
    "reason": "because",
    "summary": "BUY",
    "card": {},
    "idempotency_key": "a-key-of-mine",
    "asked": {},
    "ttl_seconds": 60,
}


def test_nothing_leaves_a_final_state_and_everything_leaves_an_open_one() -> None:
    left = {before for before, _ in TRANSITIONS}
    assert left == OPEN == set(State) - FINAL


def test_every_state_is_reached_and_nothing_returns_to_submitting() -> None:
    assert {after for _, after in TRANSITIONS} == set(State)
    assert {before for before, after in TRANSITIONS if after is State.PENDING} == {State.APPROVED}
    assert {before for before, after in TRANSITIONS if after is State.SUBMITTING} == {State.APPROVED}


def test_only_an_approval_leads_to_binance() -> None:
    assert {before for before, after in TRANSITIONS if after is State.APPROVED} == {State.PENDING}
    assert {after for before, after in TRANSITIONS if before is State.PENDING} == {
        State.APPROVED,
        State.UNKNOWN,  # a restored backup, never to be sent
        *DECIDED_AGAINST,
    }


def test_what_may_be_at_binance_counts_towards_the_day() -> None:
    assert COMMITTED == {State.APPROVED, State.SUBMITTING, State.UNKNOWN, State.PLACED}


@pytest.mark.parametrize("field", SENT)
def test_the_digest_changes_with_all_that_is_sent(field: str) -> None:
    before, after = (canonical_text(one, NOON) for one in (request(), request(**{field: SENT[field]})))
    assert digest_of(before) != digest_of(after)


@pytest.mark.parametrize("field", NOT_SENT)
def test_the_digest_does_not_change_with_what_is_not_sent(field: str) -> None:
    assert canonical_text(request(), NOON) == canonical_text(request(**{field: NOT_SENT[field]}), NOON)


def test_the_digest_holds_the_expiry() -> None:
    assert canonical_text(request(), NOON) != canonical_text(request(), from_ms(to_ms(NOON) + 1))


def test_the_canonical_text_is_sorted_and_holds_decimals_as_text() -> None:
    text = canonical_text(request(tolerance_pct=Decimal("0.50")), NOON)
    terms = json.loads(text)
    assert text == json.dumps(terms, sort_keys=True, separators=(",", ":"))
    assert terms["tolerancePct"] == "0.5"
    assert terms["arguments"]["amount"] == "0.015"
    assert terms["expiresAt"] == to_ms(NOON)


def test_equal_requests_are_equal_whatever_is_said_about_them() -> None:
    assert request().equality == request(reason="other", ttl_seconds=60, idempotency_key="k" * 8).equality
    assert request().equality != request(tool="binance_close_position").equality
    assert request().equality != request(arguments={"symbol": "ETHUSDT"}).equality


@given(st.dictionaries(st.text(), st.integers(-(2**53) + 1, 2**53 - 1) | st.text() | st.none()))
def test_a_fingerprint_does_not_depend_on_the_order_of_names(value: dict[str, Any]) -> None:
    assert fingerprint(value) == fingerprint(dict(reversed(value.items())))


MOMENTS = st.integers(0, 2**45).map(from_ms)
RANDOM = st.binary(min_size=10, max_size=10)


@given(MOMENTS, MOMENTS, RANDOM, RANDOM)
def test_ids_sort_by_time(one: datetime, other: datetime, random: bytes, more: bytes) -> None:
    if to_ms(one) < to_ms(other):
        assert new_id(one, random) < new_id(other, more)


@given(MOMENTS, RANDOM, RANDOM)
def test_ids_of_one_moment_differ_by_their_random_bits(now: datetime, one: bytes, other: bytes) -> None:
    assert (new_id(now, one) == new_id(now, other)) is (one == other)


@given(MOMENTS, RANDOM)
def test_a_client_order_id_is_one_that_binance_accepts(now: datetime, random: bytes) -> None:
    intent_id = new_id(now, random)
    assert re.fullmatch(r"[a-zA-Z0-9-_]{1,36}", client_order_id(intent_id))
    assert client_order_id(intent_id) == client_order_id(str(intent_id))


def test_an_order_that_never_was_is_certain_only_after_the_engines_time_too() -> None:
    sent_ms = to_ms(datetime(2026, 1, 1, tzinfo=UTC))
    sent: Any = SimpleNamespace(wire_timestamp_ms=sent_ms)
    assert horizon_ms(sent, 0) - sent_ms > 5_000 + 10_000


def test_an_empty_suggestion_is_none() -> None:
    assert not Suggestion()
    assert Suggestion(price=Decimal(1))
