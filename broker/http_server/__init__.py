"""The HTTP server: what a client may send, how long it may take, and how many may be connected."""

from .connection import recognise
from .connections import Agent, Trader
from .limits import MAX_BODY, Limits
from .server import Server, listening

__all__ = ["MAX_BODY", "Agent", "Limits", "Server", "Trader", "listening", "recognise"]
