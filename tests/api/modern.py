"""Requests of MCP 2026-07-28 by hand: each says what its client can do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx2

from ..task_client import TASKS

VERSION = "2026-07-28"
CAN_TASKS: dict[str, Any] = {"extensions": {TASKS: {}}}
CAN_LINKS: dict[str, Any] = {"elicitation": {"form": {}, "url": {}}}
FORMS_ONLY: dict[str, Any] = {"elicitation": {}}


async def request(
    http: httpx2.AsyncClient,
    method: str,
    params: Mapping[str, Any],
    can: Mapping[str, Any],
    *,
    name: str | None = None,
    version: str = VERSION,
) -> dict[str, Any]:
    """The whole answer. `name` is the Mcp-Name header, where it should not be what the request names."""
    meta = {
        "io.modelcontextprotocol/protocolVersion": version,
        "io.modelcontextprotocol/clientCapabilities": dict(can),
    }
    named = params.get("name") or params.get("taskId")
    headers = {
        "MCP-Protocol-Version": version,
        "Mcp-Method": method,
        "Accept": "application/json, text/event-stream",
    }
    if name or named:
        headers["Mcp-Name"] = name or str(named)
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": meta}}
    answer = await http.post("/mcp", json=body, headers=headers)
    found: dict[str, Any] = answer.json()
    return found


async def call(
    http: httpx2.AsyncClient,
    tool: str,
    arguments: Mapping[str, Any],
    can: Mapping[str, Any],
    **more: Any,
) -> dict[str, Any]:
    """The result of a tool call."""
    answer = await request(http, "tools/call", {"name": tool, "arguments": dict(arguments), **more}, can)
    result: dict[str, Any] = answer["result"]
    return result


async def task(http: httpx2.AsyncClient, what: str, task_id: str, **more: Any) -> dict[str, Any]:
    return await request(http, f"tasks/{what}", {"taskId": task_id, **more}, CAN_TASKS)
