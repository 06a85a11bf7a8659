"""What agents touch: MCP, HTTP tools, health."""

from .mcp import McpEndpoint
from .routes import ApiState, routes

__all__ = ["ApiState", "McpEndpoint", "routes"]
