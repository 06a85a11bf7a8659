"""The broker's own tools: an agent reads, waits for and withdraws its own intents."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Annotated, Final, Literal

from pydantic import Field
from sqlalchemy import Connection

from ..errors import BrokerError, Code
from ..intents import Intent, State
from ..store import EQUAL_WITHIN, queries
from . import confirmed_cancels
from .intent_answer import IntentAnswer, IntentList, told
from .close_position import ClosePosition
from .create_order import CreateOrder
from .declaration import WHOLE, Call, Input, Risk, Tool
from .high import HighTool, StandIn
from .set_leverage import SetLeverage

PROGRESS_SECONDS = 5.0

MOST_WAITS: Final = 2_000
"""How many waits one agent may have open: each holds a connection, and others need some too."""

OFFERED: tuple[HighTool, ...] = (CreateOrder(), ClosePosition(), SetLeverage())
"""Every tool whose calls are always parked."""

STAND_INS: dict[str, StandIn] = {tool.name: tool for tool in confirmed_cancels.TOOLS}
"""By the name of the tool that passes straight through otherwise."""

HIGH: dict[str, HighTool] = {tool.name: tool for tool in (*OFFERED, *STAND_INS.values())}
"""Every tool that has parked something, by name."""

IntentId = Annotated[
    str, Field(min_length=1, max_length=64, description="As the HIGH tool answered it; else see intent_list.")
]


Read = tuple[Intent, Intent | None]
"""A request, and the earlier one that it repeats."""


class IntentInput(Input):
    intentId: IntentId


class WaitInput(Input):
    intentId: IntentId
    timeoutSeconds: Annotated[
        float, Field(ge=1, le=50, description="Keep it below your own client's time-out.")
    ] = 25
    until: Annotated[
        Literal["decided", "placed", "filled"],
        Field(
            description="decided: a trader has said yes or no. placed: and Binance has answered. filled: and "
            "nothing more becomes of the order. Whatever ends it otherwise is answered at once."
        ),
    ] = "placed"


class ListInput(Input):
    status: Annotated[State | None, Field(description="Left out: whatever their status.")] = None
    limit: Annotated[int, Field(ge=1, le=100, description="How many, the latest ones."), WHOLE] = 50


def answer(
    call: Call, intent: Intent, *, deduplicated: bool = False, same_as: Intent | None = None
) -> IntentAnswer:
    tool = HIGH[intent.tool]
    return told(
        tool.output,
        intent,
        now=call.clock(),
        url=call.settings.url,
        rounded=tool.sends.model_validate(intent.arguments),
        result=tool.result(intent) if intent.state is State.PLACED and not intent.doubted else None,
        deduplicated=deduplicated,
        same_as=same_as,
    )


async def told_again(call: Call, intent: Intent) -> IntentAnswer:
    """To a call that repeats it: the first one's answer, with its warning, may have been lost."""
    earlier = await call.store.read(lambda connection: _earlier(call, connection, intent))
    return answer(call, intent, deduplicated=True, same_as=earlier)


async def _get(call: Call, arguments: IntentInput) -> IntentAnswer:
    def transaction(connection: Connection) -> Read:
        intent = queries.find(connection, arguments.intentId, call.agent.name)
        return intent, _earlier(call, connection, intent)

    read: Read = await call.store.read(transaction)
    intent, earlier = read
    return answer(call, intent, same_as=earlier)


