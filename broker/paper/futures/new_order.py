"""The parameters of a new order: which ones each type needs, and which it refuses."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from ..http.errors import Refusal, not_required
from ..http.params import Params
from ..market.orders import Side
from .errors import algo_only
from .orders import AlgoType, Order, OrderType, TimeInForce
from .reading import amount, check_position_side, client_id, needed, read_time_in_force

PARAMETERS = (
    "symbol",
    "side",
    "positionSide",
    "type",
    "timeInForce",
    "quantity",
    "reduceOnly",
    "price",
    "newClientOrderId",
    "newOrderRespType",
    "priceMatch",
    "selfTradePreventionMode",
    "goodTillDate",
    "stopPrice",
    "closePosition",
    "activationPrice",
    "callbackRate",
    "workingType",
    "priceProtect",
)
_CONDITIONAL = frozenset({*AlgoType, "TRAILING_STOP_MARKET"})


class Response(StrEnum):
    ACK = "ACK"
    RESULT = "RESULT"


@dataclass(frozen=True, slots=True)
class NewOrder:
    symbol: str
    side: Side
    type: OrderType
    time_in_force: TimeInForce
    quantity: Decimal
    price: Decimal
    """Zero for a market order."""
    reduce_only: bool
    client_id: str
    response: Response = Response.ACK

    def order(self, now: int) -> Order:
        """Return the order. It gets its id later."""
        return Order(
            id=0,
            symbol=self.symbol,
            client_id=self.client_id,
            side=self.side,
            type=self.type,
            time_in_force=self.time_in_force,
            quantity=self.quantity,
            price=self.price,
            reduce_only=self.reduce_only,
            close_position=False,
            created=now,
            updated=now,
        )


def read(params: Params, symbol: str, new_id: Callable[[], str]) -> NewOrder:
    """Parse a new order. `new_id` creates a client order id if none is sent. Raises Refusal."""
    params.require(("side", "type"))
    if params.values["type"] in _CONDITIONAL:
        raise algo_only()
    kind = needed(params, "type", OrderType, -1116, "Invalid orderType.")
    params.require(("quantity",))
    check_position_side(params)
    if params.flag("closePosition"):
        raise algo_only()
    if kind is OrderType.LIMIT:
        params.require(("timeInForce", "price"))
    for name in ("timeInForce", "price"):
        if kind is OrderType.MARKET and name in params:
            raise not_required(name)
    return NewOrder(
        symbol=symbol,
        side=needed(params, "side", Side, -1117, "Invalid side."),
        type=kind,
        time_in_force=read_time_in_force(params),
        quantity=amount(params, "quantity"),
        price=amount(params, "price"),
        reduce_only=params.flag("reduceOnly"),
        client_id=client_id(params, "newClientOrderId") or new_id(),
        response=params.choice("newOrderRespType", Response, Refusal(-1136, "Invalid newOrderRespType."))
        or Response.ACK,
    )
