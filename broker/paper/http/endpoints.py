"""The description of an endpoint: its handler, its request weight and its parameters."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .params import Params


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`weight` is Binance's request weight, or a function that computes it from the parameters."""

    answer: Callable[[Params], Any]
    weight: int | Callable[[Params], int]
    reads: tuple[str, ...] = ()
    is_signed: bool = False
    counts_as_order: bool = False
    needs_key: bool = False
    """It needs the key, but no signature (Binance's USER_STREAM endpoints)."""

    def weight_of(self, params: Params) -> int:
        return self.weight if isinstance(self.weight, int) else self.weight(params)


Endpoints = dict[tuple[str, str], Endpoint]
"""Endpoints by method and path."""
