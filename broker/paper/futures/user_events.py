"""The JSON of futures account events, with all fields (source: Binance's "User Data Streams")."""

from decimal import Decimal

from ..market.amounts import ZERO, truncated
from ..market.orders import Side
from ..spot.market_answers import Json
from ..spot.order_answers import STP
from .changed import AccountChanged, AlgoChanged, Execution, LeverageChanged, OrderChanged, PositionChanged

MARGIN_ASSET = "USDT"
_LIQUIDATION = "autoclose-"
"""The prefix of a liquidation's client id."""


def user_event(change: object, now: int) -> Json | None:
    """Return the event of a change, or None if Binance has none."""
    match change:
        case OrderChanged(time=time):
            return _event("ORDER_TRADE_UPDATE", time, now) | {"o": _order(change)}
        case AlgoChanged(time=time):
            return _event("ALGO_UPDATE", time, now) | {"o": _algo(change)}
        case AccountChanged(time=time):
            return _event("ACCOUNT_UPDATE", time, now) | {"a": _account(change)}
        case LeverageChanged(symbol=symbol, leverage=leverage, time=time):
            return _event("ACCOUNT_CONFIG_UPDATE", time, now) | {"ac": {"s": symbol, "l": leverage}}
        case _:
            return None


def listen_key_expired(listen_key: str, now: int) -> Json:
    return {"e": "listenKeyExpired", "E": now, "listenKey": listen_key}


def _event(kind: str, time: int, now: int) -> Json:
    return {"e": kind, "E": now, "T": time}


def _order(change: OrderChanged) -> Json:
    order, trade = change.order, change.trade
    resting = order.remaining * order.price if order.is_open else ZERO
    kind = "LIQUIDATION" if order.client_id.startswith(_LIQUIDATION) else order.type.value
    return {
        "s": order.symbol,
        "c": order.client_id,
        "S": order.side.value,
        "o": kind,
        "f": order.time_in_force.value,
        "q": _plain(order.quantity),
        "p": _plain(order.price),
        "ap": _plain(order.average),
        "sp": "0",
        "x": change.reason.value,
        "X": order.status.value,
        "i": order.id,
        "l": _plain(trade.quantity if trade else ZERO),
        "z": _plain(order.executed),
        "L": _plain(trade.price if trade else ZERO),
        "N": MARGIN_ASSET,
        "n": _plain(trade.commission if trade else ZERO),
        "T": change.time,
        "t": trade.id if trade else 0,
        "b": _plain(resting if order.side is Side.BUY else ZERO),
        "a": _plain(resting if order.side is Side.SELL else ZERO),
        "m": bool(trade and trade.is_maker),
        "R": order.reduce_only,
        "wt": "CONTRACT_PRICE",
        "ot": order.type.value,
        "ps": "BOTH",
        "cp": order.close_position,
        "rp": _plain(trade.realized if trade else ZERO),
        "pP": False,
        "si": 0,
        "ss": 0,
        "V": STP,
        "pm": "NONE",
        "gtd": 0,
        "er": str(change.expiry_reason if change.reason is Execution.EXPIRED else 0),
    }


def _algo(change: AlgoChanged) -> Json:
    algo, order = change.algo, change.order
    event: Json = {
        "caid": algo.client_id,
        "aid": algo.id,
        "at": "CONDITIONAL",
        "o": algo.type.value,
        "s": algo.symbol,
        "S": algo.side.value,
        "ps": "BOTH",
        "f": algo.time_in_force.value,
        "q": _plain(algo.quantity),
        "X": algo.status.value,
        "ai": str(algo.order_id or ""),
        "tp": _plain(algo.trigger_price),
        "p": _plain(algo.price),
        "V": STP,
        "wt": algo.working_type.value,
        "pm": "NONE",
        "cp": algo.close_position,
        "pP": algo.price_protect,
        "R": algo.reduce_only,
        "tt": algo.triggered,
        "gtd": 0,
    }
    if order:
        event |= {"ap": _plain(order.average), "aq": _plain(order.executed), "act": order.type.value}
    return event | {"rm": algo.failure} if algo.failure else event


def _account(change: AccountChanged) -> Json:
    return {
        "m": change.reason.value,
        "B": [
            {
                "a": balance.asset,
                "wb": _plain(balance.wallet),
                "cw": _plain(balance.cross_wallet),
                "bc": _plain(balance.change),
            }
            for balance in change.balances
        ],
        "P": [_position(changed) for changed in change.positions],
    }


def _position(changed: PositionChanged) -> Json:
    position = changed.position
    return {
        "s": position.symbol,
        "pa": _plain(position.amount),
        "ep": _plain(position.entry_price),
        "bep": _plain(position.break_even_price),
        "cr": _plain(position.realized),
        "up": _plain(changed.unrealized),
        "mt": "isolated" if position.is_isolated else "cross",
        "iw": _plain(position.isolated_wallet),
        "ps": "BOTH",
        "ma": MARGIN_ASSET,
    }


def _plain(amount: Decimal) -> str:
    """Format with at most eight decimals, without trailing zeros."""
    return f"{truncated(amount).normalize() + 0:f}"
