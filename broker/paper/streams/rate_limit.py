"""The intervals at which streams send events."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pace:
    """Intervals in seconds."""

    slow: float = 1.0
    """For tickers, spot candles, and books at the slow speed."""
    fast: float = 0.25
    """For trades, best prices and fast books: the interval between two trades."""
