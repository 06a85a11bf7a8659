"""What a model reads of the tools: nothing left out, nothing it cannot use, no tool that is not there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from broker.api.mcp import INSTRUCTIONS
from broker.api.routes import described
from broker.tools import HIGH, TOOLS, HighTool
from broker.tools.high import NEVER_BY_ITSELF

NAMES = re.compile(r"\b(?:binance|intent)_[a-z_]+")

KEYWORDS = {
    *("type", "title", "description", "default", "enum", "const", "properties", "required", "items"),
    *("anyOf", "$ref", "$defs", "additionalProperties", "pattern", "minLength", "maxLength"),
    *("minimum", "maximum", "exclusiveMinimum", "minItems", "maxItems"),
}


def keywords(schema: Any) -> Iterator[str]:
    """Of JSON Schema, wherever they stand; names of arguments are none."""
    if not isinstance(schema, dict):
        return
    for keyword, value in schema.items():
        yield keyword
        below = value.values() if keyword in ("properties", "$defs") else [value]
        for part in below:
            for each in part if isinstance(part, list) else [part]:
                if keyword not in ("default", "enum", "const", "required"):
                    yield from keywords(each)


@pytest.mark.parametrize("name", TOOLS)
def test_each_argument_says_what_it_is(name: str) -> None:
    for argument, schema in described(TOOLS[name])["inputSchema"].get("properties", {}).items():
        told = str(schema)
        assert "'description': '" in told or "'description': \"" in told, argument


@pytest.mark.parametrize("name", TOOLS)
def test_a_schema_has_only_keywords_that_clients_know(name: str) -> None:
    """pydantic writes limits that it cannot place under names of its own."""
    told = described(TOOLS[name])
    for schema in (told["inputSchema"], told["outputSchema"]):
        assert set(keywords(schema)) <= KEYWORDS


def test_limits_of_arguments_are_in_their_schemas() -> None:
    leverage = described(TOOLS["binance_set_leverage"])["inputSchema"]["properties"]["leverage"]
    assert (leverage["minimum"], leverage["maximum"]) == (1, 125)
    candles = described(TOOLS["binance_get_klines"])["inputSchema"]["properties"]["limit"]
    assert (candles["minimum"], candles["maximum"], candles["default"]) == (1, 500, 100)
    [seconds, _] = described(TOOLS["binance_create_order"])["inputSchema"]["properties"]["ttlSeconds"][
        "anyOf"
    ]
    assert (seconds["minimum"], seconds["maximum"]) == (30, 86400)


@pytest.mark.parametrize("name", TOOLS)
def test_a_description_is_short_and_names_only_tools_that_exist(name: str) -> None:
    told = described(TOOLS[name])
    assert 40 < len(told["description"]) < 800
    assert told["description"].startswith(f"{told['riskLevel']} risk. ")
    assert set(NAMES.findall(str(told["inputSchema"]) + told["description"])) <= TOOLS.keys()


@pytest.mark.parametrize("name", HIGH)
def test_a_tool_that_asks_a_trader_never_seems_to_execute(name: str) -> None:
    """Those that pass straight through unless they are asked about say so too."""
    told = described(TOOLS[name])["description"]
    if isinstance(TOOLS[name], HighTool):
        assert told.endswith(NEVER_BY_ITSELF)
    else:
        assert "then the answer says status=pending and nothing was cancelled yet" in told


def test_a_key_is_to_be_reused() -> None:
    """ "Unique for every request" would make a model mint a new one for each retry."""
    for tool in TOOLS.values():
        if isinstance(tool, HighTool):
            told = str(described(tool)["inputSchema"]["properties"]["idempotencyKey"])
            assert "once per intended action and REUSE it" in told


def test_units_are_said_where_a_mistake_costs_money() -> None:
    order = described(TOOLS["binance_create_order"])["inputSchema"]["properties"]
    assert order["amount"]["description"].startswith("In the base asset, never in USDT.")
    assert "quote asset" in order["price"]["description"]
    assert order["market"]["description"].startswith("spot is the default")


def test_the_instructions_are_five_lines_and_name_only_tools_that_exist() -> None:
    lines = INSTRUCTIONS.splitlines()
    assert [line[:2] for line in lines] == ["1.", "2.", "3.", "4.", "5."]
    assert all(len(line) < 250 for line in lines)
    assert set(NAMES.findall(INSTRUCTIONS)) == {"intent_wait", "intent_get", "intent_list"}
