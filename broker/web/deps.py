"""What the pages need of the rest of the broker, passed in whole."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from ..cards import Figure
from ..clock import Clock
from ..exchange import LivePrice
from ..hub import Hub
from ..intents import Intent
from ..notify import Rejections
from ..settings import Settings
from ..store import Standing, Store


class Prices(Protocol):
    """Live prices, of exactly what somebody wants to see."""

    def want(self, owner: Hashable, symbols: Iterable[tuple[str, str]]) -> None:
        """What this owner wants from now on, as (market, Binance id); none of it ends his interest."""

    def last(self, market: str, symbol: str) -> LivePrice | None:
        """None before the first news of what somebody wants."""

    def subscribed(self) -> AbstractContextManager[asyncio.Event]:
        """An event that each new price sets; whoever waits for it clears it."""


@dataclass(frozen=True, kw_only=True)
class Desk:
    """`approved` tells the executor at once. `equity` is in USDT, None when it could not be read.

    `check` asks Binance what became of an unknown one. It raises BrokerError when that cannot be asked, and
    Moved when somebody else was told meanwhile. `offset_ms` is how far Binance's clock is ahead of ours, by
    market. `figures_now` may raise BrokerError and take its time: the page bounds it. `exchange_problem` is a
    short text while Binance cannot be reached. `cancel_rest` cancels what is left of a placed order, for the
    named trader if he still stands; it records that itself, and raises NotSignedIn, BrokerError. `last_call`
    is when the named agent called last, None where it has not since the start. `rejections` are the broker's
    only ones: what they record of refusals is bounded for all ways together.
    """

    settings: Settings
    store: Store
    hub: Hub
    clock: Clock
    prices: Prices
    approved: Callable[[Intent], None]
    cancel_rest: Callable[[Intent, str, Standing], Awaitable[None]]
    check: Callable[[Intent], Awaitable[None]]
    offset_ms: Callable[[str], int]
    figures_now: Callable[[Intent], Awaitable[list[Figure]]]
    equity: Callable[[], Awaitable[Decimal | None]]
    exchange_problem: Callable[[], str | None]
    last_call: Callable[[str], datetime | None]
    rejections: Rejections
