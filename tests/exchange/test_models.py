from __future__ import annotations

from decimal import Decimal

import pytest

from broker.exchange import Book, PriceLevel, Walk
from broker.money import Side

D = Decimal
BOOK = Book(
    symbol="BTCUSDT",
    bids=(PriceLevel(D(99), D(1)), PriceLevel(D(98), D(2))),
    asks=(PriceLevel(D(101), D(1)), PriceLevel(D(103), D(2))),
    timestamp_ms=0,
    asked_at_ms=0,
)


@pytest.mark.parametrize(
    ("side", "amount", "walk"),
    [
        ("buy", D("0.5"), Walk(D(101), D(101), D("0.5"), D("50.5"))),
        ("buy", D(2), Walk(D(102), D(103), D(2), D(204))),
        ("sell", D(3), Walk(D(295) / 3, D(98), D(3), D(295))),
        ("sell", D(4), Walk(D(295) / 3, D(98), D(3), D(295))),
        ("buy", D(1), Walk(D(101), D(101), D(1), D(101))),
    ],
)
def test_a_walk_takes_the_best_levels_first(side: Side, amount: Decimal, walk: Walk) -> None:
    assert BOOK.walk(side, amount) == walk


def test_an_empty_book_has_no_prices() -> None:
    book = Book("BTCUSDT", (), (), 0, 0)
    assert (book.best_bid, book.best_ask) == (None, None)
    assert book.walk("buy", D(1)) == Walk(None, None, D(0), D(0))
