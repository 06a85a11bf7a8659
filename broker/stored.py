"""Parts of an intent that rows hold as JSON."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, PlainSerializer
from pydantic.alias_generators import to_camel

from .money import plain

PlainDecimal = Annotated[Decimal, PlainSerializer(plain, return_type=str)]


class Stored(BaseModel):
    """Read from JSON with camelCase names, and written back as it was read."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)

    def stored(self) -> dict[str, Any]:
        """As rows, digests and agents have it: decimals as plain strings, and only the fields that were set,
        so that a row of an older release stays as it is.
        """
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)
