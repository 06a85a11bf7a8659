"""How often streams speak."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pace:
    """In seconds."""

    slow: float = 1.0
    """Tickers, candles, and books that are not asked for fast."""
    fast: float = 0.25
    """Trades, best prices, fast books: as often as there is a trade."""
