"""What an agent is told of an intent: the same over MCP and HTTP, in words that a model can act on."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from ..clock import from_ms, iso, to_ms
from ..intents import (
    ORDER_FINAL,
    RECORDABLE,
    Decision,
    Intent,
    State,
    certain_at_ms,
    latest_sending_ms,
)
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
        next=next_step(intent),
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
    by = intent.decision.by if intent.decision else "nobody"
    if intent.word_by is not None and intent.state in RECORDABLE:
        return _word(intent)
    match intent.state:
        case State.PENDING:
            moved = f"{intent.note}. " if intent.note else ""
            unseen = ", and nobody has seen this yet" if intent.overlooked else ""
            return f"{moved}Not executed: waiting for a trader{unseen}."
        case State.APPROVED:
            return f"Approved by {by}, not sent yet."
        case State.SUBMITTING:
            return f"Approved by {by}, being sent now."
        case State.PLACED:
            return _placed(intent)
        case State.REFUSED:
            return f"Approved by {by}, but Binance refused it: {_why(intent)}. Nothing was executed."
        case State.NOT_SENT if intent.unsure:
            approved = f"Approved by {by}. " if intent.decision else ""
            return f"{approved}It is {_why(intent)}."
        case State.NOT_SENT if intent.decision is None:
            return f"Not sent: {_why(intent)}. Nothing was executed."
        case State.NOT_SENT:
            return f"Approved by {by}, but not sent: {_why(intent)}. Nothing was executed."
        case State.UNKNOWN:
            lost = intent.wire_timestamp_ms is None
            sent = "The broker's record of it is lost" if lost else "Sent, but Binance's answer is not known"
            return f"{sent}: it MAY BE LIVE. {_certainty(intent, now)}"
        case State.REJECTED:
            return f"Rejected by {by}. Nothing was sent."
        case State.EXPIRED:
            return "Nobody decided in time. Nothing was sent."
        case State.WITHDRAWN:
            revoked = intent.reason_code is Reason.AGENT_REVOKED
            return f"Withdrawn{f': {_why(intent)}' if revoked else ' by you'}. Nothing was sent."


def _word(intent: Intent) -> str:
    """Of an outcome that a trader recorded."""
    said = f"Binance could not be asked in time; {intent.word_by} recorded that {RECORDABLE[intent.state]}"
    checked = {
        None: "Binance is still being asked.",
        True: "Binance says so too.",
        False: f"BINANCE SAYS OTHERWISE: {intent.diverged}.",
    }
    return f"{said}. {checked[intent.word_holds]}"


def next_step(intent: Intent) -> NextStep:
    if intent.word_by is not None and not intent.word_holds and intent.state in RECORDABLE:
        return NextStep(say="Do not repeat it. Tell the user, who has to look at Binance.")
    match intent.state:
        case State.PENDING:
            return _wait(intent, "Tell the user to decide at approvalUrl, then wait for it.", "placed")
        case State.APPROVED | State.SUBMITTING:
            return _wait(intent, "Wait for the exchange's answer.", "placed")
        case State.UNKNOWN:
            return _wait(intent, "Do not repeat it. Wait until it is settled.", "placed")
        case State.PLACED if not intent.order_is_final:
            return _wait(intent, "Done: the order rests. Wait for its fill if you need it.", "filled")
        case State.PLACED:
            return NextStep(say="Done. Do not repeat it.")
        case State.REJECTED if intent.decision and intent.decision.suggestion:
            return NextStep(say="Do not repeat it as it was; you may ask for what the trader suggested.")
        case State.REJECTED:
            return NextStep(say="Do not repeat it; read the trader's reason and ask the user.")
        case State.EXPIRED:
            return NextStep(say="Ask the user whether it is still wanted before you ask again.")
        case State.WITHDRAWN:
            return NextStep(say="You may ask for something else.")
        case State.NOT_SENT if intent.unsure:
            return NextStep(say="Tell the user, who has to look at Binance. A new call makes a new request.")
        case State.REFUSED | State.NOT_SENT:
            return NextStep(say="Tell the user why. A new call makes a new request.")


def _why(intent: Intent) -> str:
    return (intent.note or "it gave no reason").rstrip(".")


def _certainty(intent: Intent, now: datetime) -> str:
    certain = certain_at_ms(latest_sending_ms(intent))
    return f"Certain by {iso(from_ms(certain))}." if certain > to_ms(now) else "Binance is being asked."


def _placed(intent: Intent) -> str:
    order = intent.order
    if order is None:
        return "Done at Binance." if intent.reason_code is None else f"Done at Binance: {_why(intent)}."
    base = f"Order placed, filled {order.get('filled', '?')} of {order.get('amount', '?')}"
    if order.get("status") in ORDER_FINAL - {"filled"}:
        return f"{base}; the rest was {order['status']}."
    return f"{base}."


def _wait(intent: Intent, say: str, until: str) -> NextStep:
    arguments: dict[str, Any] = {"intentId": intent.id}
    if until != "placed":
        arguments["until"] = until
    return NextStep(say=say, tool="intent_wait", arguments=arguments)


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
