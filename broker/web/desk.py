"""What the pages need of the rest of the broker, passed in whole."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from decimal import Decimal

from ..cards import Figure
from ..clock import Clock
from ..hub import Hub
from ..intents import Intent
from ..settings import Settings
from ..store import Store


@dataclass(frozen=True, kw_only=True)
class Desk:
    """`approved` tells the executor at once. `equity` is in USDT, None when it could not be read.

    `figures_now` may raise BrokerError and take its time: the page bounds it. `exchange_problem` is a short
    text while Binance cannot be reached.
    """

    settings: Settings
    store: Store
    hub: Hub
    clock: Clock
    approved: Callable[[Intent], None]
    figures_now: Callable[[Intent], Awaitable[list[Figure]]]
    equity: Callable[[], Awaitable[Decimal | None]]
    exchange_problem: Callable[[], str | None]
