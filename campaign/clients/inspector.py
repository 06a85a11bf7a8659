"""The MCP Inspector's command line: each call is a process that connects, asks, and ends.

It has no timer that could be set; whoever runs it gives it its time, as here.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from .lines import Target, place, serve

BUILT: Final = "node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js"
CONFIG: Final = "inspector.json"
NAME: Final = "trading"
UNPORTABLE: Final = 6
"""Its exit code for a schema that some clients do not understand."""

START_SECONDS: Final = 3.0
"""What Node and the connection take at most, before the call."""


class Session:
    def __init__(self, seconds: float) -> None:
        node, environment = sys.argv[1:3]
        self._seconds = START_SECONDS + seconds
        self._command = (node, f"{environment}/{BUILT}", "--cli", "--config", CONFIG)

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
        try:
            said, problem = await asyncio.wait_for(process.communicate(), self._seconds)
        except TimeoutError:
            process.kill()
            await process.wait()
            raise TimeoutError(f"timed out after {self._seconds} s") from None
        if not said or process.returncode == UNPORTABLE:
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
    }
    await asyncio.to_thread(_write, {"mcpServers": {NAME: server}})
    yield Session(seconds)


if __name__ == "__main__":
    serve(connect)
