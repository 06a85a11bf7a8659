"""CONFIRM_PROTECTIVE_CANCELS: a cancel that takes a protection away waits for a trader."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from broker.errors import Code
from broker.intents import Intent, State, horizon_ms

from ..support import BTC, LONG_AGO, NOON, ORDER, TRADER, Wired, http_client, served, trusted, wired
from .support import (
    FAPI_ALGO,
    FAPI_ORDER,
    WAYS,
    asking,
    figures_of,
    hold_futures_price,
    parked,
    refused,
    trade,
    trade_spot,
)

pytestmark = pytest.mark.anyio

ONE, ALL = "binance_cancel_order", "binance_cancel_all_orders"
OPEN = "binance_get_open_orders"
PATHS = {"spot": ORDER, "algo": FAPI_ALGO, "plain": FAPI_ORDER}


@pytest.fixture
async def asked_first(tmp_path: Path) -> AsyncIterator[Wired]:
    """A broker that asks first. It holds a long of 0.02 BTC on futures, and 0.05 BTC on spot."""
    async with wired(tmp_path, confirm_protective_cancels=True) as broker:
        await hold_futures_price(broker)
        await trade(broker, "buy", "0.02")
        await broker.control.do("balance", asset="BTC", free="0.05")
        yield broker


async def stop_on_spot(broker: Wired) -> dict[str, Any]:
    stop: dict[str, Any] = {"type": "stop_loss", "stop_price": Decimal(58_000)}
    return {"symbol": BTC, "orderId": await trade_spot(broker, "sell", "0.01", **stop)}


async def stop_on_futures(broker: Wired, price: int = 58_000) -> dict[str, Any]:
    stop: dict[str, Any] = {"type": "stop_loss", "stop_price": Decimal(price), "reduce_only": True}
    order_id = await trade(broker, "sell", "0.02", **stop)
    return {"symbol": BTC, "orderId": order_id, "market": "futures", "conditional": True}


async def reducing(broker: Wired) -> dict[str, Any]:
    limit: dict[str, Any] = {"type": "limit", "price": Decimal(62_000), "reduce_only": True}
    return {"symbol": BTC, "orderId": await trade(broker, "sell", "0.02", **limit), "market": "futures"}


async def entering(broker: Wired) -> dict[str, Any]:
    order_id = await trade(broker, "buy", "0.01", type="limit", price=Decimal(58_000))
    return {"symbol": BTC, "orderId": order_id, "market": "futures"}


PROTECTIVE = [
    (stop_on_spot, "spot", "CANCEL stop 58,000 of 0.01 BTC: your BTC loses its protection"),
    (stop_on_futures, "algo", "CANCEL stop 58,000 of 0.02 BTC: your long loses its protection"),
    (reducing, "plain", "CANCEL limit SELL 0.02 at 62,000: your long loses its protection"),
]


async def deleted(broker: Wired) -> list[str]:
    """The ids that Binance was asked to cancel."""
    log = (await broker.control.get("requests"))["requests"]
    asked = [entry for entry in log if entry["method"] == "DELETE"]
    return [entry["params"].get("algoId") or entry["params"].get("orderId", "all") for entry in asked]


async def resting(broker: Wired, market: str = "futures") -> list[str]:
    return [order["id"] for order in (await broker.call(OPEN, market=market))["orders"]]


async def approved(broker: Wired, intent: Intent) -> Intent:
    return await broker.submitted(await broker.approve(intent))


async def past_the_horizon(broker: Wired, intent: Intent) -> Intent:
    """What is settled once Binance can no longer accept what was sent."""
    sent = intent.wire_timestamp_ms
    assert sent is not None
    await broker.control.do("clock", offset_ms=horizon_ms(intent, 0) - sent + 1)
    for _ in range(2):
        await broker.reconciler.settle_unknown()
    return await broker.intent(intent.id)


async def settled(broker: Wired, intent: Intent) -> Intent:
    await broker.reconciler.settle_unknown()
    return await broker.intent(intent.id)


@pytest.mark.parametrize(("rest", "kind", "sentence"), PROTECTIVE)
async def test_a_protection_is_cancelled_once_and_only_after_an_approval(
    asked_first: Wired, rest: Any, kind: str, sentence: str
) -> None:
    broker, asked = asked_first, await rest(asked_first)
    market = asked.get("market", "spot")
    intent = await parked(broker, ONE, **asked)
    assert (intent.state, intent.summary) == (State.PENDING, sentence)
    assert (intent.value_usdt, intent.is_exit, intent.ttl_seconds) == (Decimal(0), True, 1800)
    assert hashlib.sha256(intent.canonical.encode()).hexdigest() == intent.digest
    (told,) = json.loads(intent.canonical)["arguments"]["orders"]
    assert (told["id"], told["conditional"]) == (asked["orderId"], kind == "algo")
    assert await deleted(broker) == []
    assert await resting(broker, market) == [asked["orderId"]]

    done = await approved(broker, intent)
    assert (done.state, done.order, done.note) == (State.PLACED, None, None)
    assert await resting(broker, market) == []
    (request,) = await broker.control.requests("DELETE", PATHS[kind])
    assert request["params"]["timestamp"] == str(done.wire_timestamp_ms)
    answer = await broker.call("intent_get", intentId=intent.id)
    assert answer["outcome"] == "Done at Binance."
    assert answer["result"] == {
        "success": True,
        "cancelledOrder": {"id": asked["orderId"], "symbol": BTC, "status": "CANCELLED"},
    }
    assert await broker.audit_holds()


async def test_what_protects_nothing_passes_straight_through(asked_first: Wired) -> None:
    asked = await entering(asked_first)
    assert (await asked_first.call(ONE, **asked))["success"] is True
    assert await asked_first.call(ALL, symbol=BTC, market="futures") == {
        "success": True,
        "cancelledCount": 0,
    }
    await entering(asked_first)
    assert (await asked_first.call(ALL, symbol=BTC, market="futures"))["cancelledCount"] == 1
    assert await asked_first.parked_count() == 0


async def test_without_the_setting_a_protection_goes_at_once(futures: Wired) -> None:
    await trade(futures, "buy", "0.02")
    asked = await stop_on_futures(futures)
    assert (await futures.call(ONE, **asked))["success"] is True
    assert await futures.parked_count() == 0


async def test_an_order_that_could_not_be_read_counts_as_a_protection(asked_first: Wired) -> None:
    asked = await entering(asked_first)
    fault: dict[str, Any] = {"when": "received", "do": "code", "method": "GET", "http": 503}
    await asked_first.control.do("fault", path="/fapi/v1/openOrders", **fault)
    assert (await asked_first.call(ONE, **asked))["status"] == "pending"
    await asked_first.control.do("fault", path="/fapi/v1/openOrders", times=2, **fault)
    error = await refused(asked_first, ALL, symbol=BTC, market="futures")
    assert error.code is Code.BINANCE_UNAVAILABLE
    assert "Nothing was parked" in error.message
    assert await deleted(asked_first) == []


async def test_what_is_not_there_is_binances_refusal(asked_first: Wired) -> None:
    error = await refused(asked_first, ONE, symbol=BTC, orderId="77", market="futures")
    assert (error.code, error.details["binanceCode"]) == (Code.BINANCE_REFUSED, -2011)


async def test_the_card_tells_what_stays(asked_first: Wired) -> None:
    first, second = await stop_on_futures(asked_first), await stop_on_futures(asked_first, 57_000)
    intent = await parked(asked_first, ONE, **first)
    assert intent.summary == "CANCEL stop 58,000 of 0.02 BTC: your long loses some of its protection"
    figures = figures_of(intent)
    assert figures["Protection left"] == "stop 57,000 of 0.02 BTC"
    assert figures["Position"].startswith("LONG 0.02 BTC")
    assert figures[f"Order {first['orderId']}"] == "stop 58,000 of 0.02 BTC"
    both = await parked(asked_first, ALL, symbol=BTC, market="futures")
    assert both.summary == (
        "CANCEL 2 orders (stop 58,000 of 0.02 BTC, stop 57,000 of 0.02 BTC): your long loses its protection"
    )
    assert figures_of(both)["Protection left"] == "none"
    assert second["orderId"] in both.canonical


async def test_without_a_position_the_card_says_so(asked_first: Wired) -> None:
    asked = await stop_on_futures(asked_first)
    await trade(asked_first, "sell", "0.02", reduce_only=True)
    intent = await parked(asked_first, ONE, **asked)
    assert intent.summary == "CANCEL stop 58,000 of 0.02 BTC: there is no position"


async def test_a_trader_sees_what_is_still_open(asked_first: Wired) -> None:
    intent = await parked(asked_first, ONE, **await stop_on_futures(asked_first))
    tool = {figure.label: figure.value for figure in await _figures(asked_first, intent)}
    assert (tool["Still open"], tool["Last price now"]) == ("1 of 1", "60,000 USDT")
    assert tool["Position now"].startswith("LONG 0.02 BTC")


async def _figures(broker: Wired, intent: Intent) -> Any:
    from broker.orders.context import Context
    from broker.tools import HIGH

    context = Context(
        settings=broker.settings, store=broker.store, exchange=broker.exchange, clock=broker.clock
    )
    return await HIGH[intent.tool].figures_now(context, intent)


async def test_all_of_a_symbol_are_cancelled_by_their_ids(asked_first: Wired) -> None:
    entry, stop = await entering(asked_first), await stop_on_futures(asked_first)
    intent = await parked(asked_first, ALL, symbol=BTC, market="futures")
    assert await deleted(asked_first) == []
    done = await approved(asked_first, intent)
    assert done.state is State.PLACED
    assert await deleted(asked_first) == [entry["orderId"], stop["orderId"]]
    assert await resting(asked_first) == []
    answer = await asked_first.call("intent_get", intentId=intent.id)
    assert answer["result"] == {"success": True, "cancelledCount": 2}


async def test_an_order_that_came_after_the_card_is_shown_before_it_goes(asked_first: Wired) -> None:
    await stop_on_futures(asked_first)
    intent = await asked_first.approve(await parked(asked_first, ALL, symbol=BTC, market="futures"))
    late = await stop_on_futures(asked_first, 57_000)
    asked_first.executor.take(intent)
    again = await asked_first.until(intent, State.PENDING)
    assert again.note == "The open orders differ from those on the card"
    assert (late["orderId"] in again.canonical, again.digest != intent.digest) == (True, True)
    assert await deleted(asked_first) == []


async def test_what_was_filled_before_it_was_sent_is_not_sent(asked_first: Wired) -> None:
    intent = await asked_first.approve(await parked(asked_first, ONE, **await reducing(asked_first)))
    await hold_futures_price(asked_first, "62000")
    done = await asked_first.submitted(intent)
    assert (done.state, done.note) == (State.NOT_SENT, "The orders to cancel are no longer open")
    assert await deleted(asked_first) == []


@pytest.mark.parametrize(("rest", "kind", "_"), PROTECTIVE)
async def test_a_lost_answer_is_settled_by_the_orders_own_state(
    asked_first: Wired, rest: Any, kind: str, _: str
) -> None:
    asked = await rest(asked_first)
    intent = await parked(asked_first, ONE, **asked)
    await asked_first.control.do("fault", when="executed", do="drop", method="DELETE", path=PATHS[kind])
    lost = await approved(asked_first, intent)
    assert lost.state is State.UNKNOWN
    done = await settled(asked_first, lost)
    assert done.state is State.PLACED
    assert await deleted(asked_first) == [asked["orderId"]]


@pytest.mark.parametrize(("rest", "kind", "_"), PROTECTIVE)
async def test_a_cancel_that_never_arrived_is_not_sent_again(
    asked_first: Wired, rest: Any, kind: str, _: str
) -> None:
    asked = await rest(asked_first)
    intent = await parked(asked_first, ONE, **asked)
    await asked_first.control.do("fault", when="received", do="drop", method="DELETE", path=PATHS[kind])
    lost = await approved(asked_first, intent)
    assert lost.state is State.UNKNOWN
    assert (await settled(asked_first, lost)).state is State.UNKNOWN
    done = await past_the_horizon(asked_first, lost)
    assert (done.state, done.note) == (State.NOT_SENT, "the order is still open")
    assert await deleted(asked_first) == [asked["orderId"]]
    assert await resting(asked_first, asked.get("market", "spot")) == [asked["orderId"]]


async def test_an_order_that_was_filled_instead_is_told_as_such(asked_first: Wired) -> None:
    intent = await parked(asked_first, ONE, **await reducing(asked_first))
    await asked_first.control.do("fault", when="received", do="drop", method="DELETE", path=FAPI_ORDER)
    lost = await approved(asked_first, intent)
    await hold_futures_price(asked_first, "62000")
    done = await settled(asked_first, lost)
    assert (done.state, done.note) == (State.NOT_SENT, "the order was filled")
    outcome = (await asked_first.call("intent_get", intentId=intent.id))["outcome"]
    assert outcome == "Approved by Ana, but not sent: the order was filled. Nothing was executed."


async def test_a_stop_that_was_triggered_instead_is_told_as_such(asked_first: Wired) -> None:
    intent = await parked(asked_first, ONE, **await stop_on_futures(asked_first))
    await asked_first.control.do("fault", when="received", do="drop", method="DELETE", path=FAPI_ALGO)
    lost = await approved(asked_first, intent)
    await hold_futures_price(asked_first, "57999")
    done = await settled(asked_first, lost)
    assert (done.state, done.note) == (State.NOT_SENT, "the order was filled")


async def test_when_one_of_two_is_lost_no_other_is_sent_and_what_is_gone_is_told(
    asked_first: Wired,
) -> None:
    """Three rest; the second's DELETE never arrives."""
    first = await entering(asked_first)
    second = await stop_on_futures(asked_first)
    third = await stop_on_futures(asked_first, 57_000)
    intent = await parked(asked_first, ALL, symbol=BTC, market="futures")
    await asked_first.control.do("fault", when="received", do="drop", method="DELETE", path=FAPI_ALGO)
    lost = await approved(asked_first, intent)
    assert lost.state is State.UNKNOWN
    assert await deleted(asked_first) == [first["orderId"], second["orderId"]]
    assert (await settled(asked_first, lost)).state is State.UNKNOWN
    done = await past_the_horizon(asked_first, lost)
    assert (done.state, done.note) == (State.PLACED, "1 of 3 orders are cancelled, 2 still open")
    assert await resting(asked_first) == [second["orderId"], third["orderId"]]
    answer = await asked_first.call("intent_get", intentId=intent.id)
    assert answer["outcome"] == "Done at Binance: 1 of 3 orders are cancelled, 2 still open."
    assert "result" not in answer


