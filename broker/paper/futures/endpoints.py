"""All of the futures REST surface."""

from broker.paper.endpoints import Endpoints
from broker.paper.futures.account_endpoints import AccountEndpoints
from broker.paper.futures.exchange import FuturesExchange
from broker.paper.futures.market_endpoints import MarketEndpoints
from broker.paper.futures.order_endpoints import OrderEndpoints
from broker.paper.limits import Limits
from broker.paper.permissions import Permissions


def futures_endpoints(exchange: FuturesExchange, limits: Limits, permissions: Permissions) -> Endpoints:
    return (
        MarketEndpoints(exchange, limits).endpoints()
        | AccountEndpoints(exchange, permissions).endpoints()
        | OrderEndpoints(exchange).endpoints()
    )
