"""All errors that a caller can get, with their stable codes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final


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
    Code.UNKNOWN_SYMBOL: (400, "Binance does not trade this symbol on that market."),
    Code.UNKNOWN_INTENT: (200, "This agent has no request with that id."),
    Code.UNAUTHORIZED: (401, "The API key is missing, wrong or revoked."),
    Code.PAYLOAD_TOO_LARGE: (413, "The request's body is over 64 KiB."),
    Code.RATE_LIMITED: (
        429,
        "Too many calls, or Binance's request weight is used up; wait for details.retryAfterSeconds.",
    ),
    Code.TOO_MANY_PENDING: (
        429,
        "Too many requests of this agent wait already; nothing was parked. details has the limit.",
    ),
    Code.TOOL_NOT_ALLOWED: (200, "This agent may not call that tool; details.allowed lists its tools."),
    Code.SYMBOL_NOT_ALLOWED: (
        200,
        "This agent may not use that symbol, or must name a symbol; details.allowed lists its symbols.",
    ),
    Code.IDEMPOTENCY_CONFLICT: (200, "The idempotencyKey was used before with other arguments."),
    Code.NOT_PENDING: (200, "The intent is no longer pending, so it cannot be withdrawn."),
    Code.NOTHING_TO_CANCEL: (200, "The order is no longer open, so there is nothing to cancel."),
    Code.ORDER_FILTER: (200, "The order breaks one of Binance's rules for the symbol."),
    Code.PRICE_COLLAR: (200, "The limit price is far beyond the market price: probably a typing error."),
    Code.TRIGGER_WRONG_SIDE: (200, "The trigger is on the wrong side of the market price."),
    Code.LEVERAGE_TOO_HIGH: (
        200,
        "The leverage is above MAX_LEVERAGE or the agent's own limit; nothing was parked.",
    ),
    Code.NO_POSITION: (200, "There is no open position to reduce; nothing was parked."),
    Code.HEDGE_MODE_UNSUPPORTED: (
        200,
        "The futures account is in hedge mode; the broker supports only one-way mode.",
    ),
    Code.FUTURES_NOT_PERMITTED: (200, "The Binance API key may not use futures; spot tools work."),
    Code.KEY_NOT_ALLOWED: (200, "The Binance API key may withdraw; in live mode nothing is sent with it."),
    Code.RISK_CHECK_FAILED: (200, "A risk check failed; details.checks lists each figure with its limit."),
    Code.TRADING_HALTED: (
        200,
        "Trading is halted, or only exits are allowed; nothing was parked. Cancels still work.",
    ),
    Code.BINANCE_NOT_CONFIGURED: (500, "This tool needs Binance API keys, and none are set."),
    Code.BINANCE_REFUSED: (200, "Binance refused; details has its code and message."),
    Code.BINANCE_UNAVAILABLE: (502, "Binance could not be reached, or had an error of its own."),
    Code.BINANCE_TIMEOUT: (504, "Binance did not answer in time."),
    Code.STORE_UNAVAILABLE: (503, "The broker's database is not available; this call changed nothing."),
    Code.BROKER_UNREACHABLE: (503, "`broker stdio` found no running broker; this call did nothing."),
    Code.ANSWER_LOST: (
        502,
        "`broker stdio` lost the connection before the broker answered; the request may have been parked.",
    ),
    Code.INTERNAL: (500, "An error in the broker; see its log."),
}
"""For each code: the HTTP status of `POST /tools/{name}`, and what it means."""


@dataclass(frozen=True)
class Hint:
    """What a model should do after a failed call, and the tool to call, if any."""

    say: str
    tool: str | None = None

    def body(self) -> dict[str, Any]:
        return {"say": self.say} | ({} if self.tool is None else {"tool": self.tool})


_RETRY_ONCE: Final = (
    "Wait a few seconds, then repeat the same call once, with the same idempotencyKey if it had one. If that "
    "fails too, tell the user."
)

HINTS: Final[Mapping[Code, Hint]] = {
    Code.INVALID_ARGUMENTS: Hint(
        "Correct the arguments in details.fields, then call again. Nothing was sent."
    ),
    Code.UNKNOWN_TOOL: Hint("Use one of details.tools."),
    Code.UNKNOWN_SYMBOL: Hint(
        "Write the symbol as Binance does (BTCUSDT). Check whether it is traded on spot or on futures. Ask "
        "the user which symbol they mean; do not guess.",
        "binance_get_exchange_info",
    ),
    Code.UNKNOWN_INTENT: Hint("Look for the intentId among your own requests.", "intent_list"),
    Code.UNAUTHORIZED: Hint(
        "Tell the user that the broker does not accept your API key. Do not repeat the call."
    ),
    Code.PAYLOAD_TOO_LARGE: Hint("Shorten the arguments, then call again. Nothing was sent."),
    Code.TOO_MANY_PENDING: Hint(
        "List your waiting requests. Withdraw those that are no longer wanted, or ask the user to decide on "
        "some. Then repeat the same call.",
        "intent_list",
    ),
    Code.TOOL_NOT_ALLOWED: Hint(
        "Use one of details.allowed, or tell the user that the operator does not let you use this tool."
    ),
    Code.SYMBOL_NOT_ALLOWED: Hint(
        "Use one of details.allowed, or tell the user that the operator does not let you trade this symbol."
    ),
    Code.RATE_LIMITED: Hint(
        "Wait for details.retryAfterSeconds, then repeat the same call, with the same idempotencyKey if it "
        "had one. Call less often."
    ),
    Code.IDEMPOTENCY_CONFLICT: Hint(
        "This key belongs to an earlier request: check the status of that request. For a different action, "
        "call again with a new idempotencyKey."
    ),
    Code.NOT_PENDING: Hint(
        "It was decided or has ended: check its status. To cancel an open order at Binance, use "
        "binance_cancel_order."
    ),
    Code.NOTHING_TO_CANCEL: Hint(
        "The order was filled or cancelled, or has expired: check which orders are still open. Do not cancel "
        "it again.",
        "binance_get_open_orders",
    ),
    Code.ORDER_FILTER: Hint(
        "Change the field in details to an allowed value. If that differs from what the user asked for, ask "
        "them first."
    ),
    Code.PRICE_COLLAR: Hint(
        "Check the price for a typing error. To trade at once, use type market. Otherwise ask the user.",
        "binance_get_ticker",
    ),
    Code.TRIGGER_WRONG_SIDE: Hint(
        "Check price, side and type: a stop_loss triggers when the price moves against you, a take_profit "
        "when it moves in your favour.",
        "binance_get_ticker",
    ),
    Code.LEVERAGE_TOO_HIGH: Hint(
        "Tell the user the limit in details, which the operator has set. Ask for a leverage within it."
    ),
    Code.NO_POSITION: Hint(
        "There is nothing to close or reduce: check which positions are open.",
        "binance_get_futures_positions",
    ),
    Code.HEDGE_MODE_UNSUPPORTED: Hint(
        "Tell the user to set the futures account to one-way mode at Binance. Spot tools still work."
    ),
    Code.FUTURES_NOT_PERMITTED: Hint(
        "Tell the user that the Binance API key may not use futures. Spot tools still work."
    ),
    Code.KEY_NOT_ALLOWED: Hint("Tell the user that the operator must change the Binance API key."),
    Code.RISK_CHECK_FAILED: Hint(
        "Tell the user which checks in details.checks failed, with figure and limit. Do not split the order "
        "to avoid a limit."
    ),
    Code.TRADING_HALTED: Hint(
        "Tell the user that trading is halted. Do not try again before they say that it has resumed."
    ),
    Code.BINANCE_NOT_CONFIGURED: Hint("Tell the user that the operator has set no Binance API keys."),
    Code.BINANCE_REFUSED: Hint(
        "Tell the user Binance's message, which is in details. Do not repeat the same call."
    ),
    Code.BINANCE_UNAVAILABLE: Hint(_RETRY_ONCE),
    Code.BINANCE_TIMEOUT: Hint(_RETRY_ONCE),
    Code.STORE_UNAVAILABLE: Hint(f"{_RETRY_ONCE} The operator must check the broker's database."),
    Code.BROKER_UNREACHABLE: Hint(
        "Ask the user to start the broker with `broker`, then repeat the same call."
    ),
    Code.ANSWER_LOST: Hint("Check whether the request was parked before you call again.", "intent_list"),
    Code.INTERNAL: Hint(
        "Check whether the request was parked before you call again. Tell the user to read the broker's log.",
        "intent_list",
    ),
}
"""What to do next, by code. An error's own `next_step` takes precedence."""


class BrokerError(Exception):
    """A failed call: its code, a message for the caller, details, and what to do next."""

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
        """The JSON body of a failed call, over MCP and HTTP (two HTTP bodies differ: `api.http_errors`)."""
        return {
            "success": False,
            "error": str(self.code),
            "message": self.message,
            "details": self.details,
            "next": HINTS[self.code].body() | (self.next_step or {}),
        }


def invalid(field: str, problem: str, **allowed: Any) -> BrokerError:
    """An INVALID_ARGUMENTS error about one field, with what is allowed in it."""
    return BrokerError(
        Code.INVALID_ARGUMENTS,
        f"{field}: {problem}",
        details={"fields": [{"field": field, "problem": problem, **allowed}]},
    )


class StartError(Exception):
    """A command cannot start or go on. The message is for the operator; the exit code is 2."""
