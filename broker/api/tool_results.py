"""MCP results of tool calls: a sentence for the model, and the JSON."""

from __future__ import annotations

import json
from typing import Any

import mcp_types as types

from ..errors import BrokerError
from ..tools import IntentAnswer, Output, text


def succeeded(answer: Output) -> types.CallToolResult:
    body = answer.model_dump(mode="json", exclude_defaults=True)
    return _result(body, text(answer) if isinstance(answer, IntentAnswer) else None)


def failed(error: BrokerError) -> types.CallToolResult:
    return _result(error.body(), error.message, is_error=True)


def _result(body: dict[str, Any], sentence: str | None, *, is_error: bool = False) -> types.CallToolResult:
    content: list[types.ContentBlock] = [types.TextContent(type="text", text=json.dumps(body))]
    if sentence is not None:
        content.insert(0, types.TextContent(type="text", text=sentence))
    return types.CallToolResult(content=content, structured_content=body, is_error=is_error)
