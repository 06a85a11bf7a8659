"""Base of the parts of an intent that the database stores as JSON."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, PlainSerializer
from pydantic.alias_generators import to_camel

from .money import plain

PlainDecimal = Annotated[Decimal, PlainSerializer(plain, return_type=str)]


class Stored(BaseModel):
    """JSON with camelCase names."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)

    def stored(self) -> dict[str, Any]:
        """JSON values for the database, digests and agents. Decimals are plain strings. Only fields that were
        set are included, so that a row of an older release does not change.
        """
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)
