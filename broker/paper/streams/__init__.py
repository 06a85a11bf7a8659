"""The WebSocket surfaces of the paper exchange: market streams and the accounts' news."""

from broker.paper.streams.pace import Pace
from broker.paper.streams.streams import Streams

__all__ = ["Pace", "Streams"]
