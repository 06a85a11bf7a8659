"""All endpoints of the futures REST API."""

from ..http.endpoints import Endpoints
from ..http.limits import Limits
from ..permissions import Permissions
from .account_endpoints import AccountEndpoints
from .exchange import FuturesExchange
from .market_endpoints import MarketEndpoints
from .order_endpoints import OrderEndpoints


def futures_endpoints(exchange: FuturesExchange, limits: Limits, permissions: Permissions) -> Endpoints:
    return (
        MarketEndpoints(exchange, limits).endpoints()
        | AccountEndpoints(exchange, permissions).endpoints()
        | OrderEndpoints(exchange).endpoints()
    )
