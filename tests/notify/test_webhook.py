"""What a webhook carries, and that its signature is the one of Standard Webhooks."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from standardwebhooks import Webhook, WebhookVerificationError

from broker.clock import to_ms
from broker.notifications import Kind
from broker.notify.webhook import new_secret, rotated

from ..support import Clock
from .support import URL, Endpoint, Received, Telling, telling

pytestmark = pytest.mark.anyio


def verified(secret: str, received: Received) -> Any:
    return Webhook(secret).verify(received.body, dict(received.headers))


async def test_the_body_says_what_the_card_says(told: Telling, there: Endpoint) -> None:
    await told.webhook(f"{there.url}/hook?token=mine")
    intent = await told.park(reason="The dip\nlooks “overdone”.")
    [received] = await there.count(1)
    [delivery] = await told.deliveries()
    assert received.path == "/hook?token=mine"
    assert received.headers["content-type"] == "application/json"
    body = received.json
    assert body["type"] == "request.waiting"
    data = body["data"]
    assert (data["version"], data["mode"], data["title"]) == (1, "paper", "PAPER BUY 0.015 BTC")
    assert data["sentence"] == intent.card["sentence"]
    assert data["details"][0] == "Agent default says: “The dip looks “overdone”.”"
    assert data["figures"][0] == {"label": "Market when asked", "value": "64,213 USDT"}
    assert (data["intent"]["id"], data["intent"]["digest"]) == (intent.id, intent.digest)
    assert (data["url"], data["expiresAt"]) == (f"{URL}/told/{delivery.id}", to_ms(intent.expires_at))


async def test_a_receiver_verifies_it_with_the_librarys_own_code(tmp_path: Path, there: Endpoint) -> None:
    clock = Clock(datetime.now(UTC))
    async with telling(tmp_path, clock) as told:
        channel = await told.webhook(there.url)
        secret = (await told.config(channel))["secret"]
        await told.park(reason="Schräg: “½ × π”")
        [received] = await there.count(1)
        assert verified(secret, received) == received.json
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(received.body + b" ", dict(received.headers))
        with pytest.raises(WebhookVerificationError):
            verified("whsec_" + "A" * 44, received)


async def test_while_a_secret_rotates_both_hold_for_a_day(tmp_path: Path, there: Endpoint) -> None:
    clock = Clock(datetime.now(UTC) - timedelta(hours=24, seconds=5))
    async with telling(tmp_path, clock) as told:
        channel = await told.webhook(there.url)
        old = await told.config(channel)
        renew = partial(rotated, secret=new_secret(told.random), now=clock())
        assert await told.store.channels.reconfigure(channel.id, "Ana", Kind.WEBHOOK, renew)
        new = await told.config(channel)
        await told.park(key="meanwhile")
        [during] = await there.count(1)
        assert len(during.headers["webhook-signature"].split()) == 2
        told.advance(24 * 3600 + 1)
        await told.park(key="afterwards")
        _, after = await there.count(2)
        assert verified(new["secret"], after) == after.json
        with pytest.raises(WebhookVerificationError):
            verified(old["secret"], after)
    assert new["secret"] != old["secret"]


async def test_a_secret_that_is_renewed_twice_in_a_day_holds_for_its_own_day(
    tmp_path: Path, there: Endpoint
) -> None:
    clock = Clock(datetime.now(UTC))
    async with telling(tmp_path, clock) as told:
        channel = await told.webhook(there.url)
        secrets = [(await told.config(channel))["secret"]]
        for _ in range(2):
            renew = partial(rotated, secret=new_secret(told.random), now=clock())
            assert await told.store.channels.reconfigure(channel.id, "Ana", Kind.WEBHOOK, renew)
            secrets.append((await told.config(channel))["secret"])
        await told.park()
        [received] = await there.count(1)
    assert [verified(secret, received) for secret in secrets] == [received.json] * 3


async def test_credentials_in_the_address_become_a_header(told: Telling, there: Endpoint) -> None:
    await told.webhook(there.url.replace("//", "//ana:p%40ss@"))
    await told.park()
    [received] = await there.count(1)
    assert received.headers["authorization"] == "Basic YW5hOnBAc3M="
    assert "@" not in received.headers["host"]


async def test_nothing_hides_or_turns_what_stands_around_it(told: Telling, there: Endpoint) -> None:
    await told.webhook(there.url)
    await told.park(reason="a\u202eb\x00c\r\n\u2028d" + "x" * 490)
    [received] = await there.count(1)
    [said, _] = received.json["data"]["details"]
    assert said.startswith("Agent default says: “a b c dxxx") and len(said) == 300


async def test_marks_and_letters_without_end_are_limited(told: Telling, there: Endpoint) -> None:
    await told.webhook(there.url)
    await told.park(reason="s" + "\u0301\u0489" * 200 + "ell\u3164\u2800\U000e0041" + "\u1100" * 90)
    [received] = await there.count(1)
    [said, _] = received.json["data"]["details"]
    reason = "s\u0301\u0489\u0301\u0489".replace("s\u0301", "\u015b") + "ell " + "\u1100" * 9
    assert said == f"Agent default says: “{reason}”"
    assert received.json["data"]["intent"]["reason"] == reason


@pytest.mark.parametrize("reason", ["\u3164\u2800", "\u200b\n"], ids=ascii)
async def test_a_reason_that_cannot_be_seen_is_none(told: Telling, there: Endpoint, reason: str) -> None:
    await told.webhook(there.url)
    await told.park(reason=reason)
    [received] = await there.count(1)
    assert received.json["data"]["details"][0] == "No reason given."


def schema() -> Any:
    page = (Path(__file__).parents[2] / "docs" / "notifications.md").read_text()
    [found] = re.findall(r"```json schema\n(.*?)```", page, re.DOTALL)
    return json.loads(found)


async def test_the_schema_in_the_documentation_is_kept(told: Telling, there: Endpoint) -> None:
    Draft202012Validator.check_schema(schema())
    validator = Draft202012Validator(schema())
    channel = await told.webhook(there.url)
    intent = await told.park()
    await told.store.channels.test(channel.id, "Ana")
    await told.store.audit("database:restored", "command line")
    await told.store.audit(
        "orders:cancelled", "agent:default", orders=["1"], protective=True, symbol="BTCUSDT", market="spot"
    )
    await told.store.audit("order:diverged", "binance", intent_id=intent.id, note="more than approved")
    types = set()
    for received in await there.count(5):
        validator.validate(received.json)
        types.add(received.json["type"])
    assert types == {
        "request.waiting",
        "channel.test",
        "alert.restored",
        "orders.cancelled",
        "alert.diverged",
    }
