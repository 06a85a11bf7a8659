"""The WebSocket APIs of the paper exchange: market streams and user data streams."""

from .rate_limit import Pace
from .streams import Streams

__all__ = ["Pace", "Streams"]
