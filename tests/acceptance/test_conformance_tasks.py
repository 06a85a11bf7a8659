"""The official conformance suite's scenarios of tasks, against the broker's layer of tasks."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

import pytest

from .conformance import MODERN, run
from .environments import CONFORMANCE_ALPHA, require
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


@pytest.mark.parametrize("scenario", SCENARIOS)
async def test_the_suite_finds_nothing_wrong(scenario: str, tmp_path: Path) -> None:
    require(CONFORMANCE_ALPHA)
    async with tasks_server() as url:
        report = await asyncio.to_thread(run, scenario, url, MODERN, key="", folder=tmp_path, force=True)
    expected = {"SKIPPED"} if scenario in SKIPPED else {"SUCCESS"}
    assert (report.exit_code, set(report.checks[scenario])) == (0, expected), report.text
