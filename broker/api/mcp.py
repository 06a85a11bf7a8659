"""The tools over MCP: streamable HTTP, stateless, for both protocol eras."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import mcp_types as types
from mcp.server import Server
from mcp.server.context import HandlerResult
from mcp.server.request_state import RequestStateBoundary, RequestStateSecurity
from mcp.server.streamable_http_manager import StreamableHTTPASGIApp, StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings
from starlette.types import ASGIApp

from .. import __version__
from ..errors import BrokerError
from ..gateway import Gateway
from ..http_server import MAX_BODY
from ..intents import State
from ..logs import get_logger
from ..tools import HIGH, TOOLS, AnyTool, Output, Risk
from .auth import Agents, RequireAgent
from .http_errors import unforeseen
from .intent_tasks import IntentTasks, task_of
from .mcp_calls import Calls, Context, principal, still_open
from .mcp_elicitation import Round, can_open_links, link_request, opened, wait_for_outcome
from .routes import described
from .tasks import declares_tasks, serve_tasks
from .tool_results import failed, succeeded

NAME: Final = "trading-binance-mcp"

STATE_SECONDS: Final = 900
"""How long a client may take between two rounds of a call."""

INSTRUCTIONS: Final = """\
1. LOW and MEDIUM risk tools act at once; this includes cancels. A HIGH risk tool never executes by itself: \
it answers status=pending with an intentId and an approvalUrl, and a person decides. Cancelling a \
protective order may also wait.
2. Tell the user to decide at approvalUrl, then call intent_wait with the intentId until status is not \
pending.
3. Never call a HIGH tool again for the same action. After a timeout or a lost answer, call intent_get or \
intent_list. A retry must reuse the idempotencyKey of the first call.
4. Only status=placed means that Binance accepted the order; read filled to see how much was executed. \
unknown means that it MAY BE LIVE.
5. next, in every answer about a request and in every error, says what to do. Amounts are in the base asset, \
prices in the quote asset, times in UTC milliseconds."""

log = get_logger(__name__)


class McpEndpoint:
    """The ASGI app for /mcp; it works while `running` is entered. `state_key` seals the request state that
    clients send back: at least 32 bytes, the same after a restart.
    """

    def __init__(self, gateway: Gateway, agents: Agents, *, state_key: bytes) -> None:
        self._settings = gateway.settings
        self._calls = Calls(gateway)
        self._tools = [_listed(tool) for tool in TOOLS.values()]
        schemas = {tool.name: tool.input_schema for tool in self._tools}
        server: Server[Any] = Server(
            NAME,
            version=__version__,
            instructions=INSTRUCTIONS,
            get_tool_input_schema=schemas.get,  # without it, each call builds the whole list
            on_list_tools=self._list,
        )
        server.add_request_handler("tools/call", types.CallToolRequestParams, self._call)
        server.middleware.append(sealed(state_key, NAME))
        if self._settings.mcp_tasks:
            serve_tasks(server, IntentTasks(self._calls))
        self._manager = StreamableHTTPSessionManager(
            server,
            stateless=True,
            max_request_body_size=MAX_BODY,
            # The whole application is already guarded (`web.guarded`).
            security_settings=TransportSecuritySettings(enable_dns_rebinding_protection=False),
        )
        self.app: ASGIApp = RequireAgent(StreamableHTTPASGIApp(self._manager), agents)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with self._manager.run():
            yield

    async def _list(self, _: Context, __: types.PaginatedRequestParams | None) -> types.ListToolsResult:
        return types.ListToolsResult(tools=self._tools)

    async def _call(self, context: Context, params: types.CallToolRequestParams) -> HandlerResult:
        try:
            round = Round.of(params)
            if round is not None:
                return await self._next_round(context, params, round)
            answer = await self._calls.make(context, params.name, params.arguments or {})
            return self._waiting_result(context, params.name, answer) or succeeded(answer)
        except BrokerError as error:
            return failed(error)
        except Exception:
            # The message of an unexpected error may contain anything, so it stays in the log.
            log.exception("a tool call failed", tool=params.name[:64])
            return failed(unforeseen())

    def _waiting_result(self, context: Context, name: str, answer: Output) -> HandlerResult:
        """For a request that waits: a link or a task, if the client supports it; None for the plain answer.

        An answer that warns of a repeat is always plain, so that the model reads it at once. A link is sent
        only once: if the client could not show it, the repeated call gets the plain answer.
        """
        waiting = still_open(answer) if name in HIGH else None
        if waiting is None or waiting.sameAs is not None:
            return None
        links = self._settings.mcp_url_elicitation and can_open_links(context)
        if links and waiting.status is State.PENDING and not waiting.deduplicated:
            return link_request(waiting)
        return self._as_task(context, waiting)

    async def _next_round(
        self, context: Context, params: types.CallToolRequestParams, round: Round
    ) -> HandlerResult:
        """Continues a call whose first round parked the request. Never parks anything."""
        answer = await self._calls.make(context, "intent_get", {"intentId": round.intent_id})
        if not opened(round, params):
            return succeeded(answer)
        if task := self._as_task(context, answer):
            return task
        outcome = await wait_for_outcome(self._calls, context, round)
        return outcome if isinstance(outcome, types.InputRequiredResult) else succeeded(outcome)

    def _as_task(self, context: Context, answer: Output) -> HandlerResult:
        waiting = still_open(answer)
        if waiting is None or not self._settings.mcp_tasks or not declares_tasks(context):
            return None
        return task_of(waiting).handle


def sealed(key: bytes, name: str) -> RequestStateBoundary:
    """Seals the request state of clients: it is valid for one call of one agent, for STATE_SECONDS."""
    security = RequestStateSecurity(keys=[key], ttl=STATE_SECONDS, bind_principal=principal)
    return RequestStateBoundary(security, default_audience=name)


def _listed(tool: AnyTool) -> types.Tool:
    description = described(tool)
    return types.Tool(
        name=tool.name,
        title=tool.title,
        description=description["description"],
        input_schema=description["inputSchema"],
        output_schema=description["outputSchema"],
        annotations=types.ToolAnnotations(
            title=tool.title,
            read_only_hint=tool.reads_only,
            destructive_hint=not (tool.reads_only or tool.harmless),
            idempotent_hint=tool.reads_only or tool.harmless,
            open_world_hint=tool.name.startswith("binance_"),
        ),
        _meta={
            "confirmation-broker/riskLevel": str(tool.risk),
            "confirmation-broker/requiresConfirmation": tool.risk is Risk.HIGH,
        },
    )
