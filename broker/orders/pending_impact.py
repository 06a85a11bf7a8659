"""Own requests that the exchange's figures may not show yet, and what they take and bring."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from ..exchange import OrderRequest, RestingOrder, Rules
from ..intents import Intent, State, client_order_id
from ..money import Side
from .request import order_in


@dataclass(frozen=True, kw_only=True)
class Claim:
    """An order of ours, and the price it is counted at, in the quote asset. `placed`: Binance took it before
    the figures were read.
    """

    intent_id: str
    order: OrderRequest
    price: Decimal
    placed: bool

    @property
    def value(self) -> Decimal:
        return self.order.amount * self.price

    @property
    def signed(self) -> Decimal:
        return self.order.amount if self.order.side == "buy" else -self.order.amount

    @property
    def client_order_id(self) -> str:
        return client_order_id(self.intent_id)


def elsewhere(resting: Iterable[Intent], symbol: str) -> list[Claim]:
    """What is left of own open orders of other symbols, as last followed.

    Binance's weight for the orders of all symbols is 80, and 6 for those of one.
    """
    others = [intent for intent in resting if intent.arguments["symbol"] != symbol]
    return [
        replace(claim, order=replace(claim.order, amount=claim.order.amount - _filled(intent)))
        for intent in others
        for claim in claims([intent])
    ]


def unseen(intents: Iterable[Intent], shown_at_ms: int) -> list[Claim]:
    """Those that figures of that time (Binance's) may not show."""
    return claims(intent for intent in intents if not _shown(intent, shown_at_ms))


def claims(intents: Iterable[Intent]) -> list[Claim]:
    found = []
    for intent in intents:
        order = order_in(intent)
        if order is not None:
            left = replace(order, amount=_left(intent, order))
            found.append(
                Claim(
                    intent_id=intent.id,
                    order=left,
                    price=_price(intent, order),
                    placed=intent.state is State.PLACED,
                )
            )
    return found


def besides(claims: Iterable[Claim], resting: Iterable[RestingOrder]) -> list[Claim]:
    """Those that do not rest at the exchange for all to see."""
    known = {order.client_order_id for order in resting}
    return [claim for claim in claims if claim.client_order_id not in known]


def beyond_margin(claims: Iterable[Claim], resting: Iterable[RestingOrder]) -> list[Claim]:
    """Those that the available margin may not show. A resting order does not touch the account's time of
    change, but margin is held for one that was placed before both were read.
    """
    known = {order.client_order_id for order in resting}
    return [claim for claim in claims if not claim.placed or claim.client_order_id not in known]


def taken_from_balances(
    claims: Iterable[Claim], rules: Callable[[str], Rules], taker_fee: Decimal
) -> dict[str, Decimal]:
    """By asset: the quote of spot buys with the fee, the base of spot sells."""
    taken: dict[str, Decimal] = {}
    for claim in claims:
        of = rules(claim.order.symbol)
        buys = claim.order.side == "buy"
        asset = of.quote if buys else of.base
        amount = claim.value * (1 + taker_fee) if buys else claim.order.amount
        taken[asset] = taken.get(asset, Decimal(0)) + amount
    return taken


def taken_from_margin(claims: Iterable[Claim], leverages: Mapping[str, int], taker_fee: Decimal) -> Decimal:
    """In USDT. Exits take none, conditional orders none before their trigger."""
    return sum(
        (
            claim.value * (1 / Decimal(leverages.get(claim.order.symbol, 1)) + taker_fee)
            for claim in claims
            if not claim.order.reduce_only and not claim.order.conditional
        ),
        Decimal(0),
    )


def brought(claims: Iterable[Claim], asset: str, rules: Callable[[str], Rules]) -> Decimal:
    """How much of an asset spot orders bring: buys of it, and sales for it."""
    return sum(
        (
            _brought(claim.order.side, claim.order.amount, claim.price, rules(claim.order.symbol), asset)
            for claim in claims
        ),
        Decimal(0),
    )


def brought_by_resting(resting: Iterable[RestingOrder], asset: str, rules: Callable[[str], Rules]) -> Decimal:
    """The same of open orders; a stop with a limit at the higher of both."""
    return sum(
        (
            _brought(
                one.side,
                one.remaining,
                max(one.price or Decimal(0), one.stop_price or Decimal(0)),
                rules(one.symbol),
                asset,
            )
            for one in resting
        ),
        Decimal(0),
    )


def _brought(side: Side, amount: Decimal, price: Decimal, of: Rules, asset: str) -> Decimal:
    if side == "buy":
        return amount if of.base == asset else Decimal(0)
    return amount * price if of.quote == asset else Decimal(0)


def moved(claims: Iterable[Claim], symbol: str, side: Side) -> Decimal:
    """By how much orders of one side change a position; below zero for sells."""
    return sum(
        (claim.signed for claim in claims if (claim.order.symbol, claim.order.side) == (symbol, side)),
        Decimal(0),
    )


def _shown(intent: Intent, shown_at_ms: int) -> bool:
    if intent.state is not State.PLACED or intent.order is None:
        return False
    return int(intent.order["timestamp"]) <= shown_at_ms


def _left(intent: Intent, order: OrderRequest) -> Decimal:
    """All of it, unless it has ended with less."""
    if intent.order is None or not intent.order_is_final:
        return order.amount
    return _filled(intent)


def _filled(intent: Intent) -> Decimal:
    return Decimal(intent.order["filled"]) if intent.order else Decimal(0)


def _price(intent: Intent, order: OrderRequest) -> Decimal:
    """The higher of its limit and its trigger; a market order's is the one that its card showed, and so is
    that of a limit sale that fills above its limit.
    """
    shown = Decimal(intent.terms["referencePrice"] or 0)
    own = [price for price in (order.price, order.stop_price) if price is not None]
    if order.side == "sell" and order.stop_price is None:
        own.append(shown)
    return max(own) if own else shown
