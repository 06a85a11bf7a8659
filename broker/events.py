"""What happens: the kinds of rows in the audit log, and what is true of each kind. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from .halt import Level
from .intents import State

AGENT: Final = "agent:"
"""How the actor begins where an agent did it."""

COMMAND_LINE: Final = "command line"
"""The actor of what an operator does by a command."""


class EventKind(StrEnum):
    """The audit log keeps these values for ever: none is changed, and none gets another meaning."""

    INTENT_PARKED = "intent:parked"
    INTENT_PENDING = "intent:pending"
    INTENT_APPROVED = "intent:approved"
    INTENT_SUBMITTING = "intent:submitting"
    INTENT_PLACED = "intent:placed"
    INTENT_REFUSED = "intent:refused"
    INTENT_NOT_SENT = "intent:not_sent"
    INTENT_UNKNOWN = "intent:unknown"
    INTENT_REJECTED = "intent:rejected"
    INTENT_EXPIRED = "intent:expired"
    INTENT_WITHDRAWN = "intent:withdrawn"
    REQUEST_UNSEEN = "request:unseen"

    # What became of a placed order, and a trader's cancel of what is left of it
    ORDER_CHANGED = "order:changed"
    ORDER_DIVERGED = "order:diverged"
    ORDER_CANCEL_ASKED = "order:cancel-asked"
    ORDER_CANCEL_FAILED = "order:cancel-failed"
    ORDER_CANCEL_UNCLEAR = "order:cancel-unclear"
    ORDER_CANCELLED = "order:cancelled"

    # An agent's own cancels
    ORDERS_CANCEL_ASKED = "orders:cancel-asked"
    ORDERS_CANCEL_FAILED = "orders:cancel-failed"
    ORDERS_CANCEL_UNCLEAR = "orders:cancel-unclear"
    ORDERS_CANCELLED = "orders:cancelled"

    # What Binance says of an outcome that a trader recorded
    WORD_HELD = "word:held"
    WORD_CONTRADICTED = "word:contradicted"

    # The reject links of notifications
    LINK_REJECTED = "link:rejected"
    LINK_REFUSED = "link:refused"

    TRADING_OPEN = "trading:open"
    TRADING_EXITS_ONLY = "trading:exits_only"
    TRADING_HALTED = "trading:halted"

    AGENT_ADDED = "agent:added"
    AGENT_KEY_SET = "agent:key-set"
    AGENT_KEY_ROTATED = "agent:key-rotated"
    AGENT_LIMITS_SET = "agent:limits-set"
    AGENT_REVOKED = "agent:revoked"

    TRADER_ADDED = "trader:added"
    TRADER_REMOVED = "trader:removed"
    TRADER_PASSWORD_CHANGED = "trader:password-changed"  # noqa: S105
    PASSWORD_REFUSED = "password:refused"  # noqa: S105
    SESSION_OPENED = "session:opened"
    SESSION_ENDED = "session:ended"
    SESSION_REFUSED = "session:refused"

    CHANNEL_ADDED = "channel:added"
    CHANNEL_REMOVED = "channel:removed"
    CHANNEL_PAUSED = "channel:paused"
    CHANNEL_RESUMED = "channel:resumed"
    CHANNEL_SECRET_CHANGED = "channel:secret-changed"  # noqa: S105
    CHANNEL_TEST = "channel:test"
    CHANNEL_BUNDLED = "channel:bundled"
    CHANNEL_FAILING = "channel:failing"
    CHANNEL_RECOVERED = "channel:recovered"

    EXCHANGE_UNREACHABLE = "exchange:unreachable"
    EXCHANGE_REACHABLE = "exchange:reachable"

    DATABASE_MADE = "database:made"
    DATABASE_RECOVERED = "database:recovered"
    DATABASE_RESTORED = "database:restored"
    AUDIT_HEAD_MISSING = "audit:head-missing"
    AUDIT_KEY_MISSING = "audit:key-missing"

    OTHER = "other"
    """A row of another release, which this one does not know. Never written."""

    @classmethod
    def of(cls, entered: State | Level) -> EventKind:
        """That an intent, or trading, is in that state from now on."""
        return cls(f"{'intent' if isinstance(entered, State) else 'trading'}:{entered}")

    @classmethod
    def read(cls, stored: str) -> EventKind:
        """Never fails: the log outlives the releases that write it."""
        try:
            return cls(stored)
        except ValueError:
            return cls.OTHER


STATES: Final[Mapping[EventKind, State]] = {
    EventKind.INTENT_PARKED: State.PENDING,
    **{EventKind.of(state): state for state in State},
}
"""The state that an intent is in after it."""

LEVELS: Final[Mapping[EventKind, Level]] = {EventKind.of(level): level for level in Level}
"""Where trading stands after it."""

FILLS: Final = frozenset({EventKind.INTENT_PLACED, EventKind.ORDER_CHANGED})
"""After these more of an order may be filled than before."""


@dataclass(frozen=True, kw_only=True)
class Event:
    """One committed row of the audit log. `seq` is the stream's id too. `unknown_kind` is what the log says
    where this release does not know the kind.
    """

    seq: int
    at: datetime
    kind: EventKind
    actor: str
    intent_id: str | None
    data: Mapping[str, Any]
    unknown_kind: str | None = None

    @property
    def kind_name(self) -> str:
        """As the log has it."""
        return self.unknown_kind or str(self.kind)

    @property
    def subject(self) -> str:
        """What it is about: "intent", "order", "agent" and so on."""
        return self.kind_name.partition(":")[0]

    @property
    def who(self) -> str:
        """Its actor in words: "trader:Ana" is Ana, "agent:default" is agent default."""
        return self.actor.removeprefix("trader:").replace(AGENT, "agent ", 1)

    def fill(self, template: str, **more: str) -> str:
        """A text of FACTS, with what it names."""
        names = {name: str(self.data.get(name, "")) for name in ("name", "trader")}
        return template.format(by=self.who, kind=self.kind_name, **names, **more)


class Topic(StrEnum):
    """What a channel can be told of."""

    REQUESTS = "requests"
    OUTCOMES = "outcomes"
    CANCELS = "cancels"
    ALERTS = "alerts"


class Bundle(StrEnum):
    """What is told as one message, once an agent causes many."""

    WAITING = "waiting"
    UNSEEN = "unseen"
    CANCELLED = "cancelled"


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is true of a kind. Texts may name {by}, {name} and {trader}, as `Event.fill` puts them in.

    `history` is its line in a request's record. `notice` is what every page says, for a day where it is
    `announced`; an `alarm` is announced too, and stays on top. `topic` is what channels hear of it as, and
    `closes` that the request then no longer waits. Of an alert, `type`, `heading` and `alert` are the
    notification's own; without an `alert` it says the notice.
    """

    history: str = ""
    notice: str = ""
    announced: bool = False
    alarm: bool = False
    topic: Topic | None = None
    bundle: Bundle | None = None
    """Of what an agent can cause as often as it likes. The rest takes a trader's approval, or trouble."""
    closes: bool = False
    type: str = ""
    heading: str = ""
    alert: str = ""


