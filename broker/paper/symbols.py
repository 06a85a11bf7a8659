"""What is traded."""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Symbol:
    """A spot market. Prices and notionals in the quote asset, quantities in the base asset."""

    name: str
    base: str
    quote: str
    tick: Decimal
    step: Decimal
    around: Decimal
    """The price that the market wanders around, without ever going far."""
    wander_ppm: int
    """How far a week's opening price may lie from it, in millionths."""
    daily_volume: Decimal
    level_gap: Decimal
    """Distance between two levels of the book."""
    level_size: Decimal
    """Typical quantity at the best level."""
    max_quantity: Decimal
    max_market_quantity: Decimal
    max_price: Decimal = Decimal(1_000_000)
    min_notional: Decimal = Decimal(5)
    max_notional: Decimal = Decimal(9_000_000)


def _usdt(base: str, tick: str, step: str, around: int, ppm: int, volume: int, gap: str, size: str) -> Symbol:
    return Symbol(
        name=f"{base}USDT",
        base=base,
        quote="USDT",
        tick=Decimal(tick),
        step=Decimal(step),
        around=Decimal(around),
        wander_ppm=ppm,
        daily_volume=Decimal(volume),
        level_gap=Decimal(gap),
        level_size=Decimal(size),
        max_quantity=Decimal(9_000) if base == "BTC" else Decimal(90_000),
        max_market_quantity=Decimal(120) if base == "BTC" else Decimal(5_000),
    )


SPOT = (
    _usdt("BTC", "0.01", "0.00001", 60_000, 15_000, 20_000, "0.50", "0.05"),
    _usdt("ETH", "0.01", "0.0001", 3_000, 18_000, 300_000, "0.05", "1"),
    _usdt("SOL", "0.01", "0.001", 150, 24_000, 3_000_000, "0.01", "25"),
    _usdt("BNB", "0.01", "0.001", 600, 16_000, 200_000, "0.02", "5"),
)
