"""Every tool, declared once. MCP, HTTP, cards and the reference are drawn from here."""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import models_json_schema

from . import account, cancels, funding, intents, market, open_orders, positions, trade_history
from .intent_answer import Failure, IntentAnswer, text
from .declaration import Call, Context, Input, Output, Risk, Tool, validated
from .high import Assessment, Found, HighInput, HighTool, StandIn
from .intents import HIGH, OFFERED, STAND_INS, answer, told_again
from .market_reads import Looks
from ..orders.records import order_json
from ..orders.valuation import read_equity

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
    """Of its answer, of the other one of a tool that may be parked instead, and of a failed call: there are
    clients that hold a failure against the schema too, and show their agent only how it differs.
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
    "Context",
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
    "order_json",
    "output_schema",
    "read_equity",
    "text",
    "told_again",
    "validated",
]
