"""What agents touch: MCP, HTTP tools, health."""

from .auth import Agents
from .mcp import McpEndpoint
from .routes import ApiState, routes

__all__ = ["Agents", "ApiState", "McpEndpoint", "routes"]
