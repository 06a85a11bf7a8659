"""What a trader is shown of a request: a sentence first, then the figures that matter."""

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
    """A labelled value, in the words of the page."""

    model_config = ConfigDict(frozen=True)

    label: str
    value: str
    tone: Tone = Tone.PLAIN


class Check(BaseModel):
    """One figure against its limit. `enforced` is false where an exit may pass all the same."""

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
    """Drawn from the tool's declaration; the page and the notifications know no tool by name.

    `act` is what the button names ("BUY 0.015 BTC"). `second_tap` lists the reasons, if any, why one tap is
    not enough. A field of the form that suggests something else is in `suggestible` ("amount", "price").
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
        """With one more figure, the last."""
        return self.model_copy(update={"figures": [*self.figures, figure]})

    def stored(self) -> dict[str, Any]:
        """As rows and the audit log have it."""
        return self.model_dump(mode="json")
