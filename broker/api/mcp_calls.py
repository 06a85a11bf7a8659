"""Tool calls of the agent whose MCP request it is, and what its client says that it can do."""

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
        """Raises BrokerError."""
        return await self.gateway.call(
            agent_of(context),
            name,
            arguments,
            idempotency_key=_key_beside(context),
            progress=lambda seconds: _report(context, seconds),
        )


def still_open(answer: Output) -> IntentAnswer | None:
    """The answer about a request, while something still has to become of it."""
    return answer if isinstance(answer, IntentAnswer) and answer.status in OPEN else None


def agent_of(context: Context) -> Agent:
    """Raises UNAUTHORIZED once its key ended."""
    return caller(request_of(context).scope)


def principal(context: Context) -> str:
    """Whom a request's state is bound to: the agent's name."""
    return agent_of(context).name


def request_of(context: Context) -> Request:
    request = context.request
    if not isinstance(request, Request):
        raise TypeError("a call did not come over HTTP")
    return request


def modern(context: Context) -> bool:
    """Whether it is of the era in which each request says what its client can do."""
    return context.protocol_version in MODERN_PROTOCOL_VERSIONS


def capabilities(context: Context) -> types.ClientCapabilities:
    """As this very request declares them; none in the older era, which declares them once in a session."""
    declared = context.session.client_capabilities if modern(context) else None
    return declared or types.ClientCapabilities()


def _key_beside(context: Context) -> object:
    """A key from `_meta`, else from the Idempotency-Key header. One that cannot be one is refused with the
    arguments: who sends it counts on it.
    """
    key: object = (context.meta or {}).get(IDEMPOTENCY_META)
    return request_of(context).headers.get("idempotency-key") if key is None else key


async def _report(context: Context, seconds: float) -> None:
    await context.session.report_progress(seconds, None, f"waiting for the trader ({seconds:.0f} s)")
