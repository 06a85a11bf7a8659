"""From a tool call to a parked request: what repeats another, and what is told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import event

from broker.agents import Agent
from broker.clock import to_ms
from broker.errors import HINTS, BrokerError, Code
from broker.events import EventKind
from broker.gateway import find_tool
from broker.halt import Level
from broker.intents import State, Suggestion
from broker.store import NeedsSecondTap, recent_events
from broker.tools import intents as waiting_tools

from .support import (
    AGENT,
    BTC,
    BUY,
    LONE,
    REST,
    TRADER,
    Randomness,
    Wired,
    eventually,
    let_write,
    open_store,
    trusted,
    wired,
)
from .tools.support import hold_futures_price, trade

pytestmark = pytest.mark.anyio

KEY = "an-intended-action"


async def test_a_high_call_is_parked_and_nothing_is_sent(broker: Wired) -> None:
    answer = await broker.call("binance_create_order", **BUY)
    assert answer["status"] == "pending"
    assert "success" not in answer
    assert answer["next"]["tool"] == "intent_wait"
    assert answer["approvalUrl"].endswith(f"/intents/{answer['intentId']}")
    assert await broker.control.requests() == []


async def test_a_low_call_passes_straight_through(broker: Wired) -> None:
    answer = await broker.call("binance_get_ticker", symbol="BTC/USDT")
    assert (answer["symbol"], answer["price"]) == ("BTCUSDT", 60_000)
    assert await broker.parked_count() == 0


async def test_a_repeated_key_is_answered_before_any_check(broker: Wired) -> None:
    first = await broker.call("binance_create_order", **BUY, idempotencyKey=KEY)
    await broker.control.do("balance", asset="USDT", free="0")
    again = await broker.call("binance_create_order", **BUY, idempotencyKey=KEY, reason="said otherwise")
    assert (again["intentId"], again["deduplicated"]) == (first["intentId"], True)


async def test_a_repeated_key_with_the_same_order_written_otherwise_is_the_same(broker: Wired) -> None:
    first = await broker.call("binance_create_order", **BUY, idempotencyKey=KEY)
    otherwise = {**BUY, "symbol": "BTC/USDT", "amount": "0.0150", "type": "market"}
    again = await broker.call("binance_create_order", **otherwise, idempotencyKey=KEY)
    assert again["intentId"] == first["intentId"]


async def test_a_repeated_key_with_another_order_is_a_conflict(broker: Wired) -> None:
    first = await broker.call("binance_create_order", **BUY, idempotencyKey=KEY)
    with pytest.raises(BrokerError) as refused:
        await broker.call("binance_create_order", **{**BUY, "amount": "0.016"}, idempotencyKey=KEY)
    assert refused.value.code is Code.IDEMPOTENCY_CONFLICT
    assert refused.value.details["intentId"] == first["intentId"]
    assert await broker.parked_count() == 1


@pytest.mark.parametrize(
    ("asked", "then"),
    [
        ({"type": "stop_loss", "price": "57900"}, {"type": "stop_loss"}),
        ({"type": "stop_loss"}, {"type": "stop_loss", "price": "57900"}),
        ({"type": "stop_loss", "price": "57900"}, {"type": "take_profit", "price": "57900"}),
    ],
)
async def test_a_repeated_key_with_fewer_or_more_arguments_is_a_conflict(
    broker: Wired, asked: dict[str, str], then: dict[str, str]
) -> None:
    await broker.control.do("balance", asset="BTC", free="0.05")
    sell = {**BUY, "side": "sell", "stopPrice": "58000"}
    await broker.call("binance_create_order", **sell, **asked, idempotencyKey=KEY)
    with pytest.raises(BrokerError) as refused:
        await broker.call("binance_create_order", **sell, **then, idempotencyKey=KEY)
    assert refused.value.code is Code.IDEMPOTENCY_CONFLICT
    assert await broker.parked_count() == 1


async def test_a_repeated_key_of_a_close_is_the_same_whatever_became_of_the_position(broker: Wired) -> None:
    await hold_futures_price(broker)
    await trade(broker, "buy", "0.02")
    first = await broker.call("binance_close_position", symbol=BTC, idempotencyKey=KEY)
    await trade(broker, "sell", "0.01")
    again = await broker.call("binance_close_position", symbol="BTC/USDT", idempotencyKey=KEY)
    assert again["intentId"] == first["intentId"]
    with pytest.raises(BrokerError) as refused:
        await broker.call("binance_close_position", symbol="ETHUSDT", idempotencyKey=KEY)
    assert refused.value.code is Code.IDEMPOTENCY_CONFLICT


async def test_a_key_among_the_arguments_goes_before_one_beside_them(broker: Wired) -> None:
    arguments = {**BUY, "idempotencyKey": KEY}
    await broker.gateway.call(LONE, "binance_create_order", arguments, idempotency_key="another-key")
    (intent,) = (await broker.call("intent_list"))["intents"]
    assert (await broker.intent(intent["intentId"])).idempotency_key == KEY


async def test_a_key_beside_a_tool_that_takes_none_changes_nothing(broker: Wired) -> None:
    await broker.gateway.call(LONE, "binance_get_ticker", {"symbol": "BTCUSDT"}, idempotency_key=KEY)


async def test_without_a_key_an_equal_request_attaches_to_the_one_that_waits(broker: Wired) -> None:
    first = await broker.call("binance_create_order", **BUY)
    again = await broker.call("binance_create_order", **{**BUY, "amount": "0.0150001"}, ttlSeconds=60)
    assert (again["intentId"], again["deduplicated"]) == (first["intentId"], True)
    assert "deduplicated" not in first


async def test_fifty_calls_at_once_with_one_key_make_one_intent(broker: Wired) -> None:
    calls = [broker.call("binance_create_order", **BUY, idempotencyKey=KEY) for _ in range(50)]
    answers = await asyncio.gather(*calls)
    assert len({answer["intentId"] for answer in answers}) == 1
    assert await broker.parked_count() == 1


async def test_fifty_retries_through_two_processes_make_one_intent(broker: Wired, tmp_path: Path) -> None:
    with closing(open_store(tmp_path / "paper.db", broker.clock, Randomness())) as second:
        other = replace(broker.gateway, store=second)
        arguments = {**BUY, "idempotencyKey": KEY}
        calls = [
            (broker.gateway, other)[number % 2].call(LONE, "binance_create_order", arguments)
            for number in range(50)
        ]
        answers = [answer.model_dump() for answer in await asyncio.gather(*calls)]
    assert len({answer["intentId"] for answer in answers}) == 1
    assert [answer["deduplicated"] for answer in answers].count(None) == 1
    assert await broker.parked_count() == 1


@pytest.mark.parametrize("key", [None, "another-intended-action"])
async def test_a_repeat_of_what_went_out_is_a_new_request_that_names_it(
    broker: Wired, key: str | None
) -> None:
    first = await broker.approved(**BUY)
    again = await broker.call("binance_create_order", **BUY, idempotencyKey=key)
    assert again["intentId"] != first.id
    assert again["sameAs"] == {"intentId": first.id, "status": "approved"}
    assert "sameAs" not in await broker.call("binance_create_order", **{**BUY, "amount": "0.014"})
    await broker.call("intent_cancel", intentId=again["intentId"])
    await broker.submitted(first)
    broker.clock.advance(601)
    assert "sameAs" not in await broker.call("binance_create_order", **BUY)


async def test_a_request_nearly_the_same_names_the_first_and_needs_a_second_tap(
    broker: Wired,
) -> None:
    first = await broker.submitted(await broker.approved(**BUY))
    again = await broker.call("binance_create_order", **{**BUY, "amount": "0.01512"})
    assert again["sameAs"] == {"intentId": first.id, "status": "placed"}
    intent, limit = await broker.intent(again["intentId"]), broker.settings.max_daily_volume_usdt
    with pytest.raises(NeedsSecondTap):
        await broker.store.intents.approve(
            intent.id, intent.digest, TRADER, limit, confirmed=False, standing=trusted
        )
    larger = await broker.call("binance_create_order", **{**BUY, "amount": "0.01516"})
    assert "sameAs" not in larger
    broker.clock.advance(601)
    assert "sameAs" not in await broker.call("binance_create_order", **{**BUY, "amount": "0.01511"})


@pytest.mark.parametrize("key", [None, "another-intended-action"])
async def test_who_lost_the_warning_of_a_repeat_is_told_it_again(broker: Wired, key: str | None) -> None:
    first = await broker.approved(**BUY)
    again = await broker.call("binance_create_order", **BUY, idempotencyKey=key)
    retried = await broker.call("binance_create_order", **BUY, idempotencyKey=key)
    assert (retried["intentId"], retried["deduplicated"]) == (again["intentId"], True)
    asked = {"intentId": again["intentId"]}
    read = await broker.call("intent_get", **asked)
    waited = await broker.call("intent_wait", **asked, timeoutSeconds=1)
    same = {"intentId": first.id, "status": "approved"}
    assert [told["sameAs"] for told in (again, retried, read, waited)] == [same] * 4
    assert "sameAs" not in await broker.call("intent_cancel", **asked)


@pytest.mark.parametrize("trouble", ["halted", "no money", "no answer", "expired"])
async def test_a_retry_without_a_key_finds_what_waits_when_it_could_no_longer_be_parked(
    broker: Wired, trouble: str
) -> None:
    first = await broker.park(**BUY)
    match trouble:
        case "halted" | "expired":
            await broker.store.halts.set(Level.HALTED, TRADER, None, standing=trusted, shown=0)
        case "no money":
            await broker.control.do("balance", asset="USDT", free="1")
        case "no answer":
            await broker.control.do("fault", when="received", do="code", http=503, times=999)
    if trouble == "expired":
        broker.clock.advance(301)
        with pytest.raises(BrokerError, match="halted"):
            await broker.call("binance_create_order", **BUY)
        return
    again = await broker.call("binance_create_order", **BUY)
    assert (again["intentId"], again["deduplicated"]) == (first.id, True)
    with pytest.raises(BrokerError):
        await broker.call("binance_create_order", **{**BUY, "amount": "0.014"})
    with pytest.raises(BrokerError):  # it is another's to find
        await broker.gateway.call(Agent(name="other"), "binance_create_order", BUY)


async def test_a_wait_ends_as_soon_as_its_agent_is_revoked(broker: Wired) -> None:
    """What becomes of its order later is no longer told to whoever held its key."""
    resting = await broker.submitted(await broker.approved(**REST))
    store = broker.store
    await store.database.write(lambda connection: store.agents.give(connection, AGENT, "its-key"))
    asked = {"intentId": resting.id, "timeoutSeconds": 50, "until": "filled"}
    waiting = asyncio.create_task(broker.gateway.call(LONE, "intent_wait", asked))
    await eventually(lambda: asyncio.sleep(0, broker.hub._waiters.get(resting.id)))
    await store.database.write(lambda connection: store.agents.revoke(connection, AGENT, actor="trader:Ana"))
    async with asyncio.timeout(5):
        with pytest.raises(BrokerError) as ended:
            await waiting
    assert ended.value.code is Code.UNAUTHORIZED


async def test_one_agent_may_have_so_many_waits_open_and_another_waits_all_the_same(
    broker: Wired, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting_tools, "MOST_WAITS", 3)
    intent = await broker.park(**BUY)
    asked = {"intentId": intent.id, "timeoutSeconds": 50}
    waits = [asyncio.create_task(broker.call("intent_wait", **asked)) for _ in range(3)]
    await eventually(lambda: asyncio.sleep(0, broker.hub.waits_of(AGENT) == 3))
    with pytest.raises(BrokerError) as refused:
        await broker.call("intent_wait", **asked)
    assert (refused.value.code, refused.value.details["retryAfterSeconds"]) == (Code.RATE_LIMITED, 5)
    other = Agent(name="other")
    mine = (await broker.gateway.call(other, "binance_create_order", BUY)).model_dump()["intentId"]
    await broker.gateway.call(other, "intent_wait", {"intentId": mine, "timeoutSeconds": 1})
    await broker.call("intent_cancel", intentId=intent.id)
    assert [answer["status"] for answer in await asyncio.gather(*waits)] == ["withdrawn"] * 3
    assert broker.hub.waits_of(AGENT) == 0


async def test_whoever_waits_reads_nothing_until_something_changes(
    broker: Wired, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thousands may wait: their progress costs the database nothing."""
    monkeypatch.setattr(waiting_tools, "PROGRESS_SECONDS", 0.01)
    intent = await broker.park(**BUY)
    told: list[float] = []

    async def progress(seconds: float) -> None:
        told.append(seconds)

    asked = {"intentId": intent.id, "timeoutSeconds": 5}
    waiting = asyncio.create_task(broker.gateway.call(LONE, "intent_wait", asked, progress=progress))
    await eventually(lambda: asyncio.sleep(0, len(told) > 5))
    reads = count_reads(broker)
    progressed = len(told)
    await eventually(lambda: asyncio.sleep(0, len(told) > progressed + 5))
    assert reads() == 0
    await broker.store.intents.withdraw(intent.id, AGENT)
    assert (await waiting).model_dump()["status"] == "withdrawn"


