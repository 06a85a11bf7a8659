"""A leverage change: the figures, the checks and the card."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from .. import risk
from ..agents import Limits
from ..cards import Card, Check, Figure
from ..errors import BrokerError, Code
from ..exchange import FuturesAccount, Leverage, Position
from ..money import about, cents
from . import card
from .context import Context


@dataclass(frozen=True, kw_only=True)
class Change:
    """A leverage change with the position and account that it affects."""

    target: int
    base: str
    now: Leverage
    position: Position | None
    account: FuturesAccount

    @property
    def margin_usdt(self) -> Decimal:
        """How much available margin the change takes, in USDT; negative if it frees margin."""
        if self.position is None:
            return Decimal(0)
        notional = self.position.size * self.position.mark_price
        return notional / self.target - notional / self.now.leverage

    @property
    def liquidation(self) -> Decimal | None:
        """The liquidation price after the change; None if there is none.

        For an isolated position, the worst case: it has only the margin that its new leverage requires.
        Binance liquidates when margin plus unrealised P&L falls to the maintenance margin. The maintenance
        margin is assumed to stay the same fraction of the notional as now.
        """
        position = self.position
        if position is None or position.liquidation_price is None:
            return None
        if position.margin_type == "cross":
            return position.liquidation_price
        sign = 1 if position.side == "LONG" else -1
        maintenance_rate = position.maintenance_margin / (position.size * position.mark_price)
        margin = position.entry_price / self.target
        price = (position.entry_price - sign * margin) / (1 - sign * maintenance_rate)
        return price if price > 0 else None


async def read(context: Context, symbol: str, target: int) -> Change:
    """Read the figures for a change of `symbol` to leverage `target`.

    Raises ORDER_FILTER if Binance does not allow it, HEDGE_MODE_UNSUPPORTED, and the errors of reads.
    """
    venue = context.exchange.futures
    await venue.require_one_way()
    now, maximum, positions, account = await asyncio.gather(
        venue.leverage(symbol), venue.max_leverage(symbol), venue.positions(symbol), venue.account()
    )
    if target > maximum:
        raise BrokerError(
            Code.ORDER_FILTER,
            f"leverage: {target}× is above Binance's maximum of {maximum}× for {symbol}",
            details={"field": "leverage", "max": maximum},
        )
    position = positions[0] if positions else None
    if position is not None and position.margin_type == "isolated" and target < now.leverage:
        raise BrokerError(
            Code.ORDER_FILTER,
            f"leverage: Binance does not lower it while an isolated position is open in {symbol}",
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
    """`unsettled`: how many other leverage changes of the symbol are not settled yet."""
    margin = max(Decimal(0), change.margin_usdt)
    return [
        *([risk.margin(margin, change.account.available_usdt)] if margin else []),
        risk.leverage(change.target, limits.leverage, own=limits.own_leverage),
        risk.in_flight(change.now.symbol, unsettled),
    ]


def draw(change: Change, checks: Sequence[Check]) -> Card:
    act = f"LEVERAGE {change.now.leverage}× → {change.target}×"
    return Card(
        act=act,
        sentence=f"{act}, {change.now.margin_type}, {_liquidation(change)}",
        symbol=change.now.symbol,
        figures=_figures(change),
        checks=list(checks),
        second_tap=card.second_tap(checks),
    )


def _liquidation(change: Change) -> str:
    """In cross margin the whole wallet backs a position: leverage does not move its liquidation price."""
    position = change.position
    if position is None:
        return "no position"
    before, after = (_price(position.liquidation_price), _price(change.liquidation))
    if position.liquidation_price is None:
        return "no liquidation price"
    if position.margin_type == "cross":
        return f"liquidation {before} unchanged"
    return f"liquidation {before} → {after} at worst"


def _price(price: Decimal | None) -> str:
    return "none" if price is None else about(price)


def _figures(change: Change) -> list[Figure]:
    found = [Figure(label="Position", value=card.position_words(change.position, change.base))]
    if change.position is not None:
        found += [
            Figure(label="Liquidation now", value=_price(change.position.liquidation_price)),
            Figure(label="Liquidation after", value=_price(change.liquidation)),
            Figure(label="Margin needed", value=f"{cents(change.margin_usdt)} USDT"),
        ]
    return [*found, Figure(label="Available margin", value=f"{cents(change.account.available_usdt)} USDT")]
