"""Writes the text of a notification when it is sent, from the state at that time.

If its subject is no longer true, the message says what happened instead, or is not sent (`Obsolete`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import IntEnum
from typing import Final

from ..cards import Figure
from ..events import FACTS, FILLS, Bundle, Event, EventKind, Facts, Topic
from ..intents import Intent, State
from ..money import grouped
from ..notifications import SINGLES, Channel, Delivery
from ..order_record import OrderRecord
from ..outcomes import OutcomeKind, meaning_of_state
from ..store import Gathered
from ..tools.cancel_events import sentence
from ..untrusted import is_blank, one_line

NO_DECISION: Final = "Expired: no decision, not sent."

MOST_TITLE: Final = 120
MOST_LINE: Final = 300
MOST_FIGURES: Final = 8


class Priority(IntEnum):
    """ntfy's priorities (docs.ntfy.sh/publish)."""

    NORMAL = 3
    HIGH = 4
    URGENT = 5


@dataclass(frozen=True, kw_only=True)
class Message:
    """A message for any channel. Every text is one line of plain text with a maximum length.

    `lines[0]` is the sentence that describes the order or the event.
    """

    type: str
    mode: str
    title: str
    lines: Sequence[str]
    at: datetime
    link: str
    reject: str | None = None
    priority: Priority = Priority.NORMAL
    figures: Sequence[Figure] = ()
    intent: Intent | None = None
    expires_at: datetime | None = None

    @property
    def sentence(self) -> str:
        return self.lines[0]


class Obsolete(Exception):
    """The message is no longer true and is not sent; the exception's text says why."""


@dataclass(frozen=True, kw_only=True)
class About:
    """A delivery with the current state of its subject.

    `gathered`: the content of a bundle. `over`: why an alert no longer applies; None while it does.
    `handles`: the endpoint's ids of the messages to update. `expiry_sent`: whether the channel got a message
    since the request expired.
    """

    delivery: Delivery
    channel: Channel
    intent: Intent | None
    gathered: Gathered | None
    over: str | None
    handles: Sequence[str]
    expiry_sent: bool
    mode: str
    link: str
    reject: str
    now: datetime

    def message(self) -> Message:
        """The message to send. Raises Obsolete."""
        event, facts = self.delivery.event, FACTS[self.delivery.event.kind]
        if self.gathered is not None:
            return self._bundle(self.gathered)
        if event.kind is EventKind.CHANNEL_TEST:
            return self._plain(
                facts.type,
                facts.heading,
                f"This is a test message on {self.channel.name}. "
                "Open the link to confirm that this channel reaches you.",
            )
        if facts.topic is Topic.ALERTS:
            return self._alert(event, facts)
        if facts.topic is Topic.CANCELS:
            return self._cancel(event, facts)
        if self.intent is None:
            raise Obsolete("the request does not exist")
        if facts.topic is Topic.REQUESTS:
            return self._request(self.intent)
        if facts.closes:
            return self._closed(self.intent)
        return self._outcome(self.intent, event.kind)

    def _request(self, intent: Intent) -> Message:
        if intent.digest != self.delivery.digest:
            raise Obsolete("the request has new figures")
        outcome = meaning_of_state(intent, self.now).kind
        if outcome in (OutcomeKind.EXPIRED, OutcomeKind.OVERDUE):
            if self.expiry_sent:
                raise Obsolete("a message after its expiry was sent before")
            return self._of_intent(intent, "request.expired", "Expired", [NO_DECISION])
        if outcome is not OutcomeKind.WAITS:
            raise Obsolete(_decided(intent))
        words = one_line(intent.reason or "")
        reason = "No reason given." if is_blank(words) else f"Agent {intent.agent} says: “{words}”"
        deadline = f"Waits until {intent.expires_at:%H:%M:%S} UTC."
        if self.delivery.event.kind is not EventKind.REQUEST_UNSEEN:
            return self._of_intent(intent, "request.waiting", "", [reason, deadline], waiting=True)
        if intent.seen_at is not None:
            raise Obsolete("a trader had already seen it")
        lines = ["Nobody has seen this request, and half of its time is over.", reason, deadline]
        heading = FACTS[EventKind.REQUEST_UNSEEN].heading
        return self._of_intent(intent, "request.unseen", heading, lines, waiting=True)

    def _closed(self, intent: Intent) -> Message:
        if not self.handles:
            raise Obsolete("there is no earlier message to update")
        return self._of_intent(intent, "request.closed", "", [closed(intent)])

    def _outcome(self, intent: Intent, kind: EventKind) -> Message:
        if kind in FILLS:
            filled = [_filled(intent.order)]
            return self._of_intent(intent, "outcome.stop_filled", FACTS[kind].heading, filled)
        if EventKind.of(intent.state) is not kind:
            raise Obsolete(f"it was already {intent.state}")
        outcome = meaning_of_state(intent, self.now).kind
        heading = "Not certain" if outcome is OutcomeKind.UNSURE else FACTS[kind].heading
        return self._of_intent(intent, f"outcome.{intent.state}", heading, [SAID[outcome](intent)])

    def _cancel(self, event: Event, facts: Facts) -> Message:
        kind, text = event.kind.replace(":", ".").replace("-", "_"), sentence(event)
        warning = "A protective order may be gone: a stop, a take-profit or a reduce-only order."
        return self._plain(kind, facts.heading, _capital(text), warning, high=True)

    def _alert(self, event: Event, facts: Facts) -> Message:
        if self.over is not None:
            raise Obsolete(self.over)
        text, note = event.fill(facts.alert or facts.notice), event.data.get("note")
        line = f"{text}: {note}" if note else f"{text}."
        if self.intent is not None:
            return self._of_intent(self.intent, facts.type, facts.heading, [line])
        return self._plain(facts.type, facts.heading, line, high=True)

    def _of_intent(
        self, intent: Intent, kind: str, heading: str, lines: Sequence[str], *, waiting: bool = False
    ) -> Message:
        card = intent.card
        title = f"{heading}: {card.act}" if heading else card.act
        return Message(
            type=kind,
            mode=self.mode,
            title=one_line(f"{self.mode.upper()} {title}", MOST_TITLE),
            lines=[one_line(line, MOST_LINE) for line in (card.sentence, *lines)],
            at=self.delivery.event.at,
            link=self.link,
            reject=self.reject if waiting else None,
            priority=_PRIORITIES.get(kind, Priority.HIGH),
            figures=[_bounded(figure) for figure in card.figures[:MOST_FIGURES]],
            intent=intent,
            expires_at=intent.expires_at if waiting else None,
        )

    def _bundle(self, gathered: Gathered) -> Message:
        if gathered.bundle is not Bundle.CANCELLED and not gathered.waiting:
            raise Obsolete(f"{gathered.note}, so no message was sent")
        count, agent = gathered.waiting, gathered.agent
        requests = "1 request" if count == 1 else f"{count} requests"
        match gathered.bundle:
            case Bundle.WAITING:
                heading = f"{requests} of {agent} {'waits' if count == 1 else 'wait'}"
            case Bundle.UNSEEN:
                heading = f"{requests} of {agent} {'waits' if count == 1 else 'wait'} unseen"
            case Bundle.CANCELLED:
                times = "once more" if gathered.messages == 1 else f"{gathered.messages} more times"
                heading = f"{agent} cancelled protective orders {times}"
        listed = [f"{intent.card.act}, until {intent.expires_at:%H:%M:%S} UTC" for intent in gathered.listed]
        more = [f"And {count - len(listed)} more."] if count > len(listed) else []
        why = f"After {SINGLES[gathered.bundle]} messages an hour about an agent, the rest come as one."
        message = self._plain(
            f"bundle.{gathered.bundle}", heading, f"{heading}.", *listed, *more, why, high=True
        )
        return replace(message, priority=_PRIORITIES.get(message.type, message.priority))

    def _plain(self, kind: str, heading: str, *lines: str, high: bool = False) -> Message:
        return Message(
            type=kind,
            mode=self.mode,
            title=one_line(f"{self.mode.upper()} {heading}", MOST_TITLE),
            lines=[one_line(line, MOST_LINE) for line in lines],
            at=self.delivery.event.at,
            link=self.link,
            priority=Priority.HIGH if high else Priority.NORMAL,
        )


