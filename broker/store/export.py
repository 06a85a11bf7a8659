"""Export of the audit log by intent: asked, shown, decided, sent, answered, filled. Reads only the log."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from sqlalchemy import Connection, select

from ..clock import iso
from ..events import STATES, Event, EventKind
from ..intents import State
from .audit import events_of, to_event
from .tables import audit

Line = dict[str, Any]

VERDICTS: Final = frozenset({State.PLACED, State.REFUSED, State.NOT_SENT, State.UNKNOWN})
DECISIONS: Final = (EventKind.INTENT_APPROVED, EventKind.INTENT_REJECTED)
MATCHING: Final = (EventKind.INTENT_PLACED, EventKind.WORD_HELD)
ASKED: Final = ("tool", "asked", "reason")
SHOWN: Final = ("digest", "summary", "canonical", "card", "reasonCode", "note")
DECIDED: Final = ("digest", "reason", "suggestedAmount", "suggestedPrice")
SENT: Final = ("client_order_id", "namespace", "wire_timestamp_ms")
ANSWERED: Final = ("http", "code", "message", "reasonCode", "note", "order")


def lines(connection: Connection) -> Iterator[Line]:
    """One line per intent, at its parking, and one per event without an intent; in the log's order."""
    for row in connection.execute(select(audit).order_by(audit.c.seq)):
        event = to_event(row)
        if event.intent_id is None:
            yield {"type": "event", **_event_fields(event), "data": dict(event.data)}
        elif event.kind is EventKind.INTENT_PARKED:
            yield _intent(event.intent_id, events_of(connection, event.intent_id))


def _intent(intent_id: str, events: Sequence[Event]) -> Line:
    parked = events[0]
    state = next(STATES[event.kind] for event in reversed(events) if event.kind in STATES)
    return {
        "type": "intent",
        "intentId": intent_id,
        "agent": parked.actor.removeprefix("agent:"),
        "state": str(state),
        "asked": _part(parked, ASKED),
        "shown": [_part(event, SHOWN) for event in events if STATES.get(event.kind) is State.PENDING],
        "decided": [_decision(event) for event in events if event.kind in DECISIONS],
        "sent": [_part(event, SENT) for event in events if event.kind is EventKind.INTENT_SUBMITTING],
        "answered": [_answer(event) for event in events if STATES.get(event.kind) in VERDICTS],
        "filled": _filled(events),
        "verdict": _verdict(events),
        "events": [_event(event) for event in events],
    }


def _decision(event: Event) -> Line:
    approved = event.kind is EventKind.INTENT_APPROVED
    return {**_part(event, DECIDED), "by": event.actor.removeprefix("trader:"), "approved": approved}


def _answer(event: Event) -> Line:
    """`by` is "trader:NAME" for a manual resolution."""
    return {**_part(event, ANSWERED), "verdict": str(STATES[event.kind]), "by": event.actor}


def _filled(events: Sequence[Event]) -> Line | None:
    """The order's last known state; None if there is no order."""
    return next((event.data["order"] for event in reversed(events) if event.data.get("order")), None)


def _verdict(events: Sequence[Event]) -> str | None:
    """ "matched": Binance has the order as approved. "diverged": it differs. None: no order, or not known."""
    if any(event.kind is EventKind.ORDER_DIVERGED for event in events):
        return "diverged"
    from_binance = [
        event for event in events if event.kind is EventKind.WORD_HELD or not event.data.get("word")
    ]
    return "matched" if any(event.kind in MATCHING for event in from_binance) else None


def _event(event: Event) -> Line:
    """State changes without their data, which the other parts show; all other events with it."""
    return (
        _event_fields(event) if event.kind in STATES else {**_event_fields(event), "data": dict(event.data)}
    )


def _event_fields(event: Event) -> Line:
    return {"seq": event.seq, "at": iso(event.at), "kind": event.kind_name, "actor": event.actor}


def _part(event: Event, names: tuple[str, ...]) -> Line:
    return {"at": iso(event.at), **{name: event.data[name] for name in names if name in event.data}}
