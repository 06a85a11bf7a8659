"""The state of the exchanges in a SQLite file. Only this module and tables.py contain SQL."""

import fcntl
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from decimal import Decimal
from pathlib import Path
from typing import Any

from ..http.errors import FolderInUse
from ..spot.account import Balance
from .market import Pin, Setting
from .orders import OPEN, Order, OrderType, Side, Status, TimeInForce, Trade
from .tables import Kept, Table

_SCHEMA = """
CREATE TABLE IF NOT EXISTS balances (
    asset TEXT PRIMARY KEY, free TEXT, locked TEXT, updated INTEGER
);
CREATE TABLE IF NOT EXISTS orders (
    id INTEGER PRIMARY KEY, symbol TEXT, client_id TEXT, side TEXT, type TEXT, time_in_force TEXT,
    quantity TEXT, quote_quantity TEXT, price TEXT, stop_price TEXT, created INTEGER, updated INTEGER,
    working_since INTEGER, status TEXT, executed TEXT, quote_executed TEXT, locked TEXT
);
CREATE INDEX IF NOT EXISTS orders_by_client_id ON orders (client_id);
CREATE INDEX IF NOT EXISTS orders_by_symbol ON orders (symbol, id);
CREATE INDEX IF NOT EXISTS orders_by_time ON orders (symbol, created);
CREATE INDEX IF NOT EXISTS orders_by_status ON orders (status);
CREATE TABLE IF NOT EXISTS trades (
    id INTEGER PRIMARY KEY, order_id INTEGER, symbol TEXT, side TEXT, price TEXT, quantity TEXT,
    commission TEXT, commission_asset TEXT, is_maker INTEGER, time INTEGER
);
CREATE INDEX IF NOT EXISTS trades_by_symbol ON trades (symbol, id);
CREATE INDEX IF NOT EXISTS trades_by_order ON trades (order_id);
CREATE INDEX IF NOT EXISTS trades_by_time ON trades (symbol, time);
CREATE TABLE IF NOT EXISTS pins (
    symbol TEXT, start INTEGER, "end" INTEGER, ticks INTEGER, number INTEGER, PRIMARY KEY (symbol, number)
);
CREATE TABLE IF NOT EXISTS settings (
    symbol TEXT PRIMARY KEY, revision INTEGER, level_size TEXT, book_key TEXT, taken TEXT
);
"""
_ORDER = tuple(field.name for field in fields(Order))
_TRADE = tuple(field.name for field in fields(Trade))


@dataclass(frozen=True, slots=True)
class Window:
    """A range of a history: from an id or a time, or else the newest. Times: UTC milliseconds, inclusive."""

    limit: int
    first_id: int | None = None
    order_id: int | None = None
    start: int | None = None
    end: int | None = None

    def query(self, symbol: str, time: str) -> tuple[str, list[Any]]:
        """Return condition, order and limit of a SELECT, and its values. `time` is the name of a column."""
        bounds = {
            "id >= ?": self.first_id,
            "order_id = ?": self.order_id,
            f"{time} >= ?": self.start,
            f"{time} <= ?": self.end,
        }
        given = {condition: value for condition, value in bounds.items() if value is not None}
        direction = "DESC" if self.first_id is None and self.start is None else "ASC"
        where = " AND ".join(["symbol = ?", *given])
        return f"{where} ORDER BY id {direction} LIMIT ?", [symbol, *given.values(), self.limit]


