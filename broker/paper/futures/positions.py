"""The margin wallet, and one position for each contract."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from ..market.amounts import ZERO, truncated
from ..market.orders import Side

DEFAULT_LEVERAGE = 20


class MarginType(StrEnum):
    CROSSED = "CROSSED"
    ISOLATED = "ISOLATED"


@dataclass(slots=True)
class Wallet:
    """`balance` includes the margin of isolated positions."""

    asset: str
    balance: Decimal
    updated: int
    """UTC milliseconds."""
    funded: int
    """Funding is paid up to this time, in UTC milliseconds."""


@dataclass(slots=True)
class Position:
    """`amount` is negative for a short position. `cost` is the entry value, with the same sign."""

    symbol: str
    leverage: int = DEFAULT_LEVERAGE
    margin_type: MarginType = MarginType.CROSSED
    amount: Decimal = ZERO
    cost: Decimal = ZERO
    isolated_wallet: Decimal = ZERO
    carried: Decimal = ZERO
    """Commissions minus realised profit since it was opened. The break-even price includes it."""
    realized: Decimal = ZERO
    """The total profit ever realised in this contract."""
    updated: int = 0

    @property
    def is_isolated(self) -> bool:
        return self.margin_type is MarginType.ISOLATED

    @property
    def entry_price(self) -> Decimal:
        return self.cost / self.amount if self.amount else ZERO

    @property
    def break_even_price(self) -> Decimal:
        return (self.cost + self.carried) / self.amount if self.amount else ZERO

    def unrealized(self, mark: Decimal) -> Decimal:
        return self.amount * mark - self.cost

    def reducible(self, side: Side) -> Decimal:
        """Return how much an order of that side can reduce the position."""
        return max(ZERO, -self.amount if side is Side.BUY else self.amount)

    def fill(self, side: Side, price: Decimal, quantity: Decimal) -> Decimal:
        """Apply one fill, which first reduces and then opens. Return the realised profit."""
        closing = min(quantity, self.reducible(side))
        realized = self._reduce(side, price, closing) if closing else ZERO
        self._open(side, price, quantity - closing)
        return realized

    def charge(self, commission: Decimal) -> None:
        self.carried = self.carried + commission if self.amount else ZERO

    def _reduce(self, side: Side, price: Decimal, quantity: Decimal) -> Decimal:
        """Reduce the position. Return the profit, cut to eight decimals; the remainder stays in `cost`."""
        share = quantity / abs(self.amount)
        whole = quantity == abs(self.amount)
        change = quantity if side is Side.BUY else -quantity
        released = self.cost if whole else self.cost * share
        realized = truncated(-change * price - released)
        self.cost = ZERO if whole else self.cost + change * price + realized
        self.isolated_wallet -= self.isolated_wallet if whole else truncated(self.isolated_wallet * share)
        self.amount += change
        self.carried = ZERO if whole else self.carried - realized
        self.realized += realized
        return realized

    def _open(self, side: Side, price: Decimal, quantity: Decimal) -> None:
        change = quantity if side is Side.BUY else -quantity
        self.amount += change
        self.cost += change * price
        if self.is_isolated:
            self.isolated_wallet += truncated(quantity * price / self.leverage)
