"""`python -m bench.bare FOLDER`: the server of the floors. It has the same libraries, and does no work."""

from __future__ import annotations

import asyncio
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import mcp_types as types
from mcp.server import Server, ServerRequestContext
from mcp.server.streamable_http_manager import StreamableHTTPASGIApp, StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from .commit import Commits
from .serving import new_event_loop, serve

PAGE = """<!doctype html>
<title>Bare</title>
<div id="pending"></div>
<script>
const pending = document.getElementById("pending");
new EventSource("/events").onmessage = (event) => pending.insertAdjacentHTML("beforeend", event.data);
</script>
"""

Context = ServerRequestContext[Any, Any]


def no_op_tool() -> StreamableHTTPSessionManager:
    """Return an MCP server with one no-op tool and the broker's transport settings."""

    async def call(_: Context, __: types.CallToolRequestParams) -> types.CallToolResult:
        return types.CallToolResult(
            content=[types.TextContent(type="text", text="{}")], structured_content={}
        )

    return StreamableHTTPSessionManager(
        Server("bare", on_call_tool=call),
        stateless=True,
        security_settings=TransportSecuritySettings(enable_dns_rebinding_protection=False),
    )


class Board:
    """Commits rows, and sends each to the followers of an event stream."""

    def __init__(self, commits: Commits) -> None:
        self._commits = commits
        self._followers: set[asyncio.Queue[str]] = set()

    async def post(self, request: Request) -> Response:
        """Answer with the time at which the row was created, in seconds since the epoch."""
        html = (await request.body()).decode()
        made_at = time.time()
        self._commits.one()
        for follower in self._followers:
            follower.put_nowait(html)
        return JSONResponse(made_at)

    async def events(self, _: Request) -> Response:
        return StreamingResponse(self._follow(), media_type="text/event-stream")

    async def _follow(self) -> AsyncIterator[str]:
        queue: asyncio.Queue[str] = asyncio.Queue()
        self._followers.add(queue)
        while True:
            html = await queue.get()
            yield "".join(f"data: {line}\n" for line in html.splitlines()) + "\n"


class Room:
    """Lets clients wait for a name until another client wakes it."""

    def __init__(self) -> None:
        self._called: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)

    async def wait(self, request: Request) -> Response:
        await self._called[request.path_params["name"]].wait()
        return JSONResponse({})

    async def wake(self, request: Request) -> Response:
        self._called[request.path_params["name"]].set()
        return JSONResponse({})


async def page(_: Request) -> Response:
    return HTMLResponse(PAGE)


async def form(request: Request) -> Response:
    async with request.form():
        return RedirectResponse("/", 303)


async def run(folder: Path) -> None:
    tool, board, room = no_op_tool(), Board(Commits(folder / "board.db")), Room()
    app = Starlette(
        routes=[
            Route("/mcp", StreamableHTTPASGIApp(tool)),
            Route("/", page),
            Route("/form", form, methods=["POST"]),
            Route("/board", board.post, methods=["POST"]),
            Route("/events", board.events),
            Route("/wait/{name}", room.wait),
            Route("/wake/{name}", room.wake, methods=["POST"]),
        ]
    )
    async with tool.run():
        await serve(app)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(run(Path(sys.argv[1])))
