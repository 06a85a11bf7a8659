"""The clients, and the hand that drives one of them."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.acceptance.environments import INSPECTOR, LANGCHAIN, MCP, OPENAI_AGENTS, TYPESCRIPT_1, TYPESCRIPT_2, Environment, node, python
from tests.acceptance.processes import environment

HERE: Final = Path(__file__).parent
LOG: Final = "clients.log"
"""What they say on standard error."""

MAX_ANSWER: Final = 4 * 1024 * 1024


class CallFailed(Exception):
    """What the client says of a call that was not answered."""

    @property
    def timed_out(self) -> bool:
        return "timed out" in str(self).lower()


@dataclass(frozen=True, kw_only=True)
class Client:
    """`driver`: a module or a script of this folder. `era` as the client names it."""

    name: str
    environment: Environment
    driver: str
    era: str

    def command(self) -> tuple[str, ...]:
        """Installs it first where it has to be. Raises Unavailable."""
        folder = str(self.environment.ready())
        if self.driver.endswith(".mjs"):
            return (str(node()), str(HERE / self.driver), folder)
        module = f"{__package__}.{self.driver}"
        if self.environment is INSPECTOR:  # whose driver only starts its processes
            return (sys.executable, "-m", module, str(node()), folder)
        return (str(python(self.environment.ready())), "-m", module)


CLIENTS: Final = (
    Client(name="Python, 2025", environment=MCP, driver="python_sdk", era="legacy"),
    Client(name="Python, 2026", environment=MCP, driver="python_sdk", era="auto"),
    Client(name="TypeScript 1", environment=TYPESCRIPT_1, driver="typescript_1.mjs", era="legacy"),
    Client(name="TypeScript 2, 2025", environment=TYPESCRIPT_2, driver="typescript_2.mjs", era="legacy"),
    Client(name="TypeScript 2, 2026", environment=TYPESCRIPT_2, driver="typescript_2.mjs", era="auto"),
    Client(name="Inspector, 2025", environment=INSPECTOR, driver="inspector", era="legacy"),
    Client(name="Inspector, 2026", environment=INSPECTOR, driver="inspector", era="modern"),
    Client(name="langchain-mcp-adapters", environment=LANGCHAIN, driver="langchain", era="legacy"),
    Client(name="openai-agents", environment=OPENAI_AGENTS, driver="openai_agents", era="auto"),
)


class Driver:
    """One process of a client. `target` is where and how it connects."""

    def __init__(self, client: Client, target: Mapping[str, Any], folder: Path) -> None:
        self._client = client
        self._target = {"era": client.era, **target}
        self._folder = folder
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        command = await asyncio.to_thread(self._client.command)
        with (self._folder / LOG).open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(*command, json.dumps(self._target)),
                cwd=self._folder,
                env=environment(HOME=str(self._folder), OPENAI_AGENTS_DISABLE_TRACING="1"),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                limit=MAX_ANSWER,
                start_new_session=True,
            )

    async def connect(self, seconds: float) -> None:
        """`seconds` is the client's own timer of each call."""
        if self._process is None:
            await self.start()
        await self._tell(do="connect", seconds=seconds)

    async def tools(self) -> list[str]:
        names: list[str] = await self._tell(do="tools")
        return names

    async def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """The structured answer. Raises CallFailed."""
        answer: dict[str, Any] = await self._tell(do="call", tool=tool, arguments=arguments)
        return answer

    async def disconnect(self) -> None:
        await self._tell(do="disconnect")

    async def kill(self) -> None:
        """With whatever it started: no good-bye reaches the broker."""
        process, self._process = self._process, None
        if process is not None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()

    async def _tell(self, **command: Any) -> Any:
        process = self._process
        assert process is not None and process.stdin is not None and process.stdout is not None
        process.stdin.write(json.dumps(command).encode() + b"\n")
        await process.stdin.drain()
        line = await process.stdout.readline()
        if not line:
            raise CallFailed("the client ended")
        told = json.loads(line)
        if "error" in told:
            raise CallFailed(told["error"])
        return told["answer"]


def over_http(url: str, key: str) -> dict[str, Any]:
    return {"url": f"{url}/mcp", "headers": {"X-MCP-API-Key": key}}


def over_stdio(port: int, folder: Path) -> dict[str, Any]:
    """`folder`: the broker's data folder, where the key lies."""
    env = environment(PORT=str(port), DATA_DIR=str(folder))
    return {"command": sys.executable, "args": ["-m", "broker", "stdio"], "env": env}