def _bounded(figure: Figure) -> Figure:
    return Figure(label=one_line(figure.label, 60), value=one_line(figure.value, 120), tone=figure.tone)


def closed(intent: Intent) -> str:
    """One sentence: why the request no longer waits."""
    if intent.decision is not None:
        verb = "Approved" if intent.decision.approved else "Rejected"
        return f"{verb} by {intent.decision.by} at {intent.decision.at:%H:%M:%S} UTC."
    if intent.state is State.WITHDRAWN:
        return f"Withdrawn by agent {intent.agent}."
    if intent.state in (State.EXPIRED, State.PENDING):
        return NO_DECISION
    return f"It is {intent.state}."


def _decided(intent: Intent) -> str:
    if intent.decision is not None:
        verb = "approved" if intent.decision.approved else "rejected"
        return f"{intent.decision.by} had already {verb} it"
    return f"it was already {intent.state}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _with_note(text: str, intent: Intent) -> str:
    return f"{text}: {intent.note}" if intent.note else f"{text}."


def _filled(order: OrderRecord | None) -> str:
    if order is None:
        return "Filled."
    price = "" if order.average is None else f" at {grouped(order.average)}"
    return f"Filled {grouped(order.filled)}{price}."


_PRIORITIES: Final = {
    "request.expired": Priority.NORMAL,
    "request.unseen": Priority.URGENT,
    "bundle.unseen": Priority.URGENT,
}
SAID: Final[Mapping[OutcomeKind, Callable[[Intent], str]]] = {
    OutcomeKind.NOT_SENT: lambda intent: _with_note("Nothing was sent", intent),
    OutcomeKind.REFUSED: lambda intent: _with_note("Binance refused", intent),
    OutcomeKind.UNSURE: lambda intent: _capital(intent.note or ""),
    OutcomeKind.NO_ANSWER: lambda intent: _with_note(
        "No answer from Binance; it may be live. Don't repeat it", intent
    ),
    OutcomeKind.RECORD_LOST: lambda _: (
        "Perhaps sent before a backup was restored; it may be live. Don't repeat it."
    ),
}
