"""Tool calls in an MCP request: the calling agent, and the client's capabilities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import mcp_types as types
from mcp.server import ServerRequestContext
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from starlette.requests import Request

from ..agents import Agent
from ..gateway import Gateway
from ..intents import OPEN
from ..tools import IntentAnswer, Output
from .auth import caller

IDEMPOTENCY_META: Final = "confirmation-broker/idempotency-key"

Context = ServerRequestContext[Any, Any]


@dataclass(frozen=True)
class Calls:
    gateway: Gateway

    async def make(self, context: Context, name: str, arguments: dict[str, Any]) -> Output:
        """Calls a tool as the request's agent. Raises BrokerError."""
        return await self.gateway.call(
            agent_of(context),
            name,
            arguments,
            idempotency_key=_idempotency_key(context),
            progress=lambda seconds: _report(context, seconds),
        )


def still_open(answer: Output) -> IntentAnswer | None:
    """The answer, if it is about a request whose state is not final; else None."""
    return answer if isinstance(answer, IntentAnswer) and answer.status in OPEN else None


def agent_of(context: Context) -> Agent:
    """The calling agent. Raises UNAUTHORIZED if its key has ended."""
    return caller(request_of(context).scope)


def principal(context: Context) -> str:
    """The agent's name, which the request state is bound to."""
    return agent_of(context).name


def request_of(context: Context) -> Request:
    request = context.request
    if not isinstance(request, Request):
        raise TypeError("the call did not come over HTTP")
    return request


def modern(context: Context) -> bool:
    """Whether the request uses the newer protocol era, in which each request declares the client's
    capabilities.
    """
    return context.protocol_version in MODERN_PROTOCOL_VERSIONS


def capabilities(context: Context) -> types.ClientCapabilities:
    """The capabilities that this request declares. None of them in the older era, which declares them once
    per session.
    """
    declared = context.session.client_capabilities if modern(context) else None
    return declared or types.ClientCapabilities()


def _idempotency_key(context: Context) -> object:
    """The idempotency key from `_meta`, else from the Idempotency-Key header. It is validated with the
    arguments.
    """
    key: object = (context.meta or {}).get(IDEMPOTENCY_META)
    return request_of(context).headers.get("idempotency-key") if key is None else key


async def _report(context: Context, seconds: float) -> None:
    await context.session.report_progress(seconds, None, f"waiting for the trader ({seconds:.0f} s)")
