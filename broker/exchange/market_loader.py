"""Loads the markets in the background: retries until it succeeds, then reloads every hour."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from ..clock import Clock
from ..errors import BrokerError
from ..logs import get_logger
from .guarded_call import Calls
from .markets import Cache, Markets, Raw, is_traded, trim
from .server_time import ServerTime

log = get_logger(__name__)

FIRST_RETRY_SECONDS: Final = 0.1
LAST_RETRY_SECONDS: Final = 5.0
RELOAD_SECONDS: Final = 3600.0
"""Binance adds symbols and changes tick sizes without notice."""

LOAD_SECONDS: Final = 60.0
"""exchangeInfo has up to 20 MB."""


class MarketLoader:
    def __init__(
        self,
        client: Any,
        calls: Calls,
        markets: Markets,
        time: ServerTime,
        cache: Cache | None,
        clock: Clock,
    ) -> None:
        self._client = client
        self._calls = calls
        self._markets = markets
        self._time = time
        self._cache = cache
        self._clock = clock
        self.loaded = asyncio.Event()

    async def run(self) -> None:
        await self._read_cache()
        retry = FIRST_RETRY_SECONDS
        while True:
            try:
                symbols = await self._calls.make(self._load, timeout_seconds=LOAD_SECONDS)
            except BrokerError as error:
                log.warning("markets not loaded", error=error.message, retry_seconds=retry)
                await asyncio.sleep(retry)
                retry = min(retry * 2, LAST_RETRY_SECONDS)
            else:
                log.info("markets loaded", symbols=len(symbols))
                await self._write_cache(symbols)
                retry = FIRST_RETRY_SECONDS
                await asyncio.sleep(RELOAD_SECONDS)

    async def _load(self) -> list[Raw]:
        await self._time.refresh(self._client)
        answer = await self._client.ask("exchangeinfo", self._client.exchange_info)
        symbols = [trim(symbol) for symbol in answer["symbols"] if is_traded(symbol)]
        self._use(symbols)
        for limit in answer["rateLimits"]:
            if (limit["rateLimitType"], limit["interval"]) == ("REQUEST_WEIGHT", "MINUTE"):
                self._client.weight.limit = int(limit["limit"])
        return symbols

    async def _read_cache(self) -> None:
        symbols = await asyncio.to_thread(self._cache.read, self._clock()) if self._cache else None
        if symbols is None:
            return
        try:
            self._use(symbols)
        except Exception as error:  # a bad cache file must not stop the start
            log.warning("cached markets not usable", error=type(error).__name__)

    async def _write_cache(self, symbols: Sequence[Raw]) -> None:
        if self._cache is None:
            return
        try:
            await asyncio.to_thread(self._cache.write, symbols, self._clock())
        except OSError as error:
            log.warning("markets not cached", error=str(error))

    def _use(self, symbols: Sequence[Raw]) -> None:
        self._markets.take(symbols)
        self.loaded.set()
