"""The Tasks extension of MCP 2026-07-28 (SEP-2663): a call answers with a handle, and the client polls it.

This module knows nothing about requests or traders; an implementation of `Tasks` provides the tasks.
https://github.com/modelcontextprotocol/ext-tasks, specification/2026-07-28
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Literal, Protocol, TypeVar

import mcp_types as types
from mcp import MCPError
from mcp.server import Server
from mcp.shared.inbound import MCP_NAME_HEADER, decode_header_value

from .mcp_calls import Context, capabilities, modern, request_of

TASKS: Final = "io.modelcontextprotocol/tasks"

Status = Literal["working", "input_required", "completed", "failed", "cancelled"]


class _Task(types.Result):
    """Times are ISO 8601. `ttl_ms` counts from the creation; the task exists at least that long."""

    task_id: str
    status: Status
    status_message: str | None = None
    created_at: str
    last_updated_at: str
    ttl_ms: int
    poll_interval_ms: int


class TaskHandle(_Task):
    """The answer to a call instead of its result. Sent only after `Tasks.find` can find the task."""

    result_type: Literal["task"] = "task"


class Task(_Task):
    """The answer of `tasks/get`: with the result if completed, with a protocol error if failed."""

    result_type: Literal["complete"] = "complete"
    result: types.CallToolResult | None = None
    error: types.ErrorData | None = None
    input_requests: types.InputRequests | None = None

    @property
    def handle(self) -> TaskHandle:
        return TaskHandle.model_validate({name: getattr(self, name) for name in _Task.model_fields})


class Tasks(Protocol):
    """The tasks of the calling agent. Other agents' tasks are treated as unknown."""

    async def find(self, context: Context, task_id: str) -> Task | None: ...

    async def cancel(self, context: Context, task_id: str) -> bool:
        """Returns whether there is such a task. The client can only ask for the cancel."""
        ...

    async def update(self, context: Context, task_id: str, responses: Mapping[str, Any]) -> bool:
        """Returns whether there is such a task. Responses that nothing asked for are ignored."""
        ...


class TaskParams(types.RequestParams):
    task_id: str


class UpdateParams(TaskParams):
    input_responses: dict[str, Any]


Params = TypeVar("Params", bound=TaskParams)


def serve_tasks(server: Server[Any], tasks: Tasks) -> None:
    async def get(context: Context, params: TaskParams) -> Task:
        if (found := await tasks.find(context, params.task_id)) is None:
            raise _unknown()
        return found

    async def cancel(context: Context, params: TaskParams) -> types.EmptyResult:
        return _acknowledged(await tasks.cancel(context, params.task_id))

    async def update(context: Context, params: UpdateParams) -> types.EmptyResult:
        return _acknowledged(await tasks.update(context, params.task_id, params.input_responses))

    server.extensions[TASKS] = {}
    server.add_request_handler("tasks/get", TaskParams, _checked(get))
    server.add_request_handler("tasks/cancel", TaskParams, _checked(cancel))
    server.add_request_handler("tasks/update", UpdateParams, _checked(update))


def declares_tasks(context: Context) -> bool:
    return TASKS in (capabilities(context).extensions or {})


def require_declared(context: Context) -> None:
    """Raises MCPError, with the required capability, if the client does not declare tasks."""
    if not declares_tasks(context):
        raise MCPError(
            types.MISSING_REQUIRED_CLIENT_CAPABILITY,
            "Missing required client capability",
            {"requiredCapabilities": {"extensions": {TASKS: {}}}},
        )


def _checked(
    handler: Callable[[Context, Params], Awaitable[types.Result]],
) -> Callable[[Context, Params], Awaitable[types.Result]]:
    async def handled(context: Context, params: Params) -> types.Result:
        if not modern(context):
            raise MCPError(types.METHOD_NOT_FOUND, "Method not found", context.method)
        require_declared(context)
        _require_header(context, params.task_id)
        return await handler(context, params)

    return handled


def _require_header(context: Context, task_id: str) -> None:
    """The SDK checks this header only for the protocol's own methods."""
    if decode_header_value(request_of(context).headers.get(MCP_NAME_HEADER)) != task_id:
        raise MCPError(
            types.HEADER_MISMATCH, f"{MCP_NAME_HEADER} header does not match the request body's 'taskId'"
        )


def _acknowledged(found: bool) -> types.EmptyResult:
    if not found:
        raise _unknown()
    return types.EmptyResult(result_type="complete")


def _unknown() -> MCPError:
    return MCPError(types.INVALID_PARAMS, "Failed to retrieve task: Task not found")
