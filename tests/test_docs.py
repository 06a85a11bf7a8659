"""What the documents tell is what the broker understands: settings, and what an agent's developer writes."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from broker import reasons
from broker.cli import app
from broker.errors import MEANING, Code
from broker.reasons import Reason
from broker.settings import Settings
from broker.tools import TOOLS

from . import generate_docs

DOCS = Path(__file__).parent.parent / "docs"
AGENTS = (DOCS / "agents.md").read_text()
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


def rows(page: str, columns: int) -> list[list[str]]:
    lines = re.findall(r"^\| (.+) \|$", (DOCS / page).read_text().replace("| |", "|  |"), re.MULTILINE)
    return [cells for line in lines if len(cells := [cell.strip() for cell in line.split(" | ")]) == columns]


def test_the_settings_are_described_as_they_are() -> None:
    """Or else: `python -m tests.generate_docs`."""
    assert generate_docs.PAGE.read_text() == generate_docs.page(generate_docs.PAGE.read_text())
    assert generate_docs.EXAMPLE.read_text() == generate_docs.example()


def test_the_routes_are_listed_with_who_may_use_them() -> None:
    """Or else: `python -m tests.generate_docs`."""
    text = generate_docs.CONTRIBUTING.read_text()
    assert text == generate_docs.contributing(text)
    assert "| POST | `/intents/{id}/decision` | a trader |" in text


FILES = re.compile(r"`((?:broker|tests|templates|bench|campaign|static|docs)/[\w./-]*[\w/])`")


@pytest.mark.parametrize("page", ["architecture.md", "contributing.md"])
def test_every_file_that_a_document_names_exists(page: str) -> None:
    named = set(FILES.findall((DOCS / page).read_text()))
    assert len(named) > 10
    assert [name for name in sorted(named) if not (DOCS.parent / name).exists()] == []


def test_each_setting_has_a_row_with_its_default_bounds_and_meaning() -> None:
    told = {row[0]: row[1:] for row in rows("settings.md", 4) if row[0] != "name"}
    assert told.keys() == {name.upper() for name in Settings.model_fields}
    assert told["MAX_LEVERAGE"] == ["20", "1 to 125", "Largest leverage on futures."]
    assert told["MAX_ORDER_VALUE_USDT"][:2] == ["1000", "above 0, to 10^15"]
    assert told["PRICE_TOLERANCE_PCT"][:2] == ["0.5", "0 to below 100"]
    assert told["LIMIT_COLLAR_PCT"][:2] == ["5", "above 0, below 100"]
    assert told["EXIT_PRICE_TOLERANCE_PCT"][0] == "unset: any price"
    assert told["MCP_TASKS"][0] == "false"
    assert all(meaning for _, _, meaning in told.values())


def test_every_code_of_a_failed_call_is_told_with_its_status_and_meaning() -> None:
    told = rows("errors.md", 3)[1:]
    assert told == [[f"`{code}`", str(status), meaning] for code, (status, meaning) in MEANING.items()]


def test_every_reason_code_is_listed_with_its_meaning() -> None:
    assert rows("reasons.md", 2)[1:] == [[f"`{reason}`", reasons.MEANING[reason]] for reason in Reason]


def commands(of: Any, name: str = "broker") -> Iterator[tuple[str, list[str]]]:
    """Every command with its options."""
    yield name, [option for one in of.params for option in one.opts if option.startswith("--")]
    for sub in getattr(of, "commands", {}).values():
        yield from commands(sub, f"{name} {sub.name}")


def test_every_command_and_option_is_told() -> None:
    pages = [DOCS.parent / "README.md", *DOCS.glob("*.md")]
    lines = [line for page in pages for line in page.read_text().splitlines()]
    for name, options in commands(typer.main.get_command(app)):
        group, *sub = name.rsplit(" ", 1) if name.count(" ") == 2 else (name,)
        named = [line for line in lines if group in line]
        assert any(all(re.search(rf"\b{one}\b", line) for one in sub) for line in named), name
        for option in set(options) - {"--help"}:
            assert any(re.search(rf"{option}\b", line) for line in lines), f"{name} {option}"
