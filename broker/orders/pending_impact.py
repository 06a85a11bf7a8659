"""What the broker's own orders take and bring before Binance's figures show them."""

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
    """One of the broker's own orders. `price` is what it is counted at, in the quote asset. `placed`: Binance
    accepted it before the figures were read.
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
    """What remains of the broker's open orders in other symbols, as of their last update.

    Not read from Binance: a request for the open orders of all symbols has weight 80, for one symbol 6
    (Binance spot API, `GET /api/v3/openOrders`).
    """
    others = [intent for intent in resting if intent.arguments.symbol != symbol]
    return [
        replace(claim, order=replace(claim.order, amount=claim.order.amount - _filled(intent)))
        for intent in others
        for claim in claims([intent])
    ]


def not_shown(intents: Iterable[Intent], shown_at_ms: int) -> list[Claim]:
    """The orders that Binance's figures of that time (its clock, in ms) may not include."""
    return claims(intent for intent in intents if not _shown(intent, shown_at_ms))


def claims(intents: Iterable[Intent]) -> list[Claim]:
    """The orders of these requests; requests that place no order are left out."""
    found = []
    for intent in intents:
        order = order_in(intent)
        if order is not None:
            remaining = replace(order, amount=_left(intent, order))
            found.append(
                Claim(
                    intent_id=intent.id,
                    order=remaining,
                    price=_price(intent, order),
                    placed=intent.state is State.PLACED,
                )
            )
    return found


def besides(claims: Iterable[Claim], resting: Iterable[RestingOrder]) -> list[Claim]:
    """The claims that are not among the resting orders read from Binance."""
    known = {order.client_order_id for order in resting}
    return [claim for claim in claims if claim.client_order_id not in known]


def beyond_margin(claims: Iterable[Claim], resting: Iterable[RestingOrder]) -> list[Claim]:
    """The claims that the available margin may not include.

    A resting order does not change the account's update time. If it was placed before account and orders
    were read, its margin is already deducted.
    """
    known = {order.client_order_id for order in resting}
    return [claim for claim in claims if not claim.placed or claim.client_order_id not in known]


def taken_from_balances(
    claims: Iterable[Claim], rules: Callable[[str], Rules], taker_fee: Decimal
) -> dict[str, Decimal]:
    """Amounts by asset: quote asset plus fee for spot buys, base asset for spot sells."""
    taken: dict[str, Decimal] = {}
    for claim in claims:
        symbol_rules = rules(claim.order.symbol)
        buys = claim.order.side == "buy"
        asset = symbol_rules.quote if buys else symbol_rules.base
        amount = claim.value * (1 + taker_fee) if buys else claim.order.amount
        taken[asset] = taken.get(asset, Decimal(0)) + amount
    return taken


def taken_from_margin(claims: Iterable[Claim], leverages: Mapping[str, int], taker_fee: Decimal) -> Decimal:
    """Margin and fees in USDT. Exits need none; conditional orders need none before they trigger."""
    return sum(
        (
            claim.value * (1 / Decimal(leverages.get(claim.order.symbol, 1)) + taker_fee)
            for claim in claims
            if not claim.order.reduce_only and not claim.order.conditional
        ),
        Decimal(0),
    )


def brought(claims: Iterable[Claim], asset: str, rules: Callable[[str], Rules]) -> Decimal:
    """How much of an asset these spot orders bring in: buys of it, and sales for it."""
    return sum(
        (
            _brought(claim.order.side, claim.order.amount, claim.price, rules(claim.order.symbol), asset)
            for claim in claims
        ),
        Decimal(0),
    )


def brought_by_resting(resting: Iterable[RestingOrder], asset: str, rules: Callable[[str], Rules]) -> Decimal:
    """The same for resting orders. A stop-limit order counts at the higher of its two prices."""
    return sum(
        (
            _brought(
                resting_order.side,
                resting_order.remaining,
                max(resting_order.price or Decimal(0), resting_order.stop_price or Decimal(0)),
                rules(resting_order.symbol),
                asset,
            )
            for resting_order in resting
        ),
        Decimal(0),
    )


def _brought(side: Side, amount: Decimal, price: Decimal, rules: Rules, asset: str) -> Decimal:
    if side == "buy":
        return amount if rules.base == asset else Decimal(0)
    return amount * price if rules.quote == asset else Decimal(0)


def moved(claims: Iterable[Claim], symbol: str, side: Side) -> Decimal:
    """By how much the orders of one side change a position; negative for sells."""
    return sum(
        (claim.signed for claim in claims if (claim.order.symbol, claim.order.side) == (symbol, side)),
        Decimal(0),
    )


def _shown(intent: Intent, shown_at_ms: int) -> bool:
    if intent.state is not State.PLACED or intent.order is None:
        return False
    return intent.order.timestamp <= shown_at_ms


def _left(intent: Intent, order: OrderRequest) -> Decimal:
    """The order's amount, or the filled amount once the order has ended."""
    if intent.order is None or not intent.order_is_final:
        return order.amount
    return _filled(intent)


def _filled(intent: Intent) -> Decimal:
    return intent.order.filled if intent.order else Decimal(0)


def _price(intent: Intent, order: OrderRequest) -> Decimal:
    """The price that an order is counted at.

    The higher of limit and trigger. A market order counts at the price on its card, and so does a limit sell
    that would fill above its limit.
    """
    on_card = intent.terms.reference_price or Decimal(0)
    prices = [price for price in (order.price, order.stop_price) if price is not None]
    if order.side == "sell" and order.stop_price is None:
        prices.append(on_card)
    return max(prices) if prices else on_card
