"""A change of leverage beside the position that it acts on, and its card."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from .. import risk
from ..agents import Limits
from ..cards import Card, Figure
from ..errors import BrokerError, Code
from ..exchange import FuturesAccount, Leverage, Position
from ..money import about, cents
from ..risk import Check
from . import card
from ..tools.declaration import Context


@dataclass(frozen=True, kw_only=True)
class Change:
    """A change of leverage beside what it acts on."""

    target: int
    base: str
    now: Leverage
    position: Position | None
    account: FuturesAccount

    @property
    def margin_usdt(self) -> Decimal:
        """What it takes from the available margin; below zero where it sets some free."""
        if self.position is None:
            return Decimal(0)
        notional = self.position.size * self.position.mark_price
        return notional / self.target - notional / self.now.leverage

    @property
    def liquidation(self) -> Decimal | None:
        """Afterwards: of an isolated position with no more margin than its new leverage asks for.

        Binance liquidates where margin and profit have fallen to the maintenance margin; that is taken as
        the same share of the notional there as it is now. None where there is no such price.
        """
        position = self.position
        if position is None or position.liquidation_price is None:
            return None
        if position.margin_type == "cross":
            return position.liquidation_price
        sign = 1 if position.side == "LONG" else -1
        share = position.maintenance_margin / (position.size * position.mark_price)
        margin = position.entry_price / self.target
        price = (position.entry_price - sign * margin) / (1 - sign * share)
        return price if price > 0 else None


async def read(context: Context, symbol: str, target: int) -> Change:
    """Raises ORDER_FILTER above what Binance allows, HEDGE_MODE_UNSUPPORTED, and as reads do."""
    venue = context.exchange.futures
    await venue.require_one_way()
    now, most, positions, account = await asyncio.gather(
        venue.leverage(symbol), venue.max_leverage(symbol), venue.positions(symbol), venue.account()
    )
    if target > most:
        raise BrokerError(
            Code.ORDER_FILTER,
            f"leverage: {target}× is above Binance's maximum of {most}× for {symbol}",
            details={"field": "leverage", "max": most},
        )
    position = positions[0] if positions else None
    if position is not None and position.margin_type == "isolated" and target < now.leverage:
        raise BrokerError(
            Code.ORDER_FILTER,
            f"leverage: Binance does not lower it in isolated margin while a position is open in {symbol}",
            details={"field": "leverage", "min": now.leverage},
        )
    return Change(
        target=target,
        base=venue.rules(symbol).base,
        now=now,
        position=position,
        account=account,
    )


def checks(change: Change, unsettled: int, limits: Limits) -> list[Check]:
    """`unsettled` is how many other changes of the symbol are under way."""
    margin = max(Decimal(0), change.margin_usdt)
    return [
        *([risk.margin(margin, change.account.available_usdt)] if margin else []),
        risk.leverage(change.target, limits.leverage, own=limits.own_leverage),
        risk.in_flight(change.now.symbol, unsettled),
    ]


def draw(change: Change, checks: Sequence[Check], looked: Figure | None) -> Card:
    act = f"LEVERAGE {change.now.leverage}× → {change.target}×"
    return Card(
        act=act,
        sentence=f"{act}, {change.now.margin_type}, {_liquidation(change)}",
        symbol=change.now.symbol,
        figures=[*_figures(change), *([] if looked is None else [looked])],
        checks=list(checks),
        second_tap=card.second_tap(checks),
    )


def _liquidation(change: Change) -> str:
    """In cross margin the whole wallet stands behind a position, whatever its leverage."""
    position = change.position
    if position is None:
        return "no position"
    before, after = (_price(position.liquidation_price), _price(change.liquidation))
    if position.liquidation_price is None:
        return "no liquidation price"
    if position.margin_type == "cross":
        return f"liquidation {before} does not depend on it"
    return f"liquidation {before} → at worst {after}"


def _price(price: Decimal | None) -> str:
    return "none" if price is None else about(price)


def _figures(change: Change) -> list[Figure]:
    shown = [Figure(label="Position", value=card.position_words(change.position, change.base))]
    if change.position is not None:
        shown += [
            Figure(label="Liquidation now", value=_price(change.position.liquidation_price)),
            Figure(label="Liquidation after it", value=_price(change.liquidation)),
            Figure(label="Margin it takes", value=f"{cents(change.margin_usdt)} USDT"),
        ]
    return [*shown, Figure(label="Available margin", value=f"{cents(change.account.available_usdt)} USDT")]
