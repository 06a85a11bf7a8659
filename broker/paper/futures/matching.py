"""Matching of futures orders: fills, and their effect on position and wallet."""

from collections.abc import Sequence
from decimal import Decimal

from ..market.amounts import ZERO, truncated
from ..market.book import Level, fills_of_quantity
from ..market.orders import Side, Status
from .changed import AccountEvent, Execution
from .errors import (
    above_bracket,
    fok_unfilled,
    margin_insufficient,
    no_counterparty,
    post_only_takes,
    reduce_only_rejected,
)
from .income import IncomeType
from .ledger import Ledger
from .margin import MAKER_FEE, TAKER_FEE
from .orders import Order, OrderType, TimeInForce, Trade

IOC_EXPIRED, REDUCE_ONLY_EXPIRED, LIQUIDATED, NO_LIQUIDITY = 2, 4, 5, 9
"""Reasons why an order expired (`er` of ORDER_TRADE_UPDATE)."""


class Matching:
    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def submit(self, order: Order) -> None:
        """Enter a new order that passed the filters. Raises Refusal before any change."""
        if order.reduce_only:
            order.quantity = self._reducible_quantity(order)
        fills = self._fills(order)
        if not order.reduce_only:
            self._check_margin(order, fills)
        order.id = self._ledger.next_order_id()
        self._ledger.put_order(order, Execution.NEW)
        self._take(order, fills, None)
        if order.is_open and (order.type is OrderType.MARKET or order.time_in_force is TimeInForce.IOC):
            reason = NO_LIQUIDITY if order.type is OrderType.MARKET else IOC_EXPIRED
            self.end(order, Execution.EXPIRED, reason)
        self.expire_reduce_only(order.symbol)

    def advance(self, order: Order) -> None:
        """Fill an open order at its price, with the quantity that the book has there now."""
        market, now = self._ledger.markets[order.symbol], self._ledger.now
        if not order.side.accepts(market.price(now), order.price):
            return
        tick = market.symbol.tick
        reach = order.price + tick if order.side is Side.BUY else order.price - tick
        wanted = order.remaining
        if order.reduce_only:
            wanted = min(wanted, self._ledger.positions[order.symbol].reducible(order.side))
        fills = fills_of_quantity(market.book(now).facing(order.side, reach), wanted)
        if fills:
            self._take(order, fills, order.price)
            self.expire_reduce_only(order.symbol)

    def end(self, order: Order, reason: Execution, expiry_reason: int = 0) -> None:
        order.status = Status.CANCELED if reason is Execution.CANCELED else Status.EXPIRED
        order.updated = self._ledger.now
        self._ledger.put_order(order, reason, expiry_reason=expiry_reason)

    def expire_reduce_only(self, symbol: str) -> None:
        """Expire open reduce-only orders that have nothing left to reduce."""
        position = self._ledger.positions[symbol]
        for order in self._ledger.orders_of(symbol):
            if order.reduce_only and not position.reducible(order.side):
                self.end(order, Execution.EXPIRED, REDUCE_ONLY_EXPIRED)

    def fill(
        self, order: Order, price: Decimal, quantity: Decimal, *, fee: Decimal, execution: Execution
    ) -> None:
        ledger = self._ledger
        position = ledger.positions[order.symbol]
        realized = position.fill(order.side, price, quantity)
        commission = truncated(price * quantity * fee)
        position.charge(commission)
        trade = Trade(
            id=ledger.next_trade_id(),
            order_id=order.id,
            symbol=order.symbol,
            side=order.side,
            price=price,
            quantity=quantity,
            realized=realized,
            commission=commission,
            is_maker=fee == MAKER_FEE,
            time=ledger.now,
        )
        order.executed += quantity
        order.quote_executed += price * quantity
        order.updated = ledger.now
        order.status = Status.PARTIALLY_FILLED if order.remaining else Status.FILLED
        ledger.put_position(position)
        ledger.earn(IncomeType.REALIZED_PNL, realized, order.symbol, trade.id)
        ledger.earn(IncomeType.COMMISSION, -commission, order.symbol, trade.id)
        ledger.put_order(order, execution, trade)
        ledger.record_account(AccountEvent.ORDER, [order.symbol])

    def _take(self, order: Order, fills: Sequence[Level], maker_price: Decimal | None) -> None:
        """`maker_price` is the price of a resting order; None for a taker."""
        if not fills:
            return
        market = self._ledger.markets[order.symbol]
        book = market.book(self._ledger.now)
        book.take(order.side, fills)
        market.keep(book)
        self._ledger.put_market(order.symbol)
        if maker_price is not None:
            self.fill(order, maker_price, _quantity(fills), fee=MAKER_FEE, execution=Execution.TRADE)
            return
        for level in fills:
            self.fill(order, level.price, level.quantity, fee=TAKER_FEE, execution=Execution.TRADE)

    def _fills(self, order: Order) -> list[Level]:
        book = self._ledger.markets[order.symbol].book(self._ledger.now)
        limit = order.price if order.type is OrderType.LIMIT else self._worst_price(order)
        fills = fills_of_quantity(book.facing(order.side, limit), order.quantity)
        if order.type is OrderType.MARKET and not fills:
            raise no_counterparty()
        if order.time_in_force is TimeInForce.GTX and fills:
            raise post_only_takes()
        if order.time_in_force is TimeInForce.FOK and _quantity(fills) < order.quantity:
            raise fok_unfilled()
        return fills

    def _worst_price(self, order: Order) -> Decimal:
        """Return the worst price that a market order may trade at (PERCENT_PRICE)."""
        contract, mark = self._ledger.contract(order.symbol), self._ledger.mark(order.symbol)
        return mark * (contract.percent_up if order.side is Side.BUY else contract.percent_down)

    def _reducible_quantity(self, order: Order) -> Decimal:
        """Return the quantity of a reduce-only order, capped at what it can reduce."""
        reducible = self._ledger.positions[order.symbol].reducible(order.side)
        if not reducible:
            raise reduce_only_rejected()
        return min(order.quantity, reducible)

    def _check_margin(self, order: Order, fills: Sequence[Level]) -> None:
        """Raise Refusal if the position could exceed the bracket of its leverage, or the free margin."""
        exposure = self._ledger.exposure(order.symbol)
        quantity = _quantity(fills) if order.type is OrderType.MARKET else order.quantity
        opening = quantity - min(quantity, exposure.position.reducible(order.side))
        if not opening:
            return
        price = order.price or sum((fill.price * fill.quantity for fill in fills), ZERO) / quantity
        after = exposure.with_order(order.side, quantity * max(price, exposure.mark))
        leverage = exposure.position.leverage
        if after.initial_margin * leverage > exposure.contract.max_notional_at(leverage):
            raise above_bracket()
        worse = price - exposure.mark if order.side is Side.BUY else exposure.mark - price
        loss = max(ZERO, worse) * opening if fills or order.type is OrderType.MARKET else ZERO
        fee = quantity * price * TAKER_FEE
        if after.initial_margin - exposure.initial_margin + loss + fee > self._ledger.summary().free:
            raise margin_insufficient()


def _quantity(fills: Sequence[Level]) -> Decimal:
    return sum((fill.quantity for fill in fills), ZERO)
