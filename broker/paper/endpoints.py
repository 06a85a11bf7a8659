"""What an endpoint is: who answers it, what it costs, what it reads."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .params import Params


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`weight` is Binance's request weight, where it depends on the parameters a function of them."""

    answer: Callable[[Params], Any]
    weight: int | Callable[[Params], int]
    reads: tuple[str, ...] = ()
    is_signed: bool = False
    counts_as_order: bool = False
    needs_key: bool = False
    """The key without a signature (Binance's USER_STREAM endpoints)."""

    def weight_of(self, params: Params) -> int:
        return self.weight if isinstance(self.weight, int) else self.weight(params)


Endpoints = dict[tuple[str, str], Endpoint]
"""By method and path."""
