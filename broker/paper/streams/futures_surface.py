"""The WebSocket APIs of futures: books and trades, other market streams, user data."""

from starlette.routing import WebSocketRoute

from ..futures import FuturesExchange
from .connections import Connections
from .feeds import Feeds
from .futures_streams import FuturesStreams
from .futures_user import FuturesUser
from .market_routes import MarketRoutes
from .pace import Pace


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
