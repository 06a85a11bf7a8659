"""Which agent calls: by its API key."""

from __future__ import annotations

from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from ..credentials import hash_key
from ..errors import BrokerError
from ..hub import Hub
from ..store import Store
from .answers import failed


def key_of(connection: HTTPConnection) -> str | None:
    """From X-MCP-API-Key, or Authorization: Bearer."""
    if key := connection.headers.get("x-mcp-api-key"):
        return key
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


async def agent_of(connection: HTTPConnection, store: Store) -> str | None:
    key = key_of(connection)
    return None if key is None else await store.people.agent(key)


def unauthorized() -> Response:
    """The body is part of the contract."""
    return JSONResponse(
        {"error": "Invalid MCP API key"}, 401, headers={"WWW-Authenticate": 'Bearer realm="broker"'}
    )


class Agents:
    """Agents by key, remembered until the audit log tells that one has changed."""

    def __init__(self, store: Store, hub: Hub) -> None:
        self._store = store
        self._hub = hub
        self._as_of = 0
        self._names: dict[str, str] = {}

    async def name(self, key: str) -> str | None:
        newest = self._hub.newest("agent")
        if newest != self._as_of:
            self._as_of, self._names = newest, {}
        hashed = hash_key(key)
        if known := self._names.get(hashed):
            return known
        name = await self._store.people.agent(key)
        if name is not None and self._hub.newest("agent") == newest:  # or what was read may be old already
            self._names[hashed] = name
        return name


class RequireAgent:
    """Lets only agents through, and writes the agent's name into the scope."""

    def __init__(self, app: ASGIApp, agents: Agents) -> None:
        self._app = app
        self._agents = agents

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        key = key_of(HTTPConnection(scope))
        try:
            agent = None if key is None else await self._agents.name(key)
        except BrokerError as error:
            await failed(error)(scope, receive, send)
            return
        if agent is None:
            await unauthorized()(scope, receive, send)
            return
        await self._app({**scope, "agent": agent}, receive, send)
