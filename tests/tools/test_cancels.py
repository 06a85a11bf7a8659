"""Cancelling passes straight through; the record says what went, and whether it protected something."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from broker.errors import Code
from broker.store import recent_events

from ..support import BTC, NOON, ORDER, Wired
from .support import FAPI_ALGO, FAPI_ORDER, refused, trade, trade_spot

pytestmark = pytest.mark.anyio

ONE, ALL = "binance_cancel_order", "binance_cancel_all_orders"


async def recorded(broker: Wired) -> list[tuple[str, dict[str, Any]]]:
    """Of the audit log, the oldest first."""
    kinds = ("orders:cancel-asked", "orders:cancelled", "orders:cancel-failed")
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
    assert error.code is Code.BINANCE_REFUSED
    assert [kind for kind, _ in await recorded(futures)] == ["orders:cancel-asked", "orders:cancel-failed"]
    assert (await futures.call("binance_get_open_orders", market="futures"))["count"] == 1


async def test_orders_that_cannot_be_read_are_cancelled_all_the_same(futures: Wired) -> None:
    order_id = await rest(futures, "futures", stop=False)
    await futures.control.do(
        "fault", when="received", do="code", method="GET", path="/fapi/v1/openOrders", http=503
    )
    answer = await futures.call(ONE, symbol=BTC, orderId=order_id, market="futures")
    assert answer["success"] is True


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
        "tool": "binance_get_open_orders",
        "arguments": {"symbol": BTC, "market": "futures"},
    }
