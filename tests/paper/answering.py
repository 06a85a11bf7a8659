"""Asking the paper exchange for its raw JSON, and holding an answer against its documented shape."""

import hashlib
import hmac
import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from broker.paper.http.rest import Answer, Call, Rest

SECRET = "paper-secret"
DECIMAL = re.compile(r"-?\d+(\.\d+)?")
"""A number as text."""

Shape = Any
"""A type, DECIMAL, a Row, the fields of an object, or a list of the shape that each of its items has: there
has to be one."""


def ask(rest: Rest, method: str, path: str, **params: Any) -> Any:
    """Signed; the answer's JSON."""
    query = urlencode({**params, "timestamp": str(rest.now)})
    signature = hmac.new(SECRET.encode(), query.encode(), hashlib.sha256).hexdigest()
    admitted = rest.admit(Call(method, path, f"{query}&signature={signature}", "", "paper-key"))
    answer = admitted if isinstance(admitted, Answer) else rest.execute(admitted)
    assert answer.status == 200, answer.body
    return json.loads(answer.body)


def differences(shape: Shape, value: Any, where: str = "") -> Iterator[str]:
    """Where the answer lacks a documented field, or has it with another type; more fields are no matter."""
    if isinstance(shape, dict):
        if not isinstance(value, dict):
            yield f"{where}: {value!r} is no object"
            return
        for name, inner in shape.items():
            if name not in value:
                yield f"{where}.{name} is missing"
            else:
                yield from differences(inner, value[name], f"{where}.{name}")
    elif isinstance(shape, list):
        if not isinstance(value, list) or not value:
            yield f"{where}: {value!r} is no list that holds something"
            return
        for number, item in enumerate(value):
            yield from differences(shape[0], item, f"{where}[{number}]")
    elif not _is(shape, value):
        yield f"{where}: {value!r}"


def _is(shape: Shape, value: Any) -> bool:
    if shape is DECIMAL:
        return isinstance(value, str) and DECIMAL.fullmatch(value) is not None
    if isinstance(shape, Row):
        return (
            isinstance(value, list)
            and len(value) == len(shape.items)
            and all(_is(inner, item) for inner, item in zip(shape.items, value, strict=True))
        )
    return type(value) is shape


class Row:
    """A list with a meaning for each place."""

    def __init__(self, *items: Shape) -> None:
        self.items = items
