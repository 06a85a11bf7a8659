"""What became of a request, and what happened, in a trader's words. Always with the actor."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from ..cards import Tone
from ..clock import from_ms
from ..hub import Event
from ..intents import RECORDABLE, Intent, State, certain_at_ms, latest_sending_ms
from ..money import about, cents, grouped
from ..reasons import Reason
from ..untrusted import is_blank, one_line

MAX_SHOWN = 300
"""Characters of a text that another system wrote."""


PRESETS: Final = ("Too large", "Wrong price", "Wrong direction", "Not now", "Reason unclear")
"""Reasons for a rejection that a trader needs not type."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """`certain_by`: until then nobody can know."""

    text: str
    tone: Tone = Tone.PLAIN
    certain_by: datetime | None = None


def waits(intent: Intent, now: datetime) -> bool:
    """Whether it can still be decided."""
    return intent.state is State.PENDING and intent.expires_at > now


def rests(intent: Intent) -> bool:
    """Whether its order, or what is left of it, can still be cancelled; whatever was recorded of it."""
    return intent.order is not None and not intent.order_is_final


def outcome(intent: Intent, now: datetime) -> Outcome:
    if waits(intent, now):
        return Outcome(text="Waiting for you")
    if intent.word_by is not None and intent.state in RECORDABLE:
        return _word(intent)
    return _OUTCOMES[intent.state](intent, now)


def _expired(_: Intent, __: datetime) -> Outcome:
    return Outcome(text="Nobody decided, nothing sent")


def _sending(intent: Intent, _: datetime) -> Outcome:
    return Outcome(text=f"Approved by {_decider(intent)}, sending")


def _placed(intent: Intent, _: datetime) -> Outcome:
    if intent.order is None:
        tone = Tone.GOOD if intent.reason_code is None else Tone.WARN
        return Outcome(text=with_reason("Done at Binance", intent.note), tone=tone)
    ended = {"cancelled": ", then cancelled", "expired": ", then expired", "rejected": ", then rejected"}
    text = f"Placed{ended.get(intent.order_status or '', '')}{_trigger(intent)}{_filled(intent.order)}"
    return Outcome(text=text, tone=Tone.WARN if intent.order_status in ended else Tone.GOOD)


def _trigger(intent: Intent) -> str:
    """A limit order may rest after its trigger, which its status does not tell."""
    trigger = intent.arguments.get("stopPrice")
    if trigger is None or intent.order_status != "open":
        return ""
    at = grouped(_number(trigger))
    return f", trigger at {at}" if "price" in intent.arguments else f", waits for its trigger at {at}"


def _filled(order: Mapping[str, Any]) -> str:
    if order.get("amount") is None or order.get("filled") is None:
        return ""
    filled = _number(order["filled"])
    average = order.get("average")
    price = f" at {about(_number(average))}" if filled and average is not None else ""
    return f", filled {grouped(filled)} of {grouped(_number(order['amount']))}{price}"


def _refused(intent: Intent, _: datetime) -> Outcome:
    return Outcome(text=with_reason("Binance refused", intent.note), tone=Tone.WARN)


def _not_sent(intent: Intent, _: datetime) -> Outcome:
    note = intent.note or ""
    if intent.unsure:
        said = one_line(f"{note[0].upper()}{note[1:]}", MAX_SHOWN)
        return Outcome(text=said if intent.decision is None else f"Approved. {said}", tone=Tone.WARN)
    if intent.decision is None:
        return Outcome(text=with_reason("Not sent", note), tone=Tone.WARN)
    return Outcome(text=with_reason("Approved, not sent", note), tone=Tone.WARN)


def _unknown(intent: Intent, now: datetime) -> Outcome:
    lost = intent.wire_timestamp_ms is None
    text = "Perhaps sent: a backup was restored." if lost else "Sent, no answer."
    text += " May be live. Don't repeat it."
    certain_by = from_ms(certain_at_ms(latest_sending_ms(intent)))
    if certain_by > now:
        return Outcome(text=text, tone=Tone.BAD, certain_by=certain_by)
    return Outcome(text=f"{text} Binance is being asked.", tone=Tone.BAD)


def _word(intent: Intent) -> Outcome:
    """A trader's word, and what Binance says of it."""
    said = with_reason(f"{intent.word_by} recorded: {RECORDABLE[intent.state]}", intent.note)
    match intent.word_holds:
        case None:
            return Outcome(text=f"{said}. Binance is still asked.", tone=Tone.WARN)
        case True:
            return Outcome(text=f"{said}. Binance says so too{_filled(intent.order or {})}")
        case False:
            return Outcome(text=f"{said}. Binance says otherwise{_filled(intent.order or {})}", tone=Tone.BAD)


def _rejected(intent: Intent, _: datetime) -> Outcome:
    return Outcome(text=f"Rejected by {_decider(intent)}")


