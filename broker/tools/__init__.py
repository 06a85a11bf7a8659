"""All tools, each declared once. MCP, HTTP, cards and the tool reference use these declarations."""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import models_json_schema

from ..orders.records import order_record
from ..orders.valuation import read_equity
from . import account, cancels, funding, intents, market, open_orders, positions, trade_history
from .declaration import Call, Input, Output, Risk, Tool, validated
from .high import Assessment, Found, HighInput, HighTool, StandIn
from .intent_answer import Failure, IntentAnswer, text
from .market_reads import Looks
from .registry import HIGH, OFFERED, STAND_INS, answer, told_again

AnyTool = Tool | HighTool

_ALL: tuple[AnyTool, ...] = (
    *market.TOOLS,
    *funding.TOOLS,
    *account.TOOLS,
    *open_orders.TOOLS,
    *trade_history.TOOLS,
    *positions.TOOLS,
    *cancels.TOOLS,
    *OFFERED,
    *intents.TOOLS,
)
TOOLS: dict[str, AnyTool] = {tool.name: tool for tool in _ALL}


def output_schema(tool: AnyTool) -> dict[str, Any]:
    """The JSON schema of everything that a call can return.

    The tool's answer, the answer of its stand-in if the call may be parked instead, and a failure. Some MCP
    clients also validate a failure against the schema, and show the model only the validation error.
    """
    parked = STAND_INS.get(tool.name)
    models = (tool.output, *((parked.output,) if parked else ()), Failure)
    refs, shared = models_json_schema([(model, "serialization") for model in models])
    return {"type": "object", "anyOf": list(refs.values()), **shared}


__all__ = [
    "HIGH",
    "STAND_INS",
    "TOOLS",
    "AnyTool",
    "Assessment",
    "Call",
    "Found",
    "HighInput",
    "HighTool",
    "Input",
    "IntentAnswer",
    "Looks",
    "Output",
    "Risk",
    "StandIn",
    "Tool",
    "answer",
    "order_record",
    "output_schema",
    "read_equity",
    "text",
    "told_again",
    "validated",
]