def count_reads(broker: Wired) -> Callable[[], int]:
    """How many statements about intents the readers ran since."""
    seen: list[str] = []
    event.listen(
        broker.store.database._reader,
        "before_cursor_execute",
        lambda *given: seen.append(given[2]) if "FROM intents" in given[2] else None,
    )
    return lambda: len(seen)


async def test_another_agents_intents_do_not_exist_for_one(broker: Wired) -> None:
    intent = await broker.park(**BUY)
    for tool in ("intent_get", "intent_wait", "intent_cancel"):
        with pytest.raises(BrokerError) as refused:
            await broker.gateway.call(Agent(name="another"), tool, {"intentId": intent.id})
        assert refused.value.code is Code.UNKNOWN_INTENT
    listed = await broker.gateway.call(Agent(name="another"), "intent_list", {})
    assert listed.model_dump()["count"] == 0
    assert (await broker.intent(intent.id)).state is State.PENDING


# Waiting


async def test_a_wait_ends_with_the_decision_and_says_whose_it_was(broker: Wired) -> None:
    intent = await broker.park(**BUY)
    waiting = asyncio.create_task(broker.call("intent_wait", intentId=intent.id, timeoutSeconds=50))
    await asyncio.sleep(0)
    suggestion = Suggestion(amount=Decimal("0.010"))
    await broker.store.intents.reject(
        intent.id, intent.digest, TRADER, "too much", suggestion, standing=trusted
    )
    answer = await asyncio.wait_for(waiting, 10)
    assert answer["status"] == "rejected"
    assert answer["decision"] == {
        "by": TRADER,
        "at": to_ms(broker.clock()),
        "approved": False,
        "reason": "too much",
        "suggestion": {"amount": 0.01},
    }
    assert "Rejected by Ana" in answer["outcome"]
    assert "suggestion" in answer["next"]["say"]


