from decimal import Decimal

import pytest

from broker.paper import Exchange
from broker.paper.http.errors import Refusal
from broker.paper.market.store import Window

from ..support import BTC, Clock, new_order

ALL = Window(1000)


def balance(exchange: Exchange, asset: str) -> tuple[object, object]:
    held = exchange.account.balance(asset)
    return held.free, held.locked


def give_bitcoin(exchange: Exchange, amount: str = "1") -> None:
    exchange.set_free("BTC", Decimal(amount))


def test_a_market_buy_walks_the_levels_and_pays_its_fee_in_what_it_gets(exchange: Exchange) -> None:
    order, trades = exchange.place(new_order(kind="MARKET", quantity="0.25"))
    assert [(trade.price, trade.quantity) for trade in trades] == [
        (Decimal("60000.01"), Decimal("0.1")),
        (Decimal("60000.51"), Decimal("0.1")),
        (Decimal("60001.01"), Decimal("0.05")),
    ]
    assert order.status == "FILLED"
    assert order.quote_executed == Decimal("15000.1025")
    assert {trade.commission_asset for trade in trades} == {"BTC"}
    assert balance(exchange, "BTC") == (Decimal("0.24975"), 0)
    assert balance(exchange, "USDT") == (Decimal("84999.8975"), 0)


def test_a_market_sell_pays_its_fee_in_the_quote_asset(exchange: Exchange) -> None:
    give_bitcoin(exchange)
    _, trades = exchange.place(new_order("SELL", "MARKET", "0.1"))
    assert [(trade.commission, trade.commission_asset) for trade in trades] == [(Decimal("5.999999"), "USDT")]
    assert balance(exchange, "USDT") == (Decimal("105993.999001"), 0)
    assert balance(exchange, "BTC") == (Decimal("0.9"), 0)


def test_a_market_buy_for_an_amount_of_money_stays_below_it_by_less_than_a_step(exchange: Exchange) -> None:
    order, _ = exchange.place(new_order(kind="MARKET", quantity=None, quote="9000"))
    assert order.quantity == order.executed == Decimal("0.14999")
    assert 9_000 - Decimal("0.61") < order.quote_executed <= 9_000


def test_a_market_order_above_the_whole_book_expires_with_what_it_got(exchange: Exchange) -> None:
    exchange.set_level_size(BTC, Decimal("0.00001"))
    order, _ = exchange.place(new_order(kind="MARKET", quantity="1"))
    assert (order.status, order.executed) == ("EXPIRED", Decimal("0.01"))
    assert balance(exchange, "USDT")[1] == 0


def test_a_limit_order_below_the_market_rests_and_locks_what_it_may_cost(exchange: Exchange) -> None:
    order, trades = exchange.place(new_order(price="59000"))
    assert (order.status, trades) == ("NEW", [])
    assert balance(exchange, "USDT") == (Decimal(99_410), Decimal(590))


def test_a_limit_order_through_the_market_fills_at_better_prices_and_freesthe_rest(
    exchange: Exchange,
) -> None:
    order, trades = exchange.place(new_order(quantity="0.1", price="61000"))
    assert (order.status, trades[0].price, trades[0].is_maker) == ("FILLED", Decimal("60000.01"), False)
    assert balance(exchange, "USDT") == (Decimal("93999.999"), 0)


def test_a_limit_order_takes_what_its_price_reaches_and_the_rest_of_it_rests(exchange: Exchange) -> None:
    order, _ = exchange.place(new_order(quantity="0.3", price="60000.51"))
    assert (order.status, order.executed) == ("PARTIALLY_FILLED", Decimal("0.2"))
    assert balance(exchange, "USDT")[1] == Decimal("6000.051")


def test_a_resting_order_fills_in_part_when_the_price_touches_it_and_fully_when_it_passes(
    exchange: Exchange,
) -> None:
    order, _ = exchange.place(new_order(quantity="0.25", price="59000"))
    exchange.pin(BTC, Decimal("59000.01"))
    assert order.executed == 0
    exchange.pin(BTC, Decimal(59_000))
    assert (order.status, order.executed) == ("PARTIALLY_FILLED", Decimal("0.1"))
    exchange.match()
    assert order.executed == Decimal("0.1"), "what was taken from a level is not given twice"
    exchange.pin(BTC, Decimal(58_990))
    assert order.status == "FILLED"
    trades = exchange.trades(BTC, ALL)
    assert {(trade.price, trade.is_maker) for trade in trades} == {(Decimal(59_000), True)}
    assert balance(exchange, "BTC") == (Decimal("0.24975"), 0)
    assert balance(exchange, "USDT") == (Decimal(85_250), 0)


def test_a_resting_sell_fills_when_the_price_rises_to_it(exchange: Exchange) -> None:
    give_bitcoin(exchange)
    order, _ = exchange.place(new_order("SELL", quantity="0.1", price="61000"))
    assert balance(exchange, "BTC") == (Decimal("0.9"), Decimal("0.1"))
    exchange.pin(BTC, Decimal(61_000))
    assert order.status == "FILLED"
    assert balance(exchange, "USDT") == (Decimal("106093.9"), 0)


def test_the_better_price_is_served_first_then_the_older_order(exchange: Exchange) -> None:
    exchange.place(new_order(quantity="0.1", price="59000", client_id="low"))
    exchange.place(new_order(quantity="0.1", price="59000.4", client_id="high"))
    exchange.place(new_order(quantity="0.1", price="59000.4", client_id="late"))
    exchange.pin(BTC, Decimal("59000"))
    left = {order.client_id for order in exchange.open_orders()}
    assert left == {"low", "late"}


