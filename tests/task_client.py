"""A client of the Tasks extension, by the Python SDK; it shares nothing with the broker's side."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from mcp.client.extension import ClaimContext, ClientExtension, ResultClaim
from mcp.client.session import ClientSession
from mcp_types import CallToolResult, Request, RequestParams, Result
from pydantic import ConfigDict

TASKS = "io.modelcontextprotocol/tasks"
POLL_SECONDS = 0.05


class Handle(Result):
    model_config = ConfigDict(extra="allow")

    result_type: Literal["task"]
    task_id: str
    status: str
    status_message: str
    ttl_ms: int
    poll_interval_ms: int


class Task(Result):
    model_config = ConfigDict(extra="allow")

    result_type: Literal["complete"]
    task_id: str | None = None
    status: str | None = None
    status_message: str | None = None
    result: dict[str, Any] | None = None


class Params(RequestParams):
    task_id: str
    input_responses: dict[str, Any] | None = None


class AskTask(Request[Params, Literal["tasks/get", "tasks/cancel", "tasks/update"]]):
    name_param: ClassVar[str | None] = "taskId"


class WasCancelled(Exception):
    pass


class TasksExtension(ClientExtension):
    """Polls each task until it ended; `handles` are those that it was given."""

    identifier = TASKS

    def __init__(self) -> None:
        self.handles: asyncio.Queue[Handle] = asyncio.Queue()

    def claims(self) -> Sequence[ResultClaim[Any]]:
        return [ResultClaim(result_type="task", model=Handle, resolve=self._resolve)]

    async def _resolve(self, handle: Handle, context: ClaimContext) -> CallToolResult:
        self.handles.put_nowait(handle)
        task = await ask(context.session, "get", handle.task_id)
        while task.status == "working":
            await asyncio.sleep(POLL_SECONDS)
            task = await ask(context.session, "get", handle.task_id)
        if task.status == "cancelled":
            raise WasCancelled(handle.task_id)
        return CallToolResult.model_validate(task.result)


async def ask(session: ClientSession, what: str, task_id: str, **more: Any) -> Task:
    """Raises MCPError."""
    asked = AskTask.model_validate({"method": f"tasks/{what}", "params": Params(task_id=task_id, **more)})
    return await session.send_request(asked, Task)
