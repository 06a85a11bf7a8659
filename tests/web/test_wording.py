from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from broker.cards import Tone
from broker.clock import to_ms
from broker.events import Event, EventKind
from broker.intents import Decision, Intent, State, canonical_text, digest_of
from broker.notifications import TOLD, Delivery, Progress
from broker.order_record import OrderRecord
from broker.reasons import Reason, uncertain
from broker.tools.cancel_events import CANCELS
from broker.web.notices import notice, subject
from broker.web.price import quoted
from broker.web.wording import as_quoted, device, happened, outcome, repeats, unbroken

from ..support import order as kept_order
from ..support import order_arguments
from .support import NOON, request

EVERY_STATE = list(State)
UNREAD: dict[str, Any] = {"protective": True, "unread": True}


def intent(state: State, *, decided_by: str | None = None, **changes: Any) -> Intent:
    asked = request()
    text = canonical_text(asked, NOON + timedelta(minutes=5))
    decision = Decision(by=decided_by, at=NOON, approved=True) if decided_by else None
    made = Intent(
        id="01k9a00000000000000000000a",
        agent="default",
        tool=asked.tool,
        state=state,
        market=asked.market,
        asked=asked.asked,
        arguments=asked.arguments,
        canonical=text,
        digest=digest_of(text),
        equality=asked.equality,
        summary=asked.summary,
        card=asked.card,
        reason=asked.reason,
        idempotency_key=None,
        ttl_seconds=300,
        is_exit=False,
        value_usdt=Decimal("963.20"),
        created_at=NOON,
        expires_at=NOON + timedelta(minutes=5),
        updated_at=NOON,
        decision=decision,
    )
    return replace(made, **changes)


def unsure(because: str) -> dict[str, Any]:
    why = uncertain(because)
    return {"reason_code": why.reason, "note": why.note}


def order(status: str, filled: str, average: str | None = None) -> OrderRecord:
    return kept_order(status=status, filled=filled, average=average)


@pytest.mark.parametrize("state", EVERY_STATE)
def test_every_state_has_words(state: State) -> None:
    assert outcome(intent(state, decided_by="Ana"), NOON).text


@pytest.mark.parametrize(
    ("state", "changes", "words"),
    [
        (State.PENDING, {}, "Waiting for you"),
        (State.APPROVED, {"decided_by": "Ana"}, "Approved by Ana, sending"),
        (State.SUBMITTING, {"decided_by": "Ana"}, "Approved by Ana, sending"),
        (State.PLACED, {"order": order("open", "0")}, "Placed, filled 0 of 0.015"),
        (
            State.PLACED,
            {"order": order("partly_filled", "0.01", "64210.50")},
            "Placed, filled 0.01 of 0.015 at 64,210.5",
        ),
        (
            State.PLACED,
            {"order": order("cancelled", "0")},
            "Placed, then cancelled, filled 0 of 0.015",
        ),
        (State.PLACED, {"order": order("expired", "0")}, "Placed, then expired, filled 0 of 0.015"),
        (State.PLACED, {}, "Done at Binance"),
        (
            State.PLACED,
            {"reason_code": Reason.PARTLY_DONE, "note": "1 of 2 orders are cancelled, 1 filled"},
            "Done at Binance: 1 of 2 orders are cancelled, 1 filled",
        ),
        (State.REFUSED, {"note": "insufficient balance"}, "Binance refused: insufficient balance"),
        (State.REFUSED, {}, "Binance refused"),
        (
            State.NOT_SENT,
            {"decided_by": "Ana", "note": "too late to send: approved 40 s ago"},
            "Approved, not sent: too late to send: approved 40 s ago",
        ),
        (
            State.NOT_SENT,
            {"decided_by": "Ana", "note": "a check failed"},
            "Approved, not sent: a check failed",
        ),
        # Of a restored backup, in which nobody had decided yet.
        (State.NOT_SENT, {"note": "Binance has no such order"}, "Not sent: Binance has no such order"),
        (
            State.NOT_SENT,
            {"decided_by": "Ana", **unsure("the leverage is 7× now")},
            "Approved. Not certain whether it was carried out: the leverage is 7× now",
        ),
        (
            State.NOT_SENT,
            unsure("a backup was restored"),
            "Not certain whether it was carried out: a backup was restored",
        ),
        (State.REJECTED, {"decided_by": "Ana"}, "Rejected by Ana"),
        (State.EXPIRED, {}, "Expired: no decision, not sent"),
        (State.WITHDRAWN, {}, "Withdrawn by agent default"),
    ],
)
def test_an_outcome_names_its_actor(state: State, changes: dict[str, Any], words: str) -> None:
    assert outcome(intent(state, **changes), NOON).text == words


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        ({"stopPrice": "58000"}, "open", "Placed, waits for its trigger at 58,000, filled 0 of 0.015"),
        ({"stopPrice": "58000", "price": "57900"}, "open", "Placed, trigger at 58,000, filled 0 of 0.015"),
        ({"stopPrice": "58000"}, "cancelled", "Placed, then cancelled, filled 0 of 0.015"),
    ],
)
def test_a_conditional_order_waits_for_its_trigger(
    arguments: dict[str, str], status: str, words: str
) -> None:
    placed = intent(State.PLACED, order=order(status, "0"), arguments=order_arguments(**arguments))
    assert outcome(placed, NOON).text == words


