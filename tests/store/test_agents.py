"""Agents and their keys: added, rotated, limited, revoked; and what that means for their requests."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from broker.agents import Agent
from broker.credentials import hash_key
from broker.errors import BrokerError, Code, StartError
from broker.intents import Intent, State
from broker.store import NotDecidable, OverDailyVolume, Store, queries
from broker.store.audit import events_after

from ..support import LONG_AGO, NOON, Clock, give_key, open_store, order, request, trusted

pytestmark = pytest.mark.anyio

BOT = Agent(name="bot")
PLENTY = Decimal(1_000_000)
GIVEN = "the-key-of-the-settings"


def now(store: Store, act: Callable[[Connection], Any]) -> Any:
    return store.database.write_now(act)


def add(store: Store, agent: Agent = BOT) -> str:
    key: str = now(store, lambda connection: store.agents.add(connection, agent, actor="trader:Ana"))
    return key


def rotate(store: Store, name: str = "bot", hours: float = 0) -> str:
    def act(connection: Connection) -> str:
        return store.agents.rotate(connection, name, timedelta(hours=hours), actor="trader:Ana")

    key: str = now(store, act)
    return key


def revoke(store: Store, name: str = "bot") -> int:
    stopped: int = now(store, lambda connection: store.agents.revoke(connection, name, actor="trader:Ana"))
    return stopped


def limit(store: Store, agent: Agent) -> None:
    now(store, lambda connection: store.agents.limit(connection, agent, actor="trader:Ana"))


def give(store: Store, key: str, name: str = "default") -> bool:
    given: bool = now(store, lambda connection: store.agents.give(connection, name, key))
    return given


def who(store: Store, key: str) -> str | None:
    found = store.database.read_now(lambda connection: store.agents.by_key(connection, key))
    return None if found is None else found.agent.name


def told(store: Store) -> list[tuple[str, str, dict[str, Any]]]:
    events = store.database.read_now(lambda connection: events_after(connection, 1))
    return [(event.kind, event.actor, dict(event.data)) for event in events if event.intent_id is None]


async def park(store: Store, number: int = 1, agent: str = "bot", **more: Any) -> Intent:
    arguments = {"symbol": "BTCUSDT", "side": "buy", "amount": str(number)}
    given = {"agent": agent, "arguments": arguments, **more}
    return (await store.intents.park(request(**given), max_pending=50)).intent


async def approve(store: Store, intent: Intent) -> Intent:
    return await store.intents.approve(
        intent.id, intent.digest, "Ana", PLENTY, standing=trusted, confirmed=True
    )


async def found(store: Store, intent: Intent) -> Intent:
    return await store.read(lambda connection: queries.find_any(connection, intent.id))


# Keys


def test_an_agent_is_known_by_its_key_alone(store: Store) -> None:
    key, other = add(store), add(store, Agent(name="other"))
    assert (who(store, key), who(store, other)) == ("bot", "other")
    for wrong in ("", "bot", key + "!", hash_key(key)):
        assert who(store, wrong) is None


def test_keys_are_kept_as_hashes_only(store: Store) -> None:
    keys = [add(store), rotate(store, hours=1)]
    path = store.database.path
    store.close()
    content = path.read_bytes()
    for key in keys:
        assert key.encode() not in content
        assert hash_key(key).encode() in content


def test_what_changes_is_recorded_by_whom_and_without_a_key(store: Store) -> None:
    keys = [add(store, replace(BOT, max_leverage=3)), rotate(store, hours=24)]
    limit(store, replace(BOT, max_order_value_usdt=Decimal("12.50")))
    revoke(store)
    keys.append(rotate(store))
    recorded = told(store)
    assert recorded == [
        ("agent:added", "trader:Ana", {"name": "bot", "rights": {"max_leverage": 3}}),
        ("agent:key-rotated", "trader:Ana", {"name": "bot", "overlapHours": 24.0}),
        ("agent:limits-set", "trader:Ana", {"name": "bot", "rights": {"max_order_value_usdt": "12.5"}}),
        ("agent:revoked", "trader:Ana", {"name": "bot", "requests": 0}),
        ("agent:key-rotated", "trader:Ana", {"name": "bot", "overlapHours": 0.0, "wasRevoked": True}),
    ]
    assert not any(key in str(recorded) or hash_key(key) in str(recorded) for key in keys)


@pytest.mark.parametrize("name", ["bot", "BOT", "Bot"])
def test_a_name_is_one_agents_in_either_case_also_once_it_was_revoked(store: Store, name: str) -> None:
    add(store)
    with pytest.raises(BrokerError, match=r"^name: bot is taken by another agent$") as refused:
        add(store, Agent(name=name))
    assert refused.value.code is Code.INVALID_ARGUMENTS
    revoke(store)
    with pytest.raises(BrokerError, match="was revoked: give it a new key instead"):
        add(store, Agent(name=name))


def test_a_new_key_ends_the_old_one_at_once_or_after_the_overlap(store: Store, clock: Clock) -> None:
    first = add(store)
    second = rotate(store)
    assert (who(store, first), who(store, second)) == (None, "bot")
    third = rotate(store, hours=2)
    assert (who(store, second), who(store, third)) == ("bot", "bot")
    clock.advance(2 * 3600 - 1)
    assert who(store, second) == "bot"
    clock.advance(1)
    assert (who(store, second), who(store, third)) == (None, "bot")


def test_an_overlap_is_never_made_longer_by_the_next(store: Store, clock: Clock) -> None:
    first = add(store)
    rotate(store, hours=1)
    rotate(store, hours=24)
    clock.advance(3600)
    assert who(store, first) is None


def test_no_overlap_ends_all_earlier_keys(store: Store) -> None:
    keys = [add(store), rotate(store, hours=24), rotate(store, hours=24), rotate(store)]
    assert [who(store, key) for key in keys] == [None, None, None, "bot"]


def test_a_revoked_agent_has_no_key_until_it_is_given_a_new_one(store: Store) -> None:
    keys = [add(store), rotate(store, hours=24)]
    revoke(store)
    assert [who(store, key) for key in keys] == [None, None]
    with pytest.raises(BrokerError, match="bot is already revoked"):
        revoke(store)
    again = rotate(store)
    assert [who(store, key) for key in (*keys, again)] == [None, None, "bot"]


def test_an_agent_that_is_not_there_is_named(store: Store) -> None:
    for act in (rotate, revoke):
        with pytest.raises(BrokerError, match="name: there is no agent 'bot'"):
            act(store)
    with pytest.raises(BrokerError, match="name: there is no agent 'bot'"):
        limit(store, BOT)


def test_it_is_told_whether_another_agent_may_call(store: Store) -> None:
    def alone(key: str) -> bool | None:
        found = store.database.read_now(lambda connection: store.agents.by_key(connection, key))
        return None if found is None else found.agent.alone

    key = add(store)
    assert alone(key) is True
    add(store, Agent(name="other"))
    assert alone(key) is False
    revoke(store, "other")
    assert alone(key) is True


async def test_the_list_has_each_agent_with_its_keys_and_what_it_has_waiting(
    store: Store, clock: Clock
) -> None:
    add(store, replace(BOT, max_leverage=3))
    clock.advance(10)
    rotate(store, hours=1)
    add(store, Agent(name="Another"))
    add(store, Agent(name="a-gone"))
    revoke(store, "a-gone")
    await park(store, 1)
    await park(store, 2)
    await approve(store, await park(store, 3))
    another, bot, gone = store.database.read_now(store.agents.all)
    assert [one.agent.name for one in (another, bot, gone)] == ["Another", "bot", "a-gone"]
    assert (bot.agent.max_leverage, bot.pending, bot.created_at, bot.revoked_at) == (3, 2, NOON, None)
    later = NOON + timedelta(seconds=10)
    assert [(key.created_at, key.ends_at) for key in bot.keys] == [
        (later, None),
        (NOON, later + timedelta(hours=1)),
    ]
    assert (another.pending, gone.revoked_at, list(gone.keys)) == (0, later, [])


# The key of the settings


def test_the_settings_key_is_that_of_default_and_another_replaces_it_at_once(store: Store) -> None:
    assert give(store, GIVEN)
    assert give(store, GIVEN)
    assert who(store, GIVEN) == "default"
    assert give(store, "another-key-of-16")
    assert (who(store, GIVEN), who(store, "another-key-of-16")) == (None, "default")
    assert [kind for kind, _, _ in told(store)] == ["agent:key-set", "agent:key-set"]


def test_a_key_that_was_rotated_does_not_come_back_at_the_next_start(store: Store) -> None:
    give(store, GIVEN)
    key = rotate(store, "default")
    assert give(store, GIVEN)
    assert (who(store, GIVEN), who(store, key)) == (None, "default")


def test_a_rotated_key_that_is_put_into_the_settings_keeps_the_overlap(store: Store) -> None:
    give(store, GIVEN)
    key = rotate(store, "default", hours=1)
    assert give(store, key)
    assert (who(store, GIVEN), who(store, key)) == ("default", "default")


@pytest.mark.parametrize("then", [GIVEN, "another-key-of-16"])
def test_default_stays_revoked_whatever_key_the_settings_have(store: Store, then: str) -> None:
    give(store, GIVEN)
    revoke(store, "default")
    assert not give(store, then)
    assert not give(store, then)
    assert who(store, then) is None
    key = rotate(store, "default")
    assert give(store, then)
    assert (who(store, then), who(store, key)) == (None, "default")


def test_another_agents_key_is_refused_in_the_settings(store: Store) -> None:
    key = add(store)
    with pytest.raises(StartError, match="MCP_API_KEY is already the key of agent bot"):
        give(store, key)
    assert who(store, key) == "bot"


def test_an_agent_of_before_keeps_its_name_and_key(store: Store, path: Path) -> None:
    store.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            f"""
            DROP TABLE deliveries; DROP TABLE channels;
            ALTER TABLE intents DROP COLUMN reason_code;
            ALTER TABLE intents DROP COLUMN seen_at; ALTER TABLE intents DROP COLUMN unseen_at;
            DROP TABLE agents; DROP TABLE agent_keys;
            CREATE TABLE agents (name VARCHAR NOT NULL PRIMARY KEY, key_hash VARCHAR(64) NOT NULL UNIQUE,
                created_at BIGINT NOT NULL);
            INSERT INTO agents VALUES ('default', '{hash_key(GIVEN)}', 1000);
            UPDATE alembic_version SET version_num = '0004';
            """
        )
    with closing(open_store(path, Clock())) as again:
        assert who(again, GIVEN) == "default"
        assert give(again, GIVEN)
        assert told(again) == []
        [known] = again.database.read_now(again.agents.all)
        assert (known.agent, len(known.keys)) == (Agent(name="default"), 1)


# Their requests


async def test_revoking_withdraws_what_waits_and_stops_what_is_not_sent_yet(store: Store) -> None:
    add(store)
    add(store, Agent(name="other"))
    waiting, approved, begun = await park(store, 1), await park(store, 2), await park(store, 3)
    others = await park(store, 1, agent="other")
    await approve(store, approved)
    sending = await store.submissions.begin(
        await approve(store, begun),
        is_exit=False,
        client_order_id=f"cb-{begun.id}",
        namespace="spot",
        wire_timestamp_ms=1,
        value_usdt=None,
        approved_since=LONG_AGO,
    )
    assert revoke(store) == 2
    assert [(await found(store, one)).state for one in (waiting, approved, begun, others)] == [
        State.WITHDRAWN,
        State.NOT_SENT,
        State.SUBMITTING,
        State.PENDING,
    ]
    for one in (waiting, approved):
        assert (await found(store, one)).note == "its agent was revoked by Ana"
    with pytest.raises(NotDecidable):
        await approve(store, waiting)
    settled = await store.submissions.settle(sending, State.PLACED, actor="binance", order=order())
    assert settled.state is State.PLACED
    assert store.verify() is None


async def test_what_was_read_before_its_agent_was_revoked_is_not_parked_after(store: Store) -> None:
    add(store)
    revoke(store)
    with pytest.raises(BrokerError) as refused:
        await park(store)
    assert refused.value.code is Code.UNAUTHORIZED
    assert await store.read(queries.count_pending) == 0


async def test_of_sixty_at_once_fifty_wait(store: Store) -> None:
    add(store)
    calls = [park(store, number) for number in range(60)]
    answers = await asyncio.gather(*calls, return_exceptions=True)
    refused = [answer for answer in answers if isinstance(answer, BrokerError)]
    assert len(refused) == 10
    assert {(error.code, error.http_status) for error in refused} == {(Code.TOO_MANY_PENDING, 429)}
    assert refused[0].details == {"pending": 50, "allowed": 50}
    assert await store.read(queries.count_pending) == 50
    await park(store, 1, agent="other")


async def test_repeats_are_answered_when_no_more_may_wait_and_room_comes_back(
    store: Store, clock: Clock
) -> None:
    add(store, replace(BOT, max_pending=2))
    keyed = await park(store, 1, idempotency_key="an-intended-action")
    plain = await park(store, 2, ttl_seconds=60)
    with pytest.raises(BrokerError, match="2 of your requests are already pending; the limit is 2"):
        await park(store, 3)
    assert (await park(store, 1, idempotency_key="an-intended-action")).id == keyed.id
    assert (await park(store, 2)).id == plain.id
    clock.advance(60)
    third = await park(store, 3)
    await store.intents.withdraw(third.id, "bot")
    await park(store, 4)


async def test_an_agents_own_limit_is_never_higher_than_the_brokers(store: Store) -> None:
    add(store, replace(BOT, max_pending=3))
    for number in (1, 2):
        await store.intents.park(
            request(agent="bot", arguments={"symbol": "B", "amount": str(number)}), max_pending=2
        )
    with pytest.raises(BrokerError) as refused:
        await store.intents.park(
            request(agent="bot", arguments={"symbol": "B", "amount": "3"}), max_pending=2
        )
    assert refused.value.details == {"pending": 2, "allowed": 2}


async def test_an_approval_past_the_agents_own_volume_of_the_day_does_not_count(store: Store) -> None:
    add(store, replace(BOT, max_daily_volume_usdt=Decimal(1800)))
    first, second, third = [await park(store, number) for number in (1, 2, 3)]  # 900 USDT each
    others = await park(store, 4, agent="other")
    await approve(store, others)
    await approve(store, first)
    await approve(store, second)
    with pytest.raises(OverDailyVolume) as over:
        await approve(store, third)
    assert (over.value.used, over.value.limit, over.value.own) == (Decimal(1800), Decimal(1800), True)
    assert (await found(store, third)).state is State.PENDING
    with pytest.raises(OverDailyVolume) as over:
        await store.intents.approve(
            third.id, third.digest, "Ana", Decimal(2700), standing=trusted, confirmed=True
        )
    assert (over.value.limit, over.value.own) == (Decimal(2700), False)
    limit(store, replace(BOT, max_daily_volume_usdt=Decimal(2700)))
    assert (await approve(store, third)).state is State.APPROVED


async def test_of_many_approvals_at_once_none_passes_the_agents_own_volume(store: Store) -> None:
    add(store, replace(BOT, max_daily_volume_usdt=Decimal(4500)))
    waiting = [await park(store, number) for number in range(20)]
    answers = await asyncio.gather(*(approve(store, one) for one in waiting), return_exceptions=True)
    assert sum(isinstance(answer, Intent) for answer in answers) == 5
    assert {type(answer) for answer in answers} == {Intent, OverDailyVolume}


async def test_a_limit_that_was_lowered_holds_for_what_waits_already(store: Store) -> None:
    add(store)
    waiting = await park(store)
    limit(store, replace(BOT, max_daily_volume_usdt=Decimal("899.99")))
    with pytest.raises(OverDailyVolume):
        await approve(store, waiting)


async def test_an_exit_passes_the_agents_own_volume(store: Store) -> None:
    add(store, replace(BOT, max_daily_volume_usdt=Decimal(1)))
    assert (await approve(store, await park(store, is_exit=True))).state is State.APPROVED


def test_default_is_made_once_for_all(store: Store) -> None:
    give_key(store, "default", GIVEN)
    with pytest.raises(BrokerError, match="name: default is taken by another agent"):
        add(store, Agent(name="Default"))
