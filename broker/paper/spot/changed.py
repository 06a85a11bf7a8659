"""The changes of the spot exchange that are published to listeners (changes.py)."""

from dataclasses import dataclass
from decimal import Decimal

from ..market.orders import Order, Trade
from .account import Balance


@dataclass(frozen=True, slots=True)
class OrderChanged:
    """An order in its new state, with the trades of this change."""

    order: Order
    trades: tuple[Trade, ...]
    entered: bool
    """The order is new, or was just triggered."""
    cancel_id: str
    """The client id of the cancel that ended the order; empty if there was none."""


@dataclass(frozen=True, slots=True)
class Deposited:
    """A deposit, or a withdrawal if the amount is negative."""

    asset: str
    amount: Decimal
    time: int
    """UTC milliseconds."""


@dataclass(frozen=True, slots=True)
class BalancesChanged:
    balances: tuple[Balance, ...]
