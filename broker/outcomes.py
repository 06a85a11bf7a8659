"""The meaning of each state of an intent: outcome, certainty, tone, and the agent's next step.

This is the only place that decides it. Answers to agents, pages and notifications only put it into words. No
I/O.
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
    """The outcome of an intent. Pages, notifications and answers have a text for each."""

    WAITS = "waits"
    OVERDUE = "overdue"
    """Its time is up without a decision; it is about to become expired."""
    APPROVED = "approved"
    SENDING = "sending"
    PLACED = "placed"
    CHANGED = "changed"
    """Executed at Binance without an order: a leverage change or a cancel."""
    REFUSED = "refused"
    NOT_SENT = "not_sent"
    UNSURE = "unsure"
    """It cannot be known whether the leverage was changed."""
    NO_ANSWER = "no_answer"
    RECORD_LOST = "record_lost"
    """A backup was restored, which does not record whether it was sent."""
    REJECTED = "rejected"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    REVOKED = "revoked"
    """Withdrawn because its agent was revoked."""
    RECORDED = "recorded"
    """Resolved manually by a trader; Binance has not confirmed it yet."""
    CONFIRMED = "confirmed"
    CONTRADICTED = "contradicted"


class Certainty(StrEnum):
    OPEN = "open"
    """Not final: it waits for a decision, or is being sent."""
    NOT_SENT = "not_sent"
    NOT_EXECUTED = "not_executed"
    ACCEPTED = "accepted"
    """Binance accepted it; the order's own status says whether it was executed."""
    MAY_BE_LIVE = "may_be_live"
    """The broker asks Binance. Certain at `certain_by`, not before."""
    NEVER_KNOWN = "never_known"
    TRADERS_WORD = "traders_word"
    """Resolved manually: the outcome names the trader, and says whether Binance confirms it."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """The agent's next step. `until`: what to wait for with intent_wait, if anything."""

    say: str
    until: str | None = None


WAIT_FOR_DECISION: Final = Step(
    say="Tell the user to decide at approvalUrl, then wait for the decision.", until="placed"
)
WAIT_FOR_ANSWER: Final = Step(say="Wait for Binance's answer.", until="placed")
WAIT_UNTIL_SETTLED: Final = Step(say="Do not repeat it. Wait until it is settled.", until="placed")
WAIT_FOR_FILL: Final = Step(say="Done: the order is open. Wait for its fill if you need it.", until="filled")
DONE: Final = Step(say="Done. Do not repeat it.")
TELL_WHY: Final = Step(say="Tell the user why. A new call makes a new request.")
ASK_AS_SUGGESTED: Final = Step(
    say="Do not repeat it unchanged. You may make a new request with the trader's suggestion."
)
ASK_WHY: Final = Step(say="Do not repeat it. Read the trader's reason, and ask the user.")
ASK_WHETHER_WANTED: Final = Step(say="Ask the user whether they still want it before you request it again.")
ASK_SOMETHING_ELSE: Final = Step(say="You may make a different request.")
CHECK_BINANCE: Final = Step(say="Tell the user to check at Binance. A new call makes a new request.")
CHECK_BINANCE_FIRST: Final = Step(say="Do not repeat it. Tell the user to check at Binance.")


@dataclass(frozen=True)
class Meaning:
    kind: OutcomeKind
    certainty: Certainty
    next: Step
    tone: Tone = Tone.PLAIN


def meaning(intent: Intent, now: datetime) -> Meaning:
    """The meaning of the intent's state; of a manual resolution, if a trader recorded one."""
    by_state = meaning_of_state(intent, now)
    if intent.word_by is None or intent.state not in RECORDABLE:
        return by_state
    resolution = WORDS[intent.word_holds]
    return replace(resolution, next=by_state.next) if intent.word_holds else resolution


def meaning_of_state(intent: Intent, now: datetime) -> Meaning:
    """The meaning of the state alone, without regard to a manual resolution."""
    return next(meaning for condition, meaning in MEANINGS[intent.state] if condition(intent, now))


def waits(intent: Intent, now: datetime) -> bool:
    """Whether it can still be decided."""
    return intent.state is State.PENDING and intent.expires_at > now


def rests(intent: Intent) -> bool:
    """Whether its order is still open, so that it can be cancelled. A manual resolution does not matter."""
    return intent.order is not None and not intent.order_is_final


def certain_by(intent: Intent, now: datetime) -> datetime | None:
    """When Binance's answer about an unknown intent becomes final; None if that time is past. Assumes that
    Binance's clock equals the broker's.
    """
    horizon = from_ms(horizon_ms(intent, 0))
    return horizon if horizon > now else None


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
        (_unsure, Meaning(_K.UNSURE, _C.NEVER_KNOWN, CHECK_BINANCE, Tone.WARN)),
        (_always, Meaning(_K.NOT_SENT, _C.NOT_EXECUTED, TELL_WHY, Tone.WARN)),
    ),
    State.UNKNOWN: (
        (_record_lost, Meaning(_K.RECORD_LOST, _C.MAY_BE_LIVE, WAIT_UNTIL_SETTLED, Tone.BAD)),
        (_always, Meaning(_K.NO_ANSWER, _C.MAY_BE_LIVE, WAIT_UNTIL_SETTLED, Tone.BAD)),
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
"""The meanings of each state, with their conditions. The first whose condition is true applies."""

WORDS: Final[Mapping[bool | None, Meaning]] = {
    None: Meaning(_K.RECORDED, _C.TRADERS_WORD, CHECK_BINANCE_FIRST, Tone.WARN),
    True: Meaning(_K.CONFIRMED, _C.TRADERS_WORD, DONE),
    False: Meaning(_K.CONTRADICTED, _C.TRADERS_WORD, CHECK_BINANCE_FIRST, Tone.BAD),
}
"""The meaning of a manual resolution, by whether Binance confirms it (None: not yet). Once it is confirmed,
the next step is that of the state.
"""
