"""The order that arguments mean: the same for checks, card, wire and what is counted."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final, cast

from ..exchange import Market, OrderRequest
from ..exchange.models import OrderType
from ..intents import Intent
from ..money import Side

SIDES: Final[Mapping[str, Side]] = {"buy": "buy", "sell": "sell"}


def order_of(arguments: Mapping[str, Any]) -> OrderRequest:
    """From rounded arguments."""
    return OrderRequest(
        symbol=arguments["symbol"],
        side=SIDES[arguments["side"]],
        type=cast(OrderType, arguments["type"]),
        amount=Decimal(arguments["amount"]),
        price=_decimal(arguments.get("price")),
        stop_price=_decimal(arguments.get("stopPrice")),
        reduce_only=arguments.get("reduceOnly", False),
        market=Market(arguments.get("market", Market.SPOT)),
    )


def order_in(intent: Intent) -> OrderRequest | None:
    """What a request orders; None for one that changes a setting."""
    return order_of(intent.arguments) if "amount" in intent.arguments else None


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
