"""The settings of a position: leverage and margin type."""

from ..http.errors import Refusal
from ..market.amounts import ZERO
from .changed import AccountEvent, LeverageChanged
from .errors import above_bracket, invalid_leverage, leverage_needs_margin
from .ledger import Ledger
from .positions import MarginType, Position


class Terms:
    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def set_leverage(self, symbol: str, leverage: int) -> Position:
        """Raise Refusal if the position with its open orders would be too large, or the margin too small."""
        exposure = self._ledger.exposure(symbol)
        contract, position = exposure.contract, self._ledger.positions[symbol]
        if not 1 <= leverage <= contract.brackets[0].max_leverage:
            raise invalid_leverage(leverage)
        notional = exposure.initial_margin * position.leverage
        if notional > contract.max_notional_at(leverage):
            raise above_bracket()
        if position.is_isolated and position.amount and leverage < position.leverage:
            msg = "Leverage reduction is not supported in Isolated Margin Mode with open positions."
            raise Refusal(-4161, msg)
        more = notional / leverage - exposure.initial_margin
        if more > max(ZERO, self._ledger.summary().free):
            raise leverage_needs_margin()
        with self._ledger.change():
            position.leverage = leverage
            self._ledger.put_position(position)
            self._ledger.record(LeverageChanged(symbol, leverage, self._ledger.now))
        return position

    def set_margin_type(self, symbol: str, margin_type: MarginType) -> None:
        position = self._ledger.positions[symbol]
        if position.margin_type is margin_type:
            raise Refusal(-4046, "No need to change margin type.")
        if self._ledger.orders_of(symbol):
            raise Refusal(-4047, "Margin type cannot be changed if there exists open orders.")
        if position.amount:
            raise Refusal(-4048, "Margin type cannot be changed if there exists position.")
        with self._ledger.change():
            position.margin_type = margin_type
            self._ledger.put_position(position)
            self._ledger.record_account(AccountEvent.MARGIN_TYPE_CHANGE, [symbol])