@pytest.mark.parametrize("words", [None, "seen in the app"])
@pytest.mark.parametrize(("gone", "holds"), [(3, True), (1, False)])
async def test_a_word_is_borne_out_only_where_all_of_them_are_cancelled(
    asked_first: Wired, gone: int, holds: bool, words: str | None
) -> None:
    stops = [await stop_on_futures(asked_first, price) for price in (58_000, 57_000, 56_000)]
    intent = await asked_first.approve(await parked(asked_first, ALL, symbol=BTC, market="futures"))
    await asked_first.store.submissions.begin(
        intent,
        client_order_id=f"cb-{intent.id}",
        namespace="cancel",
        is_exit=True,
        wire_timestamp_ms=await asked_first.exchange.futures.server_time_ms(),
        value_usdt=None,
        approved_since=LONG_AGO,
    )
    await asked_first.reconciler.adopt()
    for stop in stops[:gone]:
        await asked_first.exchange.futures.cancel(BTC, stop["orderId"], conditional=True)
    asked_first.clock.advance(60)
    await asked_first.store.submissions.record_word(
        intent.id, State.PLACED, TRADER, words, standing=trusted, offset_ms=0
    )
    assert "result" not in await asked_first.call("intent_get", intentId=intent.id)
    for _ in range(2):
        await asked_first.reconciler.check_words()
    answer = await asked_first.call("intent_get", intentId=intent.id)
    told = "Ana recorded that it was placed"
    if holds:
        assert answer["outcome"] == f"Binance could not be asked in time; {told}. Binance says so too."
        assert answer["result"] == {"success": True, "cancelledCount": 3}
        return
    otherwise = f"{told}, but 1 of 3 orders are cancelled, 2 still open"
    assert answer["outcome"].endswith(f"BINANCE SAYS OTHERWISE: {otherwise}.")
    assert answer["diverged"] == otherwise
    assert "result" not in answer


