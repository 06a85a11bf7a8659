"""The kinds of audit log rows, and for each kind its texts and who is notified. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from .halt import Level
from .intents import State

AGENT: Final = "agent:"
"""Prefix of the actor if an agent did it."""

COMMAND_LINE: Final = "command line"
"""The actor if an operator did it by a command."""


class EventKind(StrEnum):
    """The audit log stores these values. Never change a value or its meaning."""

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

    # Changes of a placed order, and a trader's cancel of its open rest
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

    # Binance confirms or contradicts a trader's manual resolution
    WORD_HELD = "word:held"
    WORD_CONTRADICTED = "word:contradicted"

    # Reject links in notifications
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
    """A kind that this release does not know. Never written."""

    @classmethod
    def of(cls, entered: State | Level) -> EventKind:
        """The kind for a change to that state of an intent, or to that level of trading."""
        return cls(f"{'intent' if isinstance(entered, State) else 'trading'}:{entered}")

    @classmethod
    def read(cls, stored: str) -> EventKind:
        """Returns OTHER for an unknown value, which another release may have written."""
        try:
            return cls(stored)
        except ValueError:
            return cls.OTHER


STATES: Final[Mapping[EventKind, State]] = {
    EventKind.INTENT_PARKED: State.PENDING,
    **{EventKind.of(state): state for state in State},
}
"""The state of an intent after each kind of row."""

LEVELS: Final[Mapping[EventKind, Level]] = {EventKind.of(level): level for level in Level}
"""The level of trading after each kind of row."""

FILLS: Final = frozenset({EventKind.INTENT_PLACED, EventKind.ORDER_CHANGED})
"""Kinds after which more of an order may be filled."""


@dataclass(frozen=True, kw_only=True)
class Event:
    """One committed row of the audit log. `seq` is also its id in the event stream. `unknown_kind` is the
    stored kind if this release does not know it.
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
        """The kind as it is stored."""
        return self.unknown_kind or str(self.kind)

    @property
    def subject(self) -> str:
        """The kind's prefix: "intent", "order", "agent" and so on."""
        return self.kind_name.partition(":")[0]

    @property
    def who(self) -> str:
        """The actor for display: "Ana" for "trader:Ana", "agent default" for "agent:default"."""
        return self.actor.removeprefix("trader:").replace(AGENT, "agent ", 1)

    def fill(self, template: str, **more: str) -> str:
        """Fills a template of FACTS."""
        names = {name: str(self.data.get(name, "")) for name in ("name", "trader")}
        return template.format(by=self.who, kind=self.kind_name, **names, **more)


class Topic(StrEnum):
    """What a channel can be notified about."""

    REQUESTS = "requests"
    OUTCOMES = "outcomes"
    CANCELS = "cancels"
    ALERTS = "alerts"


class Bundle(StrEnum):
    """Notifications that are bundled into one message if an agent causes many of them."""

    WAITING = "waiting"
    UNSEEN = "unseen"
    CANCELLED = "cancelled"


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Texts and notifications of one kind. `Event.fill` fills in {by}, {name} and {trader}.

    `history`: the line in a request's history. `notice`: the text on every page; shown for a day if
    `announced`, and at the top if it is an `alarm`. `topic`: the topic that channels subscribe to. `closes`:
    the request no longer waits after it. `type`, `heading`, `alert`: the type, title and text of the
    notification; without `alert` its text is the notice.
    """

    history: str = ""
    notice: str = ""
    announced: bool = False
    alarm: bool = False
    topic: Topic | None = None
    bundle: Bundle | None = None
    """Set for kinds that an agent alone can cause, without limit."""
    closes: bool = False
    type: str = ""
    heading: str = ""
    alert: str = ""


LOG_ONLY: Final = Facts()
"""Shown in no notification and on no page, only in the audit log's export."""

