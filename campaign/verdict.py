"""The oracle: what people were told, what the broker wrote down, and what the exchange did, side by side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from pathlib import Path

from tests.acceptance.processes import ModuleProcess, environment

from .kinds import LEVERAGE
from .people import Told
from .record import FINAL, UNSETTLED, Record, Row
from .venue import OURS, Order, Truth, leverage_post


class Rule(StrEnum):
    DUPLICATE = "duplicate"
    """More than one order, or more than one POST, of an intent."""
    UNAPPROVED = "unapproved"
    """An order that no trader's standing approval is recorded of, or that is not what was approved."""
    DISAGREEMENT = "disagreement"
    """The recorded outcome is not what the exchange did."""
    UNSETTLED = "unsettled"
    """Approved, and without an outcome although the broker had the time."""
    LOSS = "loss"
    """Somebody was told of it, and it is not in the database."""
    BROKEN = "broken"
    """The audit log's chain, or the broker itself."""


@dataclass(frozen=True, kw_only=True)
class Violation:
    rule: Rule
    intent_id: str | None
    text: str


def judge(record: Record, truth: Truth, told: Told) -> list[Violation]:
    return [
        *(found for row in record.rows.values() for found in _judge_intent(row, record, truth)),
        *_strangers(record, truth),
        *_losses(record, told),
        *_own_errors(told),
    ]


def carried_out(row: Row, truth: Truth) -> int:
    """How often the exchange did what the intent asks for."""
    if row.tool == LEVERAGE:
        return truth.leverages[row.arguments["symbol"], row.arguments["leverage"]]
    return len(truth.of(OURS + row.id))


def _judge_intent(row: Row, record: Record, truth: Truth) -> Iterator[Violation]:
    def violation(rule: Rule, text: str) -> Violation:
        return Violation(rule=rule, intent_id=row.id, text=f"{row.arguments}: {text}")

    done, posts, approved = carried_out(row, truth), _posts(row, truth), record.approval_stands(row.id)
    if done > 1:
        yield violation(Rule.DUPLICATE, f"carried out {done} times")
    if posts > 1:
        yield violation(Rule.DUPLICATE, f"sent {posts} times")
    if (done or posts) and not approved:
        yield violation(Rule.UNAPPROVED, f"{row.state}, sent {posts} times without an approval")
    if row.state in UNSETTLED:
        yield violation(Rule.UNSETTLED, f"still {row.state}")
    elif bool(done) is not (row.state == "placed"):
        yield violation(Rule.DISAGREEMENT, f"recorded as {row.state} ({row.note}), carried out {done} times")
    if approved and row.state not in FINAL | UNSETTLED:
        yield violation(Rule.DISAGREEMENT, f"approved, and recorded as {row.state}")
    for order in truth.of(OURS + row.id):
        if problem := _deviation(row, order):
            yield violation(Rule.UNAPPROVED, problem)


def _posts(row: Row, truth: Truth) -> int:
    if row.tool != LEVERAGE:
        return truth.posts[OURS + row.id]
    symbol, leverage = row.arguments["symbol"], row.arguments["leverage"]
    of_all = sum(n for name, n in truth.posts.items() if name.startswith(f"{symbol} {leverage}x "))
    own = truth.posts[leverage_post(symbol, leverage, row.wire_timestamp_ms)]
    return max(of_all, own)


def _deviation(row: Row, order: Order) -> str | None:
    """How an order is not what the canonical text says."""
    terms = row.arguments
    wanted = (
        terms["symbol"],
        terms["side"],
        Decimal(terms["amount"]),
        Decimal(terms.get("price") or 0),
        Decimal(terms.get("stopPrice") or 0),
    )
    found = (order.symbol, order.side, order.amount, order.price, order.trigger)
    return None if wanted == found else f"approved was {wanted}, the order is {found}"


def _strangers(record: Record, truth: Truth) -> Iterator[Violation]:
    """Orders and leverages of no intent."""
    ids = {OURS + intent_id for intent_id in record.rows}
    known = [row.arguments for row in record.rows.values() if row.tool == LEVERAGE]
    asked = {(one["symbol"], one["leverage"]) for one in known}
    strange = [order.client_id for order in truth.orders if order.client_id not in ids]
    strange += [
        f"{symbol} {leverage}x" for symbol, leverage in truth.leverages if (symbol, leverage) not in asked
    ]
    for name in strange:
        yield Violation(rule=Rule.UNAPPROVED, intent_id=None, text=f"{name} is of no intent")


def _losses(record: Record, told: Told) -> Iterator[Violation]:
    for intent_id, asked in told.asked.items():
        kinds = {event.kind for event in record.by_intent.get(intent_id, ())}
        if intent_id not in record.rows or "intent:parked" not in kinds:
            yield _loss(intent_id, f"the agent was told of it: {asked.wanted.arguments}")
        elif record.rows[intent_id].key != asked.wanted.key:
            yield _loss(intent_id, f"the agent asked with the key {asked.wanted.key}")
    for decided in told.decided:
        if not record.decided(decided.intent_id, decided.digest, decided.approved):
            verb = "approved" if decided.approved else "rejected"
            yield _loss(decided.intent_id, f"the trader was told that he had {verb} {decided.digest}")
    for intent_id, outcome in told.outcomes.items():
        row = record.rows.get(intent_id)
        if row is None or row.state != outcome:
            yield _loss(intent_id, f"the agent was told {outcome}, recorded is {row and row.state}")
    keys = Counter((row.agent, row.tool, row.key) for row in record.rows.values() if row.key is not None)
    for key, number in keys.items():
        if number > 1:
            yield _loss(None, f"the key {key} has {number} intents")


def _loss(intent_id: str | None, text: str) -> Violation:
    return Violation(rule=Rule.LOSS, intent_id=intent_id, text=text)


def _own_errors(told: Told) -> Iterator[Violation]:
    for call, number in told.refused.items():
        if call.endswith("INTERNAL"):
            yield Violation(rule=Rule.BROKEN, intent_id=None, text=f"{call}, {number} times")


def audit_holds(folder: Path) -> str | None:
    """What `broker audit verify` has against it, beside a broker that runs; None when the log holds."""
    env = environment(DATA_DIR=str(folder / "data"))
    with ModuleProcess("broker", "audit", "verify", cwd=folder, env=env) as process:
        try:
            process.wait_for("The audit log is intact")
        except AssertionError:
            return "".join(process.output)
    return None
