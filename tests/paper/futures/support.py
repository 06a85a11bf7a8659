"""What the tests of the futures exchange share."""

from decimal import Decimal

from broker.paper.futures import FuturesExchange
from broker.paper.futures.new_algo import NewAlgo
from broker.paper.futures.new_order import NewOrder, Response
from broker.paper.futures.orders import AlgoType, OrderType, TimeInForce, WorkingType
from broker.paper.futures.positions import Position
from broker.paper.market.orders import Side

BTC = "BTCUSDT"
ETH = "ETHUSDT"
HOUR_MS = 3_600_000


def new_order(
    side: str = "BUY",
    kind: str = "MARKET",
    quantity: str = "0.1",
    price: str = "0",
    *,
    reduce_only: bool = False,
    force: str = "GTC",
    client_id: str = "mine",
    symbol: str = BTC,
) -> NewOrder:
    return NewOrder(
        symbol=symbol,
        side=Side(side),
        type=OrderType(kind),
        time_in_force=TimeInForce(force),
        quantity=Decimal(quantity),
        price=Decimal(price),
        reduce_only=reduce_only,
        client_id=client_id,
        response=Response.RESULT,
    )


def new_algo(
    side: str = "SELL",
    kind: str = "STOP_MARKET",
    quantity: str = "0.1",
    trigger: str = "59000",
    price: str = "0",
    *,
    reduce_only: bool = False,
    close: bool = False,
    client_id: str = "waits",
) -> NewAlgo:
    return NewAlgo(
        symbol=BTC,
        side=Side(side),
        type=AlgoType(kind),
        time_in_force=TimeInForce.GTC,
        quantity=Decimal(0) if close else Decimal(quantity),
        price=Decimal(price),
        trigger_price=Decimal(trigger),
        working_type=WorkingType.CONTRACT_PRICE,
        reduce_only=reduce_only,
        close_position=close,
        price_protect=False,
        client_id=client_id,
    )


def position(exchange: FuturesExchange, symbol: str = BTC) -> Position:
    found = [exposure.position for exposure in exchange.summary().exposures]
    return next(held for held in found if held.symbol == symbol)


def balance(exchange: FuturesExchange) -> Decimal:
    return exchange.summary().wallet.balance
