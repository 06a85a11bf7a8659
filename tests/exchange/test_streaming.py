"""How a stream is followed, and what ends one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import ccxt
import pytest

from broker.exchange import Market, clients
from broker.exchange.streaming import follow
from broker.settings import Settings

from .helpers import until

pytestmark = pytest.mark.anyio


@pytest.fixture
def client() -> Any:
    return clients.news(Settings(_env_file=None), "http://127.0.0.1:9", market=Market.SPOT)


class Stream:
    """Says what it is given, in turn; then nothing more. An exception dies, "cut" is a closed connection."""

    def __init__(self, *says: object) -> None:
        self._says = list(says)
        self.heard: list[object] = []
        self.failures = 0

    def watch(self) -> Awaitable[object]:
        future = asyncio.get_running_loop().create_future()
        if self._says:
            said = self._says.pop(0)
            if said == "cut":
                future.cancel()
            elif isinstance(said, Exception):
                future.set_exception(said)
            else:
                future.set_result(said)
        return future

    def failed(self) -> None:
        self.failures += 1

    async def followed(self, client: Any, silence_seconds: float = 60) -> None:
        await follow(
            client, self.watch, self.heard.append, silence_seconds=silence_seconds, failed=self.failed
        )


async def when(true: Callable[[], bool]) -> None:
    await until(lambda: asyncio.sleep(0, true()))


@pytest.mark.parametrize("end", [ccxt.NetworkError("cut"), ConnectionError("reset"), "cut"])
async def test_a_stream_that_dies_is_started_anew_and_the_death_is_told(client: Any, end: object) -> None:
    stream = Stream("one", end, "two")
    following = asyncio.create_task(stream.followed(client))
    await when(lambda: len(stream.heard) == 2)
    assert (stream.heard, stream.failures) == (["one", "two"], 1)
    following.cancel()
    with pytest.raises(asyncio.CancelledError):
        await following


async def test_silence_ends_a_stream(client: Any) -> None:
    stream = Stream()
    following = asyncio.create_task(stream.followed(client, silence_seconds=0.02))
    await when(lambda: stream.failures >= 2)
    following.cancel()
    with pytest.raises(asyncio.CancelledError):
        await following


async def test_a_no_of_binances_is_not_asked_for_again_at_once(client: Any) -> None:
    stream = Stream(ccxt.AuthenticationError("-2015"), "too early")
    following = asyncio.create_task(stream.followed(client))
    await when(lambda: stream.failures == 1)
    await asyncio.sleep(0.3)
    assert stream.heard == []
    following.cancel()
    with pytest.raises(asyncio.CancelledError):
        await following


@pytest.mark.parametrize(
    "message",
    [
        {"e": "listenKeyExpired", "E": 1, "listenKey": "x"},
        {"subscriptionId": 0, "event": {"e": "eventStreamTerminated", "E": 1}},
    ],
)
async def test_an_event_after_which_nothing_comes_ends_what_waits(
    client: Any, message: dict[str, Any]
) -> None:
    connection = client.client("ws://127.0.0.1:9/ws-api/v3")
    waiting = connection.future("orders")
    client.handle_message(connection, message)
    with pytest.raises(ccxt.NetworkError):
        await waiting
    await client.close()
