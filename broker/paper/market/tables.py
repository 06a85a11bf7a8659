"""A table that stores the objects of one dataclass. The fields are its columns."""

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields
from decimal import Decimal
from enum import StrEnum
from typing import Any, ClassVar, Generic, Protocol, TypeVar, get_type_hints


class _Dataclass(Protocol):
    __dataclass_fields__: ClassVar[dict[str, Any]]


Kept = TypeVar("Kept", bound=_Dataclass)


class Table(Generic[Kept]):
    """The first field is the primary key. `indexed` lists the columns of each index."""

    def __init__(
        self, db: sqlite3.Connection, name: str, kind: type[Kept], indexed: Iterable[Sequence[str]] = ()
    ) -> None:
        hints = get_type_hints(kind)
        self._db = db
        self._name = name
        self._kind = kind
        self._columns = [field.name for field in fields(kind)]
        self._readers = [_reader(hints[column]) for column in self._columns]
        types = ["INTEGER" if hints[column] in (int, bool) else "TEXT" for column in self._columns]
        key, *rest = (f'"{column}" {kept}' for column, kept in zip(self._columns, types, strict=True))
        db.execute(f"CREATE TABLE IF NOT EXISTS {name} ({', '.join([f'{key} PRIMARY KEY', *rest])})")
        for columns in indexed:
            index = f"{name}_by_{'_'.join(columns)}"
            db.execute(f"CREATE INDEX IF NOT EXISTS {index} ON {name} ({', '.join(columns)})")

    def write(self, items: Iterable[Kept]) -> None:
        """Insert rows, or replace rows with the same key."""
        marks = ", ".join("?" * len(self._columns))
        rows = ([_plain(getattr(item, column)) for column in self._columns] for item in items)
        self._db.executemany(f"REPLACE INTO {self._name} VALUES ({marks})", rows)  # noqa: S608 - a fixed name

    def where(self, condition: str, *values: Any) -> list[Kept]:
        """`condition` is SQL with a `?` for each value. It may end with ORDER BY and LIMIT."""
        query = f"SELECT * FROM {self._name} WHERE {condition}"  # noqa: S608 - no value is in it
        return [self._read(row) for row in self._db.execute(query, values)]

    def last_key(self) -> int:
        """Return the largest integer key, 0 if there is none."""
        query = f'SELECT coalesce(max("{self._columns[0]}"), 0) FROM {self._name}'  # noqa: S608 - a fixed name
        (last,) = self._db.execute(query).fetchone()
        return int(last)

    def _read(self, row: Sequence[Any]) -> Kept:
        return self._kind(*(read(value) for read, value in zip(self._readers, row, strict=True)))


def _reader(kind: Any) -> Callable[[Any], Any]:
    if kind is Decimal or kind is bool or issubclass(kind, StrEnum):
        return kind  # type: ignore[no-any-return]
    return lambda value: value


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Decimal) else value
