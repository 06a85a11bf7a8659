"""The HTTP server: uvicorn with limits on request size, time and number of connections."""

from .connection import recognise
from .connections import Agent, Trader
from .limits import MAX_BODY, Limits
from .server import Server, listening

__all__ = ["MAX_BODY", "Agent", "Limits", "Server", "Trader", "listening", "recognise"]
