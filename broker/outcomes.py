"""What a state of an intent means: what it came to, how certain that is, its tone, what its agent does next.

This is the one place that decides it. Answers to agents, pages and notifications only phrase it. No I/O.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from .cards import Tone
from .clock import from_ms
from .intents import RECORDABLE, Intent, State, horizon_ms
from .reasons import Reason


class OutcomeKind(StrEnum):
    """What an intent came to. Each has its phrase wherever outcomes are told."""

    WAITS = "waits"
    OVERDUE = "overdue"
    """Nobody decided in time, and it is about to expire."""
    APPROVED = "approved"
    SENDING = "sending"
    PLACED = "placed"
    CHANGED = "changed"
    """Done at Binance without an order: a setting, or a cancel."""
    REFUSED = "refused"
    NOT_SENT = "not_sent"
    UNSURE = "unsure"
    """Nobody can tell whether a setting was changed."""
    NO_ANSWER = "no_answer"
    RECORD_LOST = "record_lost"
    """A backup was restored, and whether it was sent is not on record."""
    REJECTED = "rejected"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    REVOKED = "revoked"
    """Withdrawn, since its agent was revoked."""
    RECORDED = "recorded"
    """By a trader; Binance has not said it yet."""
    CONFIRMED = "confirmed"
    CONTRADICTED = "contradicted"


class Certainty(StrEnum):
    OPEN = "open"
    """It goes on by itself, or by a decision."""
    NOT_SENT = "not_sent"
    NOT_EXECUTED = "not_executed"
    ACCEPTED = "accepted"
    """Binance took it; what becomes of an order stands beside the state."""
    MAY_BE_LIVE = "may_be_live"
    """Until `certain_by` nobody can know; Binance is asked."""
    NEVER_KNOWN = "never_known"
    TRADERS_WORD = "traders_word"
    """The outcome names the trader who recorded it, and whether Binance confirms it."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """What an agent does next; `until` is what it waits for, where it waits."""

    say: str
    until: str | None = None


WAIT_FOR_DECISION: Final = Step(
    say="Tell the user to decide at approvalUrl, then wait for it.", until="placed"
)
WAIT_FOR_ANSWER: Final = Step(say="Wait for the exchange's answer.", until="placed")
WAIT_FOR_TRUTH: Final = Step(say="Do not repeat it. Wait until it is settled.", until="placed")
WAIT_FOR_FILL: Final = Step(say="Done: the order rests. Wait for its fill if you need it.", until="filled")
DONE: Final = Step(say="Done. Do not repeat it.")
TELL_WHY: Final = Step(say="Tell the user why. A new call makes a new request.")
ASK_AS_SUGGESTED: Final = Step(say="Do not repeat it as it was; you may ask for what the trader suggested.")
ASK_WHY: Final = Step(say="Do not repeat it; read the trader's reason and ask the user.")
ASK_WHETHER_WANTED: Final = Step(say="Ask the user whether it is still wanted before you ask again.")
ASK_SOMETHING_ELSE: Final = Step(say="You may ask for something else.")
ASK_BINANCE: Final = Step(say="Tell the user, who has to look at Binance. A new call makes a new request.")
LOOK_AT_BINANCE: Final = Step(say="Do not repeat it. Tell the user, who has to look at Binance.")


@dataclass(frozen=True)
class Meaning:
    kind: OutcomeKind
    certainty: Certainty
    next: Step
    tone: Tone = Tone.PLAIN


def meaning(intent: Intent, now: datetime) -> Meaning:
    """With what a trader recorded of it, where one did."""
    stands = meaning_of_state(intent, now)
    if intent.word_by is None or intent.state not in RECORDABLE:
        return stands
    word = WORDS[intent.word_holds]
    return replace(word, next=stands.next) if intent.word_holds else word


def meaning_of_state(intent: Intent, now: datetime) -> Meaning:
    """The same, whoever found it out."""
    return next(meaning for when, meaning in MEANINGS[intent.state] if when(intent, now))


def waits(intent: Intent, now: datetime) -> bool:
    """Whether it can still be decided."""
    return intent.state is State.PENDING and intent.expires_at > now


def rests(intent: Intent) -> bool:
    """Whether its order, or what is left of it, can still be cancelled; whatever was recorded of it."""
    return intent.order is not None and not intent.order_is_final


def certain_by(intent: Intent, now: datetime) -> datetime | None:
    """When Binance's answer is final, of what may be live, as if Binance's clock went with ours; None once
    that time is over.
    """
    at = from_ms(horizon_ms(intent, 0))
    return at if at > now else None


Condition = Callable[[Intent, datetime], bool]


def _always(_: Intent, __: datetime) -> bool:
    return True


def _rests(intent: Intent, _: datetime) -> bool:
    return rests(intent)


def _ended_early(intent: Intent, _: datetime) -> bool:
    return intent.order is not None and intent.order.is_final and intent.order.status != "filled"


def _has_order(intent: Intent, _: datetime) -> bool:
    return intent.order is not None


def _has_reason(intent: Intent, _: datetime) -> bool:
    return intent.reason_code is not None


def _unsure(intent: Intent, _: datetime) -> bool:
    return intent.unsure


def _record_lost(intent: Intent, _: datetime) -> bool:
    return intent.wire_timestamp_ms is None


def _suggested(intent: Intent, _: datetime) -> bool:
    return intent.decision is not None and bool(intent.decision.suggestion)


def _revoked(intent: Intent, _: datetime) -> bool:
    return intent.reason_code is Reason.AGENT_REVOKED


_K, _C = OutcomeKind, Certainty

MEANINGS: Final[Mapping[State, Sequence[tuple[Condition, Meaning]]]] = {
    State.PENDING: (
        (waits, Meaning(_K.WAITS, _C.OPEN, WAIT_FOR_DECISION)),
        (_always, Meaning(_K.OVERDUE, _C.OPEN, WAIT_FOR_DECISION)),
    ),
    State.APPROVED: ((_always, Meaning(_K.APPROVED, _C.OPEN, WAIT_FOR_ANSWER)),),
    State.SUBMITTING: ((_always, Meaning(_K.SENDING, _C.OPEN, WAIT_FOR_ANSWER)),),
    State.PLACED: (
        (_rests, Meaning(_K.PLACED, _C.ACCEPTED, WAIT_FOR_FILL, Tone.GOOD)),
        (_ended_early, Meaning(_K.PLACED, _C.ACCEPTED, DONE, Tone.WARN)),
        (_has_order, Meaning(_K.PLACED, _C.ACCEPTED, DONE, Tone.GOOD)),
        (_has_reason, Meaning(_K.CHANGED, _C.ACCEPTED, DONE, Tone.WARN)),
        (_always, Meaning(_K.CHANGED, _C.ACCEPTED, DONE, Tone.GOOD)),
    ),
    State.REFUSED: ((_always, Meaning(_K.REFUSED, _C.NOT_EXECUTED, TELL_WHY, Tone.WARN)),),
    State.NOT_SENT: (
        (_unsure, Meaning(_K.UNSURE, _C.NEVER_KNOWN, ASK_BINANCE, Tone.WARN)),
        (_always, Meaning(_K.NOT_SENT, _C.NOT_EXECUTED, TELL_WHY, Tone.WARN)),
    ),
    State.UNKNOWN: (
        (_record_lost, Meaning(_K.RECORD_LOST, _C.MAY_BE_LIVE, WAIT_FOR_TRUTH, Tone.BAD)),
        (_always, Meaning(_K.NO_ANSWER, _C.MAY_BE_LIVE, WAIT_FOR_TRUTH, Tone.BAD)),
    ),
    State.REJECTED: (
        (_suggested, Meaning(_K.REJECTED, _C.NOT_SENT, ASK_AS_SUGGESTED)),
        (_always, Meaning(_K.REJECTED, _C.NOT_SENT, ASK_WHY)),
    ),
    State.EXPIRED: ((_always, Meaning(_K.EXPIRED, _C.NOT_SENT, ASK_WHETHER_WANTED)),),
    State.WITHDRAWN: (
        (_revoked, Meaning(_K.REVOKED, _C.NOT_SENT, ASK_SOMETHING_ELSE, Tone.WARN)),
        (_always, Meaning(_K.WITHDRAWN, _C.NOT_SENT, ASK_SOMETHING_ELSE)),
    ),
}
"""By state; of several meanings the first whose condition holds."""

WORDS: Final[Mapping[bool | None, Meaning]] = {
    None: Meaning(_K.RECORDED, _C.TRADERS_WORD, LOOK_AT_BINANCE, Tone.WARN),
    True: Meaning(_K.CONFIRMED, _C.TRADERS_WORD, DONE),
    False: Meaning(_K.CONTRADICTED, _C.TRADERS_WORD, LOOK_AT_BINANCE, Tone.BAD),
}
"""Of what a trader recorded, by whether Binance confirms it. Once it does, the state says what is next."""
