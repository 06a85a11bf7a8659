"""The JSON of Binance's answers about spot orders and the account, with all fields (source: rest-api.md)."""

from collections.abc import Sequence
from typing import Any

from ..market.amounts import ZERO, text
from ..market.orders import Order, Side, Trade
from ..permissions import Permissions
from .account import Balance
from .matching import FEE
from .new_order import Response

Json = dict[str, Any]
STP = "EXPIRE_MAKER"
_UID = 1_000_001
_CREATED = 1_700_000_000_000


def placed(order: Order, trades: Sequence[Trade], response: Response) -> Json:
    answer: Json = {
        "symbol": order.symbol,
        "orderId": order.id,
        "orderListId": -1,
        "clientOrderId": order.client_id,
        "transactTime": order.created,
    }
    if response is Response.ACK:
        return answer
    answer |= {**_figures(order), "workingTime": order.working_since, "selfTradePreventionMode": STP}
    return answer | {"fills": [_fill(trade) for trade in trades]} if response is Response.FULL else answer


def queried(order: Order) -> Json:
    return {
        "symbol": order.symbol,
        "orderId": order.id,
        "orderListId": -1,
        "clientOrderId": order.client_id,
        **_figures(order),
        "stopPrice": text(order.stop_price),
        "icebergQty": text(ZERO),
        "time": order.created,
        "updateTime": order.updated,
        "isWorking": order.is_working,
        "workingTime": order.working_since,
        "selfTradePreventionMode": STP,
    }


def canceled(order: Order, cancel_id: str) -> Json:
    return {
        "symbol": order.symbol,
        "origClientOrderId": order.client_id,
        "orderId": order.id,
        "orderListId": -1,
        "clientOrderId": cancel_id,
        "transactTime": order.updated,
        **_figures(order),
        "selfTradePreventionMode": STP,
    }


def _figures(order: Order) -> Json:
    figures = {
        "price": text(order.price),
        "origQty": text(order.quantity),
        "executedQty": text(order.executed),
        "origQuoteOrderQty": text(order.quote_quantity),
        "cummulativeQuoteQty": text(order.quote_executed),
        "status": order.status.value,
        "timeInForce": order.time_in_force.value,
        "type": order.type.value,
        "side": order.side.value,
    }
    return figures | {"stopPrice": text(order.stop_price)} if order.is_stop else figures


def _fill(trade: Trade) -> Json:
    return {
        "price": text(trade.price),
        "qty": text(trade.quantity),
        "commission": text(trade.commission),
        "commissionAsset": trade.commission_asset,
        "tradeId": trade.id,
    }


def own_trade(trade: Trade) -> Json:
    return {
        "symbol": trade.symbol,
        "id": trade.id,
        "orderId": trade.order_id,
        "orderListId": -1,
        "price": text(trade.price),
        "qty": text(trade.quantity),
        "quoteQty": text(trade.cost),
        "commission": text(trade.commission),
        "commissionAsset": trade.commission_asset,
        "time": trade.time,
        "isBuyer": trade.side is Side.BUY,
        "isMaker": trade.is_maker,
        "isBestMatch": True,
    }


def account(balances: Sequence[Balance]) -> Json:
    basis_points = int(FEE * 10_000)
    return {
        "makerCommission": basis_points,
        "takerCommission": basis_points,
        "buyerCommission": 0,
        "sellerCommission": 0,
        "commissionRates": {
            "maker": text(FEE),
            "taker": text(FEE),
            "buyer": text(ZERO),
            "seller": text(ZERO),
        },
        "canTrade": True,
        "canWithdraw": False,
        "canDeposit": False,
        "brokered": False,
        "requireSelfTradePrevention": False,
        "preventSor": False,
        "updateTime": max((balance.updated for balance in balances), default=0),
        "accountType": "SPOT",
        "balances": [
            {"asset": balance.asset, "free": text(balance.free), "locked": text(balance.locked)}
            for balance in balances
        ],
        "permissions": ["SPOT"],
        "uid": _UID,
    }


def api_restrictions(permissions: Permissions) -> Json:
    return {
        "ipRestrict": False,
        "createTime": _CREATED,
        "enableReading": True,
        "enableWithdrawals": permissions.withdraw,
        "enableInternalTransfer": False,
        "enableMargin": False,
        "enableFutures": permissions.futures,
        "permitsUniversalTransfer": False,
        "enableVanillaOptions": False,
        "enableFixApiTrade": False,
        "enableFixReadOnly": False,
        "enableSpotAndMarginTrading": True,
        "enablePortfolioMarginTrading": False,
    }
