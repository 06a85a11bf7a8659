"""A tool whose call waits for a trader: what each of them declares, and what all have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Final

from pydantic import Field

from ..cards import Card, Figure
from ..clock import to_ms
from ..errors import BrokerError, Code
from ..exchange import Exchange, Market, OrderState, Sent
from ..intents import Intent, Request
from ..money import Side, about, grouped, kept, percent, signed_percent
from ..reasons import Reason, Why
from ..risk import refuse_failed
from ..settings import Settings
from .intent_answer import IntentAnswer
from .declaration import WHOLE, Call, Context, Input, Look, Risk
from ..orders.quote import PRICE_MAX_AGE_MS
from .results import Result, Rounded


@dataclass(frozen=True, kw_only=True)
class Assessment:
    """What a request would do now: the figures read, the checks run, the card drawn.

    `arguments` are what is sent, rounded, decimals as plain strings. `price` is what it would trade at by the
    book, None where no market price is paid now or the book is too thin to tell; it is no older than
    `priced_at_ms`, by our clock. `previous` is what a setting (a leverage) or the entry price of what is
    closed is now.
    """

    arguments: Mapping[str, Any]
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
    """What a look-up found at the exchange; a setting that was changed (a leverage) has no order.

    Not `done`: it did not come about, and no longer can. `why` then says why, and else what is different
    from what was asked for.
    """

    order: OrderState | None = None
    done: bool = True
    why: Why | None = None


class HighTool(ABC):
    """A tool whose call waits for a trader. `terms` is the canonical text that he approved, read."""

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
    """What it is about where it has no argument of that name."""

    has_own_id: ClassVar[bool] = True
    """Whether a look-up finds what this very request sent, and not merely the state that it asked for."""

    found_is_final: ClassVar[bool] = True
    """Whether what a look-up finds stays so: a setting may be another's doing, and ours still to come."""

    adds: ClassVar[frozenset[str]] = frozenset()
    """Arguments that it reads for itself: nobody asks for them, so they tell no two requests apart."""

    @abstractmethod
    def rounded(self, context: Context, arguments: Any) -> Mapping[str, Any]:
        """The trading arguments as they would be sent: decimals as plain strings. Reads nothing.

        Raises BrokerError for what can be refused without asking Binance.
        """

    @abstractmethod
    async def assess(
        self,
        context: Context,
        arguments: Mapping[str, Any],
        *,
        itself: Intent | None = None,
        looks: Sequence[Look] = (),
    ) -> Assessment:
        """Read the figures and run all checks on rounded arguments; the card holds them, also failed ones.

        Before parking, also the exchange's own rules for the symbol. Just before submission `itself` is the
        approved intent: it is left out of what is counted. Raises BrokerError for what can't be asked for at
        all, and where a figure cannot be read.
        """

    def may_leave(self, context: Context, rounded: Mapping[str, Any]) -> bool:
        """Whether it can be an exit, as far as rounded arguments and the symbol's rules tell."""
        return False

    @abstractmethod
    def namespace(self, terms: Mapping[str, Any]) -> str:
        """Where a client order id of it is looked up: spot, futures, futures_algo, leverage."""

    @abstractmethod
    async def submit(
        self, exchange: Exchange, terms: Mapping[str, Any], client_order_id: str, timestamp_ms: int
    ) -> Sent:
        """The one POST, built from the canonical text alone."""

    @abstractmethod
    async def look_up(
        self, exchange: Exchange, terms: Mapping[str, Any], client_order_id: str
    ) -> Found | None:
        """What became of it; None when Binance knows nothing of it now. Raises BrokerError."""

    async def not_found(self, exchange: Exchange, terms: Mapping[str, Any]) -> Found:
        """What it came to, once a look-up finds nothing for good. Raises BrokerError."""
        note = "Binance has no such order, and by its clock can no longer accept it"
        return Found(done=False, why=Why(Reason.NEVER_EXECUTED, note))

    @abstractmethod
    def result(self, intent: Intent) -> Result | None:
        """The contract's result of a placed intent."""

    @abstractmethod
    async def figures_now(self, context: Context, intent: Intent) -> list[Figure]:
        """The figures that move while the trader reads. Raises BrokerError."""

    async def explain(self, context: Context, intent: Intent, sent: Sent) -> str | None:
        """What Binance's refusal comes from, where more can be told than its own words; else None."""
        return None

    async def prepare(self, call: Call, given: HighInput, rounded: Mapping[str, Any]) -> Request:
        """A request ready to be parked. Raises BrokerError; then nothing is parked."""
        try:
            market = rounded.get("market", self.market)
            assessment = await self.assess(call, rounded, looks=call.looked_at(market, rounded["symbol"]))
            refuse_failed(assessment.card.checks)
        except BrokerError as error:
            error.message = f"{error.message.removesuffix('.')}. Nothing was parked."
            raise
        settings = call.settings
        ttl = settings.intent_exit_ttl_seconds if assessment.is_exit else settings.intent_ttl_seconds
        return self.request(
            call,
            assessment,
            agent=call.agent.name,
            asked=given.asked(),
            reason=given.reason or None,
            idempotency_key=given.idempotencyKey,
            ttl_seconds=given.ttlSeconds or ttl,
        )

    async def reassess(self, context: Context, intent: Intent) -> Assessment:
        """All checks again, just before submission. Raises RISK_CHECK_FAILED, BINANCE_UNAVAILABLE where the
        price is old by the time that all is read, and as `assess` does.
        """
        assessment = await self.assess(context, intent.terms["arguments"], itself=intent)
        refuse_failed(assessment.card.checks)
        if intent.terms["worstPrice"] is not None:
            _require_fresh(assessment, to_ms(context.clock()))
        return assessment

    def anew(self, context: Context, intent: Intent, assessment: Assessment) -> Request:
        """The same request with the figures of now."""
        return self.request(
            context,
            assessment,
            agent=intent.agent,
            asked=intent.asked,
            reason=intent.reason,
            idempotency_key=intent.idempotency_key,
            ttl_seconds=intent.ttl_seconds,
        )

    def changed(self, terms: Mapping[str, Any], now: Assessment) -> Why | None:
        """Why it would now do something else, or cost more, than the card said; None when it would not."""
        if terms["worstPrice"] is None:
            return None
        if now.price is None:
            return Why(Reason.BOOK_TOO_THIN, "The order book is too thin now to know its price")
        worst, reference = Decimal(terms["worstPrice"]), Decimal(terms["referencePrice"])
        if now.price <= worst if now.side == "buy" else now.price >= worst:
            return None
        moved = signed_percent(percent(now.price - reference, reference))
        note = f"Price moved {moved}: now {about(now.price)}, shown was {grouped(worst)} or better"
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
            card=now.card.model_dump(mode="json"),
            previous=now.previous,
            **asked,
        )