class Store:
    """Only one process can open a folder. The kernel releases the lock when the process dies."""

    def __init__(self, folder: Path | None) -> None:
        """Without a folder the database is in memory. Raises FolderInUse."""
        self._lock = _locked(folder / "paper.lock") if folder else None
        path = str(folder / "paper.sqlite3") if folder else ":memory:"
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        self._db.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            self._db.execute("ROLLBACK")
            raise

    def table(self, name: str, kind: type[Kept], indexed: Iterable[Sequence[str]] = ()) -> Table[Kept]:
        """Return a table for the objects of a dataclass. It shares the file and its transactions."""
        return Table(self._db, name, kind, indexed)

    def write_orders(self, orders: Iterable[Order]) -> None:
        self._write("orders", _ORDER, orders)

    def write_trades(self, trades: Iterable[Trade]) -> None:
        self._write("trades", _TRADE, trades)

    def write_balances(self, balances: Iterable[Balance]) -> None:
        self._write("balances", ("asset", "free", "locked", "updated"), balances)

    def write_setting(self, symbol: str, setting: Setting) -> None:
        """`symbol` is the market's name; futures have a prefix."""
        size = None if setting.level_size is None else str(setting.level_size)
        taken = json.dumps(
            [[side, index, str(quantity)] for (side, index), quantity in setting.taken.items()]
        )
        row = (symbol, setting.revision, size, setting.book_key, taken)
        self._db.execute("REPLACE INTO settings VALUES (?, ?, ?, ?, ?)", row)

    def write_pins(self, symbol: str, pins: list[Pin]) -> None:
        """Write the last two pins. Older ones never change."""
        rows = [(symbol, pin.start, pin.end, pin.ticks, number) for number, pin in enumerate(pins)]
        self._db.executemany("REPLACE INTO pins VALUES (?, ?, ?, ?, ?)", rows[-2:])

    def balances(self) -> list[Balance]:
        rows = self._db.execute("SELECT asset, free, locked, updated FROM balances")
        return [
            Balance(asset, Decimal(free), Decimal(locked), updated) for asset, free, locked, updated in rows
        ]

    def setting(self, symbol: str) -> Setting:
        query = "SELECT revision, level_size, book_key, taken FROM settings WHERE symbol = ?"
        row = self._db.execute(query, (symbol,)).fetchone()
        if row is None:
            return Setting()
        revision, size, key, taken = row
        amounts = {(Side(side), index): Decimal(quantity) for side, index, quantity in json.loads(taken)}
        return Setting(revision, None if size is None else Decimal(size), key, amounts)

    def pins(self, symbol: str) -> list[Pin]:
        query = 'SELECT start, "end", ticks FROM pins WHERE symbol = ? ORDER BY number'
        return [Pin(*row) for row in self._db.execute(query, (symbol,))]

    def last_ids(self) -> tuple[int, int]:
        """Return the last ids of orders and trades, 0 if there is none."""
        query = "SELECT (SELECT coalesce(max(id), 0) FROM orders), (SELECT coalesce(max(id), 0) FROM trades)"
        orders, trades = self._db.execute(query).fetchone()
        return orders, trades

    def open_orders(self) -> list[Order]:
        marks = ", ".join("?" * len(OPEN))
        return self._orders(f"status IN ({marks}) ORDER BY id", *sorted(OPEN))

    def order(self, symbol: str, order_id: int | None, client_id: str | None) -> Order | None:
        """Return the newest order that matches the given ids."""
        conditions, values = ["symbol = ?"], [symbol]
        by = {"id": order_id, "client_id": client_id}
        for column, value in by.items():
            if value is not None:
                conditions.append(f"{column} = ?")
                values.append(str(value))
        found = self._orders(" AND ".join(conditions) + " ORDER BY id DESC LIMIT 1", *values)
        return found[0] if found else None

    def orders(self, symbol: str, window: Window) -> list[Order]:
        where, values = window.query(symbol, "created")
        return sorted(self._orders(where, *values), key=lambda order: order.id)

    def every_order(self) -> list[Order]:
        return self._orders("true ORDER BY id")

    def trades(self, symbol: str, window: Window) -> list[Trade]:
        where, values = window.query(symbol, "time")
        return sorted(self._trades(where, *values), key=lambda trade: trade.id)

    def _orders(self, where: str, *values: Any) -> list[Order]:
        query = f"SELECT {', '.join(_ORDER)} FROM orders WHERE {where}"  # noqa: S608 - no value is in it
        return [_order(dict(zip(_ORDER, row, strict=True))) for row in self._db.execute(query, values)]

    def _trades(self, where: str, *values: Any) -> list[Trade]:
        query = f"SELECT {', '.join(_TRADE)} FROM trades WHERE {where}"  # noqa: S608 - no value is in it
        return [_trade(dict(zip(_TRADE, row, strict=True))) for row in self._db.execute(query, values)]

    def _write(self, table: str, columns: tuple[str, ...], items: Iterable[object]) -> None:
        marks = ", ".join("?" * len(columns))
        statement = f"REPLACE INTO {table} ({', '.join(columns)}) VALUES ({marks})"  # noqa: S608 - no value is in it
        self._db.executemany(statement, ([_plain(getattr(item, name)) for name in columns] for item in items))


def _locked(path: Path) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise FolderInUse(f"another process has its paper exchange in {path.parent}") from None
    return descriptor


def _order(row: dict[str, Any]) -> Order:
    amounts = ("quantity", "quote_quantity", "price", "stop_price", "executed", "quote_executed", "locked")
    row.update({name: Decimal(row[name]) for name in amounts})
    row.update(side=Side(row["side"]), type=OrderType(row["type"]), status=Status(row["status"]))
    row.update(time_in_force=TimeInForce(row["time_in_force"]))
    return Order(**row)


def _trade(row: dict[str, Any]) -> Trade:
    row.update({name: Decimal(row[name]) for name in ("price", "quantity", "commission")})
    row.update(side=Side(row["side"]), is_maker=bool(row["is_maker"]))
    return Trade(**row)


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Decimal) else value
