"""What is said, drawn when it is sent: of what is no longer true, nothing, or what became of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import IntEnum
from typing import Any, Final

from ..cards import Card, Figure
from ..notifications import (
    CLOSING,
    FAILING,
    REQUESTS,
    SINGLES,
    TEST,
    UNREACHABLE,
    UNSEEN,
    Bundle,
    Channel,
    Delivery,
)
from ..hub import Event
from ..intents import Intent, State
from ..money import grouped
from ..store import Gathered
from ..tools.cancel_events import CANCELS, sentence
from ..untrusted import is_blank, one_line

MOST_TITLE: Final = 120
MOST_LINE: Final = 300
MOST_FIGURES: Final = 8


class Priority(IntEnum):
    """As ntfy counts."""

    NORMAL = 3
    HIGH = 4
    URGENT = 5


@dataclass(frozen=True, kw_only=True)
class Message:
    """Every text is one line, bounded, and plain. `lines` begin with the sentence."""

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
    """It is no longer true, and nobody has to hear of it; its text says why."""


@dataclass(frozen=True, kw_only=True)
class About:
    """What a delivery is about, as it is now; `gathered` is what a bundle tells. `over` says why an alert is
    over. By `handles` the endpoint knows the messages that are to be brought up to date. `said` is whether
    the channel was told since the request expired.
    """

    delivery: Delivery
    channel: Channel
    intent: Intent | None
    gathered: Gathered | None
    over: str | None
    handles: Sequence[str]
    said: bool
    mode: str
    link: str
    reject: str
    now: datetime

    def message(self) -> Message:
        """Raises Obsolete."""
        event = self.delivery.event
        if self.gathered is not None:
            return self._bundle(self.gathered)
        if event.kind == TEST:
            return self._plain(
                "channel.test",
                "Test",
                f"This is how you are told on {self.channel.name}. "
                "Open the link: only then the broker knows that it works.",
            )
        if event.kind in _ALERTS:
            return self._alert(event)
        if event.kind in CANCELS:
            return self._cancel(event)
        if self.intent is None:
            raise Obsolete("the request is not on record")
        if event.kind in REQUESTS:
            return self._request(self.intent)
        if event.kind in CLOSING:
            return self._closed(self.intent)
        return self._outcome(self.intent, event)

    def _request(self, intent: Intent) -> Message:
        if intent.digest != self.delivery.digest:
            raise Obsolete("it was shown anew, with other figures")
        if intent.state is State.EXPIRED or (intent.state is State.PENDING and intent.expires_at <= self.now):
            if self.said:
                raise Obsolete("that it expired was told before")
            return self._of_intent(
                intent, "request.expired", "Expired", ["Nobody decided, nothing was sent."]
            )
        if intent.state is not State.PENDING:
            raise Obsolete(_decided(intent))
        words = one_line(intent.reason or "")
        reason = "No reason given." if is_blank(words) else f"Agent {intent.agent} says: “{words}”"
        waits = f"Waits until {intent.expires_at:%H:%M:%S} UTC."
        if self.delivery.event.kind != UNSEEN:
            return self._of_intent(intent, "request.waiting", "", [reason, waits], waiting=True)
        if intent.seen_at is not None:
            raise Obsolete("somebody has seen it meanwhile")
        said = ["Half its time is over, and nobody has seen it yet.", reason, waits]
        return self._of_intent(intent, "request.unseen", "NOBODY HAS SEEN THIS", said, waiting=True)

    def _closed(self, intent: Intent) -> Message:
        if not self.handles:
            raise Obsolete("nothing was told that this could bring up to date")
        return self._of_intent(intent, "request.closed", "", [closed(intent)])

    def _outcome(self, intent: Intent, event: Event) -> Message:
        if event.kind in _FILLS:
            order = intent.order or {}
            return self._of_intent(intent, "outcome.stop_filled", "Stop filled", [_filled(order)])
        if f"intent:{intent.state}" != event.kind:
            raise Obsolete(f"it is {intent.state} meanwhile")
        head, said = _told(intent)
        return self._of_intent(intent, f"outcome.{intent.state}", head, [said])

    def _cancel(self, event: Event) -> Message:
        kind, told = event.kind.replace(":", ".").replace("-", "_"), sentence(event)
        more = ["A protection may be gone: a stop, a take-profit or a reduce-only order."]
        return self._plain(kind, "Protection cancelled", told[0].upper() + told[1:], *more, high=True)

    def _alert(self, event: Event) -> Message:
        kind, head, text = _ALERTS[event.kind]
        if self.over is not None:
            raise Obsolete(self.over)
        if event.kind == FAILING:
            text = f"{text}: {event.data['name']} of {event.data['trader']}"
        note = event.data.get("note")
        said = [f"{text}: {note}" if note else f"{text}."]
        if self.intent is not None:
            return self._of_intent(self.intent, kind, head, said)
        return self._plain(kind, head, *said, high=True)

    def _of_intent(
        self, intent: Intent, kind: str, head: str, said: Sequence[str], *, waiting: bool = False
    ) -> Message:
        card = Card.model_validate(intent.card)
        title = f"{head}: {card.act}" if head else card.act
        return Message(
            type=kind,
            mode=self.mode,
            title=one_line(f"{self.mode.upper()} {title}", MOST_TITLE),
            lines=[one_line(line, MOST_LINE) for line in (card.sentence, *said)],
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
            raise Obsolete(f"{gathered.note}, so nothing was told")
        count, agent = gathered.waiting, gathered.agent
        requests = "1 request" if count == 1 else f"{count} requests"
        match gathered.bundle:
            case Bundle.WAITING:
                head = f"{requests} of {agent} {'waits' if count == 1 else 'wait'}"
            case Bundle.UNSEEN:
                head = f"{requests} of {agent} {'waits' if count == 1 else 'wait'} unseen"
            case Bundle.CANCELLED:
                times = "once more" if gathered.messages == 1 else f"{gathered.messages} more times"
                head = f"{agent} cancelled protections {times}"
        listed = [
            f"{Card.model_validate(intent.card).act}, until {intent.expires_at:%H:%M:%S} UTC"
            for intent in gathered.listed
        ]
        rest = [f"And {count - len(listed)} more."] if count > len(listed) else []
        why = f"Beyond {SINGLES[gathered.bundle]} an hour, messages that one agent causes come as one."
        message = self._plain(f"bundle.{gathered.bundle}", head, f"{head}.", *listed, *rest, why, high=True)
        return replace(message, priority=_PRIORITIES.get(message.type, message.priority))

    def _plain(self, kind: str, head: str, *lines: str, high: bool = False) -> Message:
        return Message(
            type=kind,
            mode=self.mode,
            title=one_line(f"{self.mode.upper()} {head}", MOST_TITLE),
            lines=[one_line(line, MOST_LINE) for line in lines],
            at=self.delivery.event.at,
            link=self.link,
            priority=Priority.HIGH if high else Priority.NORMAL,
        )


def _bounded(figure: Figure) -> Figure:
    return Figure(label=one_line(figure.label, 60), value=one_line(figure.value, 120), tone=figure.tone)


def closed(intent: Intent) -> str:
    """Why a request waits no longer."""
    if intent.decision is not None:
        verb = "Approved" if intent.decision.approved else "Rejected"
        return f"{verb} by {intent.decision.by} at {intent.decision.at:%H:%M:%S} UTC."
    if intent.state is State.WITHDRAWN:
        return f"Withdrawn by agent {intent.agent}."
    if intent.state in (State.EXPIRED, State.PENDING):
        return "Nobody decided, nothing was sent."
    return f"It is {intent.state}."


def _decided(intent: Intent) -> str:
    if intent.decision is not None:
        return f"{intent.decision.by} {'approved' if intent.decision.approved else 'rejected'} it meanwhile"
    return f"it is {intent.state} meanwhile"


def _told(intent: Intent) -> tuple[str, str]:
    """What it came to, in a word and in a sentence."""
    note = intent.note or ""
    if intent.unsure:
        return "Not certain", f"{note[0].upper()}{note[1:]}"
    if intent.state is State.UNKNOWN and intent.wire_timestamp_ms is None:
        return "UNKNOWN", "Perhaps sent: a backup was restored. May be live. Don't repeat it."
    head, text = _OUTCOMES[intent.state]
    return head, f"{text}: {note}" if note else f"{text}."


def _filled(order: Mapping[str, Any]) -> str:
    filled, average = order.get("filled"), order.get("average")
    if filled is None:
        return "Filled."
    price = f" at {grouped(Decimal(str(average)))}" if average is not None else ""
    return f"Filled {grouped(Decimal(str(filled)))}{price}."


_PRIORITIES: Final = {
    "request.expired": Priority.NORMAL,
    "request.unseen": Priority.URGENT,
    "bundle.unseen": Priority.URGENT,
}
_FILLS: Final = frozenset({"intent:placed", "order:changed"})
_OUTCOMES: Final = {
    State.NOT_SENT: ("Not sent", "Nothing was sent"),
    State.REFUSED: ("Refused", "Binance refused"),
    State.UNKNOWN: ("UNKNOWN", "Sent, no answer. May be live. Don't repeat it"),
}
_ALERTS: Final = {
    "order:diverged": ("alert.diverged", "Not as approved", "Differs from what was approved"),
    "word:contradicted": (
        "alert.contradicted",
        "Contradicted",
        "Binance contradicts what a trader recorded",
    ),
    "database:restored": (
        "alert.restored",
        "Backup restored",
        "A backup was restored, and trading is halted",
    ),
    "audit:head-missing": (
        "alert.head_missing",
        "Audit log",
        "The audit log's head file was missing, and was made anew",
    ),
    "audit:key-missing": (
        "alert.key_missing",
        "Audit log",
        "The audit log's key file was missing, and was written again",
    ),
    UNREACHABLE: ("alert.exchange_unreachable", "Binance", "Binance has not been reached for 30 seconds"),
    FAILING: ("alert.channel_failing", "Channel fails", "For 15 minutes nothing has arrived on a channel"),
}
