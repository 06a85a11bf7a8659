"""The tools that the conformance suite asks for, before the broker's own layer of tasks."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import mcp_types as types
from mcp import MCPError
from mcp.server import Server
from mcp.server.context import HandlerResult
from mcp.server.streamable_http_manager import StreamableHTTPASGIApp, StreamableHTTPSessionManager
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from broker.agents import Agent
from broker.api.mcp_calls import Context
from broker.api.mcp import sealed
from broker.api.tasks import Task, declares_tasks, require_declared, serve_tasks

from ..serving import serving

NOW: Final = "2026-03-04T12:00:00Z"
SOON_SECONDS: Final = 0.2

Answers = dict[str, Any]


@dataclass(kw_only=True)
class Job:
    work: asyncio.Task[types.CallToolResult] | None = None
    asked: types.InputRequests = field(default_factory=dict)
    answers: Answers = field(default_factory=dict)
    answered: asyncio.Event = field(default_factory=asyncio.Event)

    async def ask(self, *names: str) -> Answers:
        self.asked = {name: question(name) for name in names}
        await self.answered.wait()
        return self.answers

    def take(self, responses: Mapping[str, Any]) -> None:
        for name in self.asked.keys() & responses.keys():
            self.answers[name] = responses[name]
            del self.asked[name]
        if self.answers and not self.asked:
            self.answered.set()

    def told(self, task_id: str) -> Task:
        assert self.work is not None
        values: dict[str, Any] = {"status": "working"}
        if not self.work.done():
            if self.asked:
                values = {"status": "input_required", "input_requests": self.asked}
        elif self.work.cancelled():
            values = {"status": "cancelled"}
        elif isinstance(problem := self.work.exception(), MCPError):
            values = {"status": "failed", "error": problem.error}
        else:
            values = {"status": "completed", "result": self.work.result()}
        return Task(
            task_id=task_id,
            created_at=NOW,
            last_updated_at=NOW,
            ttl_ms=60_000,
            poll_interval_ms=100,
            **values,
        )


Work = Callable[[Job], Awaitable[types.CallToolResult]]


class Jobs:
    """Of one agent, in memory."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}

    def start(self, work: Work) -> HandlerResult:
        task_id, job = secrets.token_urlsafe(16), Job()

        async def run() -> types.CallToolResult:
            return await work(job)

        job.work = asyncio.create_task(run())
        self._jobs[task_id] = job
        return job.told(task_id).handle

    async def find(self, context: Context, task_id: str) -> Task | None:
        job = self._jobs.get(task_id)
        return None if job is None else job.told(task_id)

    async def cancel(self, context: Context, task_id: str) -> bool:
        job = self._jobs.get(task_id)
        if job is None or job.work is None:
            return False
        job.work.cancel()
        return True

    async def update(self, context: Context, task_id: str, responses: Mapping[str, Any]) -> bool:
        job = self._jobs.get(task_id)
        if job is None:
            return False
        job.take(responses)
        return True

    async def end(self) -> None:
        works = [job.work for job in self._jobs.values() if job.work is not None]
        for work in works:
            work.cancel()
        await asyncio.gather(*works, return_exceptions=True)


def question(name: str) -> types.ElicitRequest:
    schema: dict[str, Any] = {"type": "object", "properties": {name: {"type": "string"}}}
    return types.ElicitRequest(
        params=types.ElicitRequestFormParams(message=f"{name}?", requested_schema=schema)
    )


def said(text: str, *, is_error: bool = False) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(type="text", text=text)], is_error=is_error)


async def greet(arguments: Mapping[str, Any]) -> types.CallToolResult:
    return said(f"Hello, {arguments['name']}!")


async def slow_compute(arguments: Mapping[str, Any]) -> types.CallToolResult:
    await asyncio.sleep(arguments["seconds"])
    return said("computed")


async def failing_job(_: Mapping[str, Any]) -> types.CallToolResult:
    await asyncio.sleep(SOON_SECONDS)
    return said("it went wrong", is_error=True)


async def protocol_error_job(_: Mapping[str, Any]) -> types.CallToolResult:
    raise MCPError(types.INTERNAL_ERROR, "it broke")


ALONE: Final = {
    "slow_compute": slow_compute,
    "failing_job": failing_job,
    "protocol_error_job": protocol_error_job,
}
ASKING: Final = {"confirm_delete": ("confirm",), "multi_input": ("name", "confirm")}
TOOLS: Final = ("greet", *ALONE, *ASKING, "test_tool_with_task")
ONLY_AS_TASKS: Final = TOOLS[2:]


class Fixture:
    def __init__(self) -> None:
        self.jobs = Jobs()
        self.server: Server[Any] = Server("tasks-fixture", version="1", on_list_tools=self._list)
        self.server.add_request_handler("tools/call", types.CallToolRequestParams, self._call)
        self.server.middleware.append(sealed(bytes(32), "tasks-fixture"))
        serve_tasks(self.server, self.jobs)

    async def _list(self, _: Context, __: types.PaginatedRequestParams | None) -> types.ListToolsResult:
        schema: dict[str, Any] = {"type": "object"}
        return types.ListToolsResult(tools=[types.Tool(name=name, input_schema=schema) for name in TOOLS])

    async def _call(self, context: Context, params: types.CallToolRequestParams) -> HandlerResult:
        name, arguments = params.name, params.arguments or {}
        if name == "greet":
            return await greet(arguments)
        if name in ONLY_AS_TASKS:
            require_declared(context)
        if name == "test_tool_with_task":
            return self._first_asks(params)
        if name in ASKING:
            return self.jobs.start(_asking(*ASKING[name]))
        if not declares_tasks(context):
            return await ALONE[name](arguments)
        return self.jobs.start(lambda _: ALONE[name](arguments))

    def _first_asks(self, params: types.CallToolRequestParams) -> HandlerResult:
        answered = (params.input_responses or {}).get("user_name")
        if params.request_state is None or not isinstance(answered, types.ElicitResult):
            asked: types.InputRequests = {"user_name": question("name")}
            return types.InputRequiredResult(input_requests=asked, request_state="asked")
        told = json.dumps(answered.content)

        async def work(_: Job) -> types.CallToolResult:
            return said(told)

        return self.jobs.start(work)


def _asking(*names: str) -> Work:
    async def work(job: Job) -> types.CallToolResult:
        return said(json.dumps(await job.ask(*names)))

    return work


@asynccontextmanager
async def tasks_server() -> AsyncIterator[str]:
    """Its address."""
    fixture = Fixture()
    manager = StreamableHTTPSessionManager(fixture.server, stateless=True)
    app = Starlette(routes=[Route("/mcp", endpoint=_Known(StreamableHTTPASGIApp(manager)))])
    async with manager.run(), serving(app) as url:
        yield url
        await fixture.jobs.end()


class _Known:
    """The suite has no key: whoever calls is the one agent."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app({**scope, "agent": Agent(name="suite")}, receive, send)
