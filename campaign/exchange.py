"""`python -m campaign.exchange FOLDER`: a paper exchange that outlives brokers and forgets nothing.

Its log keeps every POST and every leverage that was set, from the first to the last. Prices stand still. Its
limits are not Binance's, which a broker that starts anew every few seconds would hit.
"""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from broker.clock import utc_now
from broker.paper import PaperServer
from broker.paper.futures.changed import LeverageChanged
from broker.paper.http.limits import Limits

from .kinds import PRICES

PLENTY: Final = 1_000_000
DEPOSIT: Final = {"USDT": Decimal(1_000_000), "ETH": Decimal(100)}
LEVERAGE_SET: Final = "LEVERAGE SET"


class Journal(deque[dict[str, Any]]):
    """In place of the exchange's log of its last requests."""

    def append(self, entry: dict[str, Any]) -> None:
        if entry["method"] in ("POST", LEVERAGE_SET):
            super().append(entry)

    def hear(self, change: object) -> None:
        if isinstance(change, LeverageChanged):
            params = {"symbol": change.symbol, "leverage": str(change.leverage)}
            self.append({"method": LEVERAGE_SET, "path": "", "params": params, "time": change.time})


async def run(folder: Path) -> None:
    limits, futures_limits = Limits(PLENTY, PLENTY), Limits(PLENTY, PLENTY, PLENTY)
    async with PaperServer(
        folder, seed=1, clock=utc_now, balances=DEPOSIT, limits=limits, futures_limits=futures_limits
    ) as server:
        journal = Journal()
        server._proxy.requests = journal
        server.futures.changes.listen(journal.hear)
        for symbol, price in PRICES.items():
            for venue in (server.exchange, server.futures):
                venue.pin(symbol, Decimal(price))
                venue.set_level_size(symbol, Decimal(100))
        print(f"Paper exchange at {server.url}", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(run(Path(sys.argv[1])))
