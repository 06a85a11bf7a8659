"""The official conformance suite's scenarios of tasks, against the broker's layer of tasks."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any, Final

import pytest

from .environments import CONFORMANCE_ALPHA, node, require
from .tasks_server import tasks_server

pytestmark = pytest.mark.anyio

SCENARIOS: Final = (
    "tasks-lifecycle",
    "tasks-capability-negotiation",
    "tasks-wire-fields",
    "tasks-request-state-removal",
    "tasks-mrtr-input",
    "tasks-request-headers",
    "tasks-dispatch-and-envelope",
    "tasks-status-notifications",
    "tasks-required-task-error",
    "tasks-mrtr-composition",
)

SKIPPED: Final = {
    "tasks-status-notifications": "the suite waits for its own rewrite; polls are all that the broker offers",
}
"""Scenarios that skip their every check, and why."""


async def run(url: str, scenario: str, folder: Path) -> int:
    package = CONFORMANCE_ALPHA.ready() / "node_modules" / "@modelcontextprotocol" / "conformance"
    process = await asyncio.create_subprocess_exec(
        *(str(node()), str(package / "dist" / "index.js"), "server", "--url", url, "--scenario", scenario),
        *("--spec-version", "2026-07-28", "--force", "--output-dir", str(folder)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    told, _ = await asyncio.wait_for(process.communicate(), 60)
    print(told.decode())
    return process.returncode or 0


def checks_in(folder: Path) -> list[dict[str, Any]]:
    [written] = folder.rglob("checks.json")
    checks: list[dict[str, Any]] = json.loads(written.read_text())
    return checks


@pytest.mark.parametrize("scenario", SCENARIOS)
async def test_the_suite_finds_nothing_wrong(scenario: str, tmp_path: Path) -> None:
    require(CONFORMANCE_ALPHA)
    async with tasks_server() as url:
        code = await run(url, scenario, tmp_path)
    checks = checks_in(tmp_path)
    expected = {"SKIPPED"} if scenario in SKIPPED else {"SUCCESS"}
    assert (code, [check for check in checks if check["status"] not in expected]) == (0, [])
    assert checks
