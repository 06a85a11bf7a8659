"""The data that templates render."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from ..cards import Card, Check, Figure
from ..clock import to_ms
from ..events import Event
from ..halt import Halt
from ..intents import Intent, State
from ..outcomes import rests, waits
from ..settings import Settings
from ..untrusted import is_blank
from .page_queries import RequestContext, Tally
from .price import quoted
from .wording import Outcome, as_quoted, outcome, repeats

ACTS = ("BUY", "SELL", "CLOSE", "LEVERAGE", "CANCEL")


@dataclass(frozen=True, kw_only=True)
class FrameView:
    """The frame of every page. `equity`: in USDT, None if it could not be read."""

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
    """A request's card.

    - `red`: warnings that an approval must confirm with a second tap.
    - `against`: descriptions of opposite waiting requests.
    - `price`: the live price, None if the card shows none.
    - `cancelled`: a trader has just cancelled the rest of the order.
    - `recordable`: a trader may resolve it manually.
    - `asks_now`, `now`: whether the card shows current figures; they are None if they could not be read.
    - `confirming`: the trader tapped Approve once, and the card now asks for the second tap.
    - `typed`: input to fill the form with again after an error.
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
        """Sort key: oldest first."""
        return to_ms(self.intent.created_at)

    @property
    def expires_ms(self) -> int:
        return to_ms(self.intent.expires_at)

    @property
    def priced(self) -> bool:
        """Whether the card shows a live price."""
        return self.waiting or rests(self.intent)

    @property
    def cancellable(self) -> bool:
        return rests(self.intent) and not self.cancelled

    @property
    def cancelling(self) -> bool:
        """A trader cancelled the rest, but the order's final state is not known yet."""
        return rests(self.intent) and self.cancelled

    @property
    def unknown(self) -> bool:
        return self.intent.state is State.UNKNOWN

    @property
    def diverged(self) -> str | None:
        """How the order at Binance differs from the approval or from a trader's manual resolution."""
        return as_quoted(self.intent.diverged) if self.intent.diverged else None

    @property
    def asked_at(self) -> str | None:
        """The market price when the agent made the request, or when the card was last renewed."""
        reference = self.intent.terms.reference_price
        return None if reference is None else quoted(reference)

    @property
    def takes_a_side(self) -> bool:
        """Whether opposite requests can collide with it: it is an order."""
        return self.intent.ordering is not None

    @property
    def moved(self) -> str | None:
        """Why it waits again after an approval."""
        return as_quoted(self.intent.note) if self.waiting and self.intent.note else None

    @property
    def unseen(self) -> bool:
        """Waits, and no trader has seen it according to the records."""
        return self.waiting and self.intent.seen_at is None

    @property
    def overlooked(self) -> datetime | None:
        """When half of its time was over and no trader had seen it."""
        return self.intent.unseen_at if self.waiting else None

    @property
    def headline(self) -> tuple[str, str, str]:
        """The card's sentence in three parts: before the act, the act, after it."""
        return self.card.sentence.partition(self.card.act)

    @property
    def side(self) -> str:
        """CSS class of the act, such as "buy"; empty if there is none."""
        return next((word.lower() for word in self.card.act.split() if word in ACTS), "")

    @property
    def reason(self) -> str | None:
        """The agent's reason; None if it is blank."""
        reason = as_quoted(self.intent.reason or "")
        return None if is_blank(reason) else reason

    @property
    def notable_checks(self) -> Sequence[Check]:
        """Checks that failed or are close to their limit."""
        return [check for check in self.card.checks if check.near or not check.passed]


def card_view(context: RequestContext, settings: Settings, at: datetime) -> CardView:
    intent = context.intent
    card = intent.card
    waiting = waits(intent, at)
    repeated = [repeats(intent, context.earlier, at)] if context.earlier else []
    return CardView(
        intent=intent,
        card=card,
        mode=str(settings.mode),
        outcome=outcome(intent, at),
        waiting=waiting,
        red=[*repeated, *card.second_tap] if waiting else [],
        against=context.against,
        at=at,
    )


@dataclass(frozen=True, kw_only=True)
class InboxView:
    """`more`: number of waiting requests without a card. `seen`: number of the last audit row included."""

    frame: FrameView
    cards: Sequence[CardView]
    decided: Sequence[CardView]
    more: int
    seen: int


@dataclass(frozen=True, kw_only=True)
class RequestView:
    """`seen` as in InboxView."""

    frame: FrameView
    card: CardView
    events: Sequence[Event]
    seen: int
