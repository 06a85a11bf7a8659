"""The base class of HIGH tools, whose calls wait for a trader's approval."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Final

from pydantic import Field

from ..arguments import Arguments
from ..cards import Card, Figure
from ..clock import to_ms
from ..errors import BrokerError, Code
from ..exchange import Exchange, Market, OrderState, Sent
from ..intents import Intent, Request, Terms
from ..money import Side, about, grouped, kept, percent, signed_percent
from ..orders.context import AgentContext, Context
from ..orders.quote import PRICE_MAX_AGE_MS
from ..reasons import Reason, Why
from ..risk import refuse_failed
from ..settings import Settings
from .declaration import WHOLE, Call, Input, Risk
from .intent_answer import IntentAnswer
from .market_reads import agent_checked
from .results import Result, Rounded


@dataclass(frozen=True, kw_only=True)
class Assessment:
    """What a request would do now: the result of its checks, and its card.

    `arguments`: what is sent, rounded, decimals as plain strings. `price`: the average book price; None if
    the order does not trade at the market now, or the book is too thin. `priced_at_ms`: when the book was
    requested, by the broker's clock. `previous`: the leverage set now, or the entry price of the position to
    close.
    """

    arguments: Arguments
    market: str
    side: Side | None
    price: Decimal | None
    reference_price: Decimal | None
    tolerance_pct: Decimal | None
    worst_price: Decimal | None
    value_usdt: Decimal | None
    is_exit: bool
    card: Card
    previous: str | None = None
    priced_at_ms: int | None = None


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a look-up found at Binance. `order` is None for a setting (a leverage) or a cancel.

    If `done` is false, the request was not carried out and no longer can be; `why` gives the reason. If it is
    true, `why` says what differs from the request.
    """

    order: OrderState | None = None
    done: bool = True
    why: Why | None = None


class HighTool(ABC):
    """A tool whose call waits for a trader. `terms`: the canonical text that the trader approved, parsed."""

    name: ClassVar[str]
    title: ClassVar[str]
    description: ClassVar[str]
    input: ClassVar[type[HighInput]]
    output: ClassVar[type[IntentAnswer]]
    sends: ClassVar[type[Rounded]]
    risk: ClassVar[Risk] = Risk.HIGH
    reads_only: ClassVar[bool] = False
    harmless: ClassVar[bool] = False
    market: ClassVar[Market] = Market.FUTURES
    """The market of a tool that has no `market` argument."""

    has_own_id: ClassVar[bool] = True
    """Whether a look-up finds this request itself, not merely the state that it asked for."""

    found_is_final: ClassVar[bool] = True
    """Whether a look-up result is final. For a setting it is not: someone else may have made the change, and
    ours may still arrive.
    """

    adds: ClassVar[frozenset[str]] = frozenset()
    """Arguments that the tool fills in itself. They do not count when two requests are compared."""

    @abstractmethod
    def rounded(self, context: Context, arguments: Any) -> Arguments:
        """The trading arguments as they would be sent. Does no I/O.

        Raises BrokerError for what can be refused without asking Binance.
        """

    @abstractmethod
    async def assess(
        self, context: AgentContext, arguments: Arguments, *, itself: Intent | None
    ) -> Assessment:
        """Read the figures and run all checks on rounded arguments. The card lists them, also failed ones.

        Before parking, `itself` is None and Binance's rules for the symbol apply too. Just before submission,
        `itself` is the approved intent, which is left out of all sums. Raises BrokerError if the request is
        not possible at all or a figure cannot be read.
        """

    def may_leave(self, context: Context, rounded: Arguments) -> bool:
        """Whether it can be an exit, judging by the rounded arguments and the symbol's rules alone."""
        return False

    @abstractmethod
    def namespace(self, terms: Terms) -> str:
        """Where its client order id is looked up: spot, futures, futures_algo, leverage or cancel."""

    @abstractmethod
    async def submit(self, exchange: Exchange, terms: Terms, client_order_id: str, timestamp_ms: int) -> Sent:
        """Send it to Binance, built from the canonical text alone. Called once."""

    @abstractmethod
    async def look_up(self, exchange: Exchange, terms: Terms, client_order_id: str) -> Found | None:
        """What became of it at Binance; None if Binance does not know it now. Raises BrokerError."""

    async def not_found(self, exchange: Exchange, terms: Terms) -> Found:
        """The outcome once it is certain that a look-up finds nothing. Raises BrokerError."""
        note = "Binance has no such order, and by its clock can no longer accept it"
        return Found(done=False, why=Why(Reason.NEVER_EXECUTED, note))

    @abstractmethod
    def result(self, intent: Intent) -> Result | None:
        """The `result` of a placed intent's answer; None if there is none."""

    @abstractmethod
    async def figures_now(self, context: Context, intent: Intent) -> list[Figure]:
        """The figures that the page keeps up to date while the trader reads. Raises BrokerError."""

    async def explain(self, context: Context, intent: Intent, sent: Sent) -> str | None:
        """A better explanation of Binance's refusal than its own message; None if there is none."""
        return None

    async def prepare(self, call: Call, given: HighInput, rounded: Arguments) -> Request:
        """Check the call and return the request to park. Raises BrokerError; then nothing is parked."""
        try:
            market_reads = self._market_reads(call, rounded)
            assessment = await self.assess(call, rounded, itself=None)
            refuse_failed(assessment.card.checks)
        except BrokerError as error:
            error.message = f"{error.message.removesuffix('.')}. Nothing was parked."
            raise
        settings = call.settings
        ttl = settings.intent_exit_ttl_seconds if assessment.is_exit else settings.intent_ttl_seconds
        return self.request(
            call,
            replace(assessment, card=assessment.card.beside(market_reads)),
            agent=call.agent.name,
            asked=given.asked(),
            reason=given.reason or None,
            idempotency_key=given.idempotencyKey,
            ttl_seconds=given.ttlSeconds or ttl,
        )

    def _market_reads(self, call: Call, rounded: Arguments) -> Figure:
        """What the agent read of the market. Only at parking: a request that waits again does not show it."""
        market, symbol = rounded.market or self.market, rounded.symbol
        return agent_checked(call.looked_at(market, symbol), call.clock())

    async def reassess(self, context: AgentContext, intent: Intent) -> Assessment:
        """Run all checks again just before submission.

        Raises RISK_CHECK_FAILED, BINANCE_UNAVAILABLE if the price is too old once everything is read, and the
        errors of `assess`.
        """
        assessment = await self.assess(context, intent.terms.arguments, itself=intent)
        refuse_failed(assessment.card.checks)
        if intent.terms.worst_price is not None:
            _require_fresh(assessment, to_ms(context.clock()))
        return assessment

    def anew(self, context: Context, intent: Intent, assessment: Assessment) -> Request:
        """The same request with current figures."""
        return self.request(
            context,
            assessment,
            agent=intent.agent,
            asked=intent.asked,
            reason=intent.reason,
            idempotency_key=intent.idempotency_key,
            ttl_seconds=intent.ttl_seconds,
        )

    def changed(self, terms: Terms, now: Assessment) -> Why | None:
        """Why the request now differs from its card, or costs more; None if it does not."""
        worst, reference = terms.worst_price, terms.reference_price
        if worst is None or reference is None:
            return None
        if now.price is None:
            return Why(Reason.BOOK_TOO_THIN, "The order book is now too thin to know the price")
        if now.price <= worst if now.side == "buy" else now.price >= worst:
            return None
        moved = signed_percent(percent(now.price - reference, reference))
        note = f"Price moved {moved}: now {about(now.price)}, the card said {grouped(worst)} or better"
        return Why(Reason.PRICE_MOVED, note)

    def request(self, context: Context, now: Assessment, **asked: Any) -> Request:
        return Request(
            tool=self.name,
            arguments=now.arguments,
            market=now.market,
            mode=str(context.settings.mode),
            account=context.settings.account,
            reference_price=None if now.reference_price is None else kept(now.reference_price),
            tolerance_pct=now.tolerance_pct,
            worst_price=now.worst_price,
            value_usdt=now.value_usdt,
            is_exit=now.is_exit,
            summary=now.card.sentence,
            card=now.card,
            previous=now.previous,
            **asked,
        )


