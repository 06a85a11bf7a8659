"""Liquidation: the exchange closes positions when the margin balance falls to the maintenance margin.

It closes an isolated position alone, and the cross positions together, at the mark price. It takes a clearing
fee from the remaining margin. The insurance fund covers a loss beyond the margin.
"""

from decimal import Decimal

from ..market.amounts import ZERO, truncated
from ..market.orders import Side
from .changed import AccountEvent, Execution
from .income import IncomeType
from .ledger import Ledger
from .margin import TAKER_FEE, Exposure
from .matching import LIQUIDATED, Matching
from .orders import Order, OrderType, TimeInForce

CLEARING_FEE = Decimal("0.0125")
"""A fraction of the notional (`liquidationFee` of exchangeInfo)."""


class Liquidation:
    def __init__(self, ledger: Ledger, matching: Matching) -> None:
        self._ledger = ledger
        self._matching = matching

    def run(self) -> None:
        summary = self._ledger.summary()
        held = [exposure for exposure in summary.exposures if exposure.position.amount]
        for exposure in held:
            position = exposure.position
            if (
                position.is_isolated
                and position.isolated_wallet + exposure.unrealized <= exposure.maintenance_margin
            ):
                self._clear([exposure], backing=position.isolated_wallet)
        crossed = [exposure for exposure in held if not exposure.position.is_isolated]
        if crossed and summary.cross_wallet + summary.cross_unrealized <= summary.cross_maintenance:
            self._clear(crossed, backing=summary.cross_wallet)

    def _clear(self, exposures: list[Exposure], *, backing: Decimal) -> None:
        """Close these positions. `backing` is the wallet balance that covers them."""
        ledger = self._ledger
        notional = sum((abs(exposure.notional) for exposure in exposures), ZERO)
        before = ledger.wallet.balance
        symbols = [exposure.position.symbol for exposure in exposures]
        for symbol in symbols:
            for order in ledger.orders_of(symbol):
                self._matching.end(order, Execution.EXPIRED, LIQUIDATED)
        for exposure in exposures:
            self._close(exposure)
        left = backing + ledger.wallet.balance - before
        fee = min(left, truncated(notional * CLEARING_FEE)) if left > 0 else left
        ledger.earn(IncomeType.INSURANCE_CLEAR, -fee, symbols[0])
        ledger.record_account(AccountEvent.INSURANCE_CLEAR, symbols, -fee)

    def _close(self, exposure: Exposure) -> None:
        ledger, amount = self._ledger, exposure.position.amount
        order = Order(
            id=ledger.next_order_id(),
            symbol=exposure.position.symbol,
            client_id=f"autoclose-{ledger.now}{exposure.position.symbol}",
            side=Side.SELL if amount > 0 else Side.BUY,
            type=OrderType.LIMIT,
            time_in_force=TimeInForce.IOC,
            quantity=abs(amount),
            price=exposure.mark,
            reduce_only=True,
            close_position=False,
            created=ledger.now,
            updated=ledger.now,
        )
        self._matching.fill(
            order, exposure.mark, order.quantity, fee=TAKER_FEE, execution=Execution.CALCULATED
        )
