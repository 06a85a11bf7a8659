"""A spot order with market and account figures."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

from .. import risk
from ..cards import Check
from ..exchange import Account, Balance, OrderRequest, RestingOrder, Rules
from ..intents import Intent
from . import open_intents, pending_impact
from .context import AgentContext, Context
from .pending_impact import Claim
from .quote import Need, Quote, figure, fresh, read_market
from .valuation import equity, rate


@dataclass(frozen=True, kw_only=True)
class SpotQuote(Quote):
    """A quote for a spot order.

    `taken`: by asset, what own orders take that the balances may not show yet. `waiting`: by asset, what
    pending requests would take. `coming`: how much of the bought asset open orders would bring. `cash`: the
    assets that count as cash.
    """

    account: Account
    taken: dict[str, Decimal]
    waiting: dict[str, Decimal]
    coming: Decimal
    cash: frozenset[str]

    @cached_property
    def is_exit(self) -> bool:
        return may_exit(self.order, self.rules, self.cash) and self.base.total > 0

    @cached_property
    def bought(self) -> str:
        """The asset that the order brings in."""
        return bought_by(self.order, self.rules)

    @cached_property
    def proceeds(self) -> Decimal | None:
        """The most of the bought asset that the order can bring: the amount of a buy, the value of a sell."""
        if self.order.side == "buy":
            return self.order.amount
        if self.value is None or self.order.stop_price is not None or self.best is None:
            return self.value
        return max(self.value, self.order.amount * self.best)

    @cached_property
    def need(self) -> Need:
        """For a sell the amount in the base asset; for a buy its value plus fee in the quote asset."""
        if self.order.side == "sell":
            return self._need(self.base, self.order.amount)
        with_fee = None if self.value is None else self.value * (1 + self.account.taker_fee)
        return self._need(self.quote, with_fee)

    @cached_property
    def takes_all(self) -> bool:
        left = self.base.free - self.order.amount
        return self.order.side == "sell" and 0 <= left < self.rules.step

    def balance_check(self) -> Check:
        return risk.balance(self.need.asset, self.need.amount, self.need.free)

    def exposure_checks(self, context: AgentContext) -> list[Check]:
        """Check 4: the largest holding of the bought asset, at market price. Cash is not a position."""
        if self.bought in self.cash:
            return []
        label = f"{self.bought} held after, open orders included"
        limit = context.settings.max_position_size_pct
        return [risk.position(label, self._position_usdt, self.equity, limit)]

    @cached_property
    def base(self) -> Balance:
        return self._balance(self.rules.base)

    @cached_property
    def quote(self) -> Balance:
        return self._balance(self.rules.quote)

    @cached_property
    def _position_usdt(self) -> Decimal | None:
        """The largest holding of the bought asset in USDT; None if its price is not known."""
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
    """Whether the order is an exit if its base asset is held: it sells a non-cash asset for cash.

    A sale for another asset opens a position in that asset. Cash for cash closes no position.
    """
    return order.side == "sell" and rules.base not in cash and rules.quote in cash


def bought_by(order: OrderRequest, rules: Rules) -> str:
    return rules.base if order.side == "buy" else rules.quote


async def read(context: AgentContext, order: OrderRequest, itself: Intent | None) -> SpotQuote:
    """Read all figures at once.

    Raises BrokerError if a needed figure cannot be read: every figure for an entry, the account for an exit.
    """
    venue, cash = context.exchange.spot, context.settings.cash
    other_intents = await open_intents.read(context, "spot", itself)
    rules = venue.rules(order.symbol)
    # The bought asset of a cross pair can also be bought in other symbols: read all open orders.
    orders_of = order.symbol if rules.quote in cash else None
    if may_exit(order, rules, cash):
        account = await venue.account()  # decides whether this is an exit, which does not wait for the rest
        entry = not any(item.asset == rules.base and item.total for item in account.balances)
        market = await read_market(venue, order.symbol, orders_of=orders_of, entry=entry)
    else:
        entry = True
        account, market = await asyncio.gather(
            venue.account(), read_market(venue, order.symbol, orders_of=orders_of, entry=entry)
        )
    book, reference, prices, resting = market
    last_prices = figure(prices, needed=entry)
    open_orders = figure(resting, needed=entry)
    claims = pending_impact.not_shown(other_intents.sent, account.update_time_ms)
    return SpotQuote(
        order=order,
        rules=rules,
        book=figure(await fresh(venue, book, context.clock, entry=entry), needed=entry),
        last=None if last_prices is None else last_prices.get(order.symbol),
        reference=figure(reference, needed=entry),
        rate=None if last_prices is None else rate(rules.quote, last_prices),
        equity=None if last_prices is None else equity(account, last_prices),
        resting=open_orders,
        used=other_intents.used,
        used_by_agent=other_intents.used_by_agent,
        account=account,
        taken=pending_impact.taken_from_balances(claims, venue.rules, account.taker_fee),
        waiting=pending_impact.taken_from_balances(
            pending_impact.claims(other_intents.waiting), venue.rules, account.taker_fee
        ),
        coming=_coming(
            context,
            bought_by(order, rules),
            claims,
            open_orders or [],
            pending_impact.elsewhere(other_intents.resting, order.symbol),
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
    """How much of an asset open orders bring in, in any pair; each order counts once."""
    claim_ids = {claim.intent_id for claim in claims}
    others = [claim for claim in elsewhere if claim.intent_id not in claim_ids]
    not_resting = pending_impact.besides([*claims, *others], resting)
    rules = context.exchange.spot.rules
    return pending_impact.brought_by_resting(resting, asset, rules) + pending_impact.brought(
        not_resting, asset, rules
    )
