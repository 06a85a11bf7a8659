"""The market of one symbol: prices, the order book, candles, resting orders, and how they are kept."""
