"""Margin and liquidation prices, computed as Binance does. Nothing here changes state.

The mark price is the last price. Margins are in the quote asset.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from ..market.amounts import ZERO
from ..market.orders import Side
from .contracts import Contract
from .orders import Order
from .positions import Position, Wallet

TAKER_FEE = Decimal("0.0005")
MAKER_FEE = Decimal("0.0002")


@dataclass(frozen=True, slots=True)
class Exposure:
    """The position in one contract at the mark price, and the notional of orders that may extend it."""

    contract: Contract
    position: Position
    mark: Decimal
    bids: Decimal
    asks: Decimal

    @property
    def notional(self) -> Decimal:
        """Negative when short."""
        return self.position.amount * self.mark

    @property
    def unrealized(self) -> Decimal:
        return self.position.unrealized(self.mark)

    @property
    def position_margin(self) -> Decimal:
        return abs(self.notional) / self.position.leverage

    @property
    def initial_margin(self) -> Decimal:
        """The margin of the largest position that fills of its open orders on one side could cause."""
        largest = max(abs(self.notional), abs(self.notional + self.bids), abs(self.notional - self.asks))
        return largest / self.position.leverage

    @property
    def order_margin(self) -> Decimal:
        return self.initial_margin - self.position_margin

    @property
    def maintenance_margin(self) -> Decimal:
        return self.contract.maintenance(abs(self.notional)) if self.position.amount else ZERO

    def with_order(self, side: Side, notional: Decimal) -> "Exposure":
        bids = self.bids + (notional if side is Side.BUY else ZERO)
        asks = self.asks + (notional if side is Side.SELL else ZERO)
        return Exposure(self.contract, self.position, self.mark, bids, asks)


def exposure(contract: Contract, position: Position, mark: Decimal, orders: Iterable[Order]) -> Exposure:
    """`orders` are the open orders of this contract. Reduce-only orders need no margin."""
    bids, asks = ZERO, ZERO
    for order in orders:
        if not order.reduce_only:
            worth = order.remaining * (order.price if order.side is Side.BUY else max(order.price, mark))
            bids += worth if order.side is Side.BUY else ZERO
            asks += worth if order.side is Side.SELL else ZERO
    return Exposure(contract, position, mark, bids, asks)


@dataclass(frozen=True, slots=True)
class Summary:
    """The account over all contracts."""

    wallet: Wallet
    exposures: tuple[Exposure, ...]

    @property
    def crossed(self) -> list[Exposure]:
        return [exposure for exposure in self.exposures if not exposure.position.is_isolated]

    @property
    def cross_wallet(self) -> Decimal:
        return self.wallet.balance - sum(
            (exposure.position.isolated_wallet for exposure in self.exposures), ZERO
        )

    @property
    def unrealized(self) -> Decimal:
        return sum((exposure.unrealized for exposure in self.exposures), ZERO)

    @property
    def cross_unrealized(self) -> Decimal:
        return sum((exposure.unrealized for exposure in self.crossed), ZERO)

    @property
    def margin_balance(self) -> Decimal:
        return self.wallet.balance + self.unrealized

    @property
    def cross_maintenance(self) -> Decimal:
        return sum((exposure.maintenance_margin for exposure in self.crossed), ZERO)

    @property
    def maintenance_margin(self) -> Decimal:
        return sum((exposure.maintenance_margin for exposure in self.exposures), ZERO)

    @property
    def position_margin(self) -> Decimal:
        return sum((exposure.position_margin for exposure in self.exposures), ZERO)

    @property
    def order_margin(self) -> Decimal:
        return sum((exposure.order_margin for exposure in self.exposures), ZERO)

    @property
    def free(self) -> Decimal:
        """The free margin of the cross wallet. It is negative after large losses."""
        held = sum((exposure.position_margin for exposure in self.crossed), ZERO) + self.order_margin
        return self.cross_wallet + self.cross_unrealized - held

    @property
    def available(self) -> Decimal:
        return max(ZERO, self.free)

    def liquidation_price(self, exposure: Exposure) -> Decimal:
        """Return the liquidation price if the other positions stay as they are. 0: there is none."""
        if exposure.position.is_isolated:
            return liquidation_price(exposure.contract, exposure.position, exposure.position.isolated_wallet)
        others = [other for other in self.crossed if other.contract is not exposure.contract]
        backing = self.cross_wallet + sum(
            (other.unrealized - other.maintenance_margin for other in others), ZERO
        )
        return liquidation_price(exposure.contract, exposure.position, backing)


def liquidation_price(contract: Contract, position: Position, backing: Decimal) -> Decimal:
    """Solve margin balance = maintenance margin: backing + amount*p - cost = |amount|*p*rate - cum.

    So p = (backing - cost + cum) / (|amount|*rate - amount), with rate and cum of the bracket of |amount|*p.
    `backing` is the isolated wallet; or the cross wallet, plus the unrealised profit and minus the
    maintenance margin of the other cross positions. Returns 0 if there is no solution above zero.
    """
    size = abs(position.amount)
    if not size:
        return ZERO
    for bracket in contract.brackets:
        price = (backing - position.cost + bracket.cum) / (size * bracket.rate - position.amount)
        is_last = bracket is contract.brackets[-1]
        if price > 0 and bracket.floor <= size * price and (is_last or size * price <= bracket.cap):
            return price
    return ZERO