@pytest.mark.parametrize(("until", "status"), [("decided", "approved"), ("placed", "placed")])
async def test_a_wait_goes_on_until_what_was_asked_for(broker: Wired, until: str, status: str) -> None:
    intent = await broker.park(**BUY)
    waiting = asyncio.create_task(broker.call("intent_wait", intentId=intent.id, until=until))
    approved = await broker.approve(intent)
    if until == "placed":
        broker.executor.take(approved)
    assert (await asyncio.wait_for(waiting, 10))["status"] == status


async def test_a_wait_for_the_fill_lasts_while_the_order_rests(broker: Wired) -> None:
    intent = await broker.submitted(await broker.approved(**REST))
    waiting = asyncio.create_task(broker.call("intent_wait", intentId=intent.id, until="filled"))
    await broker.control.do("price", symbol=BTC, price="57000")
    await broker.reconciler.follow_placed()
    answer = await asyncio.wait_for(waiting, 10)
    assert answer["outcome"] == "Order placed, filled 0.015 of 0.015."
    assert answer["result"]["order"]["fee"]["asset"] == "BTC"


async def test_the_end_of_a_wait_is_no_error(broker: Wired) -> None:
    intent = await broker.park(**BUY)
    answer = await broker.call("intent_wait", intentId=intent.id, timeoutSeconds=1)
    assert (answer["status"], answer["next"]["tool"]) == ("pending", "intent_wait")


