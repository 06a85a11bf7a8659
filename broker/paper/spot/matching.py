"""Matching of spot orders: locked balance, fills and the end of an order."""

from collections.abc import Sequence
from decimal import Decimal

from ..http.errors import Refusal, rejected
from ..market.amounts import ZERO, truncated
from ..market.book import Book, Level, fills_of_cost, fills_of_quantity
from ..market.market import Market
from ..market.orders import Order, OrderType, Side, Status, TimeInForce, Trade
from ..market.symbols import Symbol
from .account import Account

FEE = Decimal("0.001")
"""A fraction of the received amount, for makers and takers alike."""


class Matching:
    """`trades` holds the trades that are not written to the store yet."""

    def __init__(self, account: Account, last_trade_id: int) -> None:
        self.trades: list[Trade] = []
        self._account = account
        self._last_trade_id = last_trade_id

    def submit(self, order: Order, market: Market, now: int) -> None:
        """Enter a new order that passed the filters. Raises Refusal, without a change, if it is unfunded."""
        if not order.is_stop:
            self._enter(order, market, now)
        elif order.triggers_at(market.price(now)):
            raise rejected("Order would trigger immediately.")
        else:
            self._lock(order, market.symbol, _spent(order, order.price or order.stop_price))

    def advance(self, order: Order, market: Market, now: int) -> bool:
        """Fill or trigger an open order at the current price. False: nothing changed."""
        last = market.price(now)
        if not order.is_working:
            return order.triggers_at(last) and self._trigger(order, market, now)
        return order.side.accepts(last, order.price) and self._fill_resting(order, market, now)

    def finish(self, order: Order, status: Status, market: Market, now: int) -> None:
        """End an open order and unlock its balance."""
        self._unlock(order, market.symbol, order.locked)
        order.status = status
        order.updated = now

    def _enter(self, order: Order, market: Market, now: int) -> None:
        book = market.book(now)
        fills = _fills(order, book)
        self._lock(order, market.symbol, _needed(order, fills))
        order.working_since = now
        if order.quote_quantity:
            order.quantity = _quantity(fills)
        book.take(order.side, fills)
        for level in fills:
            self._fill(order, market.symbol, level.price, level.quantity, is_maker=False, now=now)
        if order.is_open and (order.is_at_market or order.time_in_force is not TimeInForce.GTC):
            self.finish(order, Status.EXPIRED, market, now)

    def _trigger(self, order: Order, market: Market, now: int) -> bool:
        self._unlock(order, market.symbol, order.locked)
        order.working_since = order.updated = now
        try:
            self._enter(order, market, now)
        except Refusal:
            self.finish(order, Status.EXPIRED, market, now)
        return True

    def _fill_resting(self, order: Order, market: Market, now: int) -> bool:
        """Fill a resting order at its price, with the quantity that the book has up to a tick beyond it."""
        book, tick = market.book(now), market.symbol.tick
        reach = order.price + tick if order.side is Side.BUY else order.price - tick
        fills = fills_of_quantity(book.facing(order.side, reach), order.remaining)
        if not fills:
            return False
        book.take(order.side, fills)
        self._fill(order, market.symbol, order.price, _quantity(fills), is_maker=True, now=now)
        return True

    def _fill(
        self, order: Order, symbol: Symbol, price: Decimal, quantity: Decimal, *, is_maker: bool, now: int
    ) -> None:
        self._last_trade_id += 1
        bought = order.side is Side.BUY
        spent, received = (price * quantity, quantity) if bought else (quantity, price * quantity)
        asset = symbol.base if bought else symbol.quote
        commission = truncated(received * FEE)
        self._account.spend(_spent_asset(order, symbol), spent)
        self._account.receive(asset, received - commission)
        self.trades.append(
            Trade(
                id=self._last_trade_id,
                order_id=order.id,
                symbol=symbol.name,
                side=order.side,
                price=price,
                quantity=quantity,
                commission=commission,
                commission_asset=asset,
                is_maker=is_maker,
                time=now,
            )
        )
        order.locked -= spent
        order.executed += quantity
        order.quote_executed += price * quantity
        order.updated = now
        order.status = Status.PARTIALLY_FILLED if order.remaining else Status.FILLED
        self._unlock(order, symbol, order.locked - _still_needed(order))

    def _lock(self, order: Order, symbol: Symbol, amount: Decimal) -> None:
        self._account.lock(_spent_asset(order, symbol), amount)
        order.locked = amount

    def _unlock(self, order: Order, symbol: Symbol, amount: Decimal) -> None:
        self._account.unlock(_spent_asset(order, symbol), amount)
        order.locked -= amount


def _fills(order: Order, book: Book) -> list[Level]:
    facing = book.facing(order.side, None if order.is_at_market else order.price)
    if order.quote_quantity:
        fills = fills_of_cost(facing, order.quote_quantity, book.symbol.step)
        if not fills:
            raise rejected("Order book liquidity is less than `LOT_SIZE` filter minimum quantity.")
        return fills
    fills = fills_of_quantity(facing, order.quantity)
    if fills and order.type is OrderType.LIMIT_MAKER:
        raise rejected("Order would immediately match and take.")
    return [] if order.time_in_force is TimeInForce.FOK and _quantity(fills) < order.quantity else fills


def _needed(order: Order, fills: Sequence[Level]) -> Decimal:
    """The amount to lock for a new order."""
    if order.side is Side.SELL:
        return order.quantity or _quantity(fills)
    if order.is_at_market:
        return order.quote_quantity or sum((fill.price * fill.quantity for fill in fills), ZERO)
    return order.price * order.quantity


def _still_needed(order: Order) -> Decimal:
    """The amount that stays locked after a fill."""
    if not order.remaining:
        return ZERO
    return order.locked if order.is_at_market else _spent(order, order.price)


def _spent(order: Order, price: Decimal) -> Decimal:
    return order.remaining * price if order.side is Side.BUY else order.remaining


def _spent_asset(order: Order, symbol: Symbol) -> str:
    return symbol.quote if order.side is Side.BUY else symbol.base


def _quantity(fills: Sequence[Level]) -> Decimal:
    return sum((fill.quantity for fill in fills), ZERO)
