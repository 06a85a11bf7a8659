"""Funding: every eight hours longs pay shorts, or shorts pay longs."""

from decimal import Decimal
from hashlib import shake_128

from ..market.amounts import truncated
from ..market.prices import slot_of
from .changed import AccountEvent
from .income import IncomeType
from .ledger import Ledger
from .positions import Position

INTERVAL_MS = 8 * 3_600_000
INTERVAL_HOURS = 8
CAP = Decimal("0.003")
FLOOR = Decimal("-0.003")
INTEREST = Decimal("0.0001")
_SPAN = 40_000
_LOWEST = -10_000
_UNIT = Decimal("0.00000001")


def rate(symbol: str, seed: int, time: int) -> Decimal:
    """Return the funding rate as a fraction of the notional, from -0.01 % to 0.03 %."""
    noise = int.from_bytes(shake_128(f"{seed}/{symbol}/funding/{time}".encode()).digest(4))
    return (_LOWEST + noise % (_SPAN + 1)) * _UNIT


def next_time(now: int) -> int:
    """Return the next 00:00, 08:00 or 16:00 UTC after now, in UTC milliseconds."""
    return (now // INTERVAL_MS + 1) * INTERVAL_MS


def times(after: int, until: int) -> range:
    """Return the funding times in (after, until]."""
    return range(next_time(after), until + 1, INTERVAL_MS)


class Funding:
    def __init__(self, ledger: Ledger, seed: int) -> None:
        self._ledger = ledger
        self._seed = seed

    def pay_due(self) -> None:
        """Pay all funding since the last payment. Positions are the same as then: every change pays first."""
        ledger = self._ledger
        for time in times(ledger.wallet.funded, ledger.now):
            for position in ledger.positions.values():
                if position.amount:
                    self._pay(position, time)
            ledger.wallet.funded = time
            ledger.touch_wallet()

    def _pay(self, position: Position, time: int) -> None:
        ledger, symbol = self._ledger, position.symbol
        mark = ledger.markets[symbol].public_trade(slot_of(time)).price
        paid = truncated(position.amount * mark * rate(symbol, self._seed, time))
        ledger.earn(IncomeType.FUNDING_FEE, -paid, symbol)
        if position.is_isolated:
            position.isolated_wallet -= paid
            ledger.put_position(position)
        ledger.record_account(AccountEvent.FUNDING_FEE, [symbol] if position.is_isolated else [], -paid)
