"""Which agent calls: by its API key."""

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
    """From X-MCP-API-Key, or Authorization: Bearer."""
    if key := connection.headers.get("x-mcp-api-key"):
        return key
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


class Agents:
    """Agents by key, remembered until something is committed, by whatever process, or the key ends."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._version = 0
        self._admitted: dict[str, Admitted] = {}

    async def of(self, connection: HTTPConnection) -> Agent | None:
        """The agent whose key the request shows. Raises STORE_UNAVAILABLE."""
        key = key_of(connection)
        return None if key is None else await self.find(key)

    async def find(self, key: str) -> Agent | None:
        version = self._store.database.version()
        if version != self._version:
            self._version, self._admitted = version, {}
        hashed = hash_key(key)
        known = self._admitted.get(hashed)
        if known is not None and (known.ends_at is None or known.ends_at > self._clock()):
            return known.agent
        found: Admitted | None = await self._store.read(partial(self._store.agents.by_key, key=key))
        if found is None:
            return None
        if self._version == version:  # or what was read may be older than what is remembered
            self._admitted[hashed] = found
        return found.agent


class RequireAgent:
    """Lets only agents through, with their whole request, and writes the agent into the scope."""

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
                return  # left before its request was whole: nothing is done, and nobody reads an answer
            body += message.get("body", b"")
            more = message.get("more_body", False)
        # A body may come long after its headers: what its agent may do by then is what counts.
        called = {**scope, "agent": await self._now(scope)}
        await self._app(called, _again(bytes(body), more, receive), send)

    async def _now(self, scope: Scope) -> Agent | BrokerError | None:
        try:
            return await self._agents.of(HTTPConnection(scope))
        except BrokerError as error:  # for whoever asks who calls, who answers it in their own way
            return error


def _again(body: bytes, more: bool, receive: Receive) -> Receive:
    """What was read of the body, and then what follows."""
    read: list[Message] = [{"type": "http.request", "body": body, "more_body": more}]

    async def receive_again() -> Message:
        return read.pop() if read else await receive()

    return receive_again


def caller(scope: Scope) -> Agent:
    """The agent whose request it is. Raises UNAUTHORIZED once its key ended, and STORE_UNAVAILABLE."""
    agent: Agent | BrokerError | None = scope["agent"]
    if isinstance(agent, BrokerError):
        raise agent
    if agent is None:
        raise BrokerError(Code.UNAUTHORIZED, "Your API key ended while you called. Nothing was done.")
    return agent
