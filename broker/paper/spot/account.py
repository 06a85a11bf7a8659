"""The spot account's balances, free and locked."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from ..http.errors import insufficient_balance
from ..market.amounts import ZERO


@dataclass(slots=True)
class Balance:
    asset: str
    free: Decimal = ZERO
    locked: Decimal = ZERO
    updated: int = 0
    """UTC milliseconds."""


class Account:
    """`touched` holds the assets that changed and are not written to the store yet."""

    def __init__(self, balances: Iterable[Balance]) -> None:
        self.balances = {balance.asset: balance for balance in balances}
        self.touched: set[str] = set()

    def balance(self, asset: str) -> Balance:
        return self.balances.setdefault(asset, Balance(asset))

    def lock(self, asset: str, amount: Decimal) -> None:
        """Move from free to locked. Raises Refusal if the free balance is too small."""
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
        """Take from the locked balance."""
        self._touch(asset).locked -= amount

    def receive(self, asset: str, amount: Decimal) -> None:
        self._touch(asset).free += amount

    def _touch(self, asset: str) -> Balance:
        self.touched.add(asset)
        return self.balance(asset)
