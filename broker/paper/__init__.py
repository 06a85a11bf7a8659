"""A simulated Binance on loopback: spot and USDT-M futures, order books, fills and faults.

It is for practice and tests. It imports nothing from the rest of the package, so that tests compare the
broker's rounding and sums with independent code.
"""

from .server import PaperServer, build_app, run
from .spot.exchange import Exchange

__all__ = ["Exchange", "PaperServer", "build_app", "run"]
