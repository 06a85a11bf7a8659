"""Requests and orders on opposite sides of the same symbol."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from ..exchange import OrderRequest, RestingOrder
from ..intents import Intent


def opposite(intent: Intent, pending: Sequence[Intent], now: datetime) -> list[str]:
    """Pending requests on the other side of the same symbol, as text: "agent-b SELL 0.010 BTC, 3:10 left"."""
    return [
        f"{other.agent} {other.card.act}, {_left(other.expires_at - now)} left"
        for other in pending
        if other.expires_at > now and collide(intent, other)
    ]


def collide(intent: Intent, other: Intent) -> bool:
    """Whether both are on opposite sides of one symbol. A request without a side never collides."""
    sides = {order.side for order in (intent.ordering, other.ordering) if order is not None}
    same_symbol = (intent.market, intent.arguments.symbol) == (other.market, other.arguments.symbol)
    return same_symbol and sides == {"buy", "sell"}


def crossing(order: OrderRequest, resting: Sequence[RestingOrder]) -> list[RestingOrder]:
    """The account's own resting orders that `order` would trade against."""
    return [
        other
        for other in resting
        if (other.symbol, other.stop_price) == (order.symbol, None)
        and other.side != order.side
        and _prices_cross(order, other)
    ]


def _prices_cross(order: OrderRequest, other: RestingOrder) -> bool:
    if order.price is None or other.price is None:
        return True
    return order.price >= other.price if order.side == "buy" else order.price <= other.price


def _left(time: timedelta) -> str:
    minutes, seconds = divmod(int(time.total_seconds()), 60)
    return f"{minutes}:{seconds:02}"
