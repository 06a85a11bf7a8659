"""The perpetual contracts and their leverage brackets."""

from dataclasses import dataclass
from decimal import Decimal

from ..market.amounts import ZERO
from ..market.symbols import Symbol


@dataclass(frozen=True, slots=True)
class Bracket:
    """For positions with a notional in (floor, cap]. Maintenance margin = notional * rate - cum."""

    number: int
    floor: Decimal
    cap: Decimal
    max_leverage: int
    rate: Decimal
    cum: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract(Symbol):
    """A perpetual contract on one unit of the base asset, margined in the quote asset."""

    price_decimals: int
    quantity_decimals: int
    brackets: tuple[Bracket, ...]
    percent_up: Decimal = Decimal("1.05")
    percent_down: Decimal = Decimal("0.95")
    """The bounds of a limit price, as multiples of the mark price (PERCENT_PRICE)."""

    def bracket(self, notional: Decimal) -> Bracket:
        return next((bracket for bracket in self.brackets if notional <= bracket.cap), self.brackets[-1])

    def max_notional_at(self, leverage: int) -> Decimal:
        """Return the largest notional that is allowed at a leverage."""
        return max(bracket.cap for bracket in self.brackets if bracket.max_leverage >= leverage)

    def maintenance(self, notional: Decimal) -> Decimal:
        bracket = self.bracket(notional)
        return notional * bracket.rate - bracket.cum


def _brackets(*rows: tuple[int, int, str]) -> tuple[Bracket, ...]:
    """Build brackets from cap, maximum leverage and rate. `cum` keeps the margin continuous between them."""
    found: list[Bracket] = []
    for cap, leverage, rate in rows:
        below = found[-1] if found else Bracket(0, ZERO, ZERO, 0, Decimal(rate), ZERO)
        cum = below.cum + below.cap * (Decimal(rate) - below.rate)
        found.append(Bracket(below.number + 1, below.cap, Decimal(cap), leverage, Decimal(rate), cum))
    return tuple(found)


_DEEP = _brackets(
    (300_000, 125, "0.004"),
    (800_000, 100, "0.005"),
    (3_000_000, 75, "0.0065"),
    (12_000_000, 50, "0.01"),
    (70_000_000, 25, "0.02"),
    (230_000_000, 10, "0.05"),
    (600_000_000, 5, "0.1"),
    (1_800_000_000, 1, "0.5"),
)
_SHALLOW = _brackets(
    (50_000, 75, "0.0065"),
    (500_000, 50, "0.01"),
    (2_000_000, 25, "0.02"),
    (10_000_000, 10, "0.05"),
    (20_000_000, 5, "0.1"),
    (60_000_000, 1, "0.5"),
)


def _usdt(
    base: str,
    around: int,
    ppm: int,
    *,
    tick: str,
    step: str,
    price_decimals: int,
    volume: int,
    gap: str,
    size: str,
    max_quantities: tuple[int, int],
    min_notional: int,
    brackets: tuple[Bracket, ...],
) -> Contract:
    """`max_quantities`: of a limit order and of a market order."""
    return Contract(
        name=f"{base}USDT",
        base=base,
        quote="USDT",
        tick=Decimal(tick),
        step=Decimal(step),
        typical_price=Decimal(around),
        drift_ppm=ppm,
        daily_volume=Decimal(volume),
        level_gap=Decimal(gap),
        level_size=Decimal(size),
        max_quantity=Decimal(max_quantities[0]),
        max_market_quantity=Decimal(max_quantities[1]),
        min_notional=Decimal(min_notional),
        price_decimals=price_decimals,
        quantity_decimals=len(step.partition(".")[2]),
        brackets=brackets,
    )


USDT_M = (
    _usdt(
        "BTC",
        60_000,
        15_000,
        tick="0.10",
        step="0.001",
        price_decimals=2,
        volume=150_000,
        gap="0.50",
        size="0.5",
        max_quantities=(1_000, 120),
        min_notional=100,
        brackets=_DEEP,
    ),
    _usdt(
        "ETH",
        3_000,
        18_000,
        tick="0.01",
        step="0.001",
        price_decimals=2,
        volume=2_000_000,
        gap="0.05",
        size="8",
        max_quantities=(10_000, 2_000),
        min_notional=20,
        brackets=_DEEP,
    ),
    _usdt(
        "SOL",
        150,
        24_000,
        tick="0.01",
        step="0.01",
        price_decimals=4,
        volume=20_000_000,
        gap="0.01",
        size="120",
        max_quantities=(1_000_000, 80_000),
        min_notional=5,
        brackets=_SHALLOW,
    ),
    _usdt(
        "BNB",
        600,
        16_000,
        tick="0.01",
        step="0.01",
        price_decimals=3,
        volume=900_000,
        gap="0.02",
        size="30",
        max_quantities=(100_000, 2_000),
        min_notional=5,
        brackets=_SHALLOW,
    ),
)