class StandIn(HighTool):
    """Replaces the tool of the same name, which runs at once, for calls that need an approval."""

    @abstractmethod
    def wanted(self, settings: Settings) -> bool:
        """Whether the settings ask for it at all."""

    @abstractmethod
    async def asks(self, call: Call, given: Any) -> bool:
        """Whether this call, with validated arguments, must wait for a trader."""


def leverage_changed(terms: Terms, now: Assessment) -> Why | None:
    """Why the request differs from its card, if the leverage changed. `previous` must be a leverage."""
    was = terms.previous
    if was is None or now.previous == was:
        return None
    return Why(Reason.LEVERAGE_CHANGED, f"Leverage is {now.previous}× now, the card said {was}×")


def _require_fresh(assessment: Assessment, now_ms: int) -> None:
    asked_at_ms = assessment.priced_at_ms
    if asked_at_ms is None or not 0 <= now_ms - asked_at_ms <= PRICE_MAX_AGE_MS:
        raise BrokerError(
            Code.BINANCE_UNAVAILABLE,
            f"Binance took more than {PRICE_MAX_AGE_MS} ms to answer: the price may have moved.",
        )


NEVER_BY_ITSELF: Final = (
    "It NEVER executes by itself: the answer has status=pending, an intentId and an approvalUrl. "
    "Tell the user to decide there, then call intent_wait with the intentId. Do not call this tool again "
    "for the same action: another call may place another order."
)
"""How the description of every HIGH tool ends."""


class HighInput(Input):
    """The arguments that every HIGH tool takes."""

    reason: Annotated[
        str,
        Field(
            max_length=500,
            description="Why, in your own words. The trader reads it before they decide.",
        ),
    ] = ""
    ttlSeconds: Annotated[
        Annotated[int, Field(ge=30, le=86400), WHOLE] | None,
        Field(
            description="How many seconds the request waits for the trader before it expires. Default: the "
            "operator's setting. The answer gives the time as expiresAt.",
        ),
    ] = None
    idempotencyKey: Annotated[
        str | None,
        Field(
            min_length=8,
            max_length=128,
            description="Generate once per intended action and REUSE it when you retry that action "
            "(a time-out, a lost answer). A new value means a new order.",
        ),
    ] = None

    def asked(self) -> dict[str, Any]:
        """The trading arguments as requested, before rounding."""
        common = set(HighInput.model_fields)
        return {
            name: value if isinstance(value, bool | int) else str(value)
            for name, value in self.model_dump(exclude=common, exclude_none=True).items()
        }
