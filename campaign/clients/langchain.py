"""langchain-mcp-adapters as its users write it: tools are loaded once, each call has a session of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from langchain_mcp_adapters.client import MultiServerMCPClient

from .lines import Target, place, serve


class Session:
    def __init__(self, tools: Mapping[str, Any]) -> None:
        self._tools = tools

    async def tools(self) -> list[str]:
        return list(self._tools)

    async def call(self, tool: str, arguments: dict[str, Any]) -> Any:
        call = {"type": "tool_call", "id": "1", "name": tool, "args": arguments}
        message = await self._tools[tool].ainvoke(call)
        if message.artifact is None:
            raise RuntimeError(message.content)
        return message.artifact["structured_content"]


@asynccontextmanager
async def connect(target: Target, seconds: float) -> AsyncIterator[Session]:
    server = {
        **place(target),
        "transport": "streamable_http" if "url" in target else "stdio",
        "session_kwargs": {"read_timeout_seconds": timedelta(seconds=seconds)},
    }
    client = MultiServerMCPClient({"trading": server})
    yield Session({tool.name: tool for tool in await client.get_tools()})


if __name__ == "__main__":
    serve(connect)