async def test_a_stopping_broker_lets_go_of_who_waits(broker: Wired) -> None:
    intent = await broker.park(**BUY)
    waiting = asyncio.create_task(broker.call("intent_wait", intentId=intent.id, timeoutSeconds=50))
    await asyncio.sleep(0)
    broker.hub.close()
    assert (await asyncio.wait_for(waiting, 10))["status"] == "pending"


# Withdrawing, cancelling


async def test_a_withdrawn_request_can_be_asked_for_anew(broker: Wired) -> None:
    first = await broker.park(**BUY)
    assert (await broker.call("intent_cancel", intentId=first.id))["status"] == "withdrawn"
    assert (await broker.park(**BUY)).id != first.id


async def test_a_cancel_passes_through_and_is_recorded_before_and_after(broker: Wired) -> None:
    intent = await broker.submitted(await broker.approved(**REST))
    assert intent.order is not None
    answer = await broker.call("binance_cancel_order", symbol=BTC, orderId=intent.order.stored()["id"])
    assert answer["cancelledOrder"] == {
        "id": intent.order.stored()["id"],
        "symbol": BTC,
        "status": "CANCELLED",
    }
    await broker.reconciler.follow_placed()
    told = await broker.call("intent_get", intentId=intent.id)
    assert told["outcome"] == "Order placed, filled 0 of 0.015; the rest was cancelled."
    kinds = [EventKind.ORDERS_CANCELLED, EventKind.ORDERS_CANCEL_ASKED]
    events = await broker.store.read(lambda c: recent_events(c, kinds, broker.clock()))
    assert [(event.kind, event.actor, event.data["orders"]) for event in events] == [
        (kind, f"agent:{AGENT}", [intent.order.stored()["id"]]) for kind in kinds
    ]


