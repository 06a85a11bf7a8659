"""A trader approves each order of a trading agent before the broker sends it to Binance."""

__version__ = "0.1.0"