class StandIn(HighTool):
    """In the place of the tool of the same name that passes straight through, where a trader wants to be
    asked first.
    """

    @abstractmethod
    def wanted(self, settings: Settings) -> bool:
        """Whether there are calls at all that it stands in for."""

    @abstractmethod
    async def asks(self, call: Call, given: Any) -> bool:
        """Whether this call, of validated arguments, has to wait for a trader."""


def leverage_changed(terms: Mapping[str, Any], now: Assessment) -> Why | None:
    """For tools whose `previous` is a leverage."""
    was = terms.get("previous")
    if was is None or now.previous == was:
        return None
    return Why(Reason.LEVERAGE_CHANGED, f"Leverage is {now.previous}× now, shown was {was}×")


def _require_fresh(assessment: Assessment, now_ms: int) -> None:
    asked_at_ms = assessment.priced_at_ms
    if asked_at_ms is None or not 0 <= now_ms - asked_at_ms <= PRICE_MAX_AGE_MS:
        raise BrokerError(
            Code.BINANCE_UNAVAILABLE,
            f"Binance took more than {PRICE_MAX_AGE_MS} ms to answer: its price may have moved meanwhile.",
        )


NEVER_BY_ITSELF: Final = (
    "It NEVER executes by itself: the answer says status=pending, with an intentId and an approvalUrl. "
    "Tell the user to decide there, then call intent_wait with the intentId. Do not call this tool again "
    "for the same action: another call may become another order."
)
"""How the description of every HIGH tool ends."""


class HighInput(Input):
    """What every HIGH tool also takes."""

    reason: Annotated[
        str,
        Field(
            max_length=500,
            description="Why, in your words; the trader reads it beside the figures before he decides.",
        ),
    ] = ""
    ttlSeconds: Annotated[
        Annotated[int, Field(ge=30, le=86400), WHOLE] | None,
        Field(
            description="For how many seconds the request waits for the trader before it expires. Left out: "
            "as the operator set it, which is told as expiresAt.",
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
        """The trading arguments as they were asked for, before rounding."""
        own = set(HighInput.model_fields)
        return {
            name: value if isinstance(value, bool | int) else str(value)
            for name, value in self.model_dump(exclude=own, exclude_none=True).items()
        }
