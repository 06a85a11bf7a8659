"""The WebSocket APIs of futures: books and trades, other market streams, user data."""

from starlette.routing import WebSocketRoute

from ..streams.connections import Connections
from ..streams.feeds import Feeds
from ..streams.market_routes import MarketRoutes
from ..streams.rate_limit import Pace
from . import FuturesExchange
from .streams import FuturesStreams
from .user_stream import FuturesUser


class FuturesSurface:
    def __init__(self, exchange: FuturesExchange, connections: Connections, pace: Pace) -> None:
        streams = FuturesStreams(exchange, pace)
        self._connections = connections
        self._public = Feeds(streams.public, connections, lambda: exchange.now)
        self._market = Feeds(streams.market, connections, lambda: exchange.now)
        self._user = FuturesUser(exchange, connections, pace)

    @property
    def names(self) -> list[str]:
        """The names of the streams that have listeners."""
        return [*self._public.names, *self._market.names, *self._user.names]

    def routes(self) -> list[WebSocketRoute]:
        return [
            *MarketRoutes(self._public, self._connections, "/public").routes(),
            *MarketRoutes(self._market, self._connections, "/market").routes(),
            *self._user.routes(),
        ]

    def close(self) -> None:
        self._public.close()
        self._market.close()
