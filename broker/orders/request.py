"""The order that arguments mean: the same for checks, card, wire and what is counted."""

from __future__ import annotations

from ..arguments import Arguments, OrderArguments
from ..exchange import OrderRequest
from ..intents import Intent
from ..order_types import Market


def order_of(arguments: Arguments) -> OrderRequest:
    """From rounded arguments. Raises TypeError where they are no order's."""
    order = OrderArguments.of(arguments)
    return OrderRequest(
        symbol=order.symbol,
        side=order.side,
        type=order.type,
        amount=order.amount,
        price=order.price,
        stop_price=order.stop_price,
        reduce_only=order.reduce_only,
        market=order.market or Market.SPOT,
    )


def order_in(intent: Intent) -> OrderRequest | None:
    """What a request orders; None for one that changes a setting."""
    return None if intent.ordering is None else order_of(intent.ordering)
