"""Routes of forms."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ..http_server import MAX_BODY


def post(path: str, endpoint: Callable[[Request], Awaitable[Response]]) -> Route:
    """A form that is sent to `path`; no longer than any other body."""
    return Route(path, endpoint, methods=["POST"], max_body_size=MAX_BODY)
