"""Values in USDT."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from ..exchange import Account, Exchange

USDT = "USDT"


def rate(asset: str, prices: Mapping[str, Decimal]) -> Decimal | None:
    """USDT for one unit of `asset`; None if Binance has no USDT pair for it."""
    if asset == USDT:
        return Decimal(1)
    if direct := prices.get(asset + USDT):
        return direct
    inverse = prices.get(USDT + asset)
    return 1 / inverse if inverse else None


def equity(account: Account, prices: Mapping[str, Decimal]) -> Decimal:
    """All balances in USDT, locked amounts included. An asset without a USDT pair counts as zero."""
    return sum(
        ((item.free + item.locked) * (rate(item.asset, prices) or 0) for item in account.balances),
        Decimal(0),
    )


async def read_equity(exchange: Exchange) -> Decimal:
    """The spot account's equity in USDT. Raises BrokerError."""
    return equity(await exchange.spot.account(), await exchange.spot.last_prices())
