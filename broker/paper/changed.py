"""What can change at the spot exchange, as it is told to whoever listens (changes.py)."""

from dataclasses import dataclass
from decimal import Decimal

from .account import Balance
from .orders import Order, Trade


@dataclass(frozen=True, slots=True)
class OrderChanged:
    """An order as it stands now, with the trades that it has just made."""

    order: Order
    trades: tuple[Trade, ...]
    entered: bool
    """It is new, or was triggered."""
    cancel_id: str
    """The client id of the cancel that ended it; empty when none did."""


@dataclass(frozen=True, slots=True)
class Deposited:
    """Funds came from outside, or left."""

    asset: str
    amount: Decimal
    time: int
    """UTC milliseconds."""


@dataclass(frozen=True, slots=True)
class BalancesChanged:
    balances: tuple[Balance, ...]
