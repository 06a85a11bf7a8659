"""Error responses over HTTP."""

from __future__ import annotations

from starlette.responses import JSONResponse, Response

from ..errors import BrokerError, Code


def unforeseen() -> BrokerError:
    """The error for an unexpected exception. It does not say whether a request was parked."""
    return BrokerError(Code.INTERNAL, "Internal error of the broker; see its log.")


def unauthorized() -> Response:
    """401 with a body that is fixed by the API contract."""
    return JSONResponse(
        {"error": "Invalid MCP API key"}, 401, headers={"WWW-Authenticate": 'Bearer realm="broker"'}
    )


def failed(error: BrokerError) -> Response:
    """A failed call with its HTTP status. The API contract fixes other bodies for two codes: UNAUTHORIZED and
    BINANCE_NOT_CONFIGURED.
    """
    if error.code is Code.UNAUTHORIZED:  # the key was revoked during the call
        return unauthorized()
    headers = {}
    if retry := error.details.get("retryAfterSeconds"):
        headers["Retry-After"] = str(retry)
    if error.code is Code.BINANCE_NOT_CONFIGURED:
        return JSONResponse({"error": "Binance API not configured"}, error.http_status)
    return JSONResponse(error.body(), error.http_status, headers=headers)
