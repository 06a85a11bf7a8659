"""What the templates draw: a request as a card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from ..cards import Card, Figure
from ..clock import to_ms
from ..halt import Halt
from ..hub import Event
from ..intents import Intent, State
from ..risk import Check
from ..settings import Settings
from ..untrusted import is_blank
from .page_queries import Asked, Tally
from .price import quoted
from .wording import Outcome, as_quoted, outcome, repeats, rests, waits

ACTS = ("BUY", "SELL", "CLOSE", "LEVERAGE", "CANCEL")


@dataclass(frozen=True, kw_only=True)
class FrameView:
    """What stands on every page. `equity` is in USDT, None when it could not be read."""

    mode: str
    trader: str
    tally: Tally
    limit: Decimal
    equity: Decimal | None
    problem: str | None
    notices: Sequence[Event]
    halt: Halt
    now: datetime


@dataclass(frozen=True, kw_only=True)
class CardView:
    """`red` says why one tap is not enough. `now` is None when the figures could not be read.

    `price` is the live one. `recordable`: a trader may record what he found out. `cancelled`: a trader has
    just cancelled what was left of the order. `typed` holds what the form was sent with, so that nothing is
    lost when it comes back.
    """

    intent: Intent
    card: Card
    mode: str
    outcome: Outcome
    waiting: bool
    red: Sequence[str]
    at: datetime
    against: Sequence[str] = ()
    price: Figure | None = None
    cancelled: bool = False
    recordable: bool = False
    asks_now: bool = False
    now: Sequence[Figure] | None = None
    problem: str | None = None
    confirming: bool = False
    typed: Mapping[str, str] = field(default_factory=dict)

    @property
    def order(self) -> int:
        """Sorts cards: oldest first."""
        return to_ms(self.intent.created_at)

    @property
    def expires_ms(self) -> int:
        return to_ms(self.intent.expires_at)

    @property
    def priced(self) -> bool:
        """Whether the price matters still."""
        return self.waiting or rests(self.intent)

    @property
    def cancellable(self) -> bool:
        return rests(self.intent) and not self.cancelled

    @property
    def cancelling(self) -> bool:
        """Cancelled, and Binance has not told yet what became of it."""
        return rests(self.intent) and self.cancelled

    @property
    def unknown(self) -> bool:
        return self.intent.state is State.UNKNOWN

    @property
    def diverged(self) -> str | None:
        """In what Binance's truth differs from what was approved, or from a trader's word."""
        return as_quoted(self.intent.diverged) if self.intent.diverged else None

    @property
    def asked_at(self) -> str | None:
        """The price when the agent asked."""
        reference = self.intent.terms["referencePrice"]
        return None if reference is None else quoted(Decimal(reference))

    @property
    def takes_a_side(self) -> bool:
        """Whether something else can work against it."""
        return "side" in self.intent.arguments

    @property
    def moved(self) -> str | None:
        """Why it waits again after it was approved."""
        return as_quoted(self.intent.note) if self.waiting and self.intent.note else None

    @property
    def unnoted(self) -> bool:
        """Waits, and nobody is on record as having seen it."""
        return self.waiting and self.intent.seen_at is None

    @property
    def overlooked(self) -> datetime | None:
        """When half its time was over and nobody had seen it."""
        return self.intent.unseen_at if self.waiting else None

    @property
    def headline(self) -> tuple[str, str, str]:
        """The sentence: before the act, the act, after it."""
        return self.card.sentence.partition(self.card.act)

    @property
    def side(self) -> str:
        """What it does differs in colour too, never in colour alone."""
        return next((word.lower() for word in self.card.act.split() if word in ACTS), "")

    @property
    def reason(self) -> str | None:
        """The agent's own words."""
        said = as_quoted(self.intent.reason or "")
        return None if is_blank(said) else said

    @property
    def notable_checks(self) -> Sequence[Check]:
        return [check for check in self.card.checks if check.near or not check.passed]


def card_view(asked: Asked, settings: Settings, at: datetime) -> CardView:
    intent = asked.intent
    card = Card.model_validate(intent.card)
    waiting = waits(intent, at)
    again = [repeats(intent, asked.earlier, at)] if asked.earlier else []
    return CardView(
        intent=intent,
        card=card,
        mode=str(settings.mode),
        outcome=outcome(intent, at),
        waiting=waiting,
        red=[*again, *card.second_tap] if waiting else [],
        against=asked.against,
        at=at,
    )


@dataclass(frozen=True, kw_only=True)
class InboxView:
    """`more` counts what waits beside these cards. `seen` is the last audit row that it holds."""

    frame: FrameView
    cards: Sequence[CardView]
    decided: Sequence[CardView]
    more: int
    seen: int


@dataclass(frozen=True, kw_only=True)
class RequestView:
    """`seen` as above."""

    frame: FrameView
    card: CardView
    events: Sequence[Event]
    seen: int
