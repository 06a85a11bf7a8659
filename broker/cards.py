"""The card of a request: what the trader sees before they decide."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict


class Tone(StrEnum):
    PLAIN = "plain"
    GOOD = "good"
    WARN = "warn"
    BAD = "bad"


class Figure(BaseModel):
    """A labelled value, both as the page shows them."""

    model_config = ConfigDict(frozen=True)

    label: str
    value: str
    tone: Tone = Tone.PLAIN


class Check(BaseModel):
    """A figure compared with its limit; None if it could not be read. A check that is not `enforced` refuses
    nothing. `near`: the figure is close to the limit.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    label: str
    figure: str | None
    limit: str | None
    unit: str
    passed: bool
    enforced: bool = True
    near: bool = False

    @property
    def readable(self) -> bool:
        return self.figure is not None and self.limit is not None

    @property
    def refuses(self) -> bool:
        return self.enforced and not self.passed


class Card(BaseModel):
    """Built by the tool; the page and the notifications depend on no particular tool.

    `act` is the text of the button ("BUY 0.015 BTC"). `second_tap` lists the reasons why the trader must
    confirm twice. `suggestible` lists the fields that a trader may suggest another value for ("amount",
    "price").
    """

    model_config = ConfigDict(frozen=True)

    act: str
    sentence: str = ""
    symbol: str = ""
    figures: list[Figure] = []
    checks: list[Check] = []
    warnings: list[str] = []
    second_tap: list[str] = []
    suggestible: list[str] = []

    def beside(self, figure: Figure) -> Card:
        """A copy with `figure` appended."""
        return self.model_copy(update={"figures": [*self.figures, figure]})

    def stored(self) -> dict[str, Any]:
        """JSON values, as the database and the audit log keep them."""
        return self.model_dump(mode="json")
