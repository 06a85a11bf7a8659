"""USDT-M perpetual futures: one-way positions, cross and isolated margin, conditional orders, funding.

`FuturesExchange` is the engine, without HTTP. Each `*_endpoints.py` is one part of Binance's REST API.
"""

from .exchange import FuturesExchange

__all__ = ["FuturesExchange"]
