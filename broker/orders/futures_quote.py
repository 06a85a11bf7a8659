"""A futures order with market, margin and position figures. One-way mode, USDT-margined."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

from .. import risk
from ..cards import Check
from ..errors import BrokerError, Code
from ..exchange import Futures, FuturesAccount, OrderRequest, Position
from ..intents import Intent
from ..money import Side
from ..settings import Settings
from . import open_intents, pending_impact
from .context import AgentContext
from .pending_impact import Claim
from .quote import Need, Quote, attempt, figure, fresh, patience, read_market
from .valuation import USDT


@dataclass(frozen=True, kw_only=True)
class FuturesQuote(Quote):
    """A quote for a futures order.

    `leverages`: the leverage set now, by symbol. `not_shown`: own orders that the figures may not include
    yet. `pending`: orders of requests that wait for a trader.
    """

    account: FuturesAccount | None
    position: Position | None
    leverages: Mapping[str, int] | None
    taker_fee: Decimal | None
    not_shown: Sequence[Claim]
    pending: Sequence[Claim]

    @cached_property
    def is_exit(self) -> bool:
        return self.order.reduce_only

    @cached_property
    def leverage(self) -> int | None:
        return None if self.leverages is None else self.leverages.get(self.order.symbol)

    @cached_property
    def signed(self) -> Decimal:
        """The order's amount; negative for a sell."""
        return self.order.amount if self.order.side == "buy" else -self.order.amount

    @cached_property
    def held(self) -> Decimal:
        """The position size; negative when short."""
        return Decimal(0) if self.position is None else self.position.signed

    @cached_property
    def after(self) -> Decimal:
        """The position after the order has filled. A reduce-only order never opens the other side."""
        after = self.held + self.signed
        if self.order.reduce_only and (after > 0) != (self.held > 0):
            return Decimal(0)
        return after

    @cached_property
    def covers(self) -> Decimal:
        """How much of the position the order closes, in percent."""
        return Decimal(0) if not self.held else min(Decimal(1), self.order.amount / abs(self.held)) * 100

    @cached_property
    def takes_all(self) -> bool:
        return False

    @cached_property
    def need(self) -> Need | None:
        """Margin and fee for the exposure that the order adds; None for an exit."""
        if self.is_exit or self.account is None or self.leverages is None or self.taker_fee is None:
            return None
        taken = pending_impact.taken_from_margin(
            pending_impact.beyond_margin(self.not_shown, self.resting or ()), self.leverages, self.taker_fee
        )
        return Need(
            label="Available margin",
            asset=USDT,
            amount=self._margin(self.taker_fee),
            free=max(Decimal(0), self.account.available_usdt - taken),
            waiting=pending_impact.taken_from_margin(self.pending, self.leverages, self.taker_fee),
        )

    def balance_check(self) -> Check | None:
        if self.is_exit:
            return None
        need = self.need
        return risk.margin(*(None, None) if need is None else (need.amount, need.free))

    def exposure_checks(self, context: AgentContext) -> list[Check]:
        if self.is_exit:
            return []
        limits = context.limits
        return [
            self._position_check(context.settings),
            risk.leverage(self.leverage, limits.leverage, own=limits.own_leverage),
        ]

    def _position_check(self, limits: Settings) -> Check:
        """Check 4: the largest position if all open orders on this side fill too.

        Not enforced for an order that only makes the position smaller. An order that reverses the position
        opens the other side, so it is enforced.
        """
        side = self.order.side
        before = (
            self.held + self._resting(side) + pending_impact.moved(self._not_resting, self.order.symbol, side)
        )
        after = before + self.signed
        value = None if self.best is None else abs(after) * self.best
        return risk.position(
            f"{self.order.symbol} position after, open orders included",
            value,
            self.equity,
            limits.max_position_size_pct,
            enforced=abs(after) > abs(before) or after * before < 0,
        )

    def _resting(self, side: Side) -> Decimal:
        """How much resting orders of a side may add to the position; negative for sells."""
        amount = sum(
            (order.remaining for order in self.resting or () if order.side == side and not order.reduce_only),
            Decimal(0),
        )
        return amount if side == "buy" else -amount

    @cached_property
    def _not_resting(self) -> Sequence[Claim]:
        return pending_impact.besides(self.not_shown, self.resting or ())

    def _margin(self, taker_fee: Decimal) -> Decimal | None:
        """How much initial margin and fee the order adds; None if a figure is missing.

        Binance takes a symbol's initial margin for the largest position that its open orders could lead to,
        whichever side fills, at the leverage set. Conditional orders need no margin before they trigger.
        """
        if self.value is None or self.position_price is None or not self.leverage:
            return None
        notional = self.held * self.position_price
        bids, asks = self._open_notional("buy"), self._open_notional("sell")
        before = _largest(notional, bids, asks)
        if self.order.side == "buy":
            bids += self.value
        else:
            asks += self.value
        return (_largest(notional, bids, asks) - before) / self.leverage + self.value * taker_fee

    def _open_notional(self, side: Side) -> Decimal:
        return sum(
            (
                order.remaining * order.price
                for order in self.resting or ()
                if order.side == side
                and not order.reduce_only
                and not order.conditional
                and order.price is not None
            ),
            Decimal(0),
        )

    @cached_property
    def position_price(self) -> Decimal | None:
        """The mark price, on which Binance bases the margin."""
        return self.reference if self.position is None else self.position.mark_price


