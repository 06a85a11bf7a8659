"""An agent that calls tools with a minimal HTTP client."""

from __future__ import annotations

import json
from typing import Any

import aiohttp
import mcp_types as types

META = {
    types.PROTOCOL_VERSION_META_KEY: types.LATEST_PROTOCOL_VERSION,
    types.CLIENT_INFO_META_KEY: {"name": "bench", "version": "1"},
    types.CLIENT_CAPABILITIES_META_KEY: {},
}


class Agent:
    """It sends the same requests as the SDK's client with the current protocol version."""

    def __init__(self, http: aiohttp.ClientSession, url: str, key: str = "") -> None:
        self._http = http
        self._url = f"{url}/mcp"
        self._headers = {
            "Accept": "application/json, text/event-stream",
            "MCP-Protocol-Version": types.LATEST_PROTOCOL_VERSION,
            "MCP-Method": "tools/call",
            "X-MCP-API-Key": key,
        }

    async def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """Return the structured answer. Raises RuntimeError if the answer is an error."""
        message = {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "tools/call",
            "params": {"name": tool, "arguments": arguments, "_meta": META},
        }
        headers = {**self._headers, "MCP-Name": tool}
        async with self._http.post(self._url, json=message, headers=headers) as answer:
            body = await _message(answer)
        if "result" not in body or body["result"]["isError"]:
            raise RuntimeError(f"{tool}: {body}")
        structured: dict[str, Any] = body["result"]["structuredContent"]
        return structured


async def _message(answer: aiohttp.ClientResponse) -> dict[str, Any]:
    """Return the answer. A slow call is answered as an event stream, whose last event is the answer."""
    if answer.content_type != "text/event-stream":
        whole: dict[str, Any] = await answer.json()
        return whole
    lines = (await answer.text()).splitlines()
    last: dict[str, Any] = json.loads([line for line in lines if line.startswith("data:")][-1][5:])
    return last
