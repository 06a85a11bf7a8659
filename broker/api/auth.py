"""Authenticates agents by their API key."""

from __future__ import annotations

from functools import partial

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .. import http_server
from ..agents import Agent
from ..clock import Clock
from ..credentials import hash_key
from ..errors import BrokerError, Code
from ..store import Admitted, Store
from .http_errors import failed, unauthorized


def key_of(connection: HTTPConnection) -> str | None:
    """The API key from the header X-MCP-API-Key or Authorization: Bearer; None if there is none."""
    if key := connection.headers.get("x-mcp-api-key"):
        return key
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


class Agents:
    """Agents by key. Cached until any process commits to the database, or the key ends."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._version = 0
        self._admitted: dict[str, Admitted] = {}

    async def of(self, connection: HTTPConnection) -> Agent | None:
        """The agent whose key is in the request; None without a valid key. Raises STORE_UNAVAILABLE."""
        key = key_of(connection)
        return None if key is None else await self.find(key)

    async def find(self, key: str) -> Agent | None:
        """The agent with this key; None if the key is not valid. Raises STORE_UNAVAILABLE."""
        version = self._store.database.version()
        if version != self._version:
            self._version, self._admitted = version, {}
        hashed = hash_key(key)
        known = self._admitted.get(hashed)
        if known is not None and (known.ends_at is None or known.ends_at > self._clock()):
            return known.agent
        found = await self._store.read(partial(self._store.agents.by_key, key=key))
        if found is None:
            return None
        if self._version == version:  # otherwise the read may be older than the cache
            self._admitted[hashed] = found
        return found.agent


class RequireAgent:
    """ASGI middleware: rejects requests without a valid key. Reads the whole request, and puts the agent into
    the scope.
    """

    def __init__(self, app: ASGIApp, agents: Agents) -> None:
        self._app = app
        self._agents = agents

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            agent = await self._agents.of(HTTPConnection(scope))
        except BrokerError as error:
            await failed(error)(scope, receive, send)
            return
        if agent is None:
            await unauthorized()(scope, receive, send)
            return
        http_server.recognise(scope, http_server.Agent(agent.name))
        body, more = bytearray(), True
        while more and len(body) <= http_server.MAX_BODY:
            message = await receive()
            if message["type"] == "http.disconnect":
                return  # the client disconnected before its request was complete
            body += message.get("body", b"")
            more = message.get("more_body", False)
        # A body may arrive long after its headers, so look up the agent's rights again.
        with_agent = {**scope, "agent": await self._current_agent(scope)}
        await self._app(with_agent, _replayed(bytes(body), more, receive), send)

    async def _current_agent(self, scope: Scope) -> Agent | BrokerError | None:
        try:
            return await self._agents.of(HTTPConnection(scope))
        except BrokerError as error:  # `caller` raises it, so that each endpoint can answer it
            return error


def _replayed(body: bytes, more: bool, receive: Receive) -> Receive:
    """A `receive` that returns the body that was already read, then the rest."""
    read: list[Message] = [{"type": "http.request", "body": body, "more_body": more}]

    async def receive_again() -> Message:
        return read.pop() if read else await receive()

    return receive_again


def caller(scope: Scope) -> Agent:
    """The agent that made the request. Raises UNAUTHORIZED if its key has ended, and STORE_UNAVAILABLE."""
    agent: Agent | BrokerError | None = scope["agent"]
    if isinstance(agent, BrokerError):
        raise agent
    if agent is None:
        raise BrokerError(Code.UNAUTHORIZED, "Your API key ended during the call. Nothing was done.")
    return agent
