"""The arguments of HIGH tools, rounded to what Binance accepts. Each tool has its own type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Self

from pydantic import ValidationError

from .money import Side
from .order_types import Market, OrderType
from .stored import PlainDecimal, Stored


class Arguments(Stored):
    """Base of all. `market` is None if the tool has no such argument; such a tool is for futures."""

    symbol: str
    market: Market | None = None

    @classmethod
    def of(cls, arguments: Arguments) -> Self:
        """Narrows the type. Raises TypeError for arguments of another tool."""
        if not isinstance(arguments, cls):
            raise TypeError(f"{type(arguments).__name__} are not {cls.__name__}")
        return arguments


class OrderArguments(Arguments):
    """One order. The amount is in the base asset, prices are in the quote asset."""

    side: Side
    type: OrderType
    amount: PlainDecimal
    price: PlainDecimal | None = None
    stop_price: PlainDecimal | None = None
    reduce_only: bool = False


class CloseArguments(Arguments):
    """Closes the whole position. Side and amount are read later."""


class LeverageArguments(Arguments):
    leverage: int


class RestingArguments(Stored):
    """An open order to cancel, as Binance listed it."""

    id: str
    conditional: bool
    side: Side
    type: str
    price: PlainDecimal | None
    stop_price: PlainDecimal | None
    remaining: PlainDecimal
    reduce_only: bool


class CancelArguments(Arguments):
    """Cancels one order (`order_id`) or all orders of a symbol. `orders` were open at the last check."""

    orders: tuple[RestingArguments, ...] = ()
    order_id: str | None = None
    conditional: bool | None = None

    @property
    def venue(self) -> Market:
        return self.market or Market.FUTURES


TYPES: Final[Mapping[str, type[Arguments]]] = {
    "binance_create_order": OrderArguments,
    "binance_close_position": OrderArguments,
    "binance_set_leverage": LeverageArguments,
    "binance_cancel_order": CancelArguments,
    "binance_cancel_all_orders": CancelArguments,
}
"""The type of each tool's stored arguments."""


def read_arguments(tool: str, stored: Mapping[str, Any]) -> Arguments:
    """Parses a tool's stored arguments. Raises ValueError if this release cannot read them."""
    if tool not in TYPES:
        raise ValueError(f"this release has no tool {tool}")
    try:
        return TYPES[tool].model_validate(stored)
    except ValidationError as error:
        raise ValueError(f"arguments of {tool} cannot be read: {error.error_count()} errors") from None
