"""The JSON of Binance's answers about futures orders, with all documented fields."""

from typing import Any

from ..market.amounts import ZERO, text
from ..market.orders import Side
from .income import Income
from .ledger import MARGIN_ASSET
from .orders import Algo, Order, Trade

Json = dict[str, Any]
_STP = "EXPIRE_MAKER"


def placed(order: Order) -> Json:
    """The answer for a new or a cancelled order."""
    return {
        "clientOrderId": order.client_id,
        "cumQty": text(order.executed),
        "cumQuote": text(order.quote_executed),
        "executedQty": text(order.executed),
        "orderId": order.id,
        "avgPrice": text(order.average),
        "origQty": text(order.quantity),
        "price": text(order.price),
        "reduceOnly": order.reduce_only,
        "side": order.side.value,
        "positionSide": "BOTH",
        "status": order.status.value,
        "stopPrice": text(ZERO),
        "closePosition": order.close_position,
        "symbol": order.symbol,
        "timeInForce": order.time_in_force.value,
        "type": order.type.value,
        "origType": order.type.value,
        "updateTime": order.updated,
        "workingType": "CONTRACT_PRICE",
        "priceProtect": False,
        "priceMatch": "NONE",
        "selfTradePreventionMode": _STP,
        "goodTillDate": 0,
    }


def acknowledged(order: Order) -> Json:
    """The ACK answer: the order before it was matched."""
    return placed(order) | {
        "cumQty": text(ZERO),
        "cumQuote": text(ZERO),
        "executedQty": text(ZERO),
        "avgPrice": text(ZERO),
        "status": "NEW",
        "updateTime": order.created,
    }


def queried(order: Order) -> Json:
    answer = placed(order) | {"time": order.created}
    del answer["cumQty"]
    return answer


def algo(order: Algo) -> Json:
    return {
        "algoId": order.id,
        "clientAlgoId": order.client_id,
        "algoType": "CONDITIONAL",
        "orderType": order.type.value,
        "symbol": order.symbol,
        "side": order.side.value,
        "positionSide": "BOTH",
        "timeInForce": order.time_in_force.value,
        "quantity": text(order.quantity),
        "algoStatus": order.status.value,
        "triggerPrice": text(order.trigger_price),
        "price": text(order.price),
        "icebergQuantity": None,
        "selfTradePreventionMode": _STP,
        "workingType": order.working_type.value,
        "priceMatch": "NONE",
        "closePosition": order.close_position,
        "priceProtect": order.price_protect,
        "reduceOnly": order.reduce_only,
        "createTime": order.created,
        "updateTime": order.updated,
        "triggerTime": order.triggered,
        "goodTillDate": 0,
    }


def placed_algo(order: Algo) -> Json:
    return algo(order) | {"activatePrice": "", "callbackRate": ""}


def queried_algo(order: Algo, placed_order: Order | None) -> Json:
    """`placed_order` is the order that it placed when it was triggered."""
    return algo(order) | {
        "actualOrderId": str(order.order_id) if order.order_id else "",
        "actualPrice": text(placed_order.average if placed_order else ZERO),
        "tpTriggerPrice": text(ZERO),
        "tpPrice": text(ZERO),
        "slTriggerPrice": text(ZERO),
        "slPrice": text(ZERO),
        "tpOrderType": "",
    }


def canceled_algo(order: Algo) -> Json:
    return {"algoId": order.id, "clientAlgoId": order.client_id, "code": "200", "msg": "success"}


def own_trade(trade: Trade) -> Json:
    return {
        "symbol": trade.symbol,
        "id": trade.id,
        "orderId": trade.order_id,
        "side": trade.side.value,
        "price": text(trade.price),
        "qty": text(trade.quantity),
        "realizedPnl": text(trade.realized),
        "quoteQty": text(trade.cost),
        "commission": text(trade.commission),
        "commissionAsset": MARGIN_ASSET,
        "time": trade.time,
        "positionSide": "BOTH",
        "maker": trade.is_maker,
        "buyer": trade.side is Side.BUY,
    }


def income(entry: Income) -> Json:
    return {
        "symbol": entry.symbol,
        "incomeType": entry.type.value,
        "income": text(entry.amount),
        "asset": MARGIN_ASSET,
        "info": entry.type.value,
        "time": entry.time,
        "tranId": entry.id,
        "tradeId": str(entry.trade_id) if entry.trade_id else "",
    }
