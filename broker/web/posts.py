"""Routes of forms."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ..http_server import MAX_BODY


def post(path: str, endpoint: Callable[[Request], Awaitable[Response]]) -> Route:
    """A POST route, with the size limit that holds for every request body."""
    return Route(path, endpoint, methods=["POST"], max_body_size=MAX_BODY)
