"""The tools over MCP: streamable HTTP, stateless, both protocol eras."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import mcp_types as types
from mcp.server import Server, ServerRequestContext
from mcp.server.streamable_http_manager import StreamableHTTPASGIApp, StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings
from starlette.requests import Request
from starlette.types import ASGIApp

from .. import __version__
from ..errors import BrokerError
from ..gateway import Gateway
from ..logs import get_logger
from ..tools import TOOLS, AnyTool, IntentAnswer, Risk, text
from .answers import unforeseen
from .auth import Agents, RequireAgent
from .routes import MAX_BODY, described

IDEMPOTENCY_META = "confirmation-broker/idempotency-key"

INSTRUCTIONS = """\
LOW and MEDIUM risk tools answer at once. A HIGH risk tool never executes by itself: it answers \
status=pending with an approvalUrl.
Tell the user to decide at approvalUrl, then call intent_wait with the intentId until status is not pending.
On a time-out call intent_get; never call the HIGH tool again for the same action.
Reuse one idempotencyKey for every retry of one action.
Only status=placed means that an order is at Binance; read filled to see how much was executed."""

log = get_logger(__name__)

Context = ServerRequestContext[Any, Any]


class McpEndpoint:
    """`app` answers at /mcp while `running` is entered."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._tools = [_listed(tool) for tool in TOOLS.values()]
        schemas = {tool.name: tool.input_schema for tool in self._tools}
        server: Server[Any] = Server(
            "trading-binance-mcp",
            version=__version__,
            instructions=INSTRUCTIONS,
            get_tool_input_schema=schemas.get,  # or each call would make the whole list
            on_list_tools=self._list,
            on_call_tool=self._call,
        )
        self._manager = StreamableHTTPSessionManager(
            server,
            stateless=True,
            max_request_body_size=MAX_BODY,
            # Hosts and origins are guarded once, around the whole application.
            security_settings=TransportSecuritySettings(enable_dns_rebinding_protection=False),
        )
        self.app: ASGIApp = RequireAgent(
            StreamableHTTPASGIApp(self._manager), Agents(gateway.store, gateway.hub, gateway.clock)
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with self._manager.run():
            yield

    async def _list(self, _: Context, __: types.PaginatedRequestParams | None) -> types.ListToolsResult:
        return types.ListToolsResult(tools=self._tools)

    async def _call(self, context: Context, params: types.CallToolRequestParams) -> types.CallToolResult:
        try:
            answer = await self._gateway.call(
                _request(context).scope["agent"],
                params.name,
                params.arguments or {},
                idempotency_key=_key_beside(context),
                progress=lambda seconds: _report(context, seconds),
            )
        except BrokerError as error:
            return _failed(error)
        except Exception:
            # The message of an unforeseen error may hold anything: it stays in the log.
            log.exception("a tool call failed", tool=params.name[:64])
            return _failed(unforeseen())
        body = answer.model_dump(mode="json", exclude_defaults=True)
        return _result(body, text(answer) if isinstance(answer, IntentAnswer) else None)


def _listed(tool: AnyTool) -> types.Tool:
    told = described(tool)
    return types.Tool(
        name=tool.name,
        title=tool.title,
        description=told["description"],
        input_schema=told["inputSchema"],
        output_schema=told["outputSchema"],
        annotations=types.ToolAnnotations(
            title=tool.title,
            read_only_hint=tool.reads_only,
            destructive_hint=not tool.reads_only,
            idempotent_hint=tool.reads_only,
            open_world_hint=tool.name.startswith("binance_"),
        ),
        _meta={
            "confirmation-broker/riskLevel": str(tool.risk),
            "confirmation-broker/requiresConfirmation": tool.risk is Risk.HIGH,
        },
    )


def _key_beside(context: Context) -> str | None:
    """A key from `_meta`, else from the Idempotency-Key header."""
    key = (context.meta or {}).get(IDEMPOTENCY_META)
    return key if isinstance(key, str) else _request(context).headers.get("idempotency-key")


async def _report(context: Context, seconds: float) -> None:
    await context.session.report_progress(seconds, None, f"waiting for the trader ({seconds:.0f} s)")


def _request(context: Context) -> Request:
    request = context.request
    if not isinstance(request, Request):
        raise TypeError("a call did not come over HTTP")
    return request


def _failed(error: BrokerError) -> types.CallToolResult:
    return _result(error.body(), error.message, is_error=True)


def _result(body: dict[str, Any], sentence: str | None, *, is_error: bool = False) -> types.CallToolResult:
    content: list[types.ContentBlock] = [types.TextContent(type="text", text=json.dumps(body))]
    if sentence is not None:
        content.insert(0, types.TextContent(type="text", text=sentence))
    return types.CallToolResult(content=content, structured_content=body, is_error=is_error)
