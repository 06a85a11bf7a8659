"""The limits of ccxt's WebSocket clients, and the loop that keeps one stream running."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final, NoReturn, TypeVar

import ccxt

from ..logs import get_logger
from .wire import Recording, UnexpectedRequest, Wire

log = get_logger(__name__)

T = TypeVar("T")

FIRST_PAUSE_SECONDS: Final = 0.1
LAST_PAUSE_SECONDS: Final = 5.0
ENDS: Final = frozenset({"listenKeyExpired", "eventStreamTerminated"})
"""After these events Binance sends no more updates, although the connection stays open."""

REFUSED_PAUSE_SECONDS: Final = 60.0
"""Pause after a refusal by Binance: it would refuse again at once."""


class Streaming(Wire):
    """Mixin, placed before a ccxt class: one connection per kind of stream, and no HTTP request except for
    the futures listen key.
    """

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__(config)
        # All streams of a market share a connection. Binance allows 1024 streams on spot, 200 on futures.
        self.options["streamLimits"] = {"spot": 1, "linear": 1}
        self.options["subscriptionLimitByStream"] = {"spot": 1024, "linear": 200}

    def check_allowed(self, record: Recording, url: str, method: str, body: str | None) -> None:
        address = self.urls["api"].get("fapiPrivate")
        if address is None or (method, url) != ("POST", f"{address}/listenKey") or body:
            raise UnexpectedRequest(f"a stream client may not make this {method} request")

    def delay(self, timeout: float, method: Any, *args: Any) -> None:
        """Do nothing. ccxt's timers would outlive the client; `follow` renews the stream in time instead."""

    def ws_dial_delay(self, url: str) -> float:
        """No delay: `follow` makes the pauses."""
        return 0

    def handle_message(self, client: Any, message: Any) -> None:
        event = message.get("event", message) if isinstance(message, dict) else None
        if isinstance(event, dict) and event.get("e") in ENDS:
            client.reset(ccxt.NetworkError("Binance ended the user data stream"))
        else:
            super().handle_message(client, message)

    async def disconnect(self) -> None:
        """Close the connections and forget the listen key."""
        self.options["linear"] = {}
        await self.close_ws_clients()


async def follow(
    client: Any,
    watch: Callable[[], Awaitable[T]],
    handle: Callable[[T], None],
    *,
    silence_seconds: float,
    on_failure: Callable[[], None] = lambda: None,
) -> NoReturn:
    """Pass each update to `handle`, until cancelled.

    A stream that fails, or has no message for `silence_seconds`, is restarted after a pause that grows with
    each failure in a row. `on_failure` is called each time.
    """
    pause = FIRST_PAUSE_SECONDS
    while True:
        try:
            async with asyncio.timeout(silence_seconds):
                update = await watch()
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            on_failure()  # ccxt closed the connection and cancelled its waiters
            await asyncio.sleep(pause)
        except TimeoutError:
            await client.disconnect()
            on_failure()
        except Exception as error:
            # Never log its text: ccxt puts signed URLs into it.
            log.info("stream interrupted", error=type(error).__name__, retry_seconds=pause)
            on_failure()
            await asyncio.sleep(REFUSED_PAUSE_SECONDS if isinstance(error, ccxt.ExchangeError) else pause)
            pause = min(pause * 2, LAST_PAUSE_SECONDS)
        else:
            pause = FIRST_PAUSE_SECONDS
            handle(update)