LOG_ONLY: Final = Facts()
"""Nobody is told; the audit log's export shows it."""

FACTS: Final[Mapping[EventKind, Facts]] = {
    EventKind.INTENT_PARKED: Facts(history="Asked by {by}", topic=Topic.REQUESTS, bundle=Bundle.WAITING),
    EventKind.INTENT_PENDING: Facts(history="Waits again", topic=Topic.REQUESTS),
    EventKind.INTENT_APPROVED: Facts(history="Approved by {by}", closes=True),
    EventKind.INTENT_SUBMITTING: Facts(history="Being sent to Binance"),
    EventKind.INTENT_PLACED: Facts(history="Placed at Binance", topic=Topic.OUTCOMES, heading="Stop filled"),
    EventKind.INTENT_REFUSED: Facts(history="Refused by Binance", topic=Topic.OUTCOMES, heading="Refused"),
    EventKind.INTENT_NOT_SENT: Facts(history="Not sent", topic=Topic.OUTCOMES, heading="Not sent"),
    EventKind.INTENT_UNKNOWN: Facts(
        history="No clear answer: it may be live", topic=Topic.OUTCOMES, heading="UNKNOWN"
    ),
    EventKind.INTENT_REJECTED: Facts(history="Rejected by {by}", closes=True),
    EventKind.INTENT_EXPIRED: Facts(history="Time was up, nobody had decided", closes=True),
    EventKind.INTENT_WITHDRAWN: Facts(history="Withdrawn by {by}", closes=True),
    EventKind.REQUEST_UNSEEN: Facts(
        history="Nobody has seen this yet, and half its time is over",
        topic=Topic.REQUESTS,
        bundle=Bundle.UNSEEN,
        heading="NOBODY HAS SEEN THIS",
    ),
    EventKind.ORDER_CHANGED: Facts(
        history="Order changed at Binance", topic=Topic.OUTCOMES, heading="Stop filled"
    ),
    EventKind.ORDER_DIVERGED: Facts(
        history="Differs from what was approved",
        notice="An order differs from what was approved",
        alarm=True,
        topic=Topic.ALERTS,
        type="alert.diverged",
        heading="Not as approved",
        alert="Differs from what was approved",
    ),
    EventKind.ORDER_CANCEL_ASKED: Facts(history="{by} cancels what is left"),
    EventKind.ORDER_CANCEL_FAILED: Facts(history="Not cancelled"),
    EventKind.ORDER_CANCEL_UNCLEAR: Facts(history="Not confirmed that it is cancelled"),
    EventKind.ORDER_CANCELLED: Facts(history="What was left is cancelled, by {by}"),
    EventKind.ORDERS_CANCEL_ASKED: LOG_ONLY,
    EventKind.ORDERS_CANCEL_FAILED: LOG_ONLY,
    EventKind.ORDERS_CANCEL_UNCLEAR: Facts(
        notice="{by} may have cancelled {orders}: Binance gave no clear answer",
        topic=Topic.CANCELS,
        bundle=Bundle.CANCELLED,
        heading="Protection cancelled",
    ),
    EventKind.ORDERS_CANCELLED: Facts(
        notice="{by} cancelled {orders}",
        topic=Topic.CANCELS,
        bundle=Bundle.CANCELLED,
        heading="Protection cancelled",
    ),
    EventKind.WORD_HELD: Facts(history="Binance bears out what was recorded"),
    EventKind.WORD_CONTRADICTED: Facts(
        history="Binance contradicts what was recorded",
        topic=Topic.ALERTS,
        type="alert.contradicted",
        heading="Contradicted",
        alert="Binance contradicts what a trader recorded",
    ),
    EventKind.LINK_REJECTED: Facts(history="The reject link of a notification was used"),
    EventKind.LINK_REFUSED: Facts(history="A reject link was refused"),
    EventKind.TRADING_OPEN: Facts(notice="Trading resumed by {by}", announced=True),
    EventKind.TRADING_EXITS_ONLY: Facts(notice="Exits only, by {by}", announced=True),
    EventKind.TRADING_HALTED: Facts(notice="Trading halted by {by}", announced=True),
    EventKind.AGENT_ADDED: Facts(notice="New agent {name}, added by {by}", announced=True),
    EventKind.AGENT_KEY_SET: Facts(notice="Agent {name} has a new key", announced=True),
    EventKind.AGENT_KEY_ROTATED: Facts(notice="Agent {name} has a new key, made by {by}", announced=True),
    EventKind.AGENT_LIMITS_SET: Facts(notice="Agent {name} has other limits, set by {by}", announced=True),
    EventKind.AGENT_REVOKED: Facts(notice="Agent {name} was revoked by {by}", announced=True),
    EventKind.TRADER_ADDED: Facts(notice="New trader {name}, added by {by}", announced=True),
    EventKind.TRADER_REMOVED: Facts(notice="Trader {name} was removed by {by}", announced=True),
    EventKind.TRADER_PASSWORD_CHANGED: LOG_ONLY,
    EventKind.PASSWORD_REFUSED: LOG_ONLY,
    EventKind.SESSION_OPENED: LOG_ONLY,
    EventKind.SESSION_ENDED: LOG_ONLY,
    EventKind.SESSION_REFUSED: LOG_ONLY,
    EventKind.CHANNEL_ADDED: Facts(notice="{trader} is told on a new channel, {name}", announced=True),
    EventKind.CHANNEL_REMOVED: LOG_ONLY,
    EventKind.CHANNEL_PAUSED: LOG_ONLY,
    EventKind.CHANNEL_RESUMED: LOG_ONLY,
    EventKind.CHANNEL_SECRET_CHANGED: LOG_ONLY,
    EventKind.CHANNEL_TEST: Facts(notice="Test", type="channel.test", heading="Test"),
    EventKind.CHANNEL_BUNDLED: LOG_ONLY,
    EventKind.CHANNEL_FAILING: Facts(
        notice="Nothing has arrived for 15 minutes on {trader}'s channel {name}",
        alarm=True,
        topic=Topic.ALERTS,
        type="alert.channel_failing",
        heading="Channel fails",
        alert="For 15 minutes nothing has arrived on a channel: {name} of {trader}",
    ),
    EventKind.CHANNEL_RECOVERED: Facts(notice="{trader}'s channel {name} works again", announced=True),
    EventKind.EXCHANGE_UNREACHABLE: Facts(
        notice="Binance has not been reached for 30 seconds",
        topic=Topic.ALERTS,
        type="alert.exchange_unreachable",
        heading="Binance",
    ),
    EventKind.EXCHANGE_REACHABLE: LOG_ONLY,
    EventKind.DATABASE_MADE: LOG_ONLY,
    EventKind.DATABASE_RECOVERED: LOG_ONLY,
    EventKind.DATABASE_RESTORED: Facts(
        notice="A backup was restored by {by}",
        alarm=True,
        topic=Topic.ALERTS,
        type="alert.restored",
        heading="Backup restored",
        alert="A backup was restored, and trading is halted",
    ),
    EventKind.AUDIT_HEAD_MISSING: Facts(
        notice="The audit log's head file was missing, and was made anew",
        alarm=True,
        topic=Topic.ALERTS,
        type="alert.head_missing",
        heading="Audit log",
    ),
    EventKind.AUDIT_KEY_MISSING: Facts(
        notice="The audit log's key file was missing, and was written again",
        alarm=True,
        topic=Topic.ALERTS,
        type="alert.key_missing",
        heading="Audit log",
    ),
    EventKind.OTHER: Facts(history="{kind}", notice="{kind}"),
}


def kinds(are: Callable[[Facts], bool]) -> frozenset[EventKind]:
    """The kinds of which it is true."""
    return frozenset(kind for kind, facts in FACTS.items() if are(facts))
