"""Converts intents to database rows and back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import Row

from ..arguments import read_arguments
from ..cards import Card
from ..clock import from_ms, to_ms
from ..intents import Decision, Intent, Request, State, Suggestion, canonical_text, digest_of
from ..money import from_micros, plain, to_micros
from ..order_record import OrderRecord
from ..reasons import Reason

UNREADABLE: Final = "intents: one cannot be read, and is neither shown nor sent"


def to_row(intent: Intent) -> dict[str, Any]:
    """Column values of a new, pending intent."""
    return {
        "id": intent.id,
        "agent": intent.agent,
        "tool": intent.tool,
        "state": str(intent.state),
        "market": intent.market,
        "asked": dict(intent.asked),
        "arguments": intent.arguments.stored(),
        "canonical": intent.canonical,
        "digest": intent.digest,
        "equality": intent.equality,
        "summary": intent.summary,
        "card": intent.card.stored(),
        "reason": intent.reason,
        "idempotency_key": intent.idempotency_key,
        "ttl_seconds": intent.ttl_seconds,
        "is_exit": intent.is_exit,
        "value_micros": None if intent.value_usdt is None else to_micros(intent.value_usdt),
        "created_at": to_ms(intent.created_at),
        "expires_at": to_ms(intent.expires_at),
        "updated_at": to_ms(intent.updated_at),
    }


def shown_columns(request: Request, expires_at: datetime) -> dict[str, Any]:
    """Columns that change when a request returns to the trader with new figures."""
    text = canonical_text(request, expires_at)
    return {
        "arguments": request.arguments.stored(),
        "canonical": text,
        "digest": digest_of(text),
        "equality": request.equality,
        "summary": request.summary,
        "card": request.card.stored(),
        "is_exit": request.is_exit,
        "value_micros": None if request.value_usdt is None else to_micros(request.value_usdt),
        "expires_at": to_ms(expires_at),
        "seen_at": None,
        "unseen_at": None,
    }


UNDECIDED: Final[Mapping[str, None]] = dict.fromkeys(
    ("decided_by", "decided_at", "approved", "decision_reason", "suggested_amount", "suggested_price")
)


def order_columns(order: OrderRecord) -> dict[str, Any]:
    return {"order": order.stored(), "followed": order.follows_on}


def decision_columns(decision: Decision) -> dict[str, Any]:
    suggestion = decision.suggestion
    return {
        "decided_by": decision.by,
        "decided_at": to_ms(decision.at),
        "approved": decision.approved,
        "decision_reason": decision.reason,
        "suggested_amount": None if suggestion.amount is None else plain(suggestion.amount),
        "suggested_price": None if suggestion.price is None else plain(suggestion.price),
    }


def to_intent(row: Row[Any]) -> Intent:
    """Raises ValueError if this release cannot read the row."""
    return Intent(
        id=row.id,
        agent=row.agent,
        tool=row.tool,
        state=State(row.state),
        market=row.market,
        asked=row.asked,
        arguments=read_arguments(row.tool, row.arguments),
        canonical=row.canonical,
        digest=row.digest,
        equality=row.equality,
        summary=row.summary,
        card=Card.model_validate(row.card),
        reason=row.reason,
        idempotency_key=row.idempotency_key,
        ttl_seconds=row.ttl_seconds,
        is_exit=row.is_exit,
        value_usdt=None if row.value_micros is None else from_micros(row.value_micros),
        created_at=from_ms(row.created_at),
        expires_at=from_ms(row.expires_at),
        updated_at=from_ms(row.updated_at),
        decision=_decision(row),
        client_order_id=row.client_order_id,
        namespace=row.namespace,
        wire_timestamp_ms=row.wire_timestamp_ms,
        not_founds=row.not_founds,
        reason_code=None if row.reason_code is None else Reason(row.reason_code),
        note=row.note,
        order=None if row.order is None else OrderRecord.model_validate(row.order),
        word_by=row.word_by,
        word_holds=row.word_holds,
        diverged=row.diverged,
        seen_at=None if row.seen_at is None else from_ms(row.seen_at),
        unseen_at=None if row.unseen_at is None else from_ms(row.unseen_at),
    )


def _decision(row: Row[Any]) -> Decision | None:
    if row.decided_by is None:
        return None
    return Decision(
        by=row.decided_by,
        at=from_ms(row.decided_at),
        approved=row.approved,
        reason=row.decision_reason,
        suggestion=Suggestion(
            amount=None if row.suggested_amount is None else Decimal(row.suggested_amount),
            price=None if row.suggested_price is None else Decimal(row.suggested_price),
        ),
    )
