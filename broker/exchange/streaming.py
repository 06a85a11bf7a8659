"""What ccxt's WebSocket side may do, and how one stream is followed for as long as it is wanted."""

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
"""Events after which Binance says nothing more, on a connection that stays open."""

REFUSED_PAUSE_SECONDS: Final = 60.0
"""After a no of Binance's own: it will say no again."""


class Streaming(Wire):
    """Mixed into a ccxt class, in front of it: one connection for each kind of stream, and no request but
    the one for the key of the futures' user stream.
    """

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__(config)
        # All streams of a market on one connection; Binance allows 1024 on spot's, 200 on futures'.
        self.options["streamLimits"] = {"spot": 1, "linear": 1}
        self.options["subscriptionLimitByStream"] = {"spot": 1024, "linear": 200}

    def guard(self, record: Recording, url: str, method: str, body: str | None) -> None:
        address = self.urls["api"].get("fapiPrivate")
        if address is None or (method, url) != ("POST", f"{address}/listenKey") or body:
            raise NotAsAsked(f"a stream makes no {method} request")

    def delay(self, timeout: float, method: Any, *args: Any) -> None:
        """ccxt would set timers here that outlive the client; the follower renews in time instead."""

    def ws_dial_delay(self, url: str) -> float:
        """The follower pauses by itself."""
        return 0

    def handle_message(self, client: Any, message: Any) -> None:
        event = message.get("event", message) if isinstance(message, dict) else None
        if isinstance(event, dict) and event.get("e") in ENDS:
            client.reset(ccxt.NetworkError("the user stream was ended"))
        else:
            super().handle_message(client, message)

    async def hang_up(self) -> None:
        """Closes the connections, and forgets the user stream's key."""
        self.options["linear"] = {}
        await self.close_ws_clients()


async def follow(
    client: Any,
    watch: Callable[[], Awaitable[T]],
    hear: Callable[[T], None],
    *,
    silence_seconds: float,
    failed: Callable[[], None] = lambda: None,
) -> NoReturn:
    """Hands each piece of news to `hear`, until cancelled. A stream that dies, or is silent for so long, is
    started anew after a pause that grows from failure to failure.
    """
    pause = FIRST_PAUSE_SECONDS
    while True:
        try:
            async with asyncio.timeout(silence_seconds):
                news = await watch()
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            failed()  # the connection was closed, with everything that waited for it
            await asyncio.sleep(pause)
        except TimeoutError:
            await client.hang_up()
            failed()
        except Exception as error:
            # Never its text: ccxt writes signed addresses into it.
            log.info("stream interrupted", error=type(error).__name__, retry_seconds=pause)
            failed()
            await asyncio.sleep(REFUSED_PAUSE_SECONDS if isinstance(error, ccxt.ExchangeError) else pause)
            pause = min(pause * 2, LAST_PAUSE_SECONDS)
        else:
            pause = FIRST_PAUSE_SECONDS
            hear(news)
