"""Rounding before parking; then one figure everywhere: answer, card, digest and wire."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.intents import State
from broker.money import plain
from broker.orders.request import order_of

from ..support import BTC, BUY, REST, Wired, order_arguments, terms_of

pytestmark = pytest.mark.anyio

ROUNDED: list[tuple[dict[str, Any], dict[str, str]]] = [
    ({**BUY, "amount": "0.0150099"}, {"amount": "0.015"}),
    ({**BUY, "amount": 0.015}, {"amount": "0.015"}),
    ({**BUY, "amount": "1.5e-2"}, {"amount": "0.015"}),
    ({**BUY, "amount": "0.014999999999999999999999999999999999"}, {"amount": "0.01499"}),
    ({**REST, "price": "58000.019"}, {"amount": "0.015", "price": "58000.01"}),
    ({**REST, "side": "sell", "price": "62000.011"}, {"amount": "0.015", "price": "62000.02"}),
    ({**REST, "symbol": "BTC/USDT", "price": "58000.10"}, {"amount": "0.015", "price": "58000.1"}),
]


async def test_the_rounded_figures_are_those_of_answer_card_digest_and_wire(
    broker: Wired, subtests: pytest.Subtests
) -> None:
    for asked, rounded in ROUNDED:
        with subtests.test(str(asked)):
            await broker.control.do("balance", asset="BTC", free="0.02")
            intent = await broker.park(**asked)
            answer = await broker.call("intent_get", intentId=intent.id)
            for name, text in rounded.items():
                assert Decimal(str(answer["rounded"][name])) == Decimal(text)
                assert intent.arguments.stored()[name] == terms_of(intent)["arguments"][name] == text
            amount = rounded["amount"]
            assert f"{amount} BTC" in intent.card.stored()["act"]
            assert intent.card.stored()["sentence"].startswith(intent.card.stored()["act"])
            sent = await broker.submitted(await broker.approve(intent))
            assert sent.state is State.PLACED
            wire = (await broker.control.requests())[-1]["params"]
            assert wire["quantity"] == amount
            assert wire.get("price") == rounded.get("price")
            assert wire["newClientOrderId"] == f"cb-{intent.id}"
            assert wire["timestamp"] == str(sent.wire_timestamp_ms)


async def test_a_market_order_carries_no_price_and_no_quote_amount(broker: Wired) -> None:
    await broker.submitted(await broker.approved(**BUY))
    (wire,) = [request["params"] for request in await broker.control.requests()]
    assert (wire["type"], "price" in wire, "quoteOrderQty" in wire) == ("MARKET", False, False)


async def test_what_is_asked_is_kept_as_it_was_asked(broker: Wired) -> None:
    intent = await broker.park(**{**BUY, "symbol": "BTC/USDT", "amount": "0.0150099"}, reason="a dip")
    assert (intent.asked["symbol"], intent.asked["amount"]) == ("BTC/USDT", "0.0150099")
    assert intent.reason == "a dip"
    assert "reason" not in intent.asked


async def test_a_market_order_has_reference_and_tolerance_on_card_and_in_the_digest(broker: Wired) -> None:
    intent = await broker.park(**BUY)
    reference, worst = Decimal(terms_of(intent)["referencePrice"]), Decimal(terms_of(intent)["worstPrice"])
    assert terms_of(intent)["tolerancePct"] == "0.5"
    book = await broker.exchange.spot.book(BTC)
    assert reference == book.walk("buy", Decimal("0.015")).average
    assert reference * Decimal("1.005") - worst < Decimal("0.01")
    assert worst <= reference * Decimal("1.005")
    assert f"sent only at {worst:,f}" in intent.card.stored()["sentence"]


async def test_a_limit_order_needs_no_tolerance(broker: Wired) -> None:
    intent = await broker.park(**REST)
    assert (terms_of(intent)["tolerancePct"], terms_of(intent)["worstPrice"]) == (None, None)


async def test_an_exit_lives_longer_and_is_sent_at_any_price_unless_told_otherwise(broker: Wired) -> None:
    await broker.control.do("balance", asset="BTC", free="0.05")
    entry = await broker.park(**BUY)
    leaving = await broker.park(**{**BUY, "side": "sell"})
    short = await broker.park(**{**BUY, "side": "sell", "amount": "0.016"}, ttlSeconds=30)
    assert [(one.expires_at - one.created_at).seconds for one in (entry, leaving, short)] == [300, 1800, 30]
    assert terms_of(leaving)["worstPrice"] is None
    assert "at any price" in leaving.card.stored()["sentence"]


async def test_selling_everything_is_said_and_needs_no_further_word_on_paper(broker: Wired) -> None:
    await broker.control.do("balance", asset="BTC", free="0.015")
    card = (await broker.park(**{**BUY, "side": "sell"})).card
    assert card.sentence.startswith("SELL 0.015 BTC = ALL your free BTC, book average ")
    assert card.second_tap == []


@pytest.mark.parametrize(
    ("price", "words"),
    [
        ("58000", "3.3 % below market, rests until cancelled, locks 870.00 USDT"),
        ("62000", "3.3 % ABOVE market: fills now"),
    ],
)
async def test_a_limit_order_says_whether_it_rests_or_fills_now(
    broker: Wired, price: str, words: str
) -> None:
    sentence = (await broker.park(**{**REST, "price": price})).summary
    assert sentence == f"LIMIT BUY 0.015 BTC at {Decimal(price):,f}, {words}"


async def test_the_digest_is_of_the_text_that_the_order_is_built_from(broker: Wired) -> None:
    intent = await broker.park(**REST)
    assert json.loads(intent.canonical)["arguments"] == intent.arguments.stored()
    order = order_of(intent.terms.arguments)
    assert (order.amount, order.price) == (Decimal("0.015"), Decimal(58_000))


@given(
    amount=st.decimals(min_value="0.00001", max_value=9_000, places=5),
    price=st.none() | st.decimals(min_value="0.01", max_value=1_000_000, places=2),
)
def test_an_order_survives_the_way_through_its_text(amount: Decimal, price: Decimal | None) -> None:
    told = {} if price is None else {"price": plain(price)}
    order = order_of(order_arguments(type="limit", amount=plain(amount), **told))
    assert (order.amount, order.price) == (amount, price)
