"""The Python SDK's own client, in either era."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from mcp import Client, StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client

from .lines import Target, place, serve


class Session:
    def __init__(self, client: Client, seconds: float) -> None:
        self._client = client
        self._seconds = seconds

    async def tools(self) -> list[str]:
        return [tool.name for tool in (await self._client.list_tools()).tools]

    async def call(self, tool: str, arguments: dict[str, Any]) -> Any:
        result = await self._client.call_tool(tool, arguments, read_timeout_seconds=self._seconds)
        return result.structured_content


@asynccontextmanager
async def connect(target: Target, seconds: float) -> AsyncIterator[Session]:
    async with AsyncExitStack() as stack:
        if "url" in target:
            http = await stack.enter_async_context(create_mcp_http_client(headers=target["headers"]))
            transport = streamable_http_client(target["url"], http_client=http)
        else:
            transport = stdio_client(StdioServerParameters(**place(target)))
        yield Session(await stack.enter_async_context(Client(transport, mode=target["era"])), seconds)


if __name__ == "__main__":
    serve(connect)
