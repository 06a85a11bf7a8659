"""The HIGH tools: their calls wait for a trader's approval. How to add one: docs/contributing.md."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection

from ..intents import Intent, State
from ..store import EQUAL_WITHIN, queries
from . import confirmed_cancels
from .close_position import ClosePosition
from .create_order import CreateOrder
from .declaration import Call
from .high import HighTool, StandIn
from .intent_answer import IntentAnswer, build_answer
from .set_leverage import SetLeverage

OFFERED: Final[tuple[HighTool, ...]] = (CreateOrder(), ClosePosition(), SetLeverage())
"""Every tool whose calls are always parked."""

STAND_INS: Final[dict[str, StandIn]] = {tool.name: tool for tool in confirmed_cancels.TOOLS}
"""The tools that take the place of one that otherwise runs at once, by name."""

HIGH: Final[dict[str, HighTool]] = {tool.name: tool for tool in (*OFFERED, *STAND_INS.values())}
"""Every tool that can park a request, by name."""


def answer(
    call: Call, intent: Intent, *, deduplicated: bool = False, same_as: Intent | None = None
) -> IntentAnswer:
    """The answer for an intent. `deduplicated`: the call repeated an earlier one; nothing new was parked.

    `same_as`: an earlier, equal request that was sent shortly before.
    """
    tool = HIGH[intent.tool]
    return build_answer(
        tool.output,
        intent,
        now=call.clock(),
        url=call.settings.url,
        rounded=tool.sends.model_validate(intent.arguments.stored()),
        result=tool.result(intent) if intent.state is State.PLACED and not intent.doubted else None,
        deduplicated=deduplicated,
        same_as=same_as,
    )


async def told_again(call: Call, intent: Intent) -> IntentAnswer:
    """The answer to a repeated call. It repeats the warning too: the first answer may have been lost."""
    first = await call.store.read(lambda connection: earlier_equal(call, connection, intent))
    return answer(call, intent, deduplicated=True, same_as=first)


def earlier_equal(call: Call, connection: Connection, intent: Intent) -> Intent | None:
    """An equal request that was sent shortly before; None once the intent no longer waits."""
    if intent.state is not State.PENDING:
        return None
    return queries.find_earlier_equal(connection, intent, call.clock() - EQUAL_WITHIN)
