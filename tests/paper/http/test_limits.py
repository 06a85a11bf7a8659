import pytest

from broker.paper.http.errors import Refusal
from broker.paper.http.limits import Limits

MINUTE = 60_000


def test_the_used_weight_is_counted_by_the_minute() -> None:
    limits = Limits(weight_per_minute=100)
    assert limits.spend(60, MINUTE)["X-MBX-USED-WEIGHT-1M"] == "60"
    assert limits.spend(40, 2 * MINUTE - 1)["X-MBX-USED-WEIGHT"] == "100"
    assert limits.spend(1, 2 * MINUTE)["X-MBX-USED-WEIGHT-1M"] == "1"


def test_above_the_limit_it_says_how_many_seconds_to_wait() -> None:
    limits = Limits(weight_per_minute=100)
    with pytest.raises(Refusal) as refused:
        limits.spend(101, MINUTE + 17_500)
    assert (refused.value.code, refused.value.http) == (-1003, 429)
    assert refused.value.headers["Retry-After"] == "43"


def test_orders_are_counted_by_ten_seconds_and_refused_without_a_time_to_wait() -> None:
    limits = Limits(orders_per_ten_seconds=2)
    assert limits.count_order(10_000) == {"X-MBX-ORDER-COUNT-10S": "1"}
    limits.count_order(19_999)
    with pytest.raises(Refusal) as refused:
        limits.count_order(19_999)
    assert (refused.value.code, refused.value.http, refused.value.headers) == (-1015, 429, {})
    assert limits.count_order(20_000) == {"X-MBX-ORDER-COUNT-10S": "1"}
