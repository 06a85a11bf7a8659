"""What every page announces, and what a channel was told of, in a trader's words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from ..cards import Tone
from ..events import FACTS, Bundle, Event, EventKind, kinds
from ..notifications import Channel, Delivery
from ..tools.cancel_events import CANCELS, protective, sentence
from .wording import happened, in_words, with_reason

ANNOUNCED: Final = kinds(lambda facts: facts.announced or facts.alarm)
"""New people, keys and channels, halts, alarms: on every page for a day."""


def notice(event: Event) -> str:
    """What every page announces."""
    if event.kind in _PHRASED:
        return _PHRASED[event.kind](event)
    return _notice(event)


def alarming(event: Event) -> bool:
    """What somebody has to look into."""
    return FACTS[event.kind].alarm or protective(event)


def _notice(event: Event) -> str:
    why = event.data.get("reason") or event.data.get("note")
    return with_reason(event.fill(FACTS[event.kind].notice), why)


def _new_key(event: Event) -> str:
    if event.data.get("wasRevoked"):
        return event.fill("Agent {name} may call again, by a new key from {by}")
    return _notice(event)


_PHRASED: Final[Mapping[EventKind, Callable[[Event], str]]] = {
    EventKind.AGENT_KEY_ROTATED: _new_key,
    **dict.fromkeys(CANCELS, sentence),
}
"""Whose words need more of the event's data than the table names."""

_BUNDLES: Final = {
    Bundle.WAITING: "Many requests, in one message",
    Bundle.UNSEEN: "Many requests that nobody has seen, in one message",
    Bundle.CANCELLED: "Many cancelled protections, in one message",
}


def told(delivery: Delivery) -> str:
    """What a notification is about."""
    event = delivery.event
    if delivery.bundle is not None:
        return _BUNDLES[delivery.bundle]
    return happened(event) if FACTS[event.kind].history else notice(event)


def channel_state(channel: Channel) -> str:
    if channel.paused_at is not None:
        return f"Paused since {in_words(channel.paused_at)}"
    if channel.failing_since is not None:
        return f"Nothing has arrived since {in_words(channel.failing_since)}"
    if channel.proven_at is None:
        return "Not proven: open the link of its test message" if channel.is_phone else "Not opened yet"
    return "Works"


def channel_tone(channel: Channel) -> Tone:
    if channel.failing_since is not None:
        return Tone.BAD
    if channel.paused_at is not None or (channel.is_phone and channel.proven_at is None):
        return Tone.WARN
    return Tone.PLAIN
