"""What a trader is shown of a request: a sentence first, then the figures that matter."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from .risk import Check


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


class Card(BaseModel):
    """Drawn from the tool's declaration; the page and the notifications know no tool by name.

    `act` is what the button names ("BUY 0.015 BTC"). `second_tap` lists the reasons, if any, why one tap is
    not enough. A field of the form that suggests something else is in `suggestible` ("amount", "price").
    """

    model_config = ConfigDict(frozen=True)

    act: str
    sentence: str
    symbol: str
    figures: list[Figure]
    checks: list[Check]
    warnings: list[str] = []
    second_tap: list[str] = []
    suggestible: list[str] = []

    def beside(self, figure: Figure) -> Card:
        """With one more figure, the last."""
        return self.model_copy(update={"figures": [*self.figures, figure]})
