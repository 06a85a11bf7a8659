"""Every tool, declared once. MCP, HTTP, cards and the reference are drawn from here."""

from __future__ import annotations

from . import account, cancels, funding, intents, market, open_orders, positions, trade_history
from .answers import IntentAnswer, text
from .declaration import Call, Context, Input, Output, Risk, Tool, validated
from .high import Assessment, Found, HighInput, HighTool
from .intents import HIGH, answer
from .looks import Looks
from .placed import order_json
from .valuation import read_equity

AnyTool = Tool | HighTool

_ALL: tuple[AnyTool, ...] = (
    *market.TOOLS,
    *funding.TOOLS,
    *account.TOOLS,
    *open_orders.TOOLS,
    *trade_history.TOOLS,
    *positions.TOOLS,
    *cancels.TOOLS,
    *HIGH.values(),
    *intents.TOOLS,
)
TOOLS: dict[str, AnyTool] = {tool.name: tool for tool in _ALL}

__all__ = [
    "HIGH",
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
    "Tool",
    "answer",
    "order_json",
    "read_equity",
    "text",
    "validated",
]
