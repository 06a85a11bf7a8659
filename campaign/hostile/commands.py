"""Commands of an operator, beside the broker that serves."""

from __future__ import annotations

import asyncio
import re
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.acceptance.processes import ModuleProcess, environment
from ..stage import Stage

COMMAND_SECONDS: Final = 20
KEY: Final = re.compile(r"^\s+(\S{20,})$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Ran:
    """`code` is None when it had not ended in time."""

    code: int | None
    seconds: float
    text: str


async def run(folder: Path, *arguments: str, seconds: float = COMMAND_SECONDS) -> Ran:
    return await asyncio.to_thread(_run, folder, arguments, seconds)


def _run(folder: Path, arguments: tuple[str, ...], seconds: float) -> Ran:
    started = time.monotonic()
    env = environment(DATA_DIR=str(folder / "data"))
    with ModuleProcess("broker", *arguments, cwd=folder, env=env) as process:
        code = None
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            pass
        took = time.monotonic() - started
    return Ran(code=code, seconds=took, text="".join(process.output))


async def new_agent(stage: Stage, name: str) -> str:
    """The key of one more agent."""
    told = await run(stage.folder, "agents", "add", name)
    found = KEY.search(told.text)
    assert found is not None, told.text
    return found.group(1)
