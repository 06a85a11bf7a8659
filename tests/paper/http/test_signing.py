import pytest

from broker.paper.http.errors import Refusal
from broker.paper.http.signing import Credentials, Validity, payload, validity

# The examples of Binance's rest-api.md, "SIGNED Endpoint Examples for POST /api/v3/order".
DOCUMENTED = Credentials(
    "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A",
    "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j",
)
FIRST, SECOND = (
    "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC",
    "quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559",
)
WHOLE = "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"
MIXED = "0fd168b8ddb4876a0358a8d14d0c9f3da0e9b20c5d52b2a00fcf7d1c602f9a77"


@pytest.mark.parametrize(
    ("query", "body", "signature"),
    [
        ("", f"{FIRST}&{SECOND}&signature={WHOLE}", WHOLE),
        (f"{FIRST}&{SECOND}&signature={WHOLE}", "", WHOLE.upper()),
        (FIRST, f"{SECOND}&signature={MIXED}", MIXED),
        (f"signature={MIXED}&{FIRST}", SECOND, MIXED),
    ],
)
def test_a_documented_signature_is_accepted_wherever_it_stands(query: str, body: str, signature: str) -> None:
    DOCUMENTED.check(DOCUMENTED.key, payload(query, body), signature)


@pytest.mark.parametrize(
    ("key", "signature", "code", "http"),
    [
        ("", WHOLE, -2014, 401),
        ("another", WHOLE, -2015, 401),
        (DOCUMENTED.key, None, -1102, 400),
        (DOCUMENTED.key, MIXED, -1022, 400),
    ],
)
def test_another_key_or_signature_is_refused(key: str, signature: str | None, code: int, http: int) -> None:
    with pytest.raises(Refusal) as refused:
        DOCUMENTED.check(key, f"{FIRST}&{SECOND}", signature)
    assert (refused.value.code, refused.value.http) == (code, http)


@pytest.mark.parametrize("age", [-999, 0, 5_000])
def test_a_request_is_valid_from_a_second_before_its_timestamp_to_the_end_of_its_window(age: int) -> None:
    Validity(timestamp=100_000, window_ms=5_000).check(100_000 + age)


@pytest.mark.parametrize("age", [-1_000, 5_001])
def test_outside_of_its_window_it_is_refused(age: int) -> None:
    with pytest.raises(Refusal, match="-1021"):
        Validity(timestamp=100_000, window_ms=5_000).check(100_000 + age)


def test_the_window_is_five_seconds_unless_it_is_sent_and_at_most_a_minute() -> None:
    assert validity({"timestamp": "1"}).window_ms == 5_000
    assert validity({"timestamp": "1", "recvWindow": "60000"}).window_ms == 60_000
    with pytest.raises(Refusal, match="-1131"):
        validity({"timestamp": "1", "recvWindow": "60001"})
    with pytest.raises(Refusal, match="-1102"):
        validity({})
