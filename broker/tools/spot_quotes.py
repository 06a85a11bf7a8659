"""A spot order beside the market and the account."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from .. import risk
from ..exchange import Account, Balance, OrderRequest, RestingOrder
from ..intents import Intent
from ..money import DOLLARS
from ..risk import Check
from . import own, unseen
from .declaration import Context
from .quotes import Need, Quote, figure, fresh, read_market
from .unseen import Claim
from .valuation import equity, rate


@dataclass(frozen=True, kw_only=True)
class SpotQuote(Quote):
    """`taken` is what the balances may not show yet, `waiting` what pending requests would take, by asset.

    `coming` is how much of the base asset resting and unseen buys bring.
    """

    account: Account
    taken: dict[str, Decimal]
    waiting: dict[str, Decimal]
    coming: Decimal

    @property
    def is_exit(self) -> bool:
        """A spot sell of an asset that is held lowers exposure."""
        return self.order.side == "sell" and self.base.total > 0

    @property
    def need(self) -> Need:
        """Base for a sell; for a buy its value and the fee, in the quote asset."""
        if self.order.side == "sell":
            return self._need(self.base, self.order.amount)
        with_fee = None if self.value is None else self.value * (1 + self.account.taker_fee)
        return self._need(self.quote, with_fee)

    @property
    def takes_all(self) -> bool:
        left = self.base.free - self.order.amount
        return self.order.side == "sell" and 0 <= left < self.rules.step

    def balance_check(self) -> Check:
        return risk.balance(self.need.asset, self.need.amount, self.need.free)

    def exposure_checks(self, context: Context) -> list[Check]:
        """Check 4: what would be held at most, at the market. Holding a stablecoin is no position."""
        base = self.rules.base
        if self.order.side == "sell" or base in DOLLARS:
            return []
        label = f"{base} held after it, open buys included"
        limit = context.settings.max_position_size_pct
        return [risk.position(label, self._position_usdt, self.equity, limit)]

    @property
    def base(self) -> Balance:
        return self._balance(self.rules.base)

    @property
    def quote(self) -> Balance:
        return self._balance(self.rules.quote)

    @property
    def _position_usdt(self) -> Decimal | None:
        if self.rate is None or self.best is None:
            return None
        return (self.base.total + self.coming + self.order.amount) * self.best * self.rate

    def _need(self, balance: Balance, amount: Decimal | None) -> Need:
        asset = balance.asset
        return Need(
            label=f"Free {asset}",
            asset=asset,
            amount=amount,
            free=max(Decimal(0), balance.free - self.taken.get(asset, Decimal(0))),
            waiting=self.waiting.get(asset, Decimal(0)),
        )

    def _balance(self, asset: str) -> Balance:
        for item in self.account.balances:
            if item.asset == asset:
                return item
        return Balance(asset, Decimal(0), Decimal(0))


async def read(context: Context, order: OrderRequest, itself: Intent | None = None) -> SpotQuote:
    """All figures at once. Raises BrokerError for one that is needed and cannot be read: for an entry that
    is every figure, for an exit the account.
    """
    venue = context.exchange.spot
    ours = await own.read(context, "spot", itself)
    rules = venue.rules(order.symbol)
    if order.side == "buy":
        entry = True
        account, market = await asyncio.gather(venue.account(), read_market(venue, order.symbol, entry=entry))
    else:
        account = await venue.account()  # it tells an exit, which does not wait for all the rest
        entry = not any(item.asset == rules.base and item.total for item in account.balances)
        market = await read_market(venue, order.symbol, entry=entry)
    book, reference, prices, resting = market
    known = figure(prices, needed=entry)
    open_orders = figure(resting, needed=entry)
    claims = unseen.unseen(ours.sent, account.update_time_ms)
    return SpotQuote(
        order=order,
        rules=rules,
        book=figure(await fresh(venue, book, context.clock, entry=entry), needed=entry),
        last=None if known is None else known.get(order.symbol),
        reference=figure(reference, needed=entry),
        rate=None if known is None else rate(rules.quote, known),
        equity=None if known is None else equity(account, known),
        resting=open_orders,
        used=ours.used,
        used_by_agent=ours.used_by_agent,
        account=account,
        taken=unseen.taken_from_balances(claims, venue.rules, account.taker_fee),
        waiting=unseen.taken_from_balances(unseen.claims(ours.waiting), venue.rules, account.taker_fee),
        coming=_coming(
            context, rules.base, claims, open_orders or [], unseen.elsewhere(ours.resting, order.symbol)
        ),
    )


def _coming(
    context: Context,
    base: str,
    claims: Sequence[Claim],
    resting: Sequence[RestingOrder],
    elsewhere: Sequence[Claim],
) -> Decimal:
    """What open buys bring, each counted once; a buy through another quote asset brings the same base."""
    rests = sum((one.remaining for one in resting if one.side == "buy"), Decimal(0))
    known = {claim.intent_id for claim in claims}
    beside = [claim for claim in elsewhere if claim.intent_id not in known]
    of_ours = [*unseen.besides(claims, resting), *beside]
    return rests + unseen.bought(of_ours, base, context.exchange.spot.rules)
