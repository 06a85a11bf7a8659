"""The HTTP routes: tools and health check."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache, partial
from math import isfinite
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route, request_response

from .. import __version__
from ..clock import to_ms
from ..errors import BrokerError, Code, invalid
from ..gateway import Gateway
from ..http_server import MAX_BODY
from ..logs import get_logger
from ..settings import Mode
from ..store import Store, queries
from ..tools import TOOLS, AnyTool, Risk, output_schema
from .auth import Agents, RequireAgent, caller
from .http_errors import failed, unforeseen

log = get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class ApiState:
    gateway: Gateway
    store: Store
    agents: Agents
    healthy: Callable[[], bool]


def routes(state: ApiState) -> Sequence[BaseRoute]:
    async def call(request: Request) -> Response:
        return await _call(request, state)

    async def health(request: Request) -> Response:
        return await _health(request, state)

    return [
        Route("/health", health, methods=["GET"]),
        Route("/tools", _tools, methods=["GET"]),
        Route("/tools/{name}", RequireAgent(request_response(call), state.agents), methods=["POST"]),
    ]


@cache
def described(tool: AnyTool) -> dict[str, Any]:
    """The tool's entry in `GET /tools`. Cached: the schemas take a tenth of a second."""
    return {
        "name": tool.name,
        "title": tool.title,
        "description": f"{tool.risk} risk. {tool.description}",
        "inputSchema": tool.input.model_json_schema(),
        "outputSchema": output_schema(tool),
        "riskLevel": str(tool.risk),
        "requiresConfirmation": tool.risk is Risk.HIGH,
    }


async def _tools(_: Request) -> Response:
    return JSONResponse({"tools": [described(tool) for tool in TOOLS.values()]})


async def _call(request: Request, state: ApiState) -> Response:
    try:
        arguments = await _arguments(request)
        answer = await state.gateway.call(
            caller(request.scope),
            request.path_params["name"],
            arguments,
            idempotency_key=request.headers.get("idempotency-key"),
        )
    except BrokerError as error:
        return failed(error)
    except Exception:
        log.exception("a tool call failed", tool=request.path_params["name"][:64])
        return failed(unforeseen())
    return Response(answer.model_dump_json(exclude_defaults=True), media_type="application/json")


async def _arguments(request: Request) -> dict[str, Any]:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise BrokerError(
                Code.PAYLOAD_TOO_LARGE,
                f"The body is over {MAX_BODY} bytes.",
                details={"maxBytes": MAX_BODY},
            )
    if not body:
        return {}
    try:
        arguments = json.loads(body, parse_float=_number)
    except (ValueError, RecursionError):
        raise invalid("body", "must be a JSON object") from None
    if not isinstance(arguments, dict):
        raise invalid("body", "must be a JSON object")
    return arguments


def _number(text: str) -> Decimal | float:
    """An exact Decimal. Outside the range of a double: infinity or zero, as over MCP, because a Decimal with
    a billion digits would block the process for minutes when converted to an int.
    """
    approximate = float(text)
    return Decimal(text) if approximate and isfinite(approximate) else approximate


async def _health(request: Request, state: ApiState) -> Response:
    """200 while the database and the executor work, 503 otherwise. Says nothing about Binance."""
    settings, clock = state.gateway.settings, state.gateway.clock
    body: dict[str, Any] = {
        "status": "healthy",
        "service": "mcp-binance-connector",
        "version": __version__,
        "mode": str(settings.mode),
        "testnet": settings.mode is Mode.TESTNET,
        "timestamp": to_ms(clock()),
    }
    try:
        agent = await state.agents.of(request)
        own = partial(queries.count_pending_of, agent="" if agent is None else agent.name)
        pending = await state.store.read(own)
        await state.store.recover()
        if agent is not None:
            body["pending"] = pending
    except BrokerError as error:
        return JSONResponse({**body, "status": "unhealthy", "problem": error.message}, 503)
    if not state.healthy():
        return JSONResponse(
            {
                **body,
                "status": "unhealthy",
                "problem": "The executor or another part of the broker does not work; see its log.",
            },
            503,
        )
    return JSONResponse(body)
