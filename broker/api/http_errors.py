"""Answers of the HTTP surface."""

from __future__ import annotations

from starlette.responses import JSONResponse, Response

from ..errors import BrokerError, Code


def unforeseen() -> BrokerError:
    """It may have come after a request was parked, so it says nothing of that."""
    return BrokerError(Code.INTERNAL, "An error of the broker's own; it is in its log.")


def unauthorized() -> Response:
    """The body is part of the contract."""
    return JSONResponse(
        {"error": "Invalid MCP API key"}, 401, headers={"WWW-Authenticate": 'Bearer realm="broker"'}
    )


def failed(error: BrokerError) -> Response:
    """The failed-call shape with its status; two bodies are exactly as the contract has them."""
    if error.code is Code.UNAUTHORIZED:  # revoked while it called
        return unauthorized()
    headers = {}
    if retry := error.details.get("retryAfterSeconds"):
        headers["Retry-After"] = str(retry)
    if error.code is Code.BINANCE_NOT_CONFIGURED:
        return JSONResponse({"error": "Binance API not configured"}, error.http_status)
    return JSONResponse(error.body(), error.http_status, headers=headers)
