"""The verdict for everything that is known to happen on the wire, spot and futures."""

from __future__ import annotations

import pytest

from broker.exchange import Market, Verdict
from broker.exchange.outcome import BadAnswer, WireFacts, judge

P, R, N, U = Verdict.PLACED, Verdict.REFUSED, Verdict.NOT_SENT, Verdict.UNKNOWN

# http, code, message, spot, futures
ANSWERS = [
    # Binance cannot tell.
    (200, None, "", U, U),
    (200, -1007, "Timeout waiting for response from backend server.", U, U),
    (400, -1007, "Timeout waiting for response from backend server.", U, U),
    (408, -1007, "", U, U),
    (408, -2010, "Account has insufficient balance for requested action.", U, U),
    (504, -1007, "", U, U),
    (504, None, "", U, U),
    (400, -1000, "An unknown error occurred while processing the request.", U, U),
    (500, -1000, "An unknown error occurred while processing the request.", U, U),
    (400, -1001, "Internal error; unable to process your request. Please try again.", U, U),
    (400, -1006, "An unexpected response was received from the message bus.", U, U),
    (400, -1010, "ERROR_MSG_RECEIVED.", U, U),
    (500, None, "", U, U),
    (502, None, "", U, U),
    (503, None, "", U, U),
    (503, -1016, "This service is no longer available.", U, U),
    (503, None, "Unknown error, please check your request or try again later.", U, U),
    (503, -1001, "Internal error; unable to process your request. Please try again.", U, N),
    (503, None, "Service Unavailable.", U, N),
    (503, -1008, "Server is currently overloaded with other requests.", U, N),
    (400, -1008, "Server is currently overloaded with other requests.", U, N),
    (503, -2010, "Account has insufficient balance for requested action.", U, U),
    # Turned away, or too late.
    (429, -1003, "Too much request weight used.", N, N),
    (429, -1015, "Too many new orders.", N, N),
    (429, None, "", U, U),
    (418, -1003, "Way too much request weight used; IP banned.", N, N),
    (418, None, "", N, N),
    (400, -1021, "Timestamp for this request is outside of the recvWindow.", N, N),
    (400, -5028, "Timestamp for this request is outside of the ME recvWindow.", U, N),
    # The key.
    (401, -2015, "Invalid API-key, IP, or permissions for action.", N, N),
    (401, -2014, "API-key format invalid.", N, N),
    (400, -1022, "Signature for this request is not valid.", N, N),
    (400, -2008, "Invalid Api-Key ID.", N, N),
    # No, for certain.
    (400, -1013, "Filter failure: LOT_SIZE", R, R),
    (400, -1013, "Filter failure: PERCENT_PRICE_BY_SIDE", R, R),
    (400, -1013, "Filter failure: NOTIONAL", R, R),
    (400, -1013, "Market is closed.", R, R),
    (400, -1100, "Illegal characters found in a parameter.", R, R),
    (400, -1102, "Mandatory parameter was not sent.", R, R),
    (400, -1111, "Precision is over the maximum defined for this asset.", R, R),
    (400, -1116, "Invalid orderType.", R, R),
    (400, -1121, "Invalid symbol.", R, R),
    (400, -2010, "Account has insufficient balance for requested action.", R, R),
    (400, -2010, "Stop price would trigger immediately.", R, R),
    (400, -2018, "Balance is insufficient.", U, R),
    (400, -2019, "Margin is insufficient.", U, R),
    (400, -2021, "Order would immediately trigger.", U, R),
    (400, -2022, "ReduceOnly Order is rejected.", U, R),
    (400, -4164, "Order's notional must be no smaller than 100.", U, R),
    (400, -4120, "Order type not supported for this endpoint.", U, R),
    (400, -2027, "Exceeded the maximum allowable position at current leverage.", U, R),
    (400, -4131, "The counterparty's best price does not meet the PERCENT_PRICE filter limit.", U, R),
    (400, -4061, "Order's position side does not match user's setting.", U, R),
    (400, -2025, "Reach max open order limit.", U, R),
    (400, -2028, "Leverage is smaller than permitted: insufficient margin balance.", U, R),
    (400, -4005, "Quantity greater than max quantity.", U, R),
    (400, -4016, "Limit price can't be higher than 66000.", U, R),
    (400, -4024, "Limit price can't be lower than 54000.", U, R),
    (400, -4028, "Leverage 130 is not valid", U, R),
    (400, -4045, "Reach max stop order limit.", U, R),
    (400, -4161, "Leverage reduction is not supported in Isolated Margin Mode with open positions.", U, R),
    (400, -4003, "Quantity less than or equal to zero.", U, R),
    (400, -4014, "Price not increased by tick size.", U, R),
    (400, -4015, "Client order id is not valid.", U, R),
    (400, -5021, "Due to the order could not be filled immediately, it has been rejected.", U, R),
    (400, -5022, "Due to the order could not be executed as maker, it was rejected.", U, R),
    # An order of that id exists.
    (400, -2010, "Duplicate order sent.", U, U),
    (400, -4116, "ClientOrderId is duplicated.", U, U),
    (400, -20132, "The client order id is duplicated.", U, U),
    # Nothing that Binance has written.
    (400, None, "", U, U),
    (403, None, "", U, U),
    (404, None, "", U, U),
    (451, None, "", U, U),
    (400, -9999, "A code of tomorrow.", U, U),
    (302, None, "", U, U),
]


@pytest.mark.parametrize(("http", "code", "msg", "spot", "futures"), ANSWERS)
def test_an_answer_that_is_not_our_order_has_its_verdict(
    http: int, code: int | None, msg: str, spot: Verdict, futures: Verdict
) -> None:
    facts = WireFacts(sent=True, http=http, code=code, msg=msg)
    error = BadAnswer("whatever class ccxt gives it")
    assert judge(facts, error, Market.SPOT) is spot
    assert judge(facts, error, Market.FUTURES) is futures


@pytest.mark.parametrize("market", Market)
@pytest.mark.parametrize(
    ("facts", "error", "verdict"),
    [
        (WireFacts(), ValueError("ccxt refused it"), N),
        (WireFacts(sent=True, connected=False), OSError("refused, DNS or TLS"), N),
        (WireFacts(sent=True), OSError("closed, reset, timed out or cut"), U),
        (WireFacts(sent=True, http=200), None, P),
        (WireFacts(sent=True, http=202), None, U),
        (WireFacts(sent=True), None, U),
    ],
)
def test_without_an_answer_it_depends_on_what_left(
    facts: WireFacts, error: Exception | None, verdict: Verdict, market: Market
) -> None:
    assert judge(facts, error, market) is verdict