async def test_a_broker_that_died_while_cancelling_asks_and_never_sends_again(asked_first: Wired) -> None:
    asked = await stop_on_futures(asked_first)
    intent = await asked_first.approve(await parked(asked_first, ONE, **asked))
    begun = await asked_first.store.submissions.begin(
        intent,
        is_exit=intent.is_exit,
        client_order_id=f"cb-{intent.id}",
        namespace="cancel",
        wire_timestamp_ms=await asked_first.exchange.futures.server_time_ms(),
        value_usdt=None,
        approved_since=LONG_AGO,
    )
    await asked_first.reconciler.adopt()
    done = await past_the_horizon(asked_first, begun)
    assert (done.state, done.note) == (State.NOT_SENT, "the order is still open")
    assert await deleted(asked_first) == []


async def test_no_limit_refuses_it_and_it_adds_nothing_to_the_days_volume(tmp_path: Path) -> None:
    limits: dict[str, Any] = {"max_daily_volume_usdt": 1000, "max_order_value_usdt": 1}
    async with wired(tmp_path, confirm_protective_cancels=True, **limits) as broker:
        await hold_futures_price(broker)
        await trade(broker, "buy", "0.04")
        exit_ = await parked(broker, "binance_close_position", symbol=BTC)  # 2,400 USDT: beyond the limit
        await broker.approve(exit_)
        intent = await parked(broker, ONE, **await stop_on_futures(broker))
        assert (await approved(broker, intent)).state is State.PLACED
        from broker.store import queries

        used = await broker.store.read(lambda it: queries.daily_volume(it, NOON, without=exit_.id))
        assert used == 0


