"""Parses answers of Binance's USDT-M futures API (Binance: USDS-M futures, REST API)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Final

from .models import (
    Balance,
    Funding,
    FuturesAccount,
    Leverage,
    MarginType,
    OrderState,
    OrderStatus,
    Position,
    RestingOrder,
)
from .parsing import STATUSES, Raw, above_zero, price, side

ALGO_STATUSES: Final[Mapping[str, OrderStatus]] = {
    "NEW": "open",
    # Being sent to the matching engine, where it places another order.
    "TRIGGERING": "open",
    "TRIGGERED": "open",
    # The placed order was filled or cancelled; only that order shows which.
    "FINISHED": "open",
    "CANCELED": "cancelled",
    "EXPIRED": "expired",
    "REJECTED": "rejected",
}

MARGIN_TYPES: Final[Mapping[str, MarginType]] = {"CROSSED": "cross", "ISOLATED": "isolated"}

HOUR_MS: Final = 3_600_000
USUAL_INTERVAL_HOURS: Final = 8


def order(info: Raw) -> OrderState:
    filled = Decimal(info["executedQty"])
    return OrderState(
        id=str(info["orderId"]),
        client_order_id=info["clientOrderId"],
        symbol=info["symbol"],
        side=side(info),
        type=info["type"].lower(),
        price=Decimal(info["price"]) or None,
        average=Decimal(info["avgPrice"]) if filled else None,
        amount=Decimal(info["origQty"]),
        filled=filled,
        cost=Decimal(info["cumQuote"]),
        fees=(),
        status=STATUSES[info["status"]],
        timestamp_ms=int(info["time"] if "time" in info else info["updateTime"]),
        fills=(),
    )


def algo_order(info: Raw) -> OrderState:
    """A conditional order, without the order that it placed when it was triggered."""
    return OrderState(
        id=str(info["algoId"]),
        client_order_id=info["clientAlgoId"],
        symbol=info["symbol"],
        side=side(info),
        type=info["orderType"].lower(),
        price=price(info, "price"),
        average=None,
        amount=Decimal(info["quantity"]),
        filled=Decimal(0),
        cost=Decimal(0),
        fees=(),
        status=ALGO_STATUSES[info["algoStatus"]],
        timestamp_ms=int(info["createTime"]),
        fills=(),
    )


def actual_order_id(info: Raw) -> str | None:
    """Id of the order that a conditional order placed; None before it is triggered."""
    order_id = str(info.get("actualOrderId") or "")
    return None if order_id in ("", "0") else order_id


def triggered(algo: OrderState, placed: OrderState) -> OrderState:
    """A conditional order with the fills and status of the order that it placed."""
    return replace(
        algo,
        average=placed.average,
        filled=placed.filled,
        cost=placed.cost,
        status=placed.status,
        executed_as=placed.id,
    )


def resting(info: Raw) -> RestingOrder:
    return RestingOrder(
        id=str(info["orderId"]),
        client_order_id=info["clientOrderId"],
        symbol=info["symbol"],
        side=side(info),
        type=info["type"].lower(),
        price=Decimal(info["price"]) or None,
        stop_price=price(info, "stopPrice"),
        amount=Decimal(info["origQty"]),
        filled=Decimal(info["executedQty"]),
        status=STATUSES[info["status"]],
        created_at_ms=int(info["time"]),
        conditional=False,
        reduce_only=bool(info["reduceOnly"]),
    )


def resting_algo(info: Raw) -> RestingOrder:
    return RestingOrder(
        id=str(info["algoId"]),
        client_order_id=info["clientAlgoId"],
        symbol=info["symbol"],
        side=side(info),
        type=info["orderType"].lower(),
        price=price(info, "price"),
        stop_price=price(info, "triggerPrice"),
        amount=Decimal(info["quantity"] or "0"),
        filled=Decimal(0),
        status=ALGO_STATUSES[info["algoStatus"]],
        created_at_ms=int(info["createTime"]),
        conditional=True,
        reduce_only=bool(info["reduceOnly"]) or bool(info.get("closePosition")),
    )


def account(answer: Raw, config: Raw) -> FuturesAccount:
    balances = [
        Balance(row["asset"], Decimal(row["availableBalance"]), Decimal(row["initialMargin"]))
        for row in answer["assets"]
        if Decimal(row["walletBalance"])
    ]
    times = [int(row["updateTime"]) for row in [*answer["assets"], *answer["positions"]]]
    return FuturesAccount(
        balances=above_zero(balances),
        equity_usdt=Decimal(answer["totalMarginBalance"]),
        available_usdt=Decimal(answer["availableBalance"]),
        can_trade=bool(config["canTrade"]),
        can_withdraw=bool(config["canWithdraw"]),
        hedge_mode=bool(config["dualSidePosition"]),
        update_time_ms=max(times, default=0),
    )


def position(info: Raw, leverage: Leverage) -> Position:
    """The side comes from `positionSide` in hedge mode, and from the amount's sign in one-way mode."""
    amount = Decimal(info["positionAmt"])
    long = amount > 0 if info["positionSide"] == "BOTH" else info["positionSide"] == "LONG"
    return Position(
        symbol=info["symbol"],
        side="LONG" if long else "SHORT",
        size=abs(amount),
        entry_price=Decimal(info["entryPrice"]),
        mark_price=Decimal(info["markPrice"]),
        unrealized=Decimal(info["unRealizedProfit"]),
        liquidation_price=price(info, "liquidationPrice"),
        leverage=leverage.leverage,
        margin_type=leverage.margin_type,
        maintenance_margin=Decimal(info["maintMargin"]),
    )


def leverage(info: Raw) -> Leverage:
    return Leverage(info["symbol"], int(info["leverage"]), MARGIN_TYPES[info["marginType"]])


def funding(premium: Raw, last: list[Raw]) -> Funding:
    """A contract without funding yet gets its last time from the usual interval of 8 hours."""
    following = int(premium["nextFundingTime"])
    hours = USUAL_INTERVAL_HOURS
    if last:
        hours = max(1, round((following - int(last[-1]["fundingTime"])) / HOUR_MS))
    return Funding(
        symbol=premium["symbol"],
        rate=Decimal(premium["lastFundingRate"]),
        last_time_ms=int(last[-1]["fundingTime"]) if last else following - hours * HOUR_MS,
        next_time_ms=following,
        interval_hours=hours,
    )
