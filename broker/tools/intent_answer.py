"""What an agent is told of an intent: the same over MCP and HTTP, in words that a model can act on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from ..clock import from_ms, iso, to_ms
from ..intents import RECORDABLE, Decision, Intent, State
from ..money import plain
from ..outcomes import Certainty, OutcomeKind, certain_by, meaning
from ..reasons import Reason
from .declaration import Number, Output
from .results import (
    CancelAllResult,
    CancelResult,
    CloseResult,
    LeverageResult,
    OrderResult,
    Result,
    Rounded,
    RoundedCancel,
    RoundedLeverage,
    RoundedOrder,
)

WILL_BE_SENT: Final = Field(description="What will be sent, after rounding.")
ONCE_PLACED: Final = Field(description="Once placed.")


class SuggestionAnswer(Output):
    """What the trader would rather see; you may ask for it as a new request."""

    amount: Number | None = None
    price: Number | None = None


class DecisionAnswer(Output):
    by: Annotated[str, Field(description="The trader.")]
    at: int
    approved: bool
    reason: str | None = None
    suggestion: SuggestionAnswer | None = None


class SameAs(Output):
    intentId: str
    status: State


class NextStep(Output):
    """What the agent may do now."""

    say: str
    tool: str | None = None
    arguments: dict[str, Any] | None = None


class IntentAnswer(Output):
    """Of any HIGH tool; the answer of each says which `rounded` and `result` are its own."""

    status: Annotated[State, Field(description="pending means NOT EXECUTED YET.")]
    intentId: str
    tool: str
    summary: str
    approvalUrl: Annotated[str, Field(description="The page on which a person decides: show it to the user.")]
    createdAt: int
    updatedAt: Annotated[int, Field(description="When something last changed about it.")]
    expiresAt: Annotated[int, Field(description="Undecided by then, it ends and nothing is sent.")]
    digest: Annotated[str, Field(description="A fingerprint of exactly what would be sent.")]
    rounded: Annotated[Rounded, WILL_BE_SENT]
    outcome: Annotated[str, Field(description="The state in words.")]
    next: Annotated[NextStep, Field(description="What to do now.")]
    reason: str | None = None
    reasonCode: Annotated[
        Reason | None,
        Field(description="Why it stands where it does, as a stable code; docs/reasons.md lists them."),
    ] = None
    decision: DecisionAnswer | None = None
    result: Annotated[Result | None, ONCE_PLACED] = None
    diverged: Annotated[
        str | None, Field(description="In what the exchange has something else than was approved.")
    ] = None
    deduplicated: Annotated[
        bool | None, Field(description="true: about an earlier request of yours; nothing new was parked.")
    ] = None
    sameAs: Annotated[
        SameAs | None,
        Field(
            description="An equal request of yours, or one whose amount and prices differ by at most 1 %, "
            "that was sent less than ten minutes ago, or is not settled yet: is this a repeat?"
        ),
    ] = None


class OrderAnswer(IntentAnswer):
    rounded: Annotated[RoundedOrder, WILL_BE_SENT]
    result: Annotated[OrderResult | None, ONCE_PLACED] = None


class CloseAnswer(IntentAnswer):
    rounded: Annotated[RoundedOrder, WILL_BE_SENT]
    result: Annotated[CloseResult | None, ONCE_PLACED] = None


class LeverageAnswer(IntentAnswer):
    rounded: Annotated[RoundedLeverage, WILL_BE_SENT]
    result: Annotated[LeverageResult | None, ONCE_PLACED] = None


class CancelAnswer(IntentAnswer):
    rounded: Annotated[RoundedCancel, WILL_BE_SENT]
    result: Annotated[CancelResult | None, ONCE_PLACED] = None


class CancelAllAnswer(IntentAnswer):
    rounded: Annotated[RoundedCancel, WILL_BE_SENT]
    result: Annotated[CancelAllResult | None, ONCE_PLACED] = None


class Failure(Output):
    """What every tool answers to a call that failed."""

    success: Literal[False]
    error: Annotated[str, Field(description="A stable code.")]
    message: str
    details: dict[str, Any]
    next: dict[str, Any] | None = None


class IntentList(Output):
    intents: list[IntentAnswer]
    count: int


def told(
    shape: type[IntentAnswer],
    intent: Intent,
    *,
    now: datetime,
    url: str,
    rounded: Rounded,
    result: Result | None,
    deduplicated: bool = False,
    same_as: Intent | None = None,
) -> IntentAnswer:
    return shape(
        status=intent.state,
        intentId=intent.id,
        tool=intent.tool,
        summary=intent.summary,
        approvalUrl=f"{url}/intents/{intent.id}",
        createdAt=to_ms(intent.created_at),
        updatedAt=to_ms(intent.updated_at),
        expiresAt=to_ms(intent.expires_at),
        digest=intent.digest,
        rounded=rounded,
        outcome=outcome(intent, now),
        next=next_step(intent, now),
        reason=intent.reason,
        reasonCode=intent.reason_code,
        decision=_decision(intent.decision),
        result=result,
        diverged=intent.diverged,
        deduplicated=deduplicated or None,
        sameAs=None if same_as is None else SameAs(intentId=same_as.id, status=same_as.state),
    )


def text(answer: IntentAnswer) -> str:
    """The sentence that stands before the JSON, for clients that show a model only text."""
    if answer.status is State.PENDING:
        return (
            f"NOT EXECUTED YET. A person must approve this at {answer.approvalUrl} before "
            f"{iso(from_ms(answer.expiresAt))}. Tell the user, then call intent_wait; on a time-out call "
            f"intent_get. Do not call this tool again for the same action.{_repeat(answer.sameAs)}"
        )
    return f"{answer.outcome} {answer.next.say}"


def _repeat(same: SameAs | None) -> str:
    if same is None:
        return ""
    return (
        f" It repeats your request {same.intentId}, which is {same.status}: if this one is a mistake, "
        "withdraw it with intent_cancel."
    )


def outcome(intent: Intent, now: datetime) -> str:
    """The state in words."""
    means = meaning(intent, now)
    said = SAID[means.kind](intent)
    if means.certainty is Certainty.MAY_BE_LIVE:
        by = certain_by(intent, now)
        return f"{said} {'Binance is being asked.' if by is None else f'Certain by {iso(by)}.'}"
    return f"{said} {_CERTAIN[means.certainty]}" if means.certainty in _CERTAIN else said


def next_step(intent: Intent, now: datetime) -> NextStep:
    step = meaning(intent, now).next
    if step.until is None:
        return NextStep(say=step.say)
    until = {} if step.until == "placed" else {"until": step.until}
    return NextStep(say=step.say, tool="intent_wait", arguments={"intentId": intent.id, **until})


def _waiting(intent: Intent) -> str:
    moved = f"{intent.note}. " if intent.note else ""
    unseen = ", and nobody has seen this yet" if intent.overlooked else ""
    return f"{moved}Not executed: waiting for a trader{unseen}."


def _placed(intent: Intent) -> str:
    order = intent.order
    if order is None:
        return "Order placed."
    base = f"Order placed, filled {plain(order.filled)} of {plain(order.amount)}"
    if order.is_final and order.status != "filled":
        return f"{base}; the rest was {order.status}."
    return f"{base}."


def _changed(intent: Intent) -> str:
    return "Done at Binance." if intent.reason_code is None else f"Done at Binance: {_why(intent)}."


def _unsure(intent: Intent) -> str:
    approved = f"Approved by {_by(intent)}. " if intent.decision else ""
    return f"{approved}It is {_why(intent)}."


def _not_sent(intent: Intent) -> str:
    if intent.decision is None:
        return f"Not sent: {_why(intent)}."
    return f"Approved by {_by(intent)}, but not sent: {_why(intent)}."


def _word(intent: Intent, checked: str) -> str:
    """Of an outcome that a trader recorded."""
    said = f"Binance could not be asked in time; {intent.word_by} recorded that {RECORDABLE[intent.state]}"
    return f"{said}. {checked}"


SAID: Final[Mapping[OutcomeKind, Callable[[Intent], str]]] = {
    OutcomeKind.WAITS: _waiting,
    OutcomeKind.OVERDUE: _waiting,
    OutcomeKind.APPROVED: lambda intent: f"Approved by {_by(intent)}, not sent yet.",
    OutcomeKind.SENDING: lambda intent: f"Approved by {_by(intent)}, being sent now.",
    OutcomeKind.PLACED: _placed,
    OutcomeKind.CHANGED: _changed,
    OutcomeKind.REFUSED: lambda intent: f"Approved by {_by(intent)}, but Binance refused it: {_why(intent)}.",
    OutcomeKind.NOT_SENT: _not_sent,
    OutcomeKind.UNSURE: _unsure,
    OutcomeKind.NO_ANSWER: lambda _: "Sent, but Binance's answer is not known: it MAY BE LIVE.",
    OutcomeKind.RECORD_LOST: lambda _: "The broker's record of it is lost: it MAY BE LIVE.",
    OutcomeKind.REJECTED: lambda intent: f"Rejected by {_by(intent)}.",
    OutcomeKind.EXPIRED: lambda _: "Nobody decided in time.",
    OutcomeKind.WITHDRAWN: lambda _: "Withdrawn by you.",
    OutcomeKind.REVOKED: lambda intent: f"Withdrawn: {_why(intent)}.",
    OutcomeKind.RECORDED: lambda intent: _word(intent, "Binance is still being asked."),
    OutcomeKind.CONFIRMED: lambda intent: _word(intent, "Binance says so too."),
    OutcomeKind.CONTRADICTED: lambda intent: _word(intent, f"BINANCE SAYS OTHERWISE: {intent.diverged}."),
}

_CERTAIN: Final[Mapping[Certainty, str]] = {
    Certainty.NOT_SENT: "Nothing was sent.",
    Certainty.NOT_EXECUTED: "Nothing was executed.",
}


def _by(intent: Intent) -> str:
    return intent.decision.by if intent.decision else "nobody"


def _why(intent: Intent) -> str:
    return (intent.note or "it gave no reason").rstrip(".")


def _decision(decision: Decision | None) -> DecisionAnswer | None:
    if decision is None:
        return None
    suggestion = decision.suggestion
    return DecisionAnswer(
        by=decision.by,
        at=to_ms(decision.at),
        approved=decision.approved,
        reason=decision.reason,
        suggestion=SuggestionAnswer(amount=suggestion.amount, price=suggestion.price) if suggestion else None,
    )