async def test_asking_twice_is_one_request(asked_first: Wired) -> None:
    asked = await stop_on_futures(asked_first)
    first, second = [await asked_first.call(ONE, **asked) for _ in range(2)]
    assert (second["intentId"], second["deduplicated"]) == (first["intentId"], True)


async def test_a_rejected_cancel_leaves_the_protection(asked_first: Wired) -> None:
    asked = await stop_on_futures(asked_first)
    intent = await parked(asked_first, ONE, **asked)
    answer = await asked_first.call("intent_cancel", intentId=intent.id)
    assert answer["status"] == "withdrawn"
    assert await resting(asked_first) == [asked["orderId"]]
    assert await deleted(asked_first) == []


@pytest.mark.parametrize("way", WAYS)
async def test_over_the_wire_either_answer_is_as_promised(asked_first: Wired, way: str) -> None:
    entry, stop = await entering(asked_first), await stop_on_futures(asked_first)
    async with served(asked_first) as url, http_client(url) as http, asking(url, way) as ask:
        tools = {tool["name"]: tool for tool in (await http.get("/tools")).json()["tools"]}
        for tool in (ONE, ALL):
            assert (tools[tool]["riskLevel"], tools[tool]["requiresConfirmation"]) == ("MEDIUM", False)
            assert tools[tool]["outputSchema"]["type"] == "object"
        waits = (await ask(ONE, stop)).body
        assert ("success" in waits, waits["status"], waits["tool"]) == (False, "pending", ONE)
        passed = (await ask(ONE, entry)).body
        assert passed["success"] is True
        for body in (waits, passed):
            jsonschema.validate(body, tools[ONE]["outputSchema"])
        every = (await ask(ALL, {"symbol": BTC, "market": "futures"})).body
        jsonschema.validate(every, tools[ALL]["outputSchema"])
        done = await approved(asked_first, await asked_first.intent(waits["intentId"]))
        read = (await ask("intent_get", {"intentId": done.id})).body
        jsonschema.validate(read, tools["intent_get"]["outputSchema"])
        assert read["result"]["cancelledOrder"]["id"] == stop["orderId"]
        listed = (await ask("intent_list", {})).body
        jsonschema.validate(listed, tools["intent_list"]["outputSchema"])
        refusal = await ask(ONE, {**stop, "reason": "it is in the way"})
        assert (refusal.failed, refusal.body["error"]) == (True, "INVALID_ARGUMENTS")


async def test_a_key_beside_the_arguments_finds_what_was_done_already(asked_first: Wired) -> None:
    stop = await stop_on_futures(asked_first)
    async with served(asked_first) as url, http_client(url) as http:
        headers = {"Idempotency-Key": "cancel-it-once"}
        first = (await http.post(f"/tools/{ONE}", json=stop, headers=headers)).json()
        await approved(asked_first, await asked_first.intent(first["intentId"]))
        again = (await http.post(f"/tools/{ONE}", json=stop, headers=headers)).json()
    assert (again["intentId"], again["status"]) == (first["intentId"], "placed")
    assert len(await deleted(asked_first)) == 1
