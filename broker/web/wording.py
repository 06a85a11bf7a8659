"""Texts for traders: outcomes and history of requests. They name the actor."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from ..cards import Tone
from ..events import FACTS, FILLS, Event
from ..intents import RECORDABLE, Intent
from ..money import about, cents, grouped
from ..order_record import OrderRecord
from ..outcomes import Certainty, OutcomeKind, certain_by, meaning
from ..reasons import Reason
from ..untrusted import is_blank, one_line

MAX_SHOWN = 300
"""Maximum characters shown of a text from another system."""

PRESETS: Final = ("Too large", "Wrong price", "Wrong direction", "Not now", "Reason unclear")
"""Preset reasons for a rejection."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """`certain_by`: when the outcome is known at the latest; None if that is past or does not apply."""

    text: str
    tone: Tone = Tone.PLAIN
    certain_by: datetime | None = None


def outcome(intent: Intent, now: datetime) -> Outcome:
    means = meaning(intent, now)
    text = SAID[means.kind](intent)
    if means.certainty is not Certainty.MAY_BE_LIVE:
        return Outcome(text=text, tone=means.tone)
    if by := certain_by(intent, now):
        return Outcome(text=text, tone=means.tone, certain_by=by)
    return Outcome(text=f"{text} Binance is being asked.", tone=means.tone)


def _sending(intent: Intent) -> str:
    return f"Approved by {_decider(intent)}, sending"


def _placed(intent: Intent) -> str:
    ended = {"cancelled": ", then cancelled", "expired": ", then expired", "rejected": ", then rejected"}
    end = ended.get(intent.order_status or "", "")
    return f"Placed{end}{_trigger(intent)}{_filled(intent.order)}"


def _trigger(intent: Intent) -> str:
    """After its trigger, a stop-limit order may be open as a limit order; the status does not say which."""
    order = intent.ordering
    if order is None or order.stop_price is None or intent.order_status != "open":
        return ""
    at = grouped(order.stop_price)
    return f", waits for its trigger at {at}" if order.price is None else f", trigger at {at}"


def _filled(order: OrderRecord | None) -> str:
    if order is None:
        return ""
    price = f" at {about(order.average)}" if order.filled and order.average is not None else ""
    return f", filled {grouped(order.filled)} of {grouped(order.amount)}{price}"


def _unsure(intent: Intent) -> str:
    note = intent.note or ""
    text = one_line(note[:1].upper() + note[1:], MAX_SHOWN)
    return text if intent.decision is None else f"Approved. {text}"


def _not_sent(intent: Intent) -> str:
    return with_reason("Not sent" if intent.decision is None else "Approved, not sent", intent.note)


def _resolved(intent: Intent, checked: str) -> str:
    """The outcome that a trader recorded, and whether Binance confirms it."""
    recorded = with_reason(f"{intent.word_by} recorded: {RECORDABLE[intent.state]}", intent.note)
    return f"{recorded}. {checked}"


SAID: Final[Mapping[OutcomeKind, Callable[[Intent], str]]] = {
    OutcomeKind.WAITS: lambda _: "Waiting for you",
    OutcomeKind.OVERDUE: lambda _: "Expired: no decision, not sent",
    OutcomeKind.EXPIRED: lambda _: "Expired: no decision, not sent",
    OutcomeKind.APPROVED: _sending,
    OutcomeKind.SENDING: _sending,
    OutcomeKind.PLACED: _placed,
    OutcomeKind.CHANGED: lambda intent: with_reason("Done at Binance", intent.note),
    OutcomeKind.REFUSED: lambda intent: with_reason("Binance refused", intent.note),
    OutcomeKind.NOT_SENT: _not_sent,
    OutcomeKind.UNSURE: _unsure,
    OutcomeKind.NO_ANSWER: lambda _: "No answer from Binance; it may be live. Don't repeat it.",
    OutcomeKind.RECORD_LOST: lambda _: (
        "Perhaps sent before a backup was restored; it may be live. Don't repeat it."
    ),
    OutcomeKind.REJECTED: lambda intent: f"Rejected by {_decider(intent)}",
    OutcomeKind.WITHDRAWN: lambda intent: f"Withdrawn by agent {intent.agent}",
    OutcomeKind.REVOKED: lambda intent: with_reason("Withdrawn", intent.note),
    OutcomeKind.RECORDED: lambda intent: _resolved(intent, "Binance is still being asked."),
    OutcomeKind.CONFIRMED: lambda intent: _resolved(intent, f"Binance says so too{_filled(intent.order)}"),
    OutcomeKind.CONTRADICTED: lambda intent: _resolved(
        intent, f"Binance says otherwise{_filled(intent.order)}"
    ),
}


def happened(event: Event) -> str:
    """One line of a request's history."""
    line = event.fill(FACTS[event.kind].history or event.kind_name)
    if event.data.get("word"):
        return with_reason(f"{event.who} recorded: {line.lower()}", event.data.get("note"))
    if event.data.get("reasonCode") == Reason.UNCERTAIN:
        line = "Settled"
    if event.kind in FILLS:
        order = event.data.get("order")
        return line + _filled(OrderRecord.model_validate(order) if order else None)
    return with_reason(line, event.data.get("note"))


def in_words(moment: datetime) -> str:
    """The time in UTC. The page's script replaces it with local time."""
    return f"{moment:%H:%M:%S} UTC"


def amount(figure: str | None, unit: str) -> str:
    """Formats a check's figure: USDT with two decimals, other units with all."""
    if figure is None:
        return "not available"
    return cents(Decimal(figure)) if unit == "USDT" else grouped(Decimal(figure))


def unbroken(text: str) -> str:
    """Replaces the space between a number and its unit with a no-break space."""
    return re.sub(r"(?<=\d) (?=\S)", "\N{NO-BREAK SPACE}", text)


def device(user_agent: str) -> str:
    """The browser and device, such as "Safari on iPhone"; else the User-Agent header itself."""
    browsers = {"Edg": "Edge", "OPR": "Opera", "Firefox": "Firefox", "Chrome": "Chrome", "Safari": "Safari"}
    machines = {"iPhone": "iPhone", "iPad": "iPad", "Android": "Android", "Windows": "Windows"}
    machines |= {"Mac OS": "a Mac", "Linux": "Linux"}
    browser = next((name for mark, name in browsers.items() if mark in user_agent), None)
    machine = next((name for mark, name in machines.items() if mark in user_agent), None)
    return f"{browser} on {machine}" if browser and machine else as_quoted(user_agent)


def repeats(intent: Intent, earlier: Intent, now: datetime) -> str:
    """The warning on a request that repeats an earlier one, exactly or nearly."""
    minutes = int((now - earlier.went_out_at).total_seconds()) // 60
    ago = "less than a minute" if minutes < 1 else "1 minute" if minutes == 1 else f"{minutes} minutes"
    what = "The same request"
    if earlier.equality != intent.equality:
        what = f"Almost the same request ({as_quoted(earlier.card.act)})"
    return f"{what} went through {ago} ago: {outcome(earlier, now).text}"


def as_quoted(text: str) -> str:
    """Text from outside on one line, without characters that change, hide or widen the text around it."""
    return one_line(text)


def _decider(intent: Intent) -> str:
    return intent.decision.by if intent.decision else "a trader"


def with_reason(text: str, reason: str | None) -> str:
    """Appends the reason, if any: one line, at most MAX_SHOWN characters."""
    shown = one_line(reason, MAX_SHOWN) if reason else ""
    return text if is_blank(shown) else f"{text}: {shown}"
