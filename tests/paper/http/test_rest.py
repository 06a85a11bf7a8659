import hashlib
import hmac
import json
from typing import Any
from urllib.parse import urlencode

import pytest

from broker.paper import Exchange
from broker.paper.http.limits import Limits
from broker.paper.http.rest import Admitted, Answer, Call, Rest
from broker.paper.http.signing import Credentials
from broker.paper.spot.account_endpoints import SpotAccount

ORDER = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET"}


@pytest.fixture
def rest(exchange: Exchange) -> Rest:
    return Rest(exchange, SpotAccount(exchange).endpoints(), Credentials("key", "secret"), Limits())


def signed(rest: Rest, query: dict[str, str], body: dict[str, str], more: str = "") -> Call:
    encoded, stamped = urlencode(query), urlencode({**body, "timestamp": str(rest.now)}) + more
    signature = hmac.new(b"secret", (encoded + stamped).encode(), hashlib.sha256).hexdigest()
    return Call("POST", "/api/v3/order", encoded, f"{stamped}&signature={signature}", "key")


def answer(rest: Rest, call: Call) -> Any:
    admitted = rest.admit(call)
    return json.loads((admitted if isinstance(admitted, Answer) else rest.execute(admitted)).body)


def test_parameters_may_come_in_the_query_string_the_body_or_both(rest: Rest) -> None:
    for query, body in (
        (ORDER | {"quantity": "0.01"}, {}),
        ({}, ORDER | {"quantity": "0.01"}),
        (ORDER, {"quantity": "0.01"}),
    ):
        assert answer(rest, signed(rest, query, body))["executedQty"] == "0.01000000"


def test_of_a_parameter_in_both_the_query_string_counts(rest: Rest) -> None:
    call = signed(rest, ORDER | {"quantity": "0.02"}, {"quantity": "0.01"})
    assert answer(rest, call)["origQty"] == "0.02000000"


def test_a_parameter_that_is_sent_twice_is_refused(rest: Rest) -> None:
    call = signed(rest, ORDER, {"quantity": "0.01"}, "&quantity=0.02")
    assert answer(rest, call)["code"] == -1101


def test_the_window_is_checked_again_before_it_is_executed(rest: Rest, exchange: Exchange) -> None:
    admitted = rest.admit(signed(rest, ORDER, {"quantity": "0.01"}))
    assert isinstance(admitted, Admitted)
    exchange.offset_ms = 5_001
    refused = rest.execute(admitted)
    assert (refused.status, json.loads(refused.body)["code"]) == (400, -1021)
    assert exchange.every_order() == []


def test_even_a_refusal_says_what_weight_was_used(rest: Rest) -> None:
    call = signed(rest, ORDER, {"quantity": "0.01", "colour": "red"})
    refused = rest.admit(call)
    assert isinstance(refused, Answer)
    assert refused.headers["X-MBX-USED-WEIGHT-1M"] == "1"
