"""The WebSocket surfaces of the paper exchange: market streams and the accounts' news."""

from .pace import Pace
from .streams import Streams

__all__ = ["Pace", "Streams"]
