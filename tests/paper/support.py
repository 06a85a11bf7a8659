"""What the tests of the paper exchange share."""

from datetime import UTC, datetime
from decimal import Decimal

from broker.paper.market.orders import OrderType, Side, TimeInForce
from broker.paper.spot.new_order import NewOrder, Response

from ..support import Clock as FrozenClock

BTC = "BTCUSDT"


class Clock(FrozenClock):
    """Starts in the middle of a candle and of a funding period."""

    def __init__(self) -> None:
        super().__init__(datetime(2026, 3, 4, 12, 30, 15, tzinfo=UTC))


def new_order(
    side: str = "BUY",
    kind: str = "LIMIT",
    quantity: str | None = "0.01",
    price: str | None = None,
    *,
    stop: str | None = None,
    quote: str | None = None,
    force: str = "GTC",
    client_id: str = "mine",
    symbol: str = BTC,
) -> NewOrder:
    return NewOrder(
        symbol=symbol,
        side=Side(side),
        type=OrderType(kind),
        time_in_force=TimeInForce(force),
        quantity=None if quantity is None else Decimal(quantity),
        quote_quantity=None if quote is None else Decimal(quote),
        price=None if price is None else Decimal(price),
        stop_price=None if stop is None else Decimal(stop),
        client_id=client_id,
        response=Response.FULL,
    )
