"""Every error that a user can meet, with its stable code."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any


class Code(StrEnum):
    """The `error` field of a failed call. A code never changes its meaning."""

    INVALID_ARGUMENTS = "INVALID_ARGUMENTS"
    UNKNOWN_TOOL = "UNKNOWN_TOOL"
    UNKNOWN_SYMBOL = "UNKNOWN_SYMBOL"
    UNKNOWN_INTENT = "UNKNOWN_INTENT"
    UNAUTHORIZED = "UNAUTHORIZED"
    PAYLOAD_TOO_LARGE = "PAYLOAD_TOO_LARGE"
    RATE_LIMITED = "RATE_LIMITED"
    TOO_MANY_PENDING = "TOO_MANY_PENDING"
    TOOL_NOT_ALLOWED = "TOOL_NOT_ALLOWED"
    SYMBOL_NOT_ALLOWED = "SYMBOL_NOT_ALLOWED"
    IDEMPOTENCY_CONFLICT = "IDEMPOTENCY_CONFLICT"
    NOT_PENDING = "NOT_PENDING"
    NOTHING_TO_CANCEL = "NOTHING_TO_CANCEL"
    ORDER_FILTER = "ORDER_FILTER"
    PRICE_COLLAR = "PRICE_COLLAR"
    TRIGGER_WRONG_SIDE = "TRIGGER_WRONG_SIDE"
    LEVERAGE_TOO_HIGH = "LEVERAGE_TOO_HIGH"
    NO_POSITION = "NO_POSITION"
    HEDGE_MODE_UNSUPPORTED = "HEDGE_MODE_UNSUPPORTED"
    FUTURES_NOT_PERMITTED = "FUTURES_NOT_PERMITTED"
    KEY_NOT_ALLOWED = "KEY_NOT_ALLOWED"
    RISK_CHECK_FAILED = "RISK_CHECK_FAILED"
    TRADING_HALTED = "TRADING_HALTED"
    BINANCE_NOT_CONFIGURED = "BINANCE_NOT_CONFIGURED"
    BINANCE_REFUSED = "BINANCE_REFUSED"
    BINANCE_UNAVAILABLE = "BINANCE_UNAVAILABLE"
    BINANCE_TIMEOUT = "BINANCE_TIMEOUT"
    STORE_UNAVAILABLE = "STORE_UNAVAILABLE"
    BROKER_UNREACHABLE = "BROKER_UNREACHABLE"
    ANSWER_LOST = "ANSWER_LOST"
    INTERNAL = "INTERNAL"


MEANING: Mapping[Code, tuple[int, str]] = {
    Code.INVALID_ARGUMENTS: (400, "An argument is missing, unknown or out of range; nothing was sent."),
    Code.UNKNOWN_TOOL: (404, "There is no tool of that name."),
    Code.UNKNOWN_SYMBOL: (400, "The symbol is not one that Binance trades on that market."),
    Code.UNKNOWN_INTENT: (200, "No intent of this agent has that id."),
    Code.UNAUTHORIZED: (401, "The API key is missing, wrong or revoked."),
    Code.PAYLOAD_TOO_LARGE: (413, "The request's body is over 64 KiB."),
    Code.RATE_LIMITED: (
        429,
        "Too many calls, or Binance's request weight is spent; wait for retryAfterSeconds.",
    ),
    Code.TOO_MANY_PENDING: (
        429,
        "So many requests of this agent wait already; nothing was parked. details has how many may.",
    ),
    Code.TOOL_NOT_ALLOWED: (200, "This agent may not call that tool; details.allowed has those it may."),
    Code.SYMBOL_NOT_ALLOWED: (
        200,
        "This agent may not use that symbol, or has to name one; details.allowed has those it may.",
    ),
    Code.IDEMPOTENCY_CONFLICT: (200, "The idempotencyKey was used before with other arguments."),
    Code.NOT_PENDING: (200, "The intent is no longer pending, so it cannot be withdrawn."),
    Code.NOTHING_TO_CANCEL: (200, "The order is not open any more, so nothing of it can be cancelled."),
    Code.ORDER_FILTER: (200, "The order breaks one of Binance's rules for the symbol."),
    Code.PRICE_COLLAR: (200, "The limit price is too far through the market: a likely slip."),
    Code.TRIGGER_WRONG_SIDE: (200, "The trigger lies on the wrong side of the market."),
    Code.LEVERAGE_TOO_HIGH: (200, "The leverage is above MAX_LEVERAGE; nothing was parked."),
    Code.NO_POSITION: (200, "There is no open position that this could reduce; nothing was parked."),
    Code.HEDGE_MODE_UNSUPPORTED: (
        200,
        "The futures account is in hedge mode; the broker trades one-way mode only.",
    ),
    Code.FUTURES_NOT_PERMITTED: (200, "The API key may not use futures; spot tools work."),
    Code.KEY_NOT_ALLOWED: (200, "The API key may withdraw, so nothing is sent with it in live mode."),
    Code.RISK_CHECK_FAILED: (200, "A risk check failed; details.checks has each figure and its limit."),
    Code.TRADING_HALTED: (
        200,
        "A trader has halted trading, or allows exits only; nothing was parked. Cancels go on.",
    ),
    Code.BINANCE_NOT_CONFIGURED: (500, "This tool needs Binance API keys, and none are set."),
    Code.BINANCE_REFUSED: (200, "Binance refused; details has its code and message."),
    Code.BINANCE_UNAVAILABLE: (502, "Binance could not be reached or answered with an error of its own."),
    Code.BINANCE_TIMEOUT: (504, "Binance did not answer in time."),
    Code.STORE_UNAVAILABLE: (503, "The broker's database is not available; this call changed nothing."),
    Code.BROKER_UNREACHABLE: (503, "`broker stdio` finds no broker that runs; this call did nothing."),
    Code.ANSWER_LOST: (
        502,
        "The broker went away before it answered `broker stdio`; what was asked may have been parked.",
    ),
    Code.INTERNAL: (500, "An error of the broker's own; it is in its log."),
}
"""For each code: the HTTP status of `POST /tools/{name}`, and what it means."""


class BrokerError(Exception):
    """A failed call, as its caller is told: what was wrong, what is allowed, what to do next."""

    def __init__(
        self,
        code: Code,
        message: str,
        *,
        details: Mapping[str, Any] | None = None,
        next_step: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.details = dict(details or {})
        self.next_step = dict(next_step) if next_step else None

    @property
    def http_status(self) -> int:
        return MEANING[self.code][0]

    def body(self) -> dict[str, Any]:
        """The failed-call shape, the same over MCP and HTTP."""
        body: dict[str, Any] = {
            "success": False,
            "error": str(self.code),
            "message": self.message,
            "details": self.details,
        }
        if self.next_step:
            body["next"] = self.next_step
        return body


def invalid(field: str, problem: str, **allowed: Any) -> BrokerError:
    """An INVALID_ARGUMENTS error that names one field and what it may be."""
    return BrokerError(
        Code.INVALID_ARGUMENTS,
        f"{field}: {problem}",
        details={"fields": [{"field": field, "problem": problem, **allowed}]},
    )


class StartError(Exception):
    """The broker cannot start; its message is one line for the operator, and the exit code is 2."""
