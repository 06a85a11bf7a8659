"""Every read tool. Floor: the same read by ccxt alone."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .ccxt_alone import FUTURES_SYMBOL, SYMBOL
from .figures import Pair, measure
from .house import House, since


@dataclass(frozen=True)
class Read:
    """`alone` is the market of the ccxt client, its method, and the arguments."""

    tool: str
    alone: tuple[str, str, Sequence[Any]]
    arguments: Mapping[str, Any] = field(default_factory=dict)

    @property
    def title(self) -> str:
        return f"read: {self.tool} {self.arguments.get('market', '')}".rstrip()

    @property
    def floor(self) -> str:
        return f"a no-op tool over MCP + ccxt alone: {self.alone[0]} {self.alone[1]}"

    async def run(self, house: House) -> Pair:
        async def ours() -> float:
            started = time.perf_counter()
            await house.agent.call(self.tool, **self.arguments)
            return since(started)

        async def floor() -> float:
            started = time.perf_counter()
            await house.bare_agent.call("nothing", symbol=SYMBOL)
            await house.ccxt.call(*self.alone)
            return since(started)

        # so few samples that they stay within one minute's request weight
        return await measure(ours, floor, rounds=5, samples=10, warm_up=2)


OF = {"symbol": SYMBOL}
FUTURES = {"market": "futures"}

READS = (
    Read("binance_get_ticker", ("spot", "fetch_ticker", [SYMBOL]), OF),
    Read("binance_get_orderbook", ("spot", "fetch_order_book", [SYMBOL, 20]), OF),
    Read("binance_get_klines", ("spot", "fetch_ohlcv", [SYMBOL, "5m", None, 100]), OF),
    Read("binance_get_trades", ("spot", "fetch_trades", [SYMBOL, None, 50]), OF),
    Read("binance_get_exchange_info", ("spot", "fetch_tickers", [])),
    Read("binance_get_funding_rate", ("futures", "fetch_funding_rate", [FUTURES_SYMBOL]), OF),
    Read("binance_get_account", ("spot", "fetch_balance", [])),
    Read("binance_get_account", ("futures", "fetch_balance", []), FUTURES),
    Read("binance_get_open_orders", ("spot", "fetch_open_orders", [SYMBOL]), OF),
    Read("binance_get_open_orders", ("futures", "fetch_open_orders", [FUTURES_SYMBOL]), OF | FUTURES),
    Read("binance_get_trade_history", ("spot", "fetch_my_trades", [SYMBOL, None, 50]), OF),
    Read("binance_get_trade_history", ("futures", "fetch_my_trades", [FUTURES_SYMBOL]), OF | FUTURES),
    Read("binance_get_futures_positions", ("futures", "fetch_positions", [])),
)
