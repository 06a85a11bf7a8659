"""The MCP Inspector's command line: each call is a process that connects, asks, and ends."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from .lines import Target, place, serve

BUILT: Final = "node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js"
CONFIG: Final = "inspector.json"
NAME: Final = "trading"


class Session:
    def __init__(self, target: Target) -> None:
        self._command = (target["node"], f"{target['environment']}/{BUILT}", "--cli", "--config", CONFIG)

    async def tools(self) -> list[str]:
        """`--strict`: also whether each schema is one that every client understands."""
        return [tool["name"] for tool in (await self._run("tools/list", "--strict"))["tools"]]

    async def call(self, tool: str, arguments: dict[str, Any]) -> Any:
        given = ("--tool-name", tool, "--tool-args-json", json.dumps(arguments))
        return (await self._run("tools/call", *given))["structuredContent"]

    async def _run(self, method: str, *more: str) -> Any:
        process = await asyncio.create_subprocess_exec(
            *(*self._command, "--server", NAME, "--method", method, "--format", "json", "--quiet", *more),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        said, problem = await process.communicate()
        if not said:
            raise RuntimeError(problem.decode() or f"exit code {process.returncode}")
        return json.loads(said)["result"]


def _write(config: Any) -> None:
    Path(CONFIG).write_text(json.dumps(config))


@asynccontextmanager
async def connect(target: Target, seconds: float) -> AsyncIterator[Session]:
    server = {
        **place(target),
        "type": "streamable-http" if "url" in target else "stdio",
        "protocolEra": target["era"],
        "requestTimeout": int(seconds * 1000),
    }
    await asyncio.to_thread(_write, {"mcpServers": {NAME: server}})
    yield Session(target)


if __name__ == "__main__":
    serve(connect)
