"""A request that this release cannot read keeps no other from being shown, parked, expired or sent."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from broker.clock import to_ms
from broker.errors import BrokerError, Code
from broker.intents import Intent, State, canonical, digest_of
from broker.reasons import Reason
from broker.store import Store, queries
from broker.store.tables import intents
from broker.web import page_queries

from ..support import (
    AGENT,
    MANY_PENDING,
    NOON,
    REST,
    order,
    order_arguments,
    request,
    running,
    terms_of,
    trusted,
    wired,
)

pytestmark = pytest.mark.anyio

STRANGE: dict[str, Callable[[Intent], dict[str, Any]]] = {
    "a tool": lambda _: {"tool": "binance_create_oco"},
    "a field": lambda intent: {"arguments": {**intent.arguments.stored(), "timeInForce": "FOK"}},
    "an order": lambda _: {"order": {**order().stored(), "status": "amended"}},
    "a card": lambda _: {"card": {}},
    "a reason": lambda _: {"reason_code": "MOON_MOVED"},
}


def rewrite(store: Store, intent: Intent, **columns: Any) -> None:
    statement = update(intents).where(intents.c.id == intent.id).values(**columns)
    store.database.write_now(lambda connection: connection.execute(statement))


async def parked(store: Store, amount: str) -> Intent:
    asked = request(arguments=order_arguments(amount=amount))
    return (await store.intents.park(asked, max_pending=MANY_PENDING)).intent


@pytest.mark.parametrize("what", STRANGE)
async def test_lists_are_without_it(store: Store, what: str) -> None:
    strange, other = [await parked(store, amount) for amount in ("1", "2")]
    rewrite(store, strange, **STRANGE[what](strange))
    inbox = await store.read(lambda connection: page_queries.inbox(connection, NOON))
    assert [asked.intent.id for asked in inbox.waiting] == [other.id]
    own = await store.read(lambda connection: queries.of_agent(connection, AGENT, None, 50))
    assert [intent.id for intent in own] == [other.id]


@pytest.mark.parametrize("what", STRANGE)
async def test_others_are_parked_and_expire(store: Store, what: str) -> None:
    strange, other = [await parked(store, amount) for amount in ("1", "2")]
    rewrite(store, other, expires_at=to_ms(NOON) - 1)
    rewrite(store, strange, **STRANGE[what](strange), expires_at=to_ms(NOON) - 1)
    assert (await parked(store, "3")).state is State.PENDING
    assert (await store.read(lambda it: queries.find_any(it, other.id))).state is State.EXPIRED


@pytest.mark.parametrize("what", STRANGE)
async def test_one_that_is_nearly_equal_is_parked_and_approved(store: Store, what: str) -> None:
    strange = await parked(store, "1")
    rewrite(store, strange, state="unknown", **STRANGE[what](strange))
    later = await parked(store, "1.005")
    approved = await store.intents.approve(
        later.id, later.digest, "Ana", Decimal(100_000), standing=trusted, confirmed=False
    )
    assert approved.state is State.APPROVED


@pytest.mark.parametrize("what", STRANGE)
async def test_nobody_is_told_that_there_is_none(store: Store, what: str) -> None:
    strange = await parked(store, "1")
    rewrite(store, strange, **STRANGE[what](strange))
    with pytest.raises(BrokerError) as told:
        await store.read(lambda it: queries.find_own(it, strange.id, AGENT))
    assert told.value.code is Code.INTERNAL
    with pytest.raises(BrokerError) as hidden:
        await store.read(lambda it: queries.find_own(it, strange.id, "another"))
    assert hidden.value.code is Code.UNKNOWN_INTENT


async def test_it_is_never_sent_and_others_are(tmp_path: Path) -> None:
    async with wired(tmp_path) as broker:
        strange, other = await broker.approved(**REST), await broker.approved(**{**REST, "price": "50000"})
        more = {**strange.arguments.stored(), "timeInForce": "FOK"}
        rewrite(broker.store, strange, arguments=more)
        async with running(broker.executor.run()):
            await broker.until(other, State.PLACED)
        assert len(await broker.control.requests()) == 1


async def test_terms_that_cannot_be_read_are_put_away(tmp_path: Path) -> None:
    async with wired(tmp_path) as broker:
        intent = await broker.approved(**REST)
        text = canonical({**terms_of(intent), "market": "margin"})
        rewrite(broker.store, intent, canonical=text, digest=digest_of(text))
        ended = await broker.submitted(await broker.intent(intent.id))
        assert (ended.state, ended.reason_code) == (State.NOT_SENT, Reason.CHECK_FAILED)
        assert await broker.control.requests() == []
