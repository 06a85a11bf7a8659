"""The last look before an order leaves."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest

from broker.exchange import clients
from broker.exchange.wire import Asked, NotAsAsked, recording
from broker.settings import Settings

URL = "http://127.0.0.1:1/api/v3/order"
FIELDS = {"symbol": "BTCUSDT", "side": "BUY", "quantity": "0.015", "timestamp": "1"}
ASKED = Asked(URL, FIELDS)
CANCEL = Asked(URL, FIELDS, "DELETE")


def body(**changes: Any) -> str:
    fields = {name: value for name, value in (FIELDS | changes).items() if value is not None}
    return urlencode(fields) + "&signature=0"


def test_what_was_asked_for_may_go() -> None:
    ASKED.check(URL, body())


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"quantity": "0.0150"}, "quantity would have been 0.0150 instead of 0.015"),
        ({"side": "SELL"}, "side would have been SELL"),
        ({"timestamp": None}, "timestamp would have been None"),
        ({"quoteOrderQty": "900"}, "quoteOrderQty would have been 900 instead of None"),
        ({"reduceOnly": ""}, "reduceOnly would have been"),
    ],
)
def test_another_field_or_value_may_not(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(NotAsAsked, match=told):
        ASKED.check(URL, body(**changes))


@pytest.mark.parametrize("text", [None, "", urlencode(FIELDS), body() + "&symbol=BTCUSDT"])
def test_an_unsigned_or_doubled_field_may_not(text: str | None) -> None:
    with pytest.raises(NotAsAsked):
        ASKED.check(URL, text)


def test_a_cancel_carries_its_fields_in_the_query_and_nowhere_else() -> None:
    CANCEL.check(f"{URL}?{body()}", None)
    for url, text in (
        (URL, body()),
        (URL, None),
        (f"{URL}?{body(quantity='1')}", None),
        (f"{URL}s?{body()}", None),
    ):
        with pytest.raises(NotAsAsked):
            CANCEL.check(url, text)


def test_an_order_is_not_asked_for_in_the_query() -> None:
    with pytest.raises(NotAsAsked, match="another address"):
        ASKED.check(f"{URL}?{body()}", body())


def test_another_address_may_not() -> None:
    with pytest.raises(NotAsAsked, match="another address"):
        ASKED.check(URL + "/test", body())


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("asked", "method"),
    [(None, "POST"), (None, "PUT"), (ASKED, "GET"), (ASKED, "DELETE"), (ASKED, "PUT"), (CANCEL, "POST")],
)
async def test_a_submission_is_one_post_and_no_other_call_has_any(asked: Asked | None, method: str) -> None:
    client = clients.executor(Settings(_env_file=None), "http://127.0.0.1:1", timeout_seconds=1)
    with recording(asked) as facts, pytest.raises(NotAsAsked):
        await client.fetch(URL, method, None, body())
    assert not facts.sent


def test_a_recording_ends_with_its_block() -> None:
    with recording() as outer, recording() as inner:
        assert outer is not inner
