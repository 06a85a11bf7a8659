"""JSON messages of a WebSocket."""

import json
from decimal import Decimal
from typing import Any


def encoded(content: Any) -> str:
    return json.dumps(content, separators=(",", ":"))


def decoded(text: str) -> Any:
    """Parse JSON. Numbers with a fraction keep the digits that were sent. Raises ValueError."""
    return json.loads(text, parse_float=Decimal)
