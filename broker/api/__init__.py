"""The interfaces for agents: MCP, HTTP tools, health check."""

from .auth import Agents
from .mcp import McpEndpoint
from .routes import ApiState, routes

__all__ = ["Agents", "ApiState", "McpEndpoint", "routes"]
