"""Checks a request (weight, key, signature, time) and executes it. No HTTP server."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import parse_qsl

from .endpoints import Endpoint, Endpoints
from .errors import Refusal, invalid_key
from .limits import Limits
from .params import Params
from .signing import SIGNING_PARAMETERS, Credentials, Validity, payload, validity

JSON_TYPE = "application/json;charset=UTF-8"


@dataclass(frozen=True, slots=True)
class Call:
    """A request. Query string and body are not decoded; the key comes from the header."""

    method: str
    path: str
    query: str
    body: str
    key: str

    def params(self) -> dict[str, str]:
        """Return the parameters of query string and body. The query string takes precedence."""
        return dict(_pairs(self.body)) | dict(_pairs(self.query))

    def checked_params(self) -> Params:
        """Return the parameters without those of the signature. Raises Refusal for duplicates."""
        for pairs in (_pairs(self.query), _pairs(self.body)):
            if len(dict(pairs)) < len(pairs):
                raise Refusal(-1101, "Duplicate values for a parameter detected.")
        return Params(
            {name: value for name, value in self.params().items() if name not in SIGNING_PARAMETERS}
        )


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    media_type: str = JSON_TYPE


@dataclass(frozen=True, slots=True)
class Admitted:
    endpoint: Endpoint
    params: Params
    validity: Validity | None
    headers: dict[str, str]


class Timed(Protocol):
    @property
    def now(self) -> int:
        """UTC milliseconds."""


class Rest:
    """The REST API of one market, spot or futures."""

    def __init__(
        self,
        exchange: Timed,
        endpoints: Endpoints,
        credentials: Credentials,
        limits: Limits,
        *,
        permitted: Callable[[], bool] = lambda: True,
    ) -> None:
        """`permitted` returns whether the key may use this market."""
        self._exchange = exchange
        self._endpoints = endpoints
        self._credentials = credentials
        self._limits = limits
        self._permitted = permitted

    @property
    def now(self) -> int:
        return self._exchange.now

    def admit(self, call: Call) -> Admitted | Answer:
        """Run the checks on receipt. An Answer means that the request is refused."""
        endpoint = self._endpoints.get((call.method, call.path))
        if endpoint is None:
            return Answer(404, b"<html><body><h2>404 Not found</h2></body></html>", {}, "text/html")
        headers: dict[str, str] = {}
        try:
            params = call.checked_params()
            headers |= self._limits.spend(endpoint.weight_of(params), self.now)
            signed = self._check_key(call, endpoint)
            params.only(endpoint.reads)
        except Refusal as refusal:
            return refused(refusal, headers)
        return Admitted(endpoint, params, signed, headers)

    def execute(self, admitted: Admitted) -> Answer:
        """Execute the request. It checks the timestamp again, because the request may have waited."""
        try:
            if admitted.validity:
                admitted.validity.check(self.now)
            headers = self._order_headers(admitted.endpoint)
            return json_answer(200, admitted.endpoint.answer(admitted.params), admitted.headers | headers)
        except Refusal as refusal:
            return refused(refusal, admitted.headers)

    def _check_key(self, call: Call, endpoint: Endpoint) -> Validity | None:
        if endpoint.is_signed or endpoint.needs_key:
            self._credentials.check_key(call.key)
            if not self._permitted():
                raise invalid_key()
        return self._check_signature(call) if endpoint.is_signed else None

    def _check_signature(self, call: Call) -> Validity:
        values = call.params()
        signed = payload(call.query, call.body)
        self._credentials.check(call.key, signed, values.get("signature"))
        valid = validity(values)
        valid.check(self.now)
        return valid

    def _order_headers(self, endpoint: Endpoint) -> dict[str, str]:
        return self._limits.count_order(self.now) if endpoint.counts_as_order else {}


class Venues:
    """Selects the market by the path of a request. Without futures, all paths belong to spot."""

    def __init__(self, spot: Rest, futures: Rest | None) -> None:
        self.spot = spot
        self._futures = futures

    def for_path(self, path: str) -> Rest:
        return self._futures if self._futures and path.startswith("/fapi/") else self.spot


def json_answer(status: int, content: Any, headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(status, json.dumps(content, separators=(",", ":")).encode(), dict(headers or {}))


def refused(refusal: Refusal, headers: Mapping[str, str] | None = None) -> Answer:
    content = {"code": refusal.code, "msg": refusal.msg}
    return json_answer(refusal.http, content, dict(headers or {}) | refusal.headers)


def _pairs(encoded: str) -> list[tuple[str, str]]:
    return parse_qsl(encoded, keep_blank_values=True)
