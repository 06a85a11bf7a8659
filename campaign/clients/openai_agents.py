"""openai-agents, without a model: its servers, which its agents call."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from agents.mcp import MCPServerStdio, MCPServerStreamableHttp

from .lines import Target, place, serve


class Session:
    def __init__(self, server: Any) -> None:
        self._server = server

    async def tools(self) -> list[str]:
        return [tool.name for tool in await self._server.list_tools()]

    async def call(self, tool: str, arguments: dict[str, Any]) -> Any:
        return (await self._server.call_tool(tool, arguments)).structured_content


@asynccontextmanager
async def connect(target: Target, seconds: float) -> AsyncIterator[Session]:
    kind = MCPServerStreamableHttp if "url" in target else MCPServerStdio
    async with kind(params=place(target), client_session_timeout_seconds=seconds) as server:
        yield Session(server)


if __name__ == "__main__":
    serve(connect)
