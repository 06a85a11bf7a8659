"""The clients' end of the line, in Python: a command a line on standard input, its answer on standard output.

    {"do": "connect", "seconds": 3}                   with the client's own timer of each call
    {"do": "tools"}                                   the tools' names
    {"do": "call", "tool": "…", "arguments": {…}}     the structured answer
    {"do": "disconnect"}

It runs in the client's environment, where nothing of ours is installed.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any, Protocol

Target = dict[str, Any]
"""Where: `url` and `headers`, or `command`, `args` and `env`; and how: `era`."""


class Session(Protocol):
    async def tools(self) -> list[str]: ...

    async def call(self, tool: str, arguments: dict[str, Any]) -> Any: ...


Connect = Callable[[Target, float], AbstractAsyncContextManager[Session]]


def place(target: Target) -> dict[str, Any]:
    """Only where, as most clients are told it."""
    names = ("url", "headers") if "url" in target else ("command", "args", "env")
    return {name: target[name] for name in names}


def serve(connect: Connect) -> None:
    asyncio.run(_serve(connect, json.loads(sys.argv[-1])))


async def _serve(connect: Connect, target: Target) -> None:
    out, sys.stdout = sys.stdout, sys.stderr
    stack, session = AsyncExitStack(), None
    while line := await asyncio.to_thread(sys.stdin.readline):
        asked = json.loads(line)
        answer: Any = None
        try:
            match asked["do"]:
                case "connect":
                    session = await stack.enter_async_context(connect(target, asked["seconds"]))
                case "disconnect":
                    await stack.aclose()
                case "tools":
                    assert session is not None
                    answer = await session.tools()
                case "call":
                    assert session is not None
                    answer = await session.call(asked["tool"], asked["arguments"])
            told = {"answer": answer}
        except asyncio.CancelledError:  # the connection broke, and took along whatever runs in it
            told = {"error": await _broken(stack)}
            session = None
        except Exception as error:
            told = {"error": f"{type(error).__name__}: {_reasons(error)}"}
        out.write(json.dumps(told) + "\n")
        out.flush()
    await stack.aclose()


async def _broken(stack: AsyncExitStack) -> str:
    try:
        await stack.aclose()
    except Exception as error:
        return _reasons(error)
    return "the connection was closed"


def _reasons(error: BaseException) -> str:
    inner = getattr(error, "exceptions", None) or [error.__cause__]
    return "; ".join([str(error), *(_reasons(one) for one in inner if one is not None)])