async def _wait(call: Call, arguments: WaitInput) -> IntentAnswer:
    """Its timeout is no error: the answer says how it stands. Raises RATE_LIMITED, and UNAUTHORIZED as soon
    as its agent is revoked.
    """
    if call.hub.waits_of(call.agent.name) >= MOST_WAITS:
        raise BrokerError(
            Code.RATE_LIMITED,
            f"{MOST_WAITS} of your waits are open already, and no more may be. Let some of them end first.",
            details={"retryAfterSeconds": 5, "openWaits": MOST_WAITS},
        )

    def transaction(connection: Connection) -> Read:
        intent = queries.find(connection, arguments.intentId, call.agent.name)
        if not _reached(intent, arguments.until):  # what a revocation itself ended is still told
            call.store.agents.named(connection, call.agent.name)
        return intent, _earlier(call, connection, intent)

    deadline = asyncio.get_running_loop().time() + arguments.timeoutSeconds
    with call.hub.waiting(arguments.intentId, agent=call.agent.name) as changed:
        while True:
            changed.clear()
            read: Read = await call.store.read(transaction)
            intent, earlier = read
            if (
                _reached(intent, arguments.until)
                or call.hub.closed
                or not await _heard(call, changed, deadline)
            ):
                return answer(call, intent, same_as=earlier)


async def _heard(call: Call, changed: asyncio.Event, deadline: float) -> bool:
    """Whether something changed before the deadline. Progress is told meanwhile; nothing is read."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    while not changed.is_set() and (left := deadline - loop.time()) > 0:
        with suppress(TimeoutError):
            async with asyncio.timeout(min(PROGRESS_SECONDS, left)):
                await changed.wait()
        if call.progress is not None and not changed.is_set():
            await call.progress(loop.time() - started)
    return changed.is_set()


def _reached(intent: Intent, until: str) -> bool:
    match intent.state:
        case State.PENDING:
            return False
        case State.APPROVED | State.SUBMITTING | State.UNKNOWN:
            return until == "decided"
        case State.PLACED:
            return until != "filled" or intent.order_is_final
        case _:
            return True


async def _list(call: Call, arguments: ListInput) -> IntentList:
    found = await call.store.read(
        lambda connection: queries.of_agent(connection, call.agent.name, arguments.status, arguments.limit)
    )
    intents = [answer(call, intent) for intent in found]
    return IntentList(intents=intents, count=len(intents))


async def _cancel(call: Call, arguments: IntentInput) -> IntentAnswer:
    return answer(call, await call.store.intents.withdraw(arguments.intentId, call.agent.name))


def _earlier(call: Call, connection: Connection, intent: Intent) -> Intent | None:
    """What went out shortly before and is equal, while the intent still waits."""
    if intent.state is not State.PENDING:
        return None
    return queries.find_earlier_equal(connection, intent, call.clock() - EQUAL_WITHIN)


TOOLS = (
    Tool(
        name="intent_get",
        title="How a request stands",
        description="How one of your requests stands, at once. status pending: a trader has not decided, "
        "NOTHING was executed. approved, submitting: being sent. placed: Binance took it, and result says "
        "how much was filled. rejected, expired, withdrawn, refused, not_sent: nothing was executed, and "
        "outcome says why. unknown: it MAY BE LIVE, never repeat it. next says what to do. No status is an "
        "error.",
        risk=Risk.LOW,
        input=IntentInput,
        output=IntentAnswer,
        run=_get,
    ),
    Tool(
        name="intent_wait",
        title="Wait for a decision",
        description="Waits for one of your requests to be decided and sent, then answers like intent_get. "
        "After timeoutSeconds it answers how it stands, which is no error: call it again while status is "
        "pending. Waiting, or giving up, changes nothing about the request.",
        risk=Risk.LOW,
        input=WaitInput,
        output=IntentAnswer,
        run=_wait,
    ),
    Tool(
        name="intent_list",
        title="Your requests",
        description="Your own requests, newest first: all, or those of one status. Look here when you lost "
        "an intentId, or an answer.",
        risk=Risk.LOW,
        input=ListInput,
        output=IntentList,
        run=_list,
    ),
    Tool(
        name="intent_cancel",
        title="Withdraw a request",
        description="Withdraws one of your requests while it is still pending. What is approved already "
        "goes on; an order that rests at Binance is cancelled with binance_cancel_order.",
        risk=Risk.LOW,
        input=IntentInput,
        output=IntentAnswer,
        run=_cancel,
        reads_only=False,
        harmless=True,
    ),
)
