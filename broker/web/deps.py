"""The dependencies of the pages: everything they use from the rest of the broker."""

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
    """Live prices of the symbols that open pages or waiting requests need."""

    def want(self, owner: Hashable, symbols: Iterable[tuple[str, str]]) -> None:
        """Replace the symbols that the owner needs, as (market, Binance id). Empty: none."""

    def last(self, market: str, symbol: str) -> LivePrice | None:
        """The latest price. None until the first tick."""

    def subscribed(self) -> AbstractContextManager[asyncio.Event]:
        """An event that each new price sets. The caller clears it."""


@dataclass(frozen=True, kw_only=True)
class Desk:
    """Dependencies of all pages.

    - `approved`: notifies the executor of an approved intent.
    - `cancel_rest`: cancels the unfilled rest of a placed order for the named trader, if their session is
      still valid, and records it. Raises NotSignedIn, BrokerError.
    - `check`: asks Binance for the outcome of an unknown intent. Raises BrokerError if Binance cannot be
      asked, and Moved if the intent has changed in the meantime.
    - `offset_ms`: by how many milliseconds Binance's clock is ahead of ours, by market.
    - `figures_now`: the current figures of a card. Has no time limit of its own; may raise BrokerError.
    - `equity`: in USDT, None if it could not be read.
    - `exchange_problem`: a short text while Binance is unreachable, else None.
    - `last_call`: when the named agent last called, None if not since the start.
    - `rejections`: the one instance of the broker, so that one limit holds for all recorded refusals.
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