@pytest.mark.parametrize(
    ("price", "said"),
    [
        ("64213", "64,213.00"),
        ("64213.10000000", "64,213.10"),
        ("0.00001234", "0.00001234"),
        ("600", "600.00"),
    ],
)
def test_a_live_price_keeps_its_width_and_loses_nothing(price: str, said: str) -> None:
    assert quoted(Decimal(price)) == said


def test_a_pending_request_whose_time_is_up_was_decided_by_nobody() -> None:
    late = NOON + timedelta(minutes=5)
    assert outcome(intent(State.PENDING), late).text == "Expired: no decision, not sent"


def test_an_unknown_outcome_says_until_when_nobody_can_know() -> None:
    sent = intent(State.UNKNOWN, wire_timestamp_ms=to_ms(NOON))
    shown = outcome(sent, NOON)
    assert shown.text == "No answer from Binance; it may be live. Don't repeat it."
    assert shown.certain_by == NOON + timedelta(seconds=20)
    assert shown.tone is Tone.BAD


def test_an_unknown_outcome_promises_no_time_that_has_passed() -> None:
    sent = intent(State.UNKNOWN, wire_timestamp_ms=to_ms(NOON))
    shown = outcome(sent, NOON + timedelta(minutes=1))
    assert shown.certain_by is None
    assert "may be live" in shown.text


def test_a_long_text_of_another_system_is_cut() -> None:
    assert len(outcome(intent(State.REFUSED, note="x" * 5000), NOON).text) < 400


@pytest.mark.parametrize(
    ("passed", "ago"),
    [
        (timedelta(seconds=5), "less than a minute"),
        (timedelta(seconds=90), "1 minute"),
        (timedelta(minutes=9), "9 minutes"),
    ],
)
def test_a_repeated_request_says_when_and_what_became_of_the_first(passed: timedelta, ago: str) -> None:
    """By when it was sent: what is followed changes later."""
    followed: dict[str, Any] = {"wire_timestamp_ms": to_ms(NOON), "updated_at": NOON + timedelta(seconds=4)}
    earlier = intent(State.PLACED, order=order("filled", "0.015"), **followed)
    said = repeats(intent(State.PENDING), earlier, NOON + passed)
    assert said == f"The same request went through {ago} ago: Placed, filled 0.015 of 0.015"


def test_a_request_that_is_nearly_the_same_names_the_first_one() -> None:
    earlier = intent(State.PLACED, order=order("filled", "0.015"), wire_timestamp_ms=to_ms(NOON))
    now = intent(State.PENDING, equality="another")
    assert repeats(now, earlier, NOON + timedelta(minutes=2)).startswith(
        "Almost the same request (BUY 0.015 BTC) went through 2 minutes ago: Placed"
    )


def event(kind: str, actor: str, **data: Any) -> Event:
    known = EventKind.read(kind)
    return Event(
        seq=1,
        at=datetime(2026, 11, 22, tzinfo=UTC),
        kind=known,
        actor=actor,
        intent_id=None,
        data=data,
        unknown_kind=kind if known is EventKind.OTHER else None,
    )


@pytest.mark.parametrize(
    ("happening", "words"),
    [
        (event("intent:parked", "agent:default"), "Requested by agent default"),
        (event("intent:approved", "trader:Ana"), "Approved by Ana"),
        (event("intent:refused", "binance", note="no"), "Refused by Binance: no"),
        (event("intent:placed", "binance", order=order("open", "0")), "Placed at Binance, filled 0 of 0.015"),
        (event("intent:not_sent", "reconciler", note="too late"), "Not sent: too late"),
        (event("intent:not_sent", "reconciler", note="unsure", reasonCode="UNCERTAIN"), "Settled: unsure"),
        (event("order:cancel-failed", "trader:Ana"), "Not cancelled"),
        (event("order:cancel-unclear", "trader:Ana"), "Cancel not confirmed by Binance"),
        (event("something:new", "broker"), "something:new"),
    ],
)
def test_a_record_line_says_what_happened_and_by_whom(happening: Event, words: str) -> None:
    assert happened(happening) == words