FACTS: Final[Mapping[EventKind, Facts]] = {
    EventKind.INTENT_PARKED: Facts(history="Requested by {by}", topic=Topic.REQUESTS, bundle=Bundle.WAITING),
    EventKind.INTENT_PENDING: Facts(history="Waits again", topic=Topic.REQUESTS),
    EventKind.INTENT_APPROVED: Facts(history="Approved by {by}", closes=True),
    EventKind.INTENT_SUBMITTING: Facts(history="Being sent to Binance"),
    EventKind.INTENT_PLACED: Facts(history="Placed at Binance", topic=Topic.OUTCOMES, heading="Stop filled"),
    EventKind.INTENT_REFUSED: Facts(history="Refused by Binance", topic=Topic.OUTCOMES, heading="Refused"),
    EventKind.INTENT_NOT_SENT: Facts(history="Not sent", topic=Topic.OUTCOMES, heading="Not sent"),
    EventKind.INTENT_UNKNOWN: Facts(
        history="No clear answer from Binance; it may be live", topic=Topic.OUTCOMES, heading="UNKNOWN"
    ),
    EventKind.INTENT_REJECTED: Facts(history="Rejected by {by}", closes=True),
    EventKind.INTENT_EXPIRED: Facts(history="Expired: no decision", closes=True),
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
    EventKind.ORDER_CANCEL_ASKED: Facts(history="Cancel requested by {by}"),
    EventKind.ORDER_CANCEL_FAILED: Facts(history="Not cancelled"),
    EventKind.ORDER_CANCEL_UNCLEAR: Facts(history="Cancel not confirmed by Binance"),
    EventKind.ORDER_CANCELLED: Facts(history="Cancelled by {by}"),
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
    EventKind.WORD_HELD: Facts(history="Binance confirms the recorded outcome"),
    EventKind.WORD_CONTRADICTED: Facts(
        history="Binance contradicts the recorded outcome",
        topic=Topic.ALERTS,
        type="alert.contradicted",
        heading="Contradicted",
        alert="Binance contradicts the outcome that a trader recorded",
    ),
    EventKind.LINK_REJECTED: Facts(history="The reject link of a notification was used"),
    EventKind.LINK_REFUSED: Facts(history="A reject link was refused"),
    EventKind.TRADING_OPEN: Facts(notice="Trading resumed by {by}", announced=True),
    EventKind.TRADING_EXITS_ONLY: Facts(notice="Exits only, by {by}", announced=True),
    EventKind.TRADING_HALTED: Facts(notice="Trading halted by {by}", announced=True),
    EventKind.AGENT_ADDED: Facts(notice="New agent {name}, added by {by}", announced=True),
    EventKind.AGENT_KEY_SET: Facts(notice="Agent {name} has a new key", announced=True),
    EventKind.AGENT_KEY_ROTATED: Facts(notice="Agent {name} has a new key, made by {by}", announced=True),
    EventKind.AGENT_LIMITS_SET: Facts(notice="Limits of agent {name} changed by {by}", announced=True),
    EventKind.AGENT_REVOKED: Facts(notice="Agent {name} was revoked by {by}", announced=True),
    EventKind.TRADER_ADDED: Facts(notice="New trader {name}, added by {by}", announced=True),
    EventKind.TRADER_REMOVED: Facts(notice="Trader {name} was removed by {by}", announced=True),
    EventKind.TRADER_PASSWORD_CHANGED: LOG_ONLY,
    EventKind.PASSWORD_REFUSED: LOG_ONLY,
    EventKind.SESSION_OPENED: LOG_ONLY,
    EventKind.SESSION_ENDED: LOG_ONLY,
    EventKind.SESSION_REFUSED: LOG_ONLY,
    EventKind.CHANNEL_ADDED: Facts(notice="New notification channel of {trader}: {name}", announced=True),
    EventKind.CHANNEL_REMOVED: LOG_ONLY,
    EventKind.CHANNEL_PAUSED: LOG_ONLY,
    EventKind.CHANNEL_RESUMED: LOG_ONLY,
    EventKind.CHANNEL_SECRET_CHANGED: LOG_ONLY,
    EventKind.CHANNEL_TEST: Facts(notice="Test", type="channel.test", heading="Test"),
    EventKind.CHANNEL_BUNDLED: LOG_ONLY,
    EventKind.CHANNEL_FAILING: Facts(
        notice="No notification was delivered for 15 minutes on {trader}'s channel {name}",
        alarm=True,
        topic=Topic.ALERTS,
        type="alert.channel_failing",
        heading="Channel failing",
    ),
    EventKind.CHANNEL_RECOVERED: Facts(notice="{trader}'s channel {name} works again", announced=True),
    EventKind.EXCHANGE_UNREACHABLE: Facts(
        notice="Binance has been unreachable for 30 seconds",
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
        notice="The audit log's head file was missing and was created again",
        alarm=True,
        topic=Topic.ALERTS,
        type="alert.head_missing",
        heading="Audit log",
    ),
    EventKind.AUDIT_KEY_MISSING: Facts(
        notice="The audit log's key file was missing and was written again",
        alarm=True,
        topic=Topic.ALERTS,
        type="alert.key_missing",
        heading="Audit log",
    ),
    EventKind.OTHER: Facts(history="{kind}", notice="{kind}"),
}


def kinds(match: Callable[[Facts], bool]) -> frozenset[EventKind]:
    """The kinds whose facts match."""
    return frozenset(kind for kind, facts in FACTS.items() if match(facts))
