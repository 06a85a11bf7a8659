"""The parameters of a request, parsed with Binance's error for each kind of mistake."""

import json
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from enum import StrEnum
from typing import TypeVar

from .errors import Refusal, illegal, mandatory

Choice = TypeVar("Choice", bound=StrEnum)

CLIENT_ID = re.compile(r"^[a-zA-Z0-9-_]{1,36}$")
SYMBOL = re.compile(r"^[A-Z0-9-_.]{1,20}$")
_NUMBER = re.compile(r"^([0-9]{1,20})(\.[0-9]{1,20})?$")
_INTEGER = re.compile(r"^[0-9]{1,20}$")
_MAX_DECIMALS = 8


class Params:
    """Parameters by name. A missing one is None; an empty one raises Refusal."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self.values = values

    def __contains__(self, name: str) -> bool:
        return name in self.values

    def only(self, known: Iterable[str]) -> None:
        """Raise Refusal if any other parameter was sent."""
        read = len(self.values.keys() & set(known))
        if read < len(self.values):
            sent = len(self.values)
            msg = f"Not all sent parameters were read; read '{read}' parameter(s) but was sent '{sent}'."
            raise Refusal(-1104, msg)

    def require(self, names: Iterable[str]) -> None:
        for name in names:
            if name not in self.values:
                raise mandatory(name)

    def text(self, name: str, legal: re.Pattern[str]) -> str | None:
        value = self.values.get(name)
        if value == "":
            raise Refusal(-1105, f"Parameter '{name}' was empty.")
        if value is not None and not legal.match(value):
            raise illegal(name, legal.pattern)
        return value

    def amount(self, name: str) -> Decimal | None:
        """Return an amount above zero with at most eight decimals."""
        value = self.text(name, _NUMBER)
        if value is None:
            return None
        if len(value.rstrip("0").partition(".")[2]) > _MAX_DECIMALS:
            raise Refusal(-1111, f"Parameter '{name}' has too much precision.")
        amount = Decimal(value)
        if not amount:
            raise Refusal(-1013, f"Invalid {_words(name)}.")
        return amount

    def integer(self, name: str) -> int | None:
        value = self.text(name, _INTEGER)
        return None if value is None else int(value)

    def limit(self, default: int, most: int) -> int:
        """Return the `limit` parameter. Like Binance, cap it at `most`."""
        limit = self.integer("limit")
        if limit == 0:
            raise Refusal(-1130, "Data sent for parameter 'limit' is not valid.")
        return min(default if limit is None else limit, most)

    def choice(self, name: str, choices: type[Choice], refusal: Refusal) -> Choice | None:
        if name not in self.values:
            return None
        try:
            return choices(self.values[name])
        except ValueError:
            raise refusal from None

    def flag(self, name: str) -> bool:
        return self.values.get(name, "").lower() == "true"

    def names(self, name: str) -> list[str]:
        """Parse a JSON list of symbols."""
        try:
            names = json.loads(self.values[name])
        except ValueError:
            raise Refusal(-1135, f"JSON sent for parameter '{name}' is not valid.") from None
        if not isinstance(names, list) or not names or not all(isinstance(item, str) for item in names):
            raise illegal(name, r"^\[(\"[A-Z0-9-_.]{1,20}\"(,\"[A-Z0-9-_.]{1,20}\"){0,}){0,1}\]$")
        if len(set(names)) < len(names):
            raise Refusal(-1151, "Symbol is present multiple times in the list.")
        return names


def _words(name: str) -> str:
    return re.sub(r"([A-Z])", lambda found: f" {found[0].lower()}", name)
