"""What a HIGH tool would do, in figures that are rounded for Binance.

Each tool has its own type.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Self

from pydantic import ValidationError

from .money import Side
from .order_types import Market, OrderType
from .stored import PlainDecimal, Stored


class Arguments(Stored):
    """Of any HIGH tool. `market` is None where the tool has no such argument: then it is for futures."""

    symbol: str
    market: Market | None = None

    @classmethod
    def of(cls, arguments: Arguments) -> Self:
        """The same, known to be of this type. Raises TypeError for those of another tool."""
        if not isinstance(arguments, cls):
            raise TypeError(f"{type(arguments).__name__} are not {cls.__name__}")
        return arguments


class OrderArguments(Arguments):
    """One order. `amount` is in the base asset, prices are in the quote asset."""

    side: Side
    type: OrderType
    amount: PlainDecimal
    price: PlainDecimal | None = None
    stop_price: PlainDecimal | None = None
    reduce_only: bool = False


class CloseArguments(Arguments):
    """A position that is to be closed whole. What that orders is read later."""


class LeverageArguments(Arguments):
    leverage: int


class RestingArguments(Stored):
    """An order that is to be cancelled, as it rests."""

    id: str
    conditional: bool
    side: Side
    type: str
    price: PlainDecimal | None
    stop_price: PlainDecimal | None
    remaining: PlainDecimal
    reduce_only: bool


class CancelArguments(Arguments):
    """One order (`order_id`), or all of a symbol. `orders` are those that were found to rest."""

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
"""By tool, as an intent holds them."""


def read_arguments(tool: str, stored: Mapping[str, Any]) -> Arguments:
    """Raises ValueError for what this release cannot read."""
    if tool not in TYPES:
        raise ValueError(f"{tool} is no tool of this release")
    try:
        return TYPES[tool].model_validate(stored)
    except ValidationError as error:
        raise ValueError(f"arguments of {tool} cannot be read: {error.error_count()} errors") from None
