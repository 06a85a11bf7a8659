"""A tool call: validate, then pass through, or check and park."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, cast

from .agents import OWN_TOOLS, Agent
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
    """What every agent-facing surface calls, and nothing else."""

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
        """Raises BrokerError. `idempotency_key` is one that came beside the arguments; theirs goes first."""
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
        async with self._turn(agent, tool):
            with leaving_room(AGENTS_PCT if tool.reads_only else PAGES_PCT, _asker(agent)):
                beside = {**arguments, "idempotencyKey": idempotency_key}
                if parked := await self._parked_instead(call, name, beside):
                    return parked
                result = await tool.run(call, given)
        self.looks.note(agent.name, tool, given, result, self.clock())
        return result

    def _turn(self, agent: Agent, tool: Tool) -> AbstractAsyncContextManager[None]:
        """Reads take turns within an agent; whatever else it asks waits for none of them."""
        reads = tool.reads_only and not tool.name.startswith(OWN_TOOLS)
        return self.pace.reading(agent.name) if reads else nullcontext()

    async def _parked_instead(
        self, call: Call, name: str, arguments: Mapping[str, Any]
    ) -> IntentAnswer | None:
        """For a tool that passes straight through: its stand-in's answer, where a trader has to be asked."""
        tool = STAND_INS.get(name)
        if tool is None or not tool.wanted(call.settings):
            return None
        given = cast(HighInput, validated(tool.input, arguments))
        if await self._repeated(call, tool, given) or await tool.asks(call, given):
            return await self._park(call, tool, given)
        return None

    async def _park(self, call: Call, tool: HighTool, given: HighInput) -> IntentAnswer:
        """A repeated key is answered before any check; then figures, checks, and the commit."""
        if earlier := await self._repeated(call, tool, given):
            return await told_again(call, earlier)
        rounded = tool.rounded(call, given)
        try:
            request = await self._checked(call, tool, given, rounded)
        except BrokerError:
            if waiting := await self._waiting(call, tool, given, rounded):
                return await told_again(call, waiting)
            raise
        parked = await self.store.intents.park(request, self.settings.max_pending_per_agent)
        if parked.deduplicated:
            return await told_again(call, parked.intent)
        return answer(call, parked.intent, same_as=parked.earlier)

    async def _checked(
        self, call: Call, tool: HighTool, given: HighInput, rounded: Mapping[str, Any]
    ) -> Request:
        await self._require_open()
        leaves = tool.may_leave(call, rounded)
        async with nullcontext() if leaves else self.pace.checking(call.agent.name):
            with leaving_room(READS_PCT if leaves else AGENTS_PCT, _asker(call.agent, leaves=leaves)):
                return await tool.prepare(call, given, rounded)

    async def _waiting(
        self, call: Call, tool: HighTool, given: HighInput, rounded: Mapping[str, Any]
    ) -> Intent | None:
        """What a call without a key repeats, when it can no longer be parked itself. "Nothing was parked"
        would be true of this call alone, while the first one's request waits.
        """
        if given.idempotencyKey is not None:
            return None
        pending: Sequence[Intent] = await self.store.read(
            lambda connection: queries.of_agent_in(connection, call.agent.name, {State.PENDING})
        )
        equal = (
            intent
            for intent in pending
            if intent.tool == tool.name
            and intent.expires_at > self.clock()
            and _asked(intent, tool) == rounded
        )
        return next(equal, None)

    async def _repeated(self, call: Call, tool: HighTool, given: HighInput) -> Intent | None:
        key = given.idempotencyKey
        if key is None:
            return None
        earlier: Intent | None = await self.store.read(
            lambda connection: queries.find_by_key(connection, call.agent.name, tool.name, key)
        )
        if earlier is None or earlier.asked == given.asked():
            return earlier
        if _asked(earlier, tool) == tool.rounded(call, given):
            return earlier
        raise idempotency_conflict(earlier)

    def _require_symbol(self, agent: Agent, tool: AnyTool, given: Input) -> None:
        """Raises SYMBOL_NOT_ALLOWED, and for an agent of some symbols only also as `Venue.symbol` does."""
        if agent.symbols is None or "symbol" not in type(given).model_fields:
            return
        symbol: str | None = getattr(given, "symbol", None)
        if symbol is not None:
            symbol = self.exchange.on(getattr(given, "market", tool.market)).symbol(symbol)
        agent.require_symbol(symbol)

    async def _require_open(self) -> None:
        """Before Binance is asked for anything. Whether it is an exit shows later: the commit asks again."""
        await self.store.read(partial(self.store.halts.require_open, is_exit=True, what_happened=NOT_PARKED))


def _asked(intent: Intent, tool: HighTool) -> dict[str, Any]:
    """Its rounded arguments, without what the tool read for itself."""
    return {name: value for name, value in intent.arguments.items() if name not in tool.adds}


def _asker(agent: Agent, *, leaves: bool = False) -> Asker:
    return Asker(agent.name, alone=agent.alone, leaves=leaves)


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
