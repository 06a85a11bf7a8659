"""The spot markets."""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Symbol:
    """A spot market. Prices and notionals are in the quote asset, quantities in the base asset."""

    name: str
    base: str
    quote: str
    tick: Decimal
    step: Decimal
    typical_price: Decimal
    """The price that the market always stays close to."""
    drift_ppm: int
    """The maximum distance of a week's opening price from it, in millionths of it."""
    daily_volume: Decimal
    level_gap: Decimal
    """The distance between two levels of the book."""
    level_size: Decimal
    """The typical quantity of the best level."""
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
        typical_price=Decimal(around),
        drift_ppm=ppm,
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
    # A cross pair: a sale buys another asset. Then pairs of cash against cash, quoted either way.
    Symbol(
        name="ETHBTC",
        base="ETH",
        quote="BTC",
        tick=Decimal("0.00001"),
        step=Decimal("0.0001"),
        typical_price=Decimal("0.05"),
        drift_ppm=20_000,
        daily_volume=Decimal(20_000),
        level_gap=Decimal("0.00001"),
        level_size=Decimal(5),
        max_quantity=Decimal(90_000),
        max_market_quantity=Decimal(5_000),
        max_price=Decimal(1_000),
        min_notional=Decimal("0.0001"),
    ),
    Symbol(
        name="USDTBRL",
        base="USDT",
        quote="BRL",
        tick=Decimal("0.001"),
        step=Decimal("0.1"),
        typical_price=Decimal("5.4"),
        drift_ppm=12_000,
        daily_volume=Decimal(30_000_000),
        level_gap=Decimal("0.001"),
        level_size=Decimal(20_000),
        max_quantity=Decimal(9_000_000),
        max_market_quantity=Decimal(500_000),
        max_price=Decimal(1_000),
        min_notional=Decimal(10),
    ),
    Symbol(
        name="EURUSDT",
        base="EUR",
        quote="USDT",
        tick=Decimal("0.0001"),
        step=Decimal("0.1"),
        typical_price=Decimal("1.08"),
        drift_ppm=6_000,
        daily_volume=Decimal(20_000_000),
        level_gap=Decimal("0.0001"),
        level_size=Decimal(10_000),
        max_quantity=Decimal(9_000_000),
        max_market_quantity=Decimal(500_000),
        max_price=Decimal(1_000),
    ),
)