async def test_a_cancel_that_cannot_be_recorded_is_not_sent(broker: Wired) -> None:
    intent = await broker.submitted(await broker.approved(**REST))
    assert intent.order is not None
    await let_write(broker.store, False)
    with pytest.raises(BrokerError) as refused:
        await broker.call("binance_cancel_order", symbol=BTC, orderId=intent.order.stored()["id"])
    assert refused.value.code is Code.STORE_UNAVAILABLE
    assert await broker.control.requests("DELETE") == []


async def test_a_cancel_that_was_carried_out_is_told_so_even_when_the_database_fails_then(
    broker: Wired,
) -> None:
    intent = await broker.submitted(await broker.approved(**REST))
    assert intent.order is not None
    await broker.control.fault("received", "hold", method="DELETE")
    calling = asyncio.create_task(
        broker.call("binance_cancel_order", symbol=BTC, orderId=intent.order.stored()["id"])
    )
    await broker.control.held()
    await let_write(broker.store, False)
    await broker.control.do("release")
    assert (await asyncio.wait_for(calling, 10))["success"] is True


async def test_a_cancel_whose_client_left_is_recorded_all_the_same(broker: Wired) -> None:
    intent = await broker.submitted(await broker.approved(**REST))
    assert intent.order is not None
    await broker.control.fault("received", "hold", method="DELETE")
    calling = asyncio.create_task(
        broker.call("binance_cancel_order", symbol=BTC, orderId=intent.order.stored()["id"])
    )
    await broker.control.held()
    calling.cancel()
    with broker.hub.subscribed() as events:
        await broker.control.do("release")
        async with asyncio.timeout(10):
            while (event := await events.get()) and event.kind != "orders:cancelled":
                pass
    assert event is not None
    assert event.data["orders"] == [intent.order.stored()["id"]]


async def test_a_key_beside_arguments_that_name_none_counts(broker: Wired) -> None:
    asked = {**BUY, "idempotencyKey": None}
    key, tool = "beside-them-1", "binance_create_order"
    first = await broker.gateway.call(LONE, tool, asked, idempotency_key=key)
    await broker.approve(await broker.intent(first.model_dump()["intentId"]))
    again = await broker.gateway.call(LONE, tool, asked, idempotency_key=key)
    assert again.model_dump()["intentId"] == first.model_dump()["intentId"]


