"""What the tests of the WebSocket surfaces share: a plain client, without ccxt."""

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from broker.paper import PaperServer

SECONDS = 10


class Client:
    """Answers are found by their id; events wait in between."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self._events: list[Any] = []

    async def ask(self, request: Any) -> Any:
        """The answer to a request, which has an id, or to a text."""
        await self.connection.send(request if isinstance(request, str) else json.dumps(request))
        while not _is_answer(message := await self._message()):
            self._events.append(message)
        return message

    async def event(self) -> Any:
        return self._events.pop(0) if self._events else await self._message()

    def forget(self) -> None:
        """The events that came so far."""
        self._events.clear()

    async def is_silent(self) -> bool:
        """For as long as several events would take."""
        try:
            self._events.append(await asyncio.wait_for(self.connection.recv(), 0.4))
        except TimeoutError:
            return not self._events
        return False

    async def _message(self) -> Any:
        return json.loads(await asyncio.wait_for(self.connection.recv(), SECONDS))


@asynccontextmanager
async def connected(server: PaperServer, path: str) -> AsyncIterator[Client]:
    async with connect(address(server, path), compression=None, proxy=None) as connection:
        yield Client(connection)


def address(server: PaperServer, path: str) -> str:
    return server.url.replace("http", "ws") + path


def _is_answer(message: Any) -> bool:
    return isinstance(message, dict) and bool({"result", "error"} & message.keys())


async def subscribed(client: Client, *, key: str = "paper-key", secret: str = "paper-secret") -> Any:
    """Asks for the news of the account; the answer."""
    params = signed({"apiKey": key, "timestamp": int(time.time() * 1000), "recvWindow": 5_000}, secret)
    return await client.ask({"id": "sub", "method": "userDataStream.subscribe.signature", "params": params})


def signed(params: dict[str, Any], secret: str) -> dict[str, Any]:
    payload = "&".join(f"{name}={value}" for name, value in sorted(params.items()))
    return params | {"signature": hmac.new(secret.encode(), payload.encode(), hashlib.sha256).hexdigest()}


async def until(watch: Callable[[], Awaitable[Any]], holds: Callable[[Any], bool]) -> Any:
    """The first news that it holds for."""
    async with asyncio.timeout(SECONDS):
        while not holds(news := await watch()):
            pass
    return news


async def news_of(watch: Awaitable[Any], happens: Awaitable[Any]) -> Any:
    """What is told when something happens."""
    waiting = asyncio.ensure_future(watch)
    await asyncio.sleep(0)
    await happens
    return await asyncio.wait_for(waiting, SECONDS)
