"""pending → expired, as soon as nobody decided in time."""

from __future__ import annotations

import pytest

from broker.expiry import expire_in_time
from broker.intents import State

from .support import BUY, REST, Wired, let_write, running

pytestmark = pytest.mark.anyio


async def test_what_nobody_decided_in_time_expires_by_itself(broker: Wired) -> None:
    first = await broker.park(**BUY, ttlSeconds=30)
    second = await broker.park(**REST, ttlSeconds=60)
    async with running(expire_in_time(broker.store, broker.clock)):
        broker.clock.advance(30)
        assert (await broker.until(first, State.EXPIRED)).decision is None
    assert (await broker.intent(second.id)).state is State.PENDING
    answer = await broker.call("intent_get", intentId=first.id)
    assert answer["outcome"] == "Expired: no decision in time. Nothing was sent."


async def test_a_database_in_trouble_does_not_end_the_expiry(broker: Wired) -> None:
    intent = await broker.park(**BUY, ttlSeconds=30)
    broker.clock.advance(30)
    await let_write(broker.store, False)
    async with running(expire_in_time(broker.store, broker.clock)):
        with pytest.raises(Exception, match="not available"):
            await broker.store.intents.expire_due()
        await let_write(broker.store, True)
        await broker.until(intent, State.EXPIRED)
