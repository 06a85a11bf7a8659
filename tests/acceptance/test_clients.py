"""Other people's MCP clients, one story each: from request to outcome. `pytest -rP` shows how each fared.

Every client through every story, over both transports: `python -m tests.campaign clients`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from ..campaign.clients.driver import CLIENTS
from ..campaign.clients.matrix import HTTP, STDIO, Case, clients, story_table
from ..campaign.clients.stories import STORIES
from .environments import LANGCHAIN, MCP, NODE, OPENAI_AGENTS, require

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(600)]
"""Minutes only where the clients are not installed yet."""

ON_PYTHON = (MCP, LANGCHAIN, OPENAI_AGENTS)
SEED = 5

ONE_EACH = [
    Case(client=client, transport=(STDIO, HTTP)[number // 2 % 2], story=STORIES[number % len(STORIES)])
    for number, client in enumerate(CLIENTS)
]


def test_every_story_and_both_transports_are_among_them() -> None:
    assert {case.story.name for case in ONE_EACH} == {story.name for story in STORIES}
    assert {case.transport for case in ONE_EACH} == {STDIO, HTTP}


@pytest.mark.parametrize("on_python", [True, False], ids=["Python", "Node"])
async def test_each_client_gets_one_order_and_its_outcome(tmp_path: Path, on_python: bool) -> None:
    cases = [case for case in ONE_EACH if (case.client.environment in ON_PYTHON) is on_python]
    require(*(() if on_python else (NODE,)), *(case.client.environment for case in cases))
    outcome = await clients(tmp_path, cases, seed=SEED)
    print(story_table(outcome))
    assert outcome.good, f"{story_table(outcome)}\n{outcome.figures.violations}"
