"""Waiting requests as MCP tasks. A task's id is the intent's id, and its state is read from the store.

Tasks are not stored separately, so they survive restarts.
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
from .tool_results import succeeded

POLL_MS: Final = 2_000
KEPT_MS: Final = 86_400_000
"""Added to a request's time for its task's `ttl`, at which clients give up. The task itself never goes
away.
"""

NO_TASK: Final = frozenset({Code.UNKNOWN_INTENT, Code.INVALID_ARGUMENTS, Code.NOT_PENDING})
"""Errors that mean: there is no such task (also for a malformed id), or it is no longer pending."""


@dataclass(frozen=True)
class IntentTasks:
    calls: Calls

    async def find(self, context: Context, task_id: str) -> Task | None:
        answer = await self._own(context, "intent_get", task_id)
        return None if answer is None else task_of(answer)

    async def cancel(self, context: Context, task_id: str) -> bool:
        """Withdraws the request if it is pending. Otherwise only returns whether there is such a task."""
        if await self._own(context, "intent_cancel", task_id) is not None:
            return True
        return await self.find(context, task_id) is not None

    async def update(self, context: Context, task_id: str, responses: Mapping[str, Any]) -> bool:
        """Ignores the responses: a task asks its client for nothing, and a client must not decide."""
        return await self.find(context, task_id) is not None

    async def _own(self, context: Context, tool: str, task_id: str) -> IntentAnswer | None:
        """The answer of an intent_* tool; None for an error in NO_TASK. Raises MCPError for other errors."""
        try:
            answer = await self.calls.make(context, tool, {"intentId": task_id})
        except BrokerError as error:
            if error.code in NO_TASK:
                return None
            raise MCPError(types.INTERNAL_ERROR, error.message, error.body()) from None
        return answer if isinstance(answer, IntentAnswer) else None


def task_of(answer: IntentAnswer) -> Task:
    """A rejected request is a completed task, not a failed one: a client may retry a failed task."""
    status = _status(answer.status)
    return Task(
        task_id=answer.intentId,
        status=status,
        status_message=_message(answer),
        created_at=iso(from_ms(answer.createdAt)),
        last_updated_at=iso(from_ms(answer.updatedAt)),
        ttl_ms=answer.expiresAt - answer.createdAt + KEPT_MS,
        poll_interval_ms=POLL_MS,
        result=succeeded(answer) if status == "completed" else None,
    )


def _status(state: State) -> Status:
    """Unknown is "working": a task that has ended cannot change any more, but an unknown intent can."""
    if state in OPEN:
        return "working"
    return "cancelled" if state is State.WITHDRAWN else "completed"


def _message(answer: IntentAnswer) -> str:
    if answer.status is not State.PENDING:
        return answer.outcome
    until = iso(from_ms(answer.expiresAt))
    return f"{answer.outcome} A trader must decide at {answer.approvalUrl} before {until}."
