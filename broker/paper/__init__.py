"""A Binance on loopback: spot and USDT-M futures, books, fills and faults, for practice and tests.

It imports nothing of the rest of the package: it is what the broker's own rounding and sums are held against.
"""

from .exchange import Exchange
from .server import PaperServer, build_app, run

__all__ = ["Exchange", "PaperServer", "build_app", "run"]
