from decimal import Decimal

from broker.paper.market.book import LEVELS, Book, fills_of_cost, fills_of_quantity
from broker.paper.market.orders import Side
from broker.paper.market.symbols import SPOT

BTC = SPOT[0]


def book(size: str | None = "0.1") -> Book:
    return Book(BTC, Decimal(60_000), "key", None if size is None else Decimal(size))


def test_the_best_prices_are_a_tick_from_the_last_and_levels_lie_a_gap_apart() -> None:
    asks, bids = book().levels(Side.SELL, 2), book().levels(Side.BUY, 2)
    assert [level.price for level in asks] == [Decimal("60000.01"), Decimal("60000.51")]
    assert [level.price for level in bids] == [Decimal("59999.99"), Decimal("59999.49")]


def test_random_levels_keep_to_the_step_and_are_the_same_for_the_same_key() -> None:
    levels = book(None).levels(Side.SELL)
    assert len(levels) == LEVELS
    assert all(level.quantity > 0 and level.quantity % BTC.step == 0 for level in levels)
    assert levels == book(None).levels(Side.SELL)
    assert len({level.quantity for level in levels}) > LEVELS // 2


def test_what_is_taken_is_gone() -> None:
    thin = book()
    thin.take(Side.BUY, fills_of_quantity(thin.facing(Side.BUY), Decimal("0.15")))
    best = thin.best(Side.SELL)
    assert best is not None
    assert (best.price, best.quantity) == (Decimal("60000.51"), Decimal("0.05"))
    assert thin.levels(Side.BUY, 1)[0].quantity == Decimal("0.1")


def test_a_taker_reaches_no_level_beyond_its_limit() -> None:
    reached = list(book().facing(Side.BUY, Decimal("60001")))
    assert [level.price for level in reached] == [Decimal("60000.01"), Decimal("60000.51")]
    sold = list(book().facing(Side.SELL, Decimal("59999.49")))
    assert [level.price for level in sold] == [Decimal("59999.99"), Decimal("59999.49")]


def test_more_than_there_is_gets_what_there_is() -> None:
    fills = fills_of_quantity(book().facing(Side.BUY, Decimal("60000.01")), Decimal(1))
    assert [fill.quantity for fill in fills] == [Decimal("0.1")]


def test_an_amount_of_money_buys_whole_steps_and_never_more_than_it_pays_for() -> None:
    fills = fills_of_cost(book().facing(Side.BUY), Decimal(9_000), BTC.step)
    assert [fill.quantity for fill in fills] == [Decimal("0.1"), Decimal("0.04999")]


def test_an_empty_book_has_no_best_price() -> None:
    assert book("0").best(Side.BUY) is None
    assert book("0").levels(Side.SELL) == []
