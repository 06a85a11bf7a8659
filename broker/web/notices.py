"""What every page announces, and what a channel was told of, in a trader's words."""

from __future__ import annotations

from typing import Final

from ..cards import Tone
from ..notifications import FAILING, RECOVERED, UNREACHABLE, Bundle, Channel, Delivery
from ..hub import Event
from ..tools.cancel_events import protective, sentence
from .wording import HAPPENED, happened, in_words, with_reason

HALTS: Final = ("trading:halted", "trading:exits_only", "trading:open")

ALARMS: Final = ("order:diverged", "database:restored", "audit:head-missing", "audit:key-missing", FAILING)
"""What somebody has to look into."""

AGENTS: Final = (
    "agent:added",
    "agent:key-set",
    "agent:key-rotated",
    "agent:limits-set",
    "agent:revoked",
)

NEWS: Final = (
    ("trader:added", "trader:removed"),
    ("channel:added", RECOVERED),
    AGENTS,
    HALTS,
    *((alarm,) for alarm in ALARMS),
)
"""New people, keys and channels, halts, alarms: on every page for a day."""

ANNOUNCED: Final = tuple(kind for kinds in NEWS for kind in kinds)


def notice(event: Event) -> str:
    """What every page announces."""
    name, by = event.data.get("name", ""), event.who
    if event.kind == "agent:key-rotated" and event.data.get("wasRevoked"):
        return f"Agent {name} may call again, by a new key from {by}"
    if event.kind in _CHANNELS:
        told = event.data.get("note")
        return with_reason(_CHANNELS[event.kind].format(name=name, trader=event.data["trader"]), told)
    if event.kind in _NOTICES:
        told = event.data.get("reason") or event.data.get("note")
        return with_reason(_NOTICES[event.kind].format(name=name, by=by), told)
    return sentence(event)


def alarming(event: Event) -> bool:
    return event.kind in ALARMS or protective(event)


_CHANNELS: Final = {
    "channel:added": "{trader} is told on a new channel, {name}",
    FAILING: "Nothing has arrived for 15 minutes on {trader}'s channel {name}",
    RECOVERED: "{trader}'s channel {name} works again",
}
_NOTICES: Final = {
    "trader:added": "New trader {name}, added by {by}",
    "trader:removed": "Trader {name} was removed by {by}",
    "agent:added": "New agent {name}, added by {by}",
    "agent:key-set": "Agent {name} has a new key",
    "agent:key-rotated": "Agent {name} has a new key, made by {by}",
    "agent:limits-set": "Agent {name} has other limits, set by {by}",
    "agent:revoked": "Agent {name} was revoked by {by}",
    "trading:halted": "Trading halted by {by}",
    "trading:exits_only": "Exits only, by {by}",
    "trading:open": "Trading resumed by {by}",
    "order:diverged": "An order differs from what was approved",
    "database:restored": "A backup was restored by {by}",
    "audit:head-missing": "The audit log's head file was missing, and was made anew",
    "audit:key-missing": "The audit log's key file was missing, and was written again",
    UNREACHABLE: "Binance has not been reached for 30 seconds",
}


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
    if event.kind == "channel:test":
        return "Test"
    if event.kind in HAPPENED:
        return happened(event)
    return notice(event)


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
