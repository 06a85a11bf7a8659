"""The WebSocket APIs of spot: market streams and user data."""

from starlette.routing import WebSocketRoute

from ..http.limits import Limits
from ..http.signing import Credentials
from ..streams.connections import Connections
from ..streams.feeds import Feeds
from ..streams.market_routes import MarketRoutes
from ..streams.rate_limit import Pace
from .exchange import Exchange
from .streams import SpotStreams
from .user_stream import SpotUser


class SpotSurface:
    def __init__(
        self,
        exchange: Exchange,
        credentials: Credentials,
        limits: Limits,
        connections: Connections,
        pace: Pace,
    ) -> None:
        self._connections = connections
        self._market = Feeds(SpotStreams(exchange, pace).stream, connections, lambda: exchange.now)
        self._user = SpotUser(exchange, credentials, limits, connections)

    @property
    def names(self) -> list[str]:
        """The names of the streams that have listeners."""
        return [*self._market.names, *self._user.names]

    def routes(self) -> list[WebSocketRoute]:
        return [*MarketRoutes(self._market, self._connections).routes(), *self._user.routes()]

    def close(self) -> None:
        self._market.close()
