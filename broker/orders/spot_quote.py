"""A spot order beside the market and the account."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from .. import risk
from ..exchange import Account, Balance, OrderRequest, RestingOrder, Rules
from ..intents import Intent
from ..risk import Check
from . import open_intents, pending_impact
from ..tools.declaration import Context
from .quote import Need, Quote, figure, fresh, read_market
from .pending_impact import Claim
from .valuation import equity, rate


@dataclass(frozen=True, kw_only=True)
class SpotQuote(Quote):
    """`taken` is what the balances may not show yet, `waiting` what pending requests would take, by asset.

    `coming` is how much of the bought asset resting and unseen orders bring. `cash` are the assets that count
    as cash.
    """

    account: Account
    taken: dict[str, Decimal]
    waiting: dict[str, Decimal]
    coming: Decimal
    cash: frozenset[str]

    @property
    def is_exit(self) -> bool:
        return may_exit(self.order, self.rules, self.cash) and self.base.total > 0

    @property
    def bought(self) -> str:
        """The asset that it brings."""
        return bought_by(self.order, self.rules)

    @property
    def proceeds(self) -> Decimal | None:
        """The most that it brings of the bought asset: what a buy buys, what a sale could fill at."""
        if self.order.side == "buy":
            return self.order.amount
        if self.value is None or self.order.stop_price is not None or self.best is None:
            return self.value
        return max(self.value, self.order.amount * self.best)

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
        """Check 4: what would be held at most of the bought asset, at the market. Cash is no position."""
        if self.bought in self.cash:
            return []
        label = f"{self.bought} held after it, open orders included"
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
        """None for a bought asset whose worth is not known."""
        price = self.best if self.order.side == "buy" else Decimal(1)  # in the quote asset
        if self.rate is None or price is None or self.proceeds is None:
            return None
        return (self._balance(self.bought).total + self.coming + self.proceeds) * price * self.rate

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


def may_exit(order: OrderRequest, rules: Rules, cash: frozenset[str]) -> bool:
    """Whether it is an exit where its base asset is held: a sale, for cash, of what is not cash.

    A sale for anything else buys a position, and cash for cash leaves none.
    """
    return order.side == "sell" and rules.base not in cash and rules.quote in cash


def bought_by(order: OrderRequest, rules: Rules) -> str:
    return rules.base if order.side == "buy" else rules.quote


async def read(context: Context, order: OrderRequest, itself: Intent | None = None) -> SpotQuote:
    """All figures at once. Raises BrokerError for one that is needed and cannot be read: for an entry that
    is every figure, for an exit the account.
    """
    venue, cash = context.exchange.spot, context.settings.cash
    ours = await open_intents.read(context, "spot", itself)
    rules = venue.rules(order.symbol)
    # What a cross pair brings, orders of any symbol may bring too.
    orders_of = order.symbol if rules.quote in cash else None
    if may_exit(order, rules, cash):
        account = await venue.account()  # it tells an exit, which does not wait for all the rest
        entry = not any(item.asset == rules.base and item.total for item in account.balances)
        market = await read_market(venue, order.symbol, orders_of=orders_of, entry=entry)
    else:
        entry = True
        account, market = await asyncio.gather(
            venue.account(), read_market(venue, order.symbol, orders_of=orders_of, entry=entry)
        )
    book, reference, prices, resting = market
    known = figure(prices, needed=entry)
    open_orders = figure(resting, needed=entry)
    claims = pending_impact.unseen(ours.sent, account.update_time_ms)
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
        taken=pending_impact.taken_from_balances(claims, venue.rules, account.taker_fee),
        waiting=pending_impact.taken_from_balances(
            pending_impact.claims(ours.waiting), venue.rules, account.taker_fee
        ),
        coming=_coming(
            context,
            bought_by(order, rules),
            claims,
            open_orders or [],
            pending_impact.elsewhere(ours.resting, order.symbol),
        ),
        cash=cash,
    )


def _coming(
    context: Context,
    asset: str,
    claims: Sequence[Claim],
    resting: Sequence[RestingOrder],
    elsewhere: Sequence[Claim],
) -> Decimal:
    """What open orders bring of an asset, each counted once: buys of it, and sales for it, in any pair."""
    known = {claim.intent_id for claim in claims}
    beside = [claim for claim in elsewhere if claim.intent_id not in known]
    of_ours = pending_impact.besides([*claims, *beside], resting)
    rules = context.exchange.spot.rules
    return pending_impact.brought_by_resting(resting, asset, rules) + pending_impact.brought(
        of_ours, asset, rules
    )
