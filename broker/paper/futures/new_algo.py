"""The parameters of a new conditional order: which ones each type needs, and which it refuses."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from ..http.errors import Refusal, not_required
from ..http.params import Params
from ..market.orders import Side
from .orders import Algo, AlgoType, TimeInForce, WorkingType
from .reading import amount, check_position_side, client_id, needed, read_time_in_force

PARAMETERS = (
    "algoType",
    "symbol",
    "side",
    "positionSide",
    "type",
    "timeInForce",
    "quantity",
    "price",
    "triggerPrice",
    "workingType",
    "priceMatch",
    "closePosition",
    "priceProtect",
    "reduceOnly",
    "activatePrice",
    "callbackRate",
    "clientAlgoId",
    "newOrderRespType",
    "selfTradePreventionMode",
    "goodTillDate",
)


class _AlgoKind(StrEnum):
    CONDITIONAL = "CONDITIONAL"


@dataclass(frozen=True, slots=True)
class NewAlgo:
    """`quantity` is zero if it closes the position. `price` is zero for a market order."""

    symbol: str
    side: Side
    type: AlgoType
    time_in_force: TimeInForce
    quantity: Decimal
    price: Decimal
    trigger_price: Decimal
    working_type: WorkingType
    reduce_only: bool
    close_position: bool
    price_protect: bool
    client_id: str

    def algo(self, number: int, now: int) -> Algo:
        return Algo(
            id=number,
            symbol=self.symbol,
            client_id=self.client_id,
            side=self.side,
            type=self.type,
            time_in_force=self.time_in_force,
            quantity=self.quantity,
            price=self.price,
            trigger_price=self.trigger_price,
            working_type=self.working_type,
            reduce_only=self.reduce_only,
            close_position=self.close_position,
            price_protect=self.price_protect,
            created=now,
            updated=now,
        )


def read(params: Params, symbol: str, new_id: Callable[[], str]) -> NewAlgo:
    params.require(("algoType", "side", "type", "triggerPrice"))
    needed(params, "algoType", _AlgoKind, -1130, "Data sent for parameter 'algoType' is not valid.")
    kind = needed(params, "type", AlgoType, -1116, "Invalid orderType.")
    check_position_side(params)
    closes = params.flag("closePosition")
    _check_composition(params, kind, closes)
    working = Refusal(-4031, "Invalid parameter working type")
    return NewAlgo(
        symbol=symbol,
        side=needed(params, "side", Side, -1117, "Invalid side."),
        type=kind,
        time_in_force=read_time_in_force(params),
        quantity=amount(params, "quantity"),
        price=amount(params, "price"),
        trigger_price=amount(params, "triggerPrice"),
        working_type=params.choice("workingType", WorkingType, working) or WorkingType.CONTRACT_PRICE,
        reduce_only=params.flag("reduceOnly"),
        close_position=closes,
        price_protect=params.flag("priceProtect"),
        client_id=client_id(params, "clientAlgoId") or new_id(),
    )


def _check_composition(params: Params, kind: AlgoType, closes: bool) -> None:
    if closes and not kind.is_at_market:
        raise Refusal(-4020, f"Target strategy invalid for orderType '{kind}',closePosition 'true'.")
    if closes and "quantity" in params:
        raise Refusal(-4137, "Quantity must be zero with closePosition equals true")
    if closes and "reduceOnly" in params:
        raise not_required("reduceOnly")
    if not closes:
        params.require(("quantity",))
    if not kind.is_at_market:
        params.require(("price",))
    elif "price" in params:
        raise not_required("price")