async def test_cancelling_all_says_how_many(broker: Wired) -> None:
    for price in ("58000", "57000"):
        await broker.submitted(await broker.approved(**{**REST, "price": price}))
    assert (await broker.call("binance_cancel_all_orders", symbol=BTC))["cancelledCount"] == 2
    assert (await broker.call("binance_cancel_all_orders", symbol=BTC))["cancelledCount"] == 0


async def test_after_a_cancel_without_an_answer_the_agent_is_told_how_to_find_out(tmp_path: Path) -> None:
    async with wired(tmp_path, patience=0.3) as broker:
        await broker.control.fault("received", "hang", method="DELETE", times=2)
        with pytest.raises(BrokerError) as unclear:
            await broker.call("binance_cancel_order", symbol=BTC, orderId="1")
        assert unclear.value.code is Code.BINANCE_TIMEOUT
        assert unclear.value.next_step == {
            "say": "It may be cancelled anyway. Check what is still open before you cancel again.",
            "tool": "binance_get_open_orders",
            "arguments": {"symbol": BTC, "market": "spot"},
        }


def test_an_unknown_tool_is_named_and_bounded() -> None:
    with pytest.raises(BrokerError) as refused:
        find_tool("x" * 10_000)
    assert refused.value.code is Code.UNKNOWN_TOOL
    assert len(refused.value.message) < 200


@pytest.mark.parametrize(
    ("word", "told", "next_step"),
    [
        (State.PLACED, "Ana recorded that it was placed. Binance says so too.", "Done"),
        (State.NOT_SENT, "BINANCE SAYS OTHERWISE: Ana recorded that it was", "Do not repeat it"),
    ],
)
async def test_the_agent_is_told_whose_word_an_outcome_is_and_what_binance_says(
    broker: Wired, word: State, told: str, next_step: str
) -> None:
    intent = await broker.approved(**REST)
    await broker.control.fault("executed", "drop")
    assert (await broker.submitted(intent)).state is State.UNKNOWN
    broker.clock.advance(21)
    await broker.store.submissions.record_word(intent.id, word, TRADER, None, standing=trusted, offset_ms=0)
    unchecked = await broker.call("intent_get", intentId=intent.id)
    assert "Binance is still being asked." in unchecked["outcome"]
    assert unchecked["next"]["say"].startswith("Do not repeat it.")
    await broker.reconciler.check_words()
    answer = await broker.call("intent_get", intentId=intent.id)
    assert told in answer["outcome"]
    assert answer["next"]["say"].startswith(next_step)
    assert ("diverged" in answer) is (word is State.NOT_SENT)


async def test_while_trading_is_halted_the_agent_is_told_and_binance_is_not_asked(broker: Wired) -> None:
    await broker.store.halts.set(Level.HALTED, TRADER, "lunch", standing=trusted, shown=0)
    asked = len((await broker.control.get("requests"))["requests"])
    with pytest.raises(BrokerError) as refused:
        await broker.park(**BUY)
    assert refused.value.body() == {
        "success": False,
        "error": "TRADING_HALTED",
        "message": "Trading is halted (by Ana). Nothing was parked.",
        "details": {"level": "halted", "by": "Ana", "reason": "lunch", "at": to_ms(broker.clock())},
        "next": {"say": HINTS[Code.TRADING_HALTED].say},
    }
    assert len((await broker.control.get("requests"))["requests"]) == asked
    assert (await broker.call("binance_get_ticker", symbol=BTC))["symbol"] == BTC


async def test_when_only_exits_are_allowed_an_entry_is_refused_and_an_exit_waits(broker: Wired) -> None:
    await broker.submitted(await broker.approved(**BUY))
    await broker.store.halts.set(Level.EXITS_ONLY, TRADER, None, standing=trusted, shown=0)
    with pytest.raises(BrokerError) as refused:
        await broker.park(**{**BUY, "amount": "0.01"})
    assert refused.value.code is Code.TRADING_HALTED
    leaving = await broker.park(symbol=BTC, side="sell", amount="0.01")
    assert (await broker.submitted(await broker.approve(leaving))).state is State.PLACED