async def read(context: AgentContext, order: OrderRequest, itself: Intent | None) -> FuturesQuote:
    """Read all figures at once.

    Raises BrokerError if a needed figure cannot be read. An entry needs every figure, an exit only the
    position and the position mode.
    """
    venue, symbol, entry = context.exchange.futures, order.symbol, not order.reduce_only
    await venue.require_one_way()
    other_intents = await open_intents.read(context, "futures", itself)
    if entry and other_intents.changing(symbol):
        raise BrokerError(
            Code.BINANCE_UNAVAILABLE,
            f"The leverage of {symbol} is being changed, so the leverage of a new order is not certain yet",
        )
    positions, funds, market = await asyncio.gather(
        venue.positions(symbol),
        _read_funds(venue, symbol, entry),
        read_market(venue, symbol, orders_of=symbol, entry=entry),
    )
    book, reference, prices, resting = market
    account, leverages, taker_fee = (
        figure(funds[0], needed=entry),
        figure(funds[1], needed=entry),
        figure(funds[2], needed=entry),
    )
    known = figure(prices, needed=entry)
    return FuturesQuote(
        order=order,
        rules=venue.rules(symbol),
        book=figure(await fresh(venue, book, context.clock, entry=entry), needed=entry),
        last=None if known is None else known.get(symbol),
        reference=figure(reference, needed=entry),
        rate=Decimal(1),
        equity=None if account is None else account.equity_usdt,
        resting=figure(resting, needed=entry),
        used=other_intents.used,
        used_by_agent=other_intents.used_by_agent,
        account=account,
        position=positions[0] if positions else None,
        leverages=leverages,
        taker_fee=taker_fee,
        not_shown=pending_impact.not_shown(
            other_intents.sent, 0 if account is None else account.update_time_ms
        ),
        pending=pending_impact.claims(other_intents.waiting),
    )


async def _read_funds(
    venue: Futures, symbol: str, entry: bool
) -> tuple[FuturesAccount | BrokerError, Mapping[str, int] | BrokerError, Decimal | BrokerError]:
    seconds = patience(entry=entry)
    return await asyncio.gather(
        attempt(venue.account(), seconds=seconds),
        attempt(venue.leverages(), seconds=seconds),
        attempt(venue.taker_fee(symbol), seconds=seconds),
    )


def reducible(position: Position | None, symbol: str, side: Side) -> Position:
    """The position. Raises NO_POSITION unless an order of that side would reduce it."""
    closes: Side = "buy" if side == "sell" else "sell"
    if position is None:
        problem = f"There is no open position in {symbol}"
    elif (position.side == "LONG") == (side == "sell"):
        return position
    else:
        problem = f"The position in {symbol} is {position.side}, and a {side} would not reduce it"
        problem += f"; a {closes} would"
    raise BrokerError(Code.NO_POSITION, problem, details={"symbol": symbol})


def _largest(notional: Decimal, bids: Decimal, asks: Decimal) -> Decimal:
    return max(abs(notional), abs(notional + bids), abs(notional - asks))
