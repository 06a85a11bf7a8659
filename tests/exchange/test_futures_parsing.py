"""Binance's futures JSON, read into the broker's words."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from broker.exchange import futures_parsing

D = Decimal
BTC = "BTCUSDT"

RISK = {
    "symbol": BTC,
    "positionAmt": "0.5",
    "entryPrice": "60000",
    "markPrice": "61000",
    "unRealizedProfit": "500",
    "liquidationPrice": "0",
    "maintMargin": "122",
}


@pytest.mark.parametrize(
    ("position_side", "amount", "side"),
    [("BOTH", "0.5", "LONG"), ("BOTH", "-0.5", "SHORT"), ("LONG", "0.5", "LONG"), ("SHORT", "-0.5", "SHORT")],
)
def test_a_positions_side_is_its_side(position_side: str, amount: str, side: str) -> None:
    leverage = futures_parsing.leverage({"symbol": BTC, "leverage": "7", "marginType": "ISOLATED"})
    risk = RISK | {"positionSide": position_side, "positionAmt": amount}
    position = futures_parsing.position(risk, leverage)
    assert (position.side, position.size) == (side, D("0.5"))
    assert (position.leverage, position.margin_type, position.liquidation_price) == (7, "isolated", None)


HOUR_MS = 3_600_000


@pytest.mark.parametrize(
    ("last", "hours", "last_ms"),
    [
        ([{"fundingTime": 0}], 4, 0),
        ([], 8, -4 * HOUR_MS),
        ([{"fundingTime": 4 * HOUR_MS - 60}], 1, 4 * HOUR_MS - 60),
    ],
)
def test_the_interval_goes_by_the_last_funding(last: list[Any], hours: int, last_ms: int) -> None:
    premium = {"symbol": BTC, "lastFundingRate": "0.0001", "nextFundingTime": 4 * HOUR_MS}
    funding = futures_parsing.funding(premium, last)
    assert (funding.interval_hours, funding.last_time_ms) == (hours, last_ms)


ALGO = {
    "algoId": 7,
    "clientAlgoId": "cb-1",
    "orderType": "STOP_MARKET",
    "symbol": BTC,
    "side": "SELL",
    "quantity": "0.5",
    "triggerPrice": "58000",
    "price": "0",
    "createTime": 1,
}


@pytest.mark.parametrize(
    ("told", "status"),
    [
        ("NEW", "open"),
        ("TRIGGERING", "open"),
        ("TRIGGERED", "open"),
        ("FINISHED", "open"),
        ("CANCELED", "cancelled"),
        ("EXPIRED", "expired"),
        ("REJECTED", "rejected"),
    ],
)
def test_a_conditional_order_is_not_over_before_its_order_says_so(told: str, status: str) -> None:
    order = futures_parsing.algo_order(ALGO | {"algoStatus": told})
    assert (order.status, order.filled, order.price) == (status, D(0), None)


def test_a_status_of_tomorrow_is_no_order() -> None:
    with pytest.raises(KeyError):
        futures_parsing.algo_order(ALGO | {"algoStatus": "SOMETHING"})


@pytest.mark.parametrize(
    ("told", "order_id"), [("", None), ("0", None), (None, None), ("42", "42"), (42, "42")]
)
def test_before_its_trigger_there_is_no_other_order(told: Any, order_id: str | None) -> None:
    assert futures_parsing.actual_order_id({"actualOrderId": told}) == order_id
