"""Which agent calls: by its API key."""

from __future__ import annotations

from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from ..errors import BrokerError
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


class RequireAgent:
    """Lets only agents through, and writes the agent's name into the scope."""

    def __init__(self, app: ASGIApp, store: Store) -> None:
        self._app = app
        self._store = store

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            agent = await agent_of(HTTPConnection(scope), self._store)
        except BrokerError as error:
            await failed(error)(scope, receive, send)
            return
        if agent is None:
            await unauthorized()(scope, receive, send)
            return
        await self._app({**scope, "agent": agent}, receive, send)
