"""Handles tool calls: validates them, then runs them, or checks and parks a HIGH one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, cast

from .agents import OWN_TOOLS, Agent
from .arguments import Arguments
from .clock import Clock
from .errors import BrokerError, Code
from .exchange import AGENTS_PCT, PAGES_PCT, READS_PCT, Asker, Exchange, leaving_room
from .hub import Hub
from .intents import Intent, Request, State
from .rate_limit import Pace
from .settings import Settings
from .store import NOT_PARKED, Store, idempotency_conflict, queries
from .tools import (
    STAND_INS,
    TOOLS,
    AnyTool,
    Call,
    HighInput,
    HighTool,
    Input,
    IntentAnswer,
    Looks,
    Output,
    Tool,
    answer,
    told_again,
    validated,
)

Progress = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class Gateway:
    """The only entry point for agents: MCP and HTTP both call it."""

    settings: Settings
    exchange: Exchange
    store: Store
    hub: Hub
    clock: Clock
    looks: Looks = field(default_factory=Looks)

    @cached_property
    def pace(self) -> Pace:
        return Pace(self.clock)

    async def call(
        self,
        agent: Agent,
        name: str,
        arguments: Mapping[str, Any],
        *,
        idempotency_key: object = None,
        progress: Progress | None = None,
    ) -> Output:
        """Returns the tool's answer. Raises BrokerError.

        `idempotency_key` is a key from a header or `_meta`. A key in the arguments takes precedence.
        """
        tool = find_tool(name)
        self.pace.note(agent.name, name, agent.limits(self.settings).calls_per_minute)
        agent.require_tool(name)
        if isinstance(tool, HighTool) and arguments.get("idempotencyKey") is None:
            arguments = {**arguments, "idempotencyKey": idempotency_key}
        given = validated(tool.input, arguments)
        self._require_symbol(agent, tool, given)
        call = Call(
            agent=agent,
            settings=self.settings,
            exchange=self.exchange,
            store=self.store,
            hub=self.hub,
            clock=self.clock,
            looked_at=partial(self.looks.of, agent.name),
            progress=progress,
        )
        if isinstance(tool, HighTool):
            return await self._park(call, tool, cast(HighInput, given))
        async with self._read_slot(agent, tool):
            with leaving_room(AGENTS_PCT if tool.reads_only else PAGES_PCT, _asker(agent)):
                with_key = {**arguments, "idempotencyKey": idempotency_key}
                if parked := await self._park_instead(call, name, with_key):
                    return parked
                result = await tool.run(call, given)
        self.looks.note(agent.name, tool, given, result, self.clock())
        return result

    def _read_slot(self, agent: Agent, tool: Tool) -> AbstractAsyncContextManager[None]:
        """Limits an agent's concurrent reads from Binance. Other calls do not wait for reads."""
        reads = tool.reads_only and not tool.name.startswith(OWN_TOOLS)
        return self.pace.reading(agent.name) if reads else nullcontext()

    async def _park_instead(self, call: Call, name: str, arguments: Mapping[str, Any]) -> IntentAnswer | None:
        """For a tool that runs without approval: its HIGH stand-in's answer, if a trader must approve this
        call; else None.
        """
        tool = STAND_INS.get(name)
        if tool is None or not tool.wanted(call.settings):
            return None
        given = cast(HighInput, validated(tool.input, arguments))
        if await self._find_by_key(call, tool, given) or await tool.asks(call, given):
            return await self._park(call, tool, given)
        return None

    async def _park(self, call: Call, tool: HighTool, given: HighInput) -> IntentAnswer:
        """Parks the request. If its idempotency key was used before, answers about that request instead,
        before any check.
        """
        if earlier := await self._find_by_key(call, tool, given):
            return await told_again(call, earlier)
        rounded = tool.rounded(call, given)
        try:
            request = await self._prepare(call, tool, given, rounded)
        except BrokerError:
            if waiting := await self._find_pending(call, tool, given, rounded):
                return await told_again(call, waiting)
            raise
        parked = await self.store.intents.park(request, max_pending=self.settings.max_pending_per_agent)
        if parked.deduplicated:
            return await told_again(call, parked.intent)
        return answer(call, parked.intent, same_as=parked.earlier)

    async def _prepare(self, call: Call, tool: HighTool, given: HighInput, rounded: Arguments) -> Request:
        await self._require_not_halted()
        maybe_exit = tool.may_leave(call, rounded)
        async with nullcontext() if maybe_exit else self.pace.checking(call.agent.name):
            ceiling = READS_PCT if maybe_exit else AGENTS_PCT
            with leaving_room(ceiling, _asker(call.agent, is_exit=maybe_exit)):
                return await tool.prepare(call, given, rounded)

    async def _find_pending(
        self, call: Call, tool: HighTool, given: HighInput, rounded: Arguments
    ) -> Intent | None:
        """The agent's equal request that waits, for a call without a key that failed its checks. "Nothing was
        parked" would mislead the agent while that request waits.
        """
        if given.idempotencyKey is not None:
            return None
        pending = await self.store.read(
            lambda connection: queries.of_agent_in(connection, call.agent.name, {State.PENDING})
        )
        equal = (
            intent
            for intent in pending
            if intent.tool == tool.name
            and intent.expires_at > self.clock()
            and _requested(intent, tool) == rounded.stored()
        )
        return next(equal, None)

    async def _find_by_key(self, call: Call, tool: HighTool, given: HighInput) -> Intent | None:
        """The earlier request with this idempotency key. Raises IDEMPOTENCY_CONFLICT if it differs."""
        key = given.idempotencyKey
        if key is None:
            return None
        earlier = await self.store.read(
            lambda connection: queries.find_by_key(connection, call.agent.name, tool.name, key)
        )
        if earlier is None or earlier.asked == given.asked():
            return earlier
        if _requested(earlier, tool) == tool.rounded(call, given).stored():
            return earlier
        raise idempotency_conflict(earlier)

    def _require_symbol(self, agent: Agent, tool: AnyTool, given: Input) -> None:
        """Raises SYMBOL_NOT_ALLOWED. For an agent with its own list of symbols, also raises the errors of
        `Venue.symbol`.
        """
        if agent.symbols is None or "symbol" not in type(given).model_fields:
            return
        symbol: str | None = getattr(given, "symbol", None)
        if symbol is not None:
            symbol = self.exchange.on(getattr(given, "market", tool.market)).symbol(symbol)
        agent.require_symbol(symbol)

    async def _require_not_halted(self) -> None:
        """Raises TRADING_HALTED if exits are stopped too. The commit checks again, when it is known whether
        the request is an exit.
        """
        await self.store.read(partial(self.store.halts.require_open, is_exit=True, what_happened=NOT_PARKED))


def _requested(intent: Intent, tool: HighTool) -> dict[str, Any]:
    """The intent's rounded arguments, without those that the tool added itself."""
    return {name: value for name, value in intent.arguments.stored().items() if name not in tool.adds}


def _asker(agent: Agent, *, is_exit: bool = False) -> Asker:
    return Asker(agent.name, alone=agent.alone, leaves=is_exit)


def find_tool(name: str) -> AnyTool:
    """Raises UNKNOWN_TOOL."""
    tool = TOOLS.get(name)
    if tool is None:
        raise BrokerError(
            Code.UNKNOWN_TOOL,
            f"There is no tool named {name[:64]!r}.",
            details={"tools": sorted(TOOLS)},
        )
    return tool
