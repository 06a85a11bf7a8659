"""HTTP as Binance speaks it: routes, signatures, limits, errors, and faults on request."""
