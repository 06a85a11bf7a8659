"""The parameters of POST /api/v3/order: which ones each order type needs, and which it refuses."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from ..http.errors import Refusal, mandatory, not_required, one_of, rejected
from ..http.params import CLIENT_ID, Params
from ..market.orders import OrderType, Side, TimeInForce


class Response(StrEnum):
    ACK = "ACK"
    RESULT = "RESULT"
    FULL = "FULL"


@dataclass(frozen=True, slots=True)
class NewOrder:
    symbol: str
    side: Side
    type: OrderType
    time_in_force: TimeInForce
    quantity: Decimal | None
    quote_quantity: Decimal | None
    price: Decimal | None
    stop_price: Decimal | None
    client_id: str
    response: Response


PARAMETERS = (
    "symbol",
    "side",
    "type",
    "timeInForce",
    "quantity",
    "quoteOrderQty",
    "price",
    "stopPrice",
    "newClientOrderId",
    "newOrderRespType",
    "icebergQty",
    "trailingDelta",
)
_NEEDED = {
    OrderType.LIMIT: {"timeInForce", "quantity", "price"},
    OrderType.LIMIT_MAKER: {"quantity", "price"},
    OrderType.MARKET: set[str](),
    OrderType.STOP_LOSS: {"quantity", "stopPrice"},
    OrderType.STOP_LOSS_LIMIT: {"timeInForce", "quantity", "price", "stopPrice"},
    OrderType.TAKE_PROFIT: {"quantity", "stopPrice"},
    OrderType.TAKE_PROFIT_LIMIT: {"timeInForce", "quantity", "price", "stopPrice"},
}
_DEPENDING = ("timeInForce", "quantity", "price", "stopPrice", "quoteOrderQty")
_ANSWERED_IN_FULL = {OrderType.LIMIT, OrderType.MARKET}


def read(params: Params, symbol: str, new_id: Callable[[], str]) -> NewOrder:
    """Parse a new order. `new_id` creates a client order id if none is sent. Raises Refusal."""
    params.require(("side", "type"))
    side = params.choice("side", Side, Refusal(-1117, "Invalid side."))
    kind = params.choice("type", OrderType, Refusal(-1116, "Invalid orderType."))
    if side is None or kind is None:
        raise mandatory("side")
    _check_composition(params, kind)
    default = Response.FULL if kind in _ANSWERED_IN_FULL else Response.ACK
    invalid_response = Refusal(-1130, "Data sent for parameter 'newOrderRespType' is not valid.")
    return NewOrder(
        symbol=symbol,
        side=side,
        type=kind,
        time_in_force=params.choice("timeInForce", TimeInForce, Refusal(-1115, "Invalid timeInForce."))
        or TimeInForce.GTC,
        quantity=params.amount("quantity"),
        quote_quantity=params.amount("quoteOrderQty"),
        price=params.amount("price"),
        stop_price=params.amount("stopPrice"),
        client_id=params.text("newClientOrderId", CLIENT_ID) or new_id(),
        response=params.choice("newOrderRespType", Response, invalid_response) or default,
    )


def _check_composition(params: Params, kind: OrderType) -> None:
    if "icebergQty" in params:
        raise rejected("Iceberg orders are not supported for this symbol.")
    if "trailingDelta" in params:
        raise rejected("Trailing stop orders are not supported for this symbol.")
    needed = _NEEDED[kind]
    params.require(name for name in _DEPENDING if name in needed)
    allowed = needed | ({"quantity", "quoteOrderQty"} if kind is OrderType.MARKET else set())
    for name in _DEPENDING:
        if name in params and name not in allowed:
            raise not_required(name)
    if kind is OrderType.MARKET:
        _check_market(params)


def _check_market(params: Params) -> None:
    if "quantity" not in params and "quoteOrderQty" not in params:
        raise one_of("quantity", "quoteOrderQty")
    if "quantity" in params and "quoteOrderQty" in params:
        raise Refusal(-1128, "Combination of optional parameters invalid.")
