"""What docs/agents.md tells the agent's developer to write is what the broker understands."""

from __future__ import annotations

import json
import re
import textwrap
from pathlib import Path
from typing import Any

import pytest

from broker.errors import Code
from broker.settings import Settings
from broker.tools import TOOLS

AGENTS = (Path(__file__).parent.parent / "docs" / "agents.md").read_text()
BLOCKS = [textwrap.dedent(block) for block in re.findall(r"(?:^    .*\n)+", AGENTS, flags=re.MULTILINE)]
CONFIGS: list[dict[str, Any]] = [json.loads(block) for block in BLOCKS if block.startswith("{")]


def servers() -> list[dict[str, Any]]:
    return [(config.get("mcpServers") or config["servers"])["trading"] for config in CONFIGS]


def test_each_host_has_its_configuration() -> None:
    for host in ("Claude Desktop", "Claude Code", "Cursor", "VS Code"):
        assert f"## {host}\n" in AGENTS
    assert len(CONFIGS) == 4


@pytest.mark.parametrize("server", servers(), ids=str)
def test_a_configuration_reaches_the_broker_with_a_key_or_starts_the_bridge(server: dict[str, Any]) -> None:
    if "url" in server:
        assert server["url"] == f"{Settings(_env_file=None).local_url}/mcp"
        assert list(server["headers"]) == ["X-MCP-API-Key"]
    else:
        assert (Path(server["command"]).name, server["args"]) == ("broker", ["stdio"])


def test_every_tool_code_and_setting_that_it_names_exists() -> None:
    words = set(re.findall(r"`([A-Z]+(?:_[A-Z]+)+|intent_\w+)`", AGENTS))
    settings = {name.upper() for name in Settings.model_fields}
    assert {"ANSWER_LOST", "MCP_API_KEY", "intent_wait"} <= words
    assert words <= {*Code, *TOOLS, *settings}
