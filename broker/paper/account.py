"""What we hold, free and locked."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from .amounts import ZERO
from .errors import insufficient_balance


@dataclass(slots=True)
class Balance:
    asset: str
    free: Decimal = ZERO
    locked: Decimal = ZERO
    updated: int = 0
    """UTC milliseconds."""


class Account:
    """Remembers in `touched` which assets changed, for whoever writes them down."""

    def __init__(self, balances: Iterable[Balance]) -> None:
        self.balances = {balance.asset: balance for balance in balances}
        self.touched: set[str] = set()

    def balance(self, asset: str) -> Balance:
        return self.balances.setdefault(asset, Balance(asset))

    def lock(self, asset: str, amount: Decimal) -> None:
        """From free to locked. Refused when there is not enough."""
        balance = self._touch(asset)
        if amount > balance.free:
            raise insufficient_balance()
        balance.free -= amount
        balance.locked += amount

    def unlock(self, asset: str, amount: Decimal) -> None:
        balance = self._touch(asset)
        balance.locked -= amount
        balance.free += amount

    def spend(self, asset: str, amount: Decimal) -> None:
        """Out of what is locked."""
        self._touch(asset).locked -= amount

    def receive(self, asset: str, amount: Decimal) -> None:
        self._touch(asset).free += amount

    def _touch(self, asset: str) -> Balance:
        self.touched.add(asset)
        return self.balance(asset)
