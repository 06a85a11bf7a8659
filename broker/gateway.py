"""A tool call: validate, then pass through, or check and park."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

from .clock import Clock
from .errors import BrokerError, Code
from .exchange import AGENTS_PCT, PAGES_PCT, Exchange, leaving_room
from .hub import Hub
from .intents import Intent
from .settings import Settings
from .store import NOT_PARKED, Store, idempotency_conflict, queries
from .tools import (
    STAND_INS,
    TOOLS,
    AnyTool,
    Call,
    HighInput,
    HighTool,
    IntentAnswer,
    Looks,
    Output,
    answer,
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

    async def call(
        self,
        agent: str,
        name: str,
        arguments: Mapping[str, Any],
        *,
        idempotency_key: str | None = None,
        progress: Progress | None = None,
    ) -> Output:
        """Raises BrokerError. `idempotency_key` is one that came beside the arguments; theirs goes first."""
        tool = find_tool(name)
        if isinstance(tool, HighTool) and arguments.get("idempotencyKey") is None:
            arguments = {**arguments, "idempotencyKey": idempotency_key}
        given = validated(tool.input, arguments)
        call = Call(
            agent=agent,
            settings=self.settings,
            exchange=self.exchange,
            store=self.store,
            hub=self.hub,
            clock=self.clock,
            looked_at=partial(self.looks.of, agent),
            progress=progress,
        )
        if isinstance(tool, HighTool):
            return await self._park(call, tool, cast(HighInput, given))
        with leaving_room(AGENTS_PCT if tool.reads_only else PAGES_PCT):
            beside = {**arguments, "idempotencyKey": idempotency_key}
            if parked := await self._parked_instead(call, name, beside):
                return parked
            result = await tool.run(call, given)
        self.looks.note(agent, tool, given, result, self.clock())
        return result

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
            return answer(call, earlier, deduplicated=True)
        await self._require_open()
        rounded = tool.rounded(call, given)
        with nullcontext() if tool.may_leave(rounded) else leaving_room(AGENTS_PCT):
            request = await tool.prepare(call, given, rounded)
        parked = await self.store.intents.park(request)
        return answer(call, parked.intent, deduplicated=parked.deduplicated, same_as=parked.earlier)

    async def _repeated(self, call: Call, tool: HighTool, given: HighInput) -> Intent | None:
        key = given.idempotencyKey
        if key is None:
            return None
        earlier: Intent | None = await self.store.read(
            lambda connection: queries.find_by_key(connection, call.agent, tool.name, key)
        )
        if earlier is None or earlier.asked == given.asked():
            return earlier
        asked = {name: value for name, value in earlier.arguments.items() if name not in tool.adds}
        if asked == tool.rounded(call, given):
            return earlier
        raise idempotency_conflict(earlier)

    async def _require_open(self) -> None:
        """Before Binance is asked for anything. Whether it is an exit shows later: the commit asks again."""
        await self.store.read(partial(self.store.halts.require_open, is_exit=True, what_happened=NOT_PARKED))


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
