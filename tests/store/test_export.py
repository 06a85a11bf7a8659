"""The exported audit log: what it tells of an intent beside asked, shown, decided, sent and answered."""

from __future__ import annotations

from decimal import Decimal

import pytest

from broker.events import EventKind
from broker.intents import State
from broker.store import Store
from broker.store.export import lines

from ..support import LONG_AGO, MANY_PENDING, order, request, trusted

pytestmark = pytest.mark.anyio

LONG_AFTER_MS = 1
"""A wire timestamp whose horizon is long over."""


async def test_it_says_why_an_order_differs_and_what_a_trader_cancelled(store: Store) -> None:
    parked = (await store.intents.park(request(), max_pending=MANY_PENDING)).intent
    approved = await store.intents.approve(
        parked.id, parked.digest, "Ana", Decimal(100_000), standing=trusted, confirmed=True
    )
    begun = await store.submissions.begin(
        approved,
        is_exit=False,
        client_order_id=f"cb-{parked.id}",
        namespace="spot",
        wire_timestamp_ms=LONG_AFTER_MS,
        value_usdt=None,
        approved_since=LONG_AGO,
    )
    await store.submissions.settle(begun, State.UNKNOWN, actor="binance")
    recorded = await store.submissions.record_word(
        parked.id, State.NOT_SENT, "Ana", "saw nothing", standing=trusted, offset_ms=0
    )
    await store.submissions.check_word(recorded, State.PLACED, None, order())
    cancelled = {"symbol": "BTCUSDT", "orders": ["7"]}
    await store.audit(EventKind.ORDER_CANCELLED, "trader:Ana", intent_id=parked.id, **cancelled)
    [line] = [line for line in store.database.read_now(lambda c: list(lines(c))) if line["type"] == "intent"]
    assert (line["state"], line["verdict"]) == ("not_sent", "diverged")
    assert line["answered"][-1] | {"at": ""} == {
        "at": "",
        "by": "trader:Ana",
        "note": "saw nothing",
        "reasonCode": "RECORDED_BY_TRADER",
        "verdict": "not_sent",
    }
    told = {event["kind"]: event.get("data") for event in line["events"]}
    assert told["word:contradicted"]["truth"] == "placed"
    assert told["order:diverged"] == {"note": "Ana recorded that it was never sent, but Binance has it"}
    assert told["order:cancelled"] == cancelled
    assert told["intent:approved"] is None, "it stands among the decisions"
