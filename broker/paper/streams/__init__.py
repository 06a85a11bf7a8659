"""The WebSocket APIs of the paper exchange: market streams and user data streams."""

from .pace import Pace
from .streams import Streams

__all__ = ["Pace", "Streams"]
