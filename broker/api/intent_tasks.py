"""A request that waits for a trader, as a task: its id is the request's, its state is read from the store.

Nothing of a task is kept beside the request, so that it outlives restarts and any process can tell of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import mcp_types as types
from mcp import MCPError

from ..clock import from_ms, iso
from ..errors import BrokerError, Code
from ..intents import OPEN, State
from ..tools import IntentAnswer
from .mcp_calls import Calls, Context
from .tasks import Status, Task
from .tool_results import told

POLL_MS: Final = 2_000
KEPT_MS: Final = 86_400_000
"""How long after a request's time is up its task is there for certain. It never goes, in fact, but clients
take it for the time to give up.
"""

NOTHING: Final = frozenset({Code.UNKNOWN_INTENT, Code.INVALID_ARGUMENTS, Code.NOT_PENDING})
"""An id that cannot be one is as unknown as one that is not there; and nothing is pending any more."""


@dataclass(frozen=True)
class IntentTasks:
    calls: Calls

    async def find(self, context: Context, task_id: str) -> Task | None:
        answer = await self._own(context, "intent_get", task_id)
        return None if answer is None else task_of(answer)

    async def cancel(self, context: Context, task_id: str) -> bool:
        """Only what is still pending is withdrawn; of the rest it is acknowledged that its client asked."""
        if await self._own(context, "intent_cancel", task_id) is not None:
            return True
        return await self.find(context, task_id) is not None

    async def update(self, context: Context, task_id: str, responses: Mapping[str, Any]) -> bool:
        """A task asks its client for nothing: what a client can answer by itself never decides."""
        return await self.find(context, task_id) is not None

    async def _own(self, context: Context, tool: str, task_id: str) -> IntentAnswer | None:
        """None where there is nothing to answer about. Raises MCPError, with the failed call as its data."""
        try:
            answer = await self.calls.make(context, tool, {"intentId": task_id})
        except BrokerError as error:
            if error.code in NOTHING:
                return None
            raise MCPError(types.INTERNAL_ERROR, error.message, error.body()) from None
        return answer if isinstance(answer, IntentAnswer) else None


def task_of(answer: IntentAnswer) -> Task:
    """A person's no is no failure, so that no client takes it for something to be tried once more."""
    status = _status(answer.status)
    return Task(
        task_id=answer.intentId,
        status=status,
        status_message=_message(answer),
        created_at=iso(from_ms(answer.createdAt)),
        last_updated_at=iso(from_ms(answer.updatedAt)),
        ttl_ms=answer.expiresAt - answer.createdAt + KEPT_MS,
        poll_interval_ms=POLL_MS,
        result=told(answer) if status == "completed" else None,
    )


def _status(state: State) -> Status:
    """What is unknown goes on: a task that ended cannot change any more, and it still may."""
    if state in OPEN:
        return "working"
    return "cancelled" if state is State.WITHDRAWN else "completed"


def _message(answer: IntentAnswer) -> str:
    if answer.status is not State.PENDING:
        return answer.outcome
    until = iso(from_ms(answer.expiresAt))
    return f"{answer.outcome} A person must decide at {answer.approvalUrl} before {until}."