def test_immediate_or_cancel_expires_with_what_it_got(exchange: Exchange) -> None:
    order, _ = exchange.place(new_order(quantity="0.3", price="60000.01", force="IOC"))
    assert (order.status, order.executed) == ("EXPIRED", Decimal("0.1"))
    assert balance(exchange, "USDT")[1] == 0


def test_fill_or_kill_gets_all_or_nothing(exchange: Exchange) -> None:
    killed, trades = exchange.place(new_order(quantity="0.3", price="60000.51", force="FOK"))
    assert killed.status == "EXPIRED"
    assert not killed.executed and not trades
    filled, _ = exchange.place(new_order(quantity="0.2", price="60000.51", force="FOK"))
    assert filled.status == "FILLED"


def test_a_limit_maker_never_takes(exchange: Exchange) -> None:
    with pytest.raises(Refusal, match="Order would immediately match and take"):
        exchange.place(new_order(kind="LIMIT_MAKER", price="60000.01"))
    order, _ = exchange.place(new_order(kind="LIMIT_MAKER", price="59999.99"))
    assert order.status == "NEW"


@pytest.mark.parametrize(
    ("kind", "stop", "touched"),
    [("STOP_LOSS", "59000", "59000"), ("TAKE_PROFIT", "61000", "61000")],
)
def test_a_stop_holds_the_asset_and_sells_at_market_when_it_is_touched(
    exchange: Exchange, kind: str, stop: str, touched: str
) -> None:
    give_bitcoin(exchange)
    order, _ = exchange.place(new_order("SELL", kind, "0.1", stop=stop))
    assert (order.status, order.is_working) == ("NEW", False)
    assert balance(exchange, "BTC") == (Decimal("0.9"), Decimal("0.1"))
    exchange.pin(BTC, Decimal(touched))
    assert (order.status, order.is_working) == ("FILLED", True)
    assert order.quote_executed == (Decimal(touched) - Decimal("0.01")) / 10


def test_a_stop_limit_becomes_a_limit_order(exchange: Exchange) -> None:
    give_bitcoin(exchange)
    order, _ = exchange.place(new_order("SELL", "STOP_LOSS_LIMIT", "0.1", "58900", stop="59000"))
    exchange.pin(BTC, Decimal("58800"))
    assert (order.status, order.is_working) == ("NEW", True)
    exchange.pin(BTC, Decimal("58900"))
    assert order.status == "FILLED"


def test_a_stop_on_the_wrong_side_of_the_market_is_refused(exchange: Exchange) -> None:
    give_bitcoin(exchange)
    for kind, stop in (("STOP_LOSS", "60000"), ("TAKE_PROFIT", "59999")):
        with pytest.raises(Refusal, match="Order would trigger immediately"):
            exchange.place(new_order("SELL", kind, "0.1", stop=stop))


def test_what_the_account_cannot_pay_is_refused_and_leaves_no_trace(exchange: Exchange) -> None:
    for new in (
        new_order(kind="MARKET", quantity="2"),
        new_order(kind="MARKET", quantity=None, quote="100000.01"),
        new_order(quantity="2", price="59000"),
        new_order("SELL", "MARKET", "0.01"),
        new_order("SELL", "STOP_LOSS", "0.01", stop="59000"),
    ):
        with pytest.raises(Refusal, match="insufficient balance"):
            exchange.place(new)
    assert exchange.every_order() == []
    assert balance(exchange, "USDT") == (Decimal(100_000), 0)


def test_a_cancel_frees_what_was_locked_and_keeps_what_was_filled(exchange: Exchange) -> None:
    exchange.place(new_order(quantity="0.3", price="60000.01"))
    order = exchange.cancel(BTC, None, "mine")
    assert (order.status, order.executed) == ("CANCELED", Decimal("0.1"))
    assert balance(exchange, "USDT") == (Decimal("93999.999"), 0)
    with pytest.raises(Refusal, match="-2011 Unknown order sent"):
        exchange.cancel(BTC, None, "mine")


def test_an_open_client_id_is_refused_and_one_that_has_filled_executes_again(exchange: Exchange) -> None:
    exchange.place(new_order(price="59000", client_id="once"))
    with pytest.raises(Refusal, match="-2010 Duplicate order sent"):
        exchange.place(new_order(kind="MARKET", client_id="once"))
    first, _ = exchange.place(new_order(kind="MARKET", client_id="again"))
    second, _ = exchange.place(new_order(kind="MARKET", client_id="again"))
    assert first.id != second.id
    assert exchange.order(BTC, None, "again").id == second.id
    assert balance(exchange, "BTC")[0] == Decimal("0.01998")


def test_a_moving_market_fills_a_resting_order_in_time(exchange: Exchange, clock: Clock) -> None:
    exchange.pin(BTC, None)
    exchange.set_level_size(BTC, None)
    at = exchange.market(BTC).price(exchange.now)
    order, _ = exchange.place(new_order(price=str(at - 20)))
    while order.is_open and clock.now.hour < 20:
        clock.advance(seconds=10)
        exchange.match()
    assert order.status == "FILLED"
    assert exchange.market(BTC).price(exchange.now) <= at - 20
