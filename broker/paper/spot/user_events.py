"""The JSON of spot account events, with all fields (source: Binance's user-data-stream.md)."""

from collections.abc import Iterator
from decimal import Decimal
from itertools import count

from ..market.amounts import ZERO, text
from ..market.orders import OPEN, Order, Status, Trade
from .account import Balance
from .changed import BalancesChanged, Deposited, OrderChanged
from .market_answers import Json
from .order_answers import STP

_ENDED = frozenset({Status.CANCELED, Status.EXPIRED})


class SpotUserEvents:
    """Creates the events, and numbers the executions in them."""

    def __init__(self) -> None:
        self._execution_ids = count(1)

    def of(self, change: object, now: int) -> list[Json]:
        match change:
            case OrderChanged():
                return list(self._reports(change, now))
            case BalancesChanged():
                return [_account_position(change, now)]
            case Deposited():
                return [_balance_update(change, now)]
            case _:
                return []

    def _reports(self, change: OrderChanged, now: int) -> Iterator[Json]:
        """Yield one report for each step of the change: new or triggered, each trade, the end."""
        order = change.order
        executed = order.executed - sum((trade.quantity for trade in change.trades), ZERO)
        spent = order.quote_executed - sum((trade.cost for trade in change.trades), ZERO)
        if change.entered:
            began = order.working_since if order.is_working else order.created
            yield self._report(order, Status.NEW, executed, spent, began, now)
        for trade in change.trades:
            executed += trade.quantity
            spent += trade.cost
            status = Status.FILLED if executed == order.quantity else Status.PARTIALLY_FILLED
            yield self._report(order, status, executed, spent, trade.time, now) | _trade(trade)
        if order.status in _ENDED:
            ended = self._report(order, order.status, executed, spent, order.updated, now)
            yield ended | _cancel(change)

    def _report(
        self, order: Order, status: Status, executed: Decimal, spent: Decimal, at: int, now: int
    ) -> Json:
        """Return the fields that every report has."""
        report: Json = {
            "e": "executionReport",
            "E": now,
            "s": order.symbol,
            "c": order.client_id,
            "S": order.side.value,
            "o": order.type.value,
            "f": order.time_in_force.value,
            "q": text(order.quantity),
            "p": text(order.price),
            "P": text(order.stop_price),
            "F": text(ZERO),
            "g": -1,
            "C": "",
            "x": status.value,
            "X": status.value,
            "r": "NONE",
            "i": order.id,
            "l": text(ZERO),
            "z": text(executed),
            "L": text(ZERO),
            "n": "0",
            "N": None,
            "T": at,
            "t": -1,
            "I": next(self._execution_ids),
            "w": order.is_working and status in OPEN,
            "m": False,
            "M": False,
            "O": order.created,
            "Z": text(spent),
            "Y": text(ZERO),
            "Q": text(order.quote_quantity),
            "V": STP,
        }
        return report | {"W": order.working_since} if order.is_working else report


def _trade(trade: Trade) -> Json:
    return {
        "x": "TRADE",
        "l": text(trade.quantity),
        "L": text(trade.price),
        "Y": text(trade.cost),
        "n": text(trade.commission),
        "N": trade.commission_asset,
        "t": trade.id,
        "m": trade.is_maker,
    }


def _cancel(change: OrderChanged) -> Json:
    """A cancel has its own client id. The order's client id is then in `C`."""
    return {"c": change.cancel_id, "C": change.order.client_id} if change.cancel_id else {}


def _account_position(change: BalancesChanged, now: int) -> Json:
    return {
        "e": "outboundAccountPosition",
        "E": now,
        "u": max(balance.updated for balance in change.balances),
        "B": [_balance(balance) for balance in change.balances],
    }


def _balance(balance: Balance) -> Json:
    return {"a": balance.asset, "f": text(balance.free), "l": text(balance.locked)}


def _balance_update(change: Deposited, now: int) -> Json:
    return {"e": "balanceUpdate", "E": now, "a": change.asset, "d": text(change.amount), "T": change.time}
