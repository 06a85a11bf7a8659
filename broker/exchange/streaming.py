"""Restricts ccxt's WebSocket clients, and follows a stream with reconnects."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final, NoReturn, TypeVar

import ccxt

from ..logs import get_logger
from .wire import NotAsAsked, Recording, Wire

log = get_logger(__name__)

T = TypeVar("T")

FIRST_PAUSE_SECONDS: Final = 0.1
LAST_PAUSE_SECONDS: Final = 5.0
ENDS: Final = frozenset({"listenKeyExpired", "eventStreamTerminated"})
"""After these events Binance sends nothing more, although the connection stays open."""

REFUSED_PAUSE_SECONDS: Final = 60.0
"""Pause after Binance refused: a quick retry would be refused too."""


class Streaming(Wire):
    """Mixin, placed before a ccxt class: one connection per kind of stream, and no HTTP request except
    for the listen key of futures.
    """

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__(config)
        # All streams of a market use one connection. Binance allows 1024 on spot, 200 on futures.
        self.options["streamLimits"] = {"spot": 1, "linear": 1}
        self.options["subscriptionLimitByStream"] = {"spot": 1024, "linear": 200}

    def guard(self, record: Recording, url: str, method: str, body: str | None) -> None:
        address = self.urls["api"].get("fapiPrivate")
        if address is None or (method, url) != ("POST", f"{address}/listenKey") or body:
            raise NotAsAsked(f"a stream may not make this {method} request")

    def delay(self, timeout: float, method: Any, *args: Any) -> None:
        """No ccxt timers, which would outlive the client; `follow` restarts the stream in time."""

    def ws_dial_delay(self, url: str) -> float:
        """No delay by ccxt: `follow` makes the pauses."""
        return 0

    def handle_message(self, client: Any, message: Any) -> None:
        event = message.get("event", message) if isinstance(message, dict) else None
        if isinstance(event, dict) and event.get("e") in ENDS:
            client.reset(ccxt.NetworkError("the user stream was ended"))
        else:
            super().handle_message(client, message)

    async def hang_up(self) -> None:
        """Close the connections and forget the listen key."""
        self.options["linear"] = {}
        await self.close_ws_clients()


async def follow(
    client: Any,
    watch: Callable[[], Awaitable[T]],
    handle: Callable[[T], None],
    *,
    silence_seconds: float,
    failed: Callable[[], None] = lambda: None,
) -> NoReturn:
    """Pass each result of `watch` to `handle`, until cancelled.

    A stream that fails, or is silent for `silence_seconds`, is restarted; the pause grows with each failure.
    `failed` is called after each interruption.
    """
    pause = FIRST_PAUSE_SECONDS
    while True:
        try:
            async with asyncio.timeout(silence_seconds):
                received = await watch()
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            failed()  # ccxt cancelled the wait because the connection was closed
            await asyncio.sleep(pause)
        except TimeoutError:
            await client.hang_up()
            failed()
        except Exception as error:
            # Not the text: ccxt's messages contain signed URLs.
            log.info("stream interrupted", error=type(error).__name__, retry_seconds=pause)
            failed()
            await asyncio.sleep(REFUSED_PAUSE_SECONDS if isinstance(error, ccxt.ExchangeError) else pause)
            pause = min(pause * 2, LAST_PAUSE_SECONDS)
        else:
            pause = FIRST_PAUSE_SECONDS
            handle(received)