def _withdrawn(intent: Intent, _: datetime) -> Outcome:
    if intent.reason_code is Reason.AGENT_REVOKED:
        return Outcome(text=with_reason("Withdrawn", intent.note), tone=Tone.WARN)
    return Outcome(text=f"Withdrawn by agent {intent.agent}")


_OUTCOMES: Final[Mapping[State, Callable[[Intent, datetime], Outcome]]] = {
    State.PENDING: _expired,
    State.EXPIRED: _expired,
    State.APPROVED: _sending,
    State.SUBMITTING: _sending,
    State.PLACED: _placed,
    State.REFUSED: _refused,
    State.NOT_SENT: _not_sent,
    State.UNKNOWN: _unknown,
    State.REJECTED: _rejected,
    State.WITHDRAWN: _withdrawn,
}


HAPPENED: Final = {
    "intent:parked": "Asked by {actor}",
    "intent:pending": "Waits again",
    "intent:approved": "Approved by {actor}",
    "request:unseen": "Nobody has seen this yet, and half its time is over",
    "intent:rejected": "Rejected by {actor}",
    "intent:expired": "Time was up, nobody had decided",
    "intent:withdrawn": "Withdrawn by {actor}",
    "intent:submitting": "Being sent to Binance",
    "intent:placed": "Placed at Binance",
    "intent:refused": "Refused by Binance",
    "intent:not_sent": "Not sent",
    "intent:unknown": "No clear answer: it may be live",
    "order:changed": "Order changed at Binance",
    "order:diverged": "Differs from what was approved",
    "word:held": "Binance bears out what was recorded",
    "word:contradicted": "Binance contradicts what was recorded",
    "link:rejected": "The reject link of a notification was used",
    "link:refused": "A reject link was refused",
    "order:cancel-asked": "{actor} cancels what is left",
    "order:cancel-failed": "Not cancelled",
    "order:cancel-unclear": "Not confirmed that it is cancelled",
    "order:cancelled": "What was left is cancelled, by {actor}",
}


def happened(event: Event) -> str:
    """One line of a request's record."""
    line = HAPPENED.get(event.kind, event.kind).format(actor=event.who)
    if event.data.get("word"):
        return with_reason(f"{event.who} recorded: {line.lower()}", event.data.get("note"))
    if event.data.get("reasonCode") == Reason.UNCERTAIN:
        line = "Settled"
    if event.kind in ("intent:placed", "order:changed"):
        return line + _filled(event.data.get("order") or {})
    return with_reason(line, event.data.get("note"))


def in_words(moment: datetime) -> str:
    """As a page says it when no script puts it into the reader's own time."""
    return f"{moment:%H:%M:%S} UTC"


def amount(figure: str | None, unit: str) -> str:
    """A check's figure, as people write amounts of that unit."""
    if figure is None:
        return "not read"
    return cents(Decimal(figure)) if unit == "USDT" else grouped(Decimal(figure))


def unbroken(text: str) -> str:
    """No line ends between a number and its unit."""
    return re.sub(r"(?<=\d) (?=\S)", "\N{NO-BREAK SPACE}", text)


def device(user_agent: str) -> str:
    """The browser and the machine, as far as it says so."""
    browsers = {"Edg": "Edge", "OPR": "Opera", "Firefox": "Firefox", "Chrome": "Chrome", "Safari": "Safari"}
    machines = {"iPhone": "iPhone", "iPad": "iPad", "Android": "Android", "Windows": "Windows"}
    machines |= {"Mac OS": "a Mac", "Linux": "Linux"}
    browser = next((name for mark, name in browsers.items() if mark in user_agent), None)
    machine = next((name for mark, name in machines.items() if mark in user_agent), None)
    return f"{browser} on {machine}" if browser and machine else as_quoted(user_agent)


def repeats(intent: Intent, earlier: Intent, now: datetime) -> str:
    """Why a request that equals an earlier one, or nearly does, needs a second tap."""
    minutes = int((now - earlier.went_out_at).total_seconds()) // 60
    ago = "less than a minute" if minutes < 1 else "1 minute" if minutes == 1 else f"{minutes} minutes"
    what = "The same request"
    if earlier.equality != intent.equality:
        what = f"Almost the same request ({as_quoted(earlier.card['act'])})"
    return f"{what} went through {ago} ago: {outcome(earlier, now).text}"


def as_quoted(text: str) -> str:
    """Another's words on one line, without letters that could turn, hide or widen what stands around them."""
    return one_line(text)


def _decider(intent: Intent) -> str:
    return intent.decision.by if intent.decision else "a trader"


def with_reason(what: str, why: str | None) -> str:
    """`why` is another's words: bounded, on the same line."""
    said = one_line(why, MAX_SHOWN) if why else ""
    return what if is_blank(said) else f"{what}: {said}"


def _number(value: object) -> Decimal:
    return Decimal(str(value))
