"""Texts for traders: the notices on every page, the subjects of notifications, the state of a channel."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from ..cards import Tone
from ..events import FACTS, Bundle, Event, EventKind, kinds
from ..notifications import Channel, Delivery
from ..tools.cancel_events import CANCELS, protective, sentence
from .wording import happened, in_words, with_reason

ANNOUNCED: Final = kinds(lambda facts: facts.announced or facts.alarm)
"""Kinds shown on every page for a day: new traders, keys and channels, halts, alarms."""


def notice(event: Event) -> str:
    """The event's notice on every page."""
    if event.kind in _PHRASED:
        return _PHRASED[event.kind](event)
    return _notice(event)


def alarming(event: Event) -> bool:
    """Whether a trader should look into it: an alarm, or a cancelled protective order."""
    return FACTS[event.kind].alarm or protective(event)


def _notice(event: Event) -> str:
    why = event.data.get("reason") or event.data.get("note")
    return with_reason(event.fill(FACTS[event.kind].notice), why)


def _new_key(event: Event) -> str:
    if event.data.get("wasRevoked"):
        return event.fill("Agent {name} may call again: new key from {by}")
    return _notice(event)


_PHRASED: Final[Mapping[EventKind, Callable[[Event], str]]] = {
    EventKind.AGENT_KEY_ROTATED: _new_key,
    **dict.fromkeys(CANCELS, sentence),
}
"""Kinds whose notice needs more of the event's data than a template of FACTS."""

_BUNDLES: Final = {
    Bundle.WAITING: "Several requests in one message",
    Bundle.UNSEEN: "Several unseen requests in one message",
    Bundle.CANCELLED: "Several cancelled protective orders in one message",
}


def subject(delivery: Delivery) -> str:
    """What the notification is about."""
    event = delivery.event
    if delivery.bundle is not None:
        return _BUNDLES[delivery.bundle]
    return happened(event) if FACTS[event.kind].history else notice(event)


def channel_state(channel: Channel) -> str:
    """The state of a channel, for display."""
    if channel.paused_at is not None:
        return f"Paused since {in_words(channel.paused_at)}"
    if channel.failing_since is not None:
        return f"No notification delivered since {in_words(channel.failing_since)}"
    if channel.proven_at is None:
        return "Not confirmed: open the test message's link" if channel.is_phone else "No link opened yet"
    return "Works"


def channel_tone(channel: Channel) -> Tone:
    if channel.failing_since is not None:
        return Tone.BAD
    if channel.paused_at is not None or (channel.is_phone and channel.proven_at is None):
        return Tone.WARN
    return Tone.PLAIN
