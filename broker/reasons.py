"""Stable codes for why a request has its status. Code decides by these, never by the text of a note."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from .errors import Code


class Reason(StrEnum):
    """Agents get it as `reasonCode`. A code never changes its meaning. For a failed check or a refusal by
    Binance, the codes are those of failed calls.
    """

    # Waits again
    PRICE_MOVED = "PRICE_MOVED"
    BOOK_TOO_THIN = "BOOK_TOO_THIN"
    LEVERAGE_CHANGED = "LEVERAGE_CHANGED"
    ORDERS_CHANGED = "ORDERS_CHANGED"
    NO_LONGER_AN_EXIT = "NO_LONGER_AN_EXIT"
    # Withdrawn or not sent
    WITHDRAWN_BY_AGENT = "WITHDRAWN_BY_AGENT"
    AGENT_REVOKED = "AGENT_REVOKED"
    APPROVAL_TOO_OLD = "APPROVAL_TOO_OLD"
    CLOCK_SET_BACK = "CLOCK_SET_BACK"
    NOT_APPROVED = "NOT_APPROVED"
    REQUEST_ALTERED = "REQUEST_ALTERED"
    OTHER_ACCOUNT = "OTHER_ACCOUNT"
    EQUAL_REQUEST_WAITS = "EQUAL_REQUEST_WAITS"
    NOT_SENT = "NOT_SENT"
    NEVER_EXECUTED = "NEVER_EXECUTED"
    UNCERTAIN = "UNCERTAIN"
    # Codes of failed calls
    TRADING_HALTED = "TRADING_HALTED"
    RISK_CHECK_FAILED = "RISK_CHECK_FAILED"
    TOOL_NOT_ALLOWED = "TOOL_NOT_ALLOWED"
    SYMBOL_NOT_ALLOWED = "SYMBOL_NOT_ALLOWED"
    UNKNOWN_SYMBOL = "UNKNOWN_SYMBOL"
    NOTHING_TO_CANCEL = "NOTHING_TO_CANCEL"
    ORDER_FILTER = "ORDER_FILTER"
    TRIGGER_WRONG_SIDE = "TRIGGER_WRONG_SIDE"
    LEVERAGE_TOO_HIGH = "LEVERAGE_TOO_HIGH"
    NO_POSITION = "NO_POSITION"
    HEDGE_MODE_UNSUPPORTED = "HEDGE_MODE_UNSUPPORTED"
    FUTURES_NOT_PERMITTED = "FUTURES_NOT_PERMITTED"
    KEY_NOT_ALLOWED = "KEY_NOT_ALLOWED"
    BINANCE_NOT_CONFIGURED = "BINANCE_NOT_CONFIGURED"
    BINANCE_REFUSED = "BINANCE_REFUSED"
    CHECK_FAILED = "CHECK_FAILED"
    # Not known
    NO_ANSWER = "NO_ANSWER"
    FOUND_AT_BINANCE = "FOUND_AT_BINANCE"
    BROKER_STOPPED = "BROKER_STOPPED"
    BROKER_ERROR = "BROKER_ERROR"
    BACKUP_RESTORED = "BACKUP_RESTORED"
    # Placed
    PARTLY_DONE = "PARTLY_DONE"
    # Decided or expired
    REJECTED_BY_TRADER = "REJECTED_BY_TRADER"
    NO_DECISION = "NO_DECISION"
    RECORDED_BY_TRADER = "RECORDED_BY_TRADER"


MEANING: Final[Mapping[Reason, str]] = {
    Reason.PRICE_MOVED: "The price became worse than the card said. It waits again, with new figures.",
    Reason.BOOK_TOO_THIN: "The order book is too thin to know the price. It waits again.",
    Reason.LEVERAGE_CHANGED: "The leverage at Binance is no longer the one on the card. It waits again.",
    Reason.ORDERS_CHANGED: "The orders to cancel are no longer the ones on the card. It waits again.",
    Reason.NO_LONGER_AN_EXIT: "It was approved as an exit and is no longer one. It waits again, as an entry.",
    Reason.WITHDRAWN_BY_AGENT: "The agent withdrew it.",
    Reason.AGENT_REVOKED: "The agent's access was revoked.",
    Reason.APPROVAL_TOO_OLD: "It could not be sent within APPROVAL_VALIDITY_SECONDS after its approval.",
    Reason.CLOCK_SET_BACK: "The broker's clock was set back after the approval.",
    Reason.NOT_APPROVED: "The audit log has no approval of this request.",
    Reason.REQUEST_ALTERED: "The stored request differs from the one that was approved.",
    Reason.OTHER_ACCOUNT: "It is for another mode or another Binance account.",
    Reason.EQUAL_REQUEST_WAITS: "It had to wait again, but an equal request already waits.",
    Reason.NOT_SENT: "The order did not reach Binance, or Binance rejected it before processing it.",
    Reason.NEVER_EXECUTED: "Binance does not have it, and can no longer accept it.",
    Reason.UNCERTAIN: "Nobody can tell whether it was carried out.",
    Reason.TRADING_HALTED: "Trading is halted, or only exits are allowed.",
    Reason.RISK_CHECK_FAILED: "A risk check failed just before sending.",
    Reason.TOOL_NOT_ALLOWED: "The agent may no longer call this tool.",
    Reason.SYMBOL_NOT_ALLOWED: "The agent may no longer trade this symbol.",
    Reason.UNKNOWN_SYMBOL: "Binance no longer trades the symbol.",
    Reason.NOTHING_TO_CANCEL: "The orders to cancel are no longer open.",
    Reason.ORDER_FILTER: "It breaks one of Binance's rules for the symbol.",
    Reason.TRIGGER_WRONG_SIDE: "The market has reached the trigger already.",
    Reason.LEVERAGE_TOO_HIGH: "The leverage is above the limit.",
    Reason.NO_POSITION: "There is no position left to reduce.",
    Reason.HEDGE_MODE_UNSUPPORTED: "The futures account is in hedge mode.",
    Reason.FUTURES_NOT_PERMITTED: "The Binance API key may not use futures.",
    Reason.KEY_NOT_ALLOWED: "The Binance API key may withdraw, so nothing is sent with it.",
    Reason.BINANCE_NOT_CONFIGURED: "No Binance API keys are set.",
    Reason.BINANCE_REFUSED: "Binance refused it.",
    Reason.CHECK_FAILED: "Another check failed just before sending.",
    Reason.NO_ANSWER: "It was sent, and Binance gave no clear answer.",
    Reason.FOUND_AT_BINANCE: "Binance already had an order with its id before this broker sent it.",
    Reason.BROKER_STOPPED: "The broker stopped before it could record Binance's answer.",
    Reason.BROKER_ERROR: "An error in the broker while it was sending.",
    Reason.BACKUP_RESTORED: "A backup was restored, which has no record of what happened since.",
    Reason.PARTLY_DONE: "Only part of it was carried out.",
    Reason.REJECTED_BY_TRADER: "A trader rejected it.",
    Reason.NO_DECISION: "Nobody decided in time.",
    Reason.RECORDED_BY_TRADER: "A trader recorded what they found out at Binance.",
}
"""The meaning of each code. docs/reasons.md has the same texts."""


@dataclass(frozen=True)
class Why:
    """A code for programs, and a note for people."""

    reason: Reason
    note: str | None = None


def uncertain(because: str) -> Why:
    """The reason if it cannot be known whether a request was carried out. `because` ends the note."""
    return Why(Reason.UNCERTAIN, f"not certain whether it was carried out: {because}")


def of_error(code: Code) -> Reason:
    """The reason for not sending a request, for an error with that code."""
    try:
        return Reason(code)
    except ValueError:
        return Reason.CHECK_FAILED