@pytest.mark.parametrize(
    ("happening", "words"),
    [
        (event("trader:added", "command", name="Ben"), "New trader Ben, added by command"),
        (event("trader:removed", "command", name="Ben"), "Trader Ben was removed by command"),
        (event("agent:key-set", "broker", name="default"), "Agent default has a new key"),
        (event("agent:added", "trader:Ana", name="bot", rights={}), "New agent bot, added by Ana"),
        (
            event("agent:key-rotated", "command line", name="bot", overlapHours=1.0),
            "Agent bot has a new key, made by command line",
        ),
        (
            event("agent:key-rotated", "trader:Ana", name="bot", overlapHours=0.0, wasRevoked=True),
            "Agent bot may call again: new key from Ana",
        ),
        (event("agent:limits-set", "trader:Ana", name="bot"), "Limits of agent bot changed by Ana"),
        (event("agent:revoked", "trader:Ana", name="bot", requests=2), "Agent bot was revoked by Ana"),
        (
            event("orders:cancelled", "agent:default", symbol="BTCUSDT", orders=["1"]),
            "agent default cancelled 1 order on BTCUSDT",
        ),
        (
            event("orders:cancelled", "agent:default", symbol="BTCUSDT", orders=["1"], protective=True),
            "agent default cancelled a protective order on BTCUSDT",
        ),
        (
            event("orders:cancelled", "agent:default", symbol="BTCUSDT", orders=["1", "2"], protective=True),
            "agent default cancelled 2 orders, including protective ones, on BTCUSDT",
        ),
        (
            event("orders:cancelled", "agent:default", symbol="BTCUSDT", orders=["1"], **UNREAD),
            "agent default cancelled 1 order, perhaps a protective one, on BTCUSDT",
        ),
        (
            event("orders:cancel-unclear", "agent:default", symbol="BTCUSDT", orders=["1"], protective=True),
            "agent default may have cancelled a protective order on BTCUSDT: Binance gave no clear answer",
        ),
        (
            event("orders:cancel-unclear", "agent:default", symbol="BTCUSDT", orders=[], **UNREAD),
            "agent default may have cancelled all orders, perhaps including protective ones, on BTCUSDT: "
            "Binance gave no clear answer",
        ),
    ],
)
def test_news_names_who_did_what(happening: Event, words: str) -> None:
    assert notice(happening) == words


@pytest.mark.parametrize("kind", sorted(TOLD))
def test_the_list_of_deliveries_has_words_for_all_that_is_told(kind: str) -> None:
    about = {"name": "phone", "trader": "Ana", "note": "no way there"}
    data = about if kind in (EventKind.CHANNEL_FAILING, EventKind.EXCHANGE_UNREACHABLE) else {}
    delivery = Delivery(
        id="d",
        channel="c",
        event=event(kind, "broker", **data),
        digest=None,
        progress=Progress.QUEUED,
        attempts=0,
        due_at=NOON,
        created_at=NOON,
        updated_at=NOON,
    )
    said = subject(delivery)
    assert said != kind and "{" not in said
    assert ("cancelled" in said) is (kind in CANCELS)
    assert data.get("note", "") in said


def test_quoted_words_can_neither_turn_nor_break_the_page() -> None:
    assert as_quoted("sell\u202eyub\n\n\n  now\x00!") == "sell yub now !"


def test_anothers_reason_can_neither_turn_nor_break_a_line_of_ours() -> None:
    note = "no\u202e \x1bfunds\n"
    assert outcome(intent(State.REFUSED, note=note), NOON).text == "Binance refused: no funds"
    assert happened(event("intent:refused", "binance", note=note)) == "Refused by Binance: no funds"


def test_no_line_ends_between_a_number_and_its_unit() -> None:
    assert unbroken("64,220.15, 0.12 %") == "64,220.15, 0.12\u00a0%"


@pytest.mark.parametrize(
    ("user_agent", "said"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/156.0 Safari/537.36", "Chrome on Linux"),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Version/19.0 Safari/604.1",
            "Safari on iPhone",
        ),
        ("curl/8.0", "curl/8.0"),
    ],
)
def test_a_session_is_named_by_its_browser_and_machine(user_agent: str, said: str) -> None:
    assert device(user_agent) == said
