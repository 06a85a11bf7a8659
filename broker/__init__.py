"""A person confirms what a trading agent asks of Binance, before it is sent."""

__version__ = "0.1.0"
