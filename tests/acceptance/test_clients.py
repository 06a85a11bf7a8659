"""Other people's MCP clients, one story each: from request to outcome. `pytest -rP` shows how each fared.

Every client through every story, over both transports: `python -m tests.campaign clients`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from campaign.clients.driver import CLIENTS
from campaign.clients.matrix import EVERY, HTTP, STDIO, clients, story_table
from campaign.clients.stories import STORIES
from .environments import LANGCHAIN, MCP, NODE, OPENAI_AGENTS, require

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(600)]
"""Minutes only where the clients are not installed yet."""

ON_PYTHON = (MCP, LANGCHAIN, OPENAI_AGENTS)
SEED = 5

ONE_EACH = {
    "Python, 2025, stdio: disconnect",
    "Python, 2026, HTTP: restart",
    "TypeScript 1, HTTP: wait",
    "TypeScript 2, 2025, HTTP: time out",
    "TypeScript 2, 2026, stdio: restart",
    "Inspector, 2025, stdio: wait",
    "Inspector, 2026, HTTP: disconnect",
    "langchain-mcp-adapters, stdio: time out",
    "openai-agents, HTTP: wait",
}
CASES = [case for case in EVERY if case.name in ONE_EACH]


def test_every_client_story_and_transport_is_among_them() -> None:
    assert [case.client for case in CASES] == list(CLIENTS)
    assert {case.story for case in CASES} == set(STORIES)
    assert {case.transport for case in CASES} == {STDIO, HTTP}


@pytest.mark.parametrize("on_python", [True, False], ids=["Python", "Node"])
async def test_each_client_gets_one_order_and_its_outcome(tmp_path: Path, on_python: bool) -> None:
    cases = [case for case in CASES if (case.client.environment in ON_PYTHON) is on_python]
    require(*(() if on_python else (NODE,)), *(case.client.environment for case in cases))
    outcome = await clients(tmp_path, cases, seed=SEED)
    print(story_table(outcome))
    assert outcome.good, f"{story_table(outcome)}\n{outcome.figures.violations}"
