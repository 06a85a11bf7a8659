"""Parses answers of Binance's spot API (Binance: rest-api.md)."""

from __future__ import annotations

from decimal import Decimal

from .models import Account, Balance, Fill, OrderState, RestingOrder
from .parsing import STATUSES, Raw, above_zero, price, side


def order(info: Raw) -> OrderState:
    filled, cost = Decimal(info["executedQty"]), Decimal(info["cummulativeQuoteQty"])
    fills = tuple(_fill(fill) for fill in info.get("fills", ()))
    return OrderState(
        id=str(info["orderId"]),
        client_order_id=info["clientOrderId"],
        symbol=info["symbol"],
        side=side(info),
        type=info["type"].lower(),
        price=Decimal(info["price"]) or None,
        average=cost / filled if filled else None,
        amount=Decimal(info["origQty"]),
        filled=filled,
        cost=cost,
        fees=_fees(fills),
        status=STATUSES[info["status"]],
        timestamp_ms=int(info["time"] if "time" in info else info["transactTime"]),
        fills=fills,
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
        reduce_only=False,
    )


def account(answer: Raw) -> Account:
    return Account(
        balances=above_zero(
            Balance(row["asset"], Decimal(row["free"]), Decimal(row["locked"])) for row in answer["balances"]
        ),
        can_trade=bool(answer["canTrade"]),
        can_withdraw=bool(answer["canWithdraw"]),
        update_time_ms=int(answer["updateTime"]),
        taker_fee=Decimal(answer["commissionRates"]["taker"]),
    )


def _fill(fill: Raw) -> Fill:
    return Fill(
        price=Decimal(fill["price"]),
        amount=Decimal(fill["qty"]),
        fee=Decimal(fill["commission"]),
        fee_asset=fill["commissionAsset"],
        trade_id=str(fill["tradeId"]),
    )


def _fees(fills: tuple[Fill, ...]) -> tuple[tuple[str, Decimal], ...]:
    sums: dict[str, Decimal] = {}
    for fill in fills:
        sums[fill.fee_asset] = sums.get(fill.fee_asset, Decimal(0)) + fill.fee
    return tuple(sums.items())
