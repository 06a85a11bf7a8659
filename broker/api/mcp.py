"""The tools over MCP: streamable HTTP, stateless, both protocol eras."""

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
from .http_errors import unforeseen
from .auth import Agents, RequireAgent
from .mcp_calls import Calls, Context, principal, still_open
from .intent_tasks import IntentTasks, task_of
from .mcp_elicitation import Round, awaited, can_open_links, handed_over, opened
from .routes import described
from .tasks import declares_tasks, serve_tasks
from .tool_results import failed, told

NAME: Final = "trading-binance-mcp"

STATE_SECONDS: Final = 900
"""How long a client may take from one try of a call to the next."""

INSTRUCTIONS: Final = """\
1. LOW and MEDIUM risk tools act at once, cancels too. A HIGH risk tool never executes by itself: it answers \
status=pending with an intentId and an approvalUrl, and a person decides. Cancelling a protective order may \
wait likewise.
2. Tell the user to decide at approvalUrl, then call intent_wait with the intentId until status is not \
pending.
3. Never call a HIGH tool again for the same action. After a time-out or a lost answer call intent_get or \
intent_list; a retry has to reuse the idempotencyKey of the first call.
4. Only status=placed means that Binance took it; read filled to see how much was executed. unknown means \
that it MAY BE LIVE.
5. next, in every answer about a request and in every error, says what to do. Amounts are in the base asset, \
prices in the quote asset, times in UTC milliseconds."""

log = get_logger(__name__)


class McpEndpoint:
    """`app` answers at /mcp while `running` is entered. `state_key` seals what clients carry from one try of
    a call to the next: at least 32 bytes, the same after a restart.
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
            get_tool_input_schema=schemas.get,  # or each call would make the whole list
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
            # Hosts and origins are guarded once, around the whole application.
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
            tried = Round.of(params)
            if tried is not None:
                return await self._once_more(context, params, tried)
            answer = await self._calls.make(context, params.name, params.arguments or {})
            return self._parked(context, params.name, answer) or told(answer)
        except BrokerError as error:
            return failed(error)
        except Exception:
            # The message of an unforeseen error may hold anything: it stays in the log.
            log.exception("a tool call failed", tool=params.name[:64])
            return failed(unforeseen())

    def _parked(self, context: Context, name: str, answer: Output) -> HandlerResult:
        """What its client can do with a request that waits; None where the plain answer is what it gets.

        An answer that warns of a repeat is for the model to read, at once. A link is handed over once: the
        next time, a client that could not show it after all is told in plain words.
        """
        waits = still_open(answer) if name in HIGH else None
        if waits is None or waits.sameAs is not None:
            return None
        links = self._settings.mcp_url_elicitation and can_open_links(context)
        if links and waits.status is State.PENDING and not waits.deduplicated:
            return handed_over(waits)
        return self._as_task(context, waits)

    async def _once_more(
        self, context: Context, params: types.CallToolRequestParams, tried: Round
    ) -> HandlerResult:
        """A call whose first try parked its request: nothing is parked again, whatever its client says."""
        answer = await self._calls.make(context, "intent_get", {"intentId": tried.intent_id})
        if not opened(tried, params):
            return told(answer)
        if task := self._as_task(context, answer):
            return task
        outcome = await awaited(self._calls, context, tried)
        return outcome if isinstance(outcome, types.InputRequiredResult) else told(outcome)

    def _as_task(self, context: Context, answer: Output) -> HandlerResult:
        waits = still_open(answer)
        if waits is None or not self._settings.mcp_tasks or not declares_tasks(context):
            return None
        return task_of(waits).handle


def sealed(key: bytes, name: str) -> RequestStateBoundary:
    """What a client carries between two tries holds for that call, of that agent, and not for long."""
    security = RequestStateSecurity(keys=[key], ttl=STATE_SECONDS, bind_principal=principal)
    return RequestStateBoundary(security, default_audience=name)


def _listed(tool: AnyTool) -> types.Tool:
    drawn = described(tool)
    return types.Tool(
        name=tool.name,
        title=tool.title,
        description=drawn["description"],
        input_schema=drawn["inputSchema"],
        output_schema=drawn["outputSchema"],
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
