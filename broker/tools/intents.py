"""The broker's own tools: agents read, wait for and withdraw their own requests."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Annotated, Final, Literal

from pydantic import Field
from sqlalchemy import Connection

from ..errors import BrokerError, Code
from ..intents import Intent, State
from ..store import queries
from .declaration import WHOLE, Call, Input, Risk, Tool
from .intent_answer import IntentAnswer, IntentList
from .registry import answer, earlier_equal

PROGRESS_SECONDS = 5.0

MOST_WAITS: Final = 2_000
"""How many waits one agent may have open. Each uses a connection, which others need too."""

IntentId = Annotated[
    str,
    Field(
        min_length=1,
        max_length=64,
        description="From the answer of the HIGH tool; if you lost it, see intent_list.",
    ),
]


Read = tuple[Intent, Intent | None]
"""A request, and the earlier one that it repeats, if any."""


class IntentInput(Input):
    intentId: IntentId


class WaitInput(Input):
    intentId: IntentId
    timeoutSeconds: Annotated[
        float, Field(ge=1, le=50, description="Keep it below your client's time-out.")
    ] = 25
    until: Annotated[
        Literal["decided", "placed", "filled"],
        Field(
            description="decided: a trader approved or rejected it. placed: Binance has also answered. "
            "filled: the order has also ended. If the request ends in another way, the call returns at once."
        ),
    ] = "placed"


class ListInput(Input):
    status: Annotated[State | None, Field(description="Default: any status.")] = None
    limit: Annotated[int, Field(ge=1, le=100, description="How many, latest first."), WHOLE] = 50


async def _get(call: Call, arguments: IntentInput) -> IntentAnswer:
    def transaction(connection: Connection) -> Read:
        intent = queries.find_own(connection, arguments.intentId, call.agent.name)
        return intent, earlier_equal(call, connection, intent)

    intent, first = await call.store.read(transaction)
    return answer(call, intent, same_as=first)


async def _wait(call: Call, arguments: WaitInput) -> IntentAnswer:
    """Wait for the request. A time-out is not an error: the answer gives the current status.

    Raises RATE_LIMITED, and UNAUTHORIZED as soon as the agent is revoked.
    """
    if call.hub.waits_of(call.agent.name) >= MOST_WAITS:
        raise BrokerError(
            Code.RATE_LIMITED,
            f"You have {MOST_WAITS} open waits, which is the maximum. Let some of them end first.",
            details={"retryAfterSeconds": 5, "openWaits": MOST_WAITS},
        )

    def transaction(connection: Connection) -> Read:
        intent = queries.find_own(connection, arguments.intentId, call.agent.name)
        if not _reached(intent, arguments.until):  # a revoked agent still gets the final status
            call.store.agents.named(connection, call.agent.name)
        return intent, earlier_equal(call, connection, intent)

    deadline = asyncio.get_running_loop().time() + arguments.timeoutSeconds
    with call.hub.waiting(arguments.intentId, agent=call.agent.name) as changed:
        while True:
            changed.clear()
            intent, first = await call.store.read(transaction)
            if (
                _reached(intent, arguments.until)
                or call.hub.closed
                or not await _changed_in_time(call, changed, deadline)
            ):
                return answer(call, intent, same_as=first)


async def _changed_in_time(call: Call, changed: asyncio.Event, deadline: float) -> bool:
    """Whether something changed before the deadline. Reports progress while waiting; reads nothing."""
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


TOOLS = (
    Tool(
        name="intent_get",
        title="Status of a request",
        description="The status of one of your requests, without waiting. pending: a trader has not decided, "
        "NOTHING was executed. approved, submitting: being sent. placed: Binance accepted it; result says "
        "how much was filled. rejected, expired, withdrawn, refused, not_sent: nothing was executed; "
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
        description="Waits until one of your requests is decided and sent, then answers like intent_get. "
        "After timeoutSeconds it answers with the current status, which is not an error: call it again "
        "while status is pending. Waiting, or giving up, does not change the request.",
        risk=Risk.LOW,
        input=WaitInput,
        output=IntentAnswer,
        run=_wait,
    ),
    Tool(
        name="intent_list",
        title="Your requests",
        description="Your own requests, newest first: all, or those with one status. Use it when you have "
        "lost an intentId or an answer.",
        risk=Risk.LOW,
        input=ListInput,
        output=IntentList,
        run=_list,
    ),
    Tool(
        name="intent_cancel",
        title="Withdraw a request",
        description="Withdraws one of your requests while it is still pending. It cannot stop a request that "
        "is already approved. To cancel an order that rests at Binance, use binance_cancel_order.",
        risk=Risk.LOW,
        input=IntentInput,
        output=IntentAnswer,
        run=_cancel,
        reads_only=False,
        harmless=True,
    ),
)
