"""Cancelling passes straight through; the record says what went, and whether it protected something."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from broker.agents import Agent
from broker.errors import BrokerError, Code
from broker.events import EventKind
from broker.exchange.weight import Weight
from broker.store import recent_events

from ..support import BTC, LONE, NOON, ORDER, Wired, wired
from .support import FAPI_ALGO, FAPI_ORDER, hold_futures_price, refused, trade, trade_spot

pytestmark = pytest.mark.anyio

ONE, ALL = "binance_cancel_order", "binance_cancel_all_orders"


async def recorded(broker: Wired) -> list[tuple[str, dict[str, Any]]]:
    """Of the audit log, the oldest first."""
    kinds = [kind for kind in EventKind if kind.startswith("orders:")]
    events = await broker.store.read(lambda it: recent_events(it, kinds, NOON))
    return [(event.kind, dict(event.data)) for event in sorted(events, key=lambda event: event.seq)]


async def rest(broker: Wired, market: str, *, stop: bool) -> str:
    """A resting order of that market, a stop or a limit; its id."""
    if market == "spot":
        await broker.control.do("balance", asset="BTC", free="0.05")
        more: dict[str, Any] = {"type": "stop_loss", "stop_price": Decimal(58_000)} if stop else {}
        return await trade_spot(
            broker, "sell", "0.01", **(more or {"type": "limit", "price": Decimal(62_000)})
        )
    if stop:
        return await trade(
            broker, "sell", "0.01", type="stop_loss", stop_price=Decimal(58_000), reduce_only=True
        )
    return await trade(broker, "buy", "0.01", type="limit", price=Decimal(58_000))


@pytest.mark.parametrize("market", ["spot", "futures"])
@pytest.mark.parametrize("stop", [False, True])
async def test_one_order_is_cancelled_and_recorded_before_and_after(
    futures: Wired, market: str, stop: bool
) -> None:
    await trade(futures, "buy", "0.02")
    order_id = await rest(futures, market, stop=stop)
    conditional = stop and market == "futures"
    answer = await futures.call(ONE, symbol=BTC, orderId=order_id, market=market, conditional=conditional)
    assert answer["cancelledOrder"] == {"id": order_id, "symbol": BTC, "status": "CANCELLED"}
    assert (await futures.call("binance_get_open_orders", market=market))["orders"] == []
    data = {"market": market, "symbol": BTC, "orders": [order_id]}
    told = {**data, "protective": True} if stop else data
    assert await recorded(futures) == [("orders:cancel-asked", told), ("orders:cancelled", told)]
    path = FAPI_ALGO if conditional else FAPI_ORDER if market == "futures" else ORDER
    assert len(await futures.control.requests("DELETE", path)) == 1


@pytest.mark.parametrize("market", ["spot", "futures"])
async def test_all_orders_of_a_symbol_go_the_conditional_ones_too(futures: Wired, market: str) -> None:
    await trade(futures, "buy", "0.02")
    plain = await rest(futures, market, stop=False)
    stop = await rest(futures, market, stop=True)
    answer = await futures.call(ALL, symbol=BTC, market=market)
    assert answer == {"success": True, "cancelledCount": 2}
    (_, asked), (kind, told) = await recorded(futures)
    assert kind == "orders:cancelled"
    assert set(asked["orders"]) == set(told["orders"]) == {plain, stop}
    assert told["protective"] is True


async def test_a_reduce_only_order_is_a_protection(futures: Wired) -> None:
    await trade(futures, "buy", "0.02")
    order_id = await trade(futures, "sell", "0.02", type="limit", price=Decimal(65_000), reduce_only=True)
    await futures.call(ONE, symbol=BTC, orderId=order_id, market="futures")
    assert [data["protective"] for _, data in await recorded(futures)] == [True, True]


async def test_a_plain_id_is_not_taken_for_a_conditional_one(futures: Wired) -> None:
    order_id = await rest(futures, "futures", stop=False)
    error = await refused(futures, ONE, symbol=BTC, orderId=order_id, market="futures", conditional=True)
    assert error.code is Code.NOTHING_TO_CANCEL
    assert await recorded(futures) == []
    assert (await futures.call("binance_get_open_orders", market="futures"))["count"] == 1


@pytest.mark.parametrize("confirm", [False, True])
async def test_a_conditional_order_of_another_symbol_is_not_cancelled_by_its_id(
    tmp_path: Path, confirm: bool
) -> None:
    """Neither by an agent that may not trade its symbol, nor past the trader who wants to be asked."""
    async with wired(tmp_path, confirm_protective_cancels=confirm) as broker:
        await hold_futures_price(broker)
        await trade(broker, "buy", "0.02")
        stop = await rest(broker, "futures", stop=True)
        of_eth = Agent(name="eth-only", symbols=frozenset({"ETHUSDT"}))
        asked = {"symbol": "ETHUSDT", "orderId": stop, "market": "futures", "conditional": True}
        for agent in (of_eth, LONE):
            with pytest.raises(BrokerError) as told:
                await broker.gateway.call(agent, ONE, asked)
            assert told.value.code is Code.NOTHING_TO_CANCEL
        assert await broker.control.requests("DELETE", FAPI_ALGO) == []
        assert await recorded(broker) == []


async def test_a_conditional_order_is_cancelled_though_the_open_ones_cannot_be_read(futures: Wired) -> None:
    await trade(futures, "buy", "0.02")
    stop = await rest(futures, "futures", stop=True)
    await futures.control.do(
        "fault", when="received", do="code", method="GET", path="/fapi/v1/openAlgoOrders", http=503
    )
    answer = await futures.call(ONE, symbol=BTC, orderId=stop, market="futures", conditional=True)
    assert answer["success"] is True


async def test_orders_that_cannot_be_read_are_cancelled_all_the_same(futures: Wired) -> None:
    order_id = await rest(futures, "futures", stop=False)
    await futures.control.do(
        "fault", when="received", do="code", method="GET", path="/fapi/v1/openOrders", http=503
    )
    answer = await futures.call(ONE, symbol=BTC, orderId=order_id, market="futures")
    assert answer["success"] is True
    assert (await recorded(futures))[-1][1]["protective"] is True, "unread is not harmless"


async def test_nothing_to_cancel_is_no_error(futures: Wired) -> None:
    for market in ("spot", "futures"):
        answer = await futures.call(ALL, symbol=BTC, market=market)
        assert answer == {"success": True, "cancelledCount": 0}


async def test_after_a_time_out_the_agent_is_told_how_to_find_out(futures: Wired) -> None:
    order_id = await rest(futures, "futures", stop=False)
    await futures.control.do("fault", when="executed", do="drop", method="DELETE", path=FAPI_ORDER, times=2)
    error = await refused(futures, ONE, symbol=BTC, orderId=order_id, market="futures")
    assert error.code is Code.BINANCE_UNAVAILABLE
    assert error.next_step == {
        "say": "It may be cancelled anyway. Check what is still open before you cancel again.",
        "tool": "binance_get_open_orders",
        "arguments": {"symbol": BTC, "market": "futures"},
    }


LOOK: dict[str, Any] = {
    "say": "It may be cancelled anyway. Check what is still open before you cancel again.",
    "tool": "binance_get_open_orders",
    "arguments": {"symbol": BTC, "market": "futures"},
}
LOST: dict[str, Any] = {"when": "executed", "do": "drop", "method": "DELETE"}
UNREAD: dict[str, Any] = {"when": "received", "do": "code", "method": "GET", "http": 503}


async def test_a_stop_whose_cancel_was_lost_is_recorded_as_gone(futures: Wired) -> None:
    await trade(futures, "buy", "0.02")
    stop = await rest(futures, "futures", stop=True)
    await futures.control.do("fault", **LOST, path=FAPI_ALGO, times=2)
    error = await refused(futures, ONE, symbol=BTC, orderId=stop, market="futures", conditional=True)
    assert error.next_step == LOOK
    kind, told = (await recorded(futures))[-1]
    assert (kind, told["orders"], told["protective"]) == ("orders:cancelled", [stop], True)


async def test_a_stop_that_is_cancelled_over_a_connection_that_broke_is_recorded_as_gone(
    futures: Wired,
) -> None:
    """The client sends the DELETE anew, and is told that there is no such order."""
    await trade(futures, "buy", "0.02")
    stop = await rest(futures, "futures", stop=True)
    await futures.control.do("fault", **LOST, path=FAPI_ALGO)
    error = await refused(futures, ONE, symbol=BTC, orderId=stop, market="futures", conditional=True)
    assert (error.code, error.next_step) == (Code.BINANCE_REFUSED, LOOK)
    kind, told = (await recorded(futures))[-1]
    assert (kind, told["orders"], told["protective"]) == ("orders:cancelled", [stop], True)


async def test_spot_orders_that_are_cancelled_over_a_connection_that_broke_are_counted(
    futures: Wired,
) -> None:
    stop = await rest(futures, "spot", stop=True)
    await futures.control.do("fault", **LOST, path="/api/v3/openOrders")
    assert (await futures.call(ALL, symbol=BTC))["cancelledCount"] == 1
    kind, told = (await recorded(futures))[-1]
    assert (kind, told["orders"], told["protective"]) == ("orders:cancelled", [stop], True)


async def test_a_stop_of_which_nobody_knows_whether_it_is_gone_may_be_gone(tmp_path: Path) -> None:
    async with wired(tmp_path, patience=0.3) as broker:
        await hold_futures_price(broker)
        await trade(broker, "buy", "0.02")
        stop = await rest(broker, "futures", stop=True)
        await broker.control.do("fault", **{**LOST, "do": "hang"}, path=FAPI_ALGO)
        await broker.control.do("fault", **UNREAD, path="/fapi/v1/openAlgoOrders", skip=1)
        error = await refused(broker, ONE, symbol=BTC, orderId=stop, market="futures", conditional=True)
        assert (error.code, error.next_step) == (Code.BINANCE_TIMEOUT, LOOK)
        kind, told = (await recorded(broker))[-1]
        assert (kind, told["orders"], told["protective"]) == ("orders:cancel-unclear", [stop], True)
        await broker.control._client.delete("faults")


async def test_a_stop_that_still_rests_after_a_lost_answer_may_yet_go(futures: Wired) -> None:
    await trade(futures, "buy", "0.02")
    stop = await rest(futures, "futures", stop=True)
    await futures.control.do("fault", **{**LOST, "when": "received"}, path=FAPI_ALGO, times=2)
    await refused(futures, ONE, symbol=BTC, orderId=stop, market="futures", conditional=True)
    kind, told = (await recorded(futures))[-1]
    assert (kind, told["orders"], told["protective"]) == ("orders:cancel-unclear", [stop], True)


@pytest.mark.parametrize(
    "refusal", [{"http": 503}, {"http": 429, "code": -1003}, {"http": 400, "code": -4000}]
)
async def test_plain_orders_that_went_before_the_conditional_ones_failed_are_recorded_as_gone(
    futures: Wired, refusal: dict[str, Any]
) -> None:
    await trade(futures, "buy", "0.02")
    plain = await trade(futures, "sell", "0.02", type="limit", price=Decimal(65_000), reduce_only=True)
    stop = await rest(futures, "futures", stop=True)
    fault = {"when": "received", "do": "code", "method": "DELETE", "path": "/fapi/v1/algoOpenOrders"}
    await futures.control.do("fault", **fault, **refusal)
    error = await refused(futures, ALL, symbol=BTC, market="futures")
    assert error.next_step == LOOK
    ends = [(kind, told["orders"], told["protective"]) for kind, told in (await recorded(futures))[1:]]
    if refusal["http"] == 429:  # nobody may ask for a while
        assert ends == [("orders:cancel-unclear", [plain, stop], True)]
    else:
        assert ends == [("orders:cancelled", [plain], True), ("orders:cancel-unclear", [stop], True)]


async def test_what_was_certainly_not_sent_is_no_alarm(
    futures: Wired, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Weight, "used", property(lambda weight: weight.limit))
    assert (await refused(futures, ALL, symbol=BTC, market="futures")).code is Code.RATE_LIMITED
    assert [kind for kind, _ in await recorded(futures)] == ["orders:cancel-asked", "orders:cancel-failed"]


async def test_what_did_not_rest_before_is_no_news(futures: Wired) -> None:
    await futures.control.do("fault", **{**LOST, "when": "received"}, path=ORDER, times=2)
    assert (await refused(futures, ONE, symbol=BTC, orderId="1")).code is Code.BINANCE_UNAVAILABLE
    assert [kind for kind, _ in await recorded(futures)] == ["orders:cancel-asked", "orders:cancel-failed"]
