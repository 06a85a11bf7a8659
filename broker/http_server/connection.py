"""A client's connection: uvicorn's httptools protocol with limits on size and time.

httptools has no limits, and needs quadratic time for an endless header. The limits are checked while the
bytes arrive, before the application runs.
"""

from __future__ import annotations

import asyncio
from math import inf
from typing import Any, Final

import httptools
from starlette.types import Scope
from uvicorn import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from .connections import Connections, Holder, address_of
from .limits import (
    LINGER_BYTES,
    LINGER_SECONDS,
    MAX_BODY,
    MAX_FIELDS,
    MAX_HEAD,
    MAX_PIPELINED,
    MAX_URL,
    WRITE_SECONDS,
)
from .refusals import (
    BAD_REQUEST,
    BODY_TOO_LARGE,
    CUT,
    FULL,
    HEAD_TOO_LARGE,
    TOO_SLOW,
    UPGRADE_WITH_BODY,
    URL_TOO_LONG,
    Refusal,
    Refused,
)

STATE: Final = "connection"
"""Key of the connection in the ASGI scope's `state`."""


def recognise(scope: Scope, holder: Holder) -> None:
    """A request had a valid key or session: its connection belongs to the holder until the next request."""
    connection = scope.get("state", {}).get(STATE)
    if isinstance(connection, Connection):
        connection.recognise(holder)


class Connection(HttpToolsProtocol):
    def __init__(self, connections: Connections, config: Config, state: ServerState) -> None:
        super().__init__(config, state, {})
        self.address = ""
        self.holder: Holder = None
        self._connections = connections
        self._limits = connections.limits
        self._deadline = inf
        self._running: RequestResponseCycle | None = None
        self._refusal: Refusal | None = None
        self._dropping = False  # further bytes are dropped
        self._removed = False  # no longer counted
        self._arrived = 0
        self._dropped = 0
        self._unread_since: float | None = None
        self._recognised = False
        self._begin_message()

    def _begin_message(self) -> None:
        self._partial = False
        self._head_complete = False
        self._fields = 0
        self._head_bytes = 0
        self._bytes_beside_body = 0
        self._body_bytes = 0

    @property
    def works(self) -> bool:
        running = self._running
        return (
            running is not None
            and not running.response_complete
            and not running.more_body
            and not self.flow.write_paused
        )

    # Called by the transport

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.address = address_of(self.client[0] if self.client else "")
        self._deadline = self.loop.time() + self._limits.request_seconds
        self._connections.put(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._remove()
        running = self._running
        super().connection_lost(exc)
        if running is not None:  # uvicorn notifies only the newest pipelined request
            _disconnect(running)
        self.pipeline.clear()

    def data_received(self, data: bytes) -> None:
        if self._dropping:
            self._dropped += len(data)
            if self._dropped > LINGER_BYTES:
                self.transport.abort()
            return
        self._arrived = len(data)
        self._bytes_beside_body += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:  # answered as if there were no Upgrade header
            self._dropping = True
            self.cycle.keep_alive = False
        except httptools.HttpParserError:
            self._refuse(self._refusal or BAD_REQUEST)
        else:
            if self._bytes_beside_body > MAX_HEAD:
                self._refuse(HEAD_TOO_LARGE)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._update_count()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._update_count()

    # Called by the parser. Raising Refused stops parsing.

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["state"][STATE] = self
        self._begin_message()
        self._bytes_beside_body = self._arrived  # these include its first bytes
        self._partial = True
        if not self.works:
            self._deadline = self.loop.time() + self._limits.request_seconds

    def on_url(self, url: bytes) -> None:
        if len(self.url) + len(url) > MAX_URL:
            self._stop(URL_TOO_LONG)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._fields += 1
        self._head_bytes += len(name) + len(value)
        if self._fields > MAX_FIELDS or self._head_bytes > MAX_HEAD:
            self._stop(HEAD_TOO_LARGE)
        if not self._head_complete:  # trailers are dropped: uvicorn would mix them with the headers
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._head_complete = True
        names = dict(self.headers)
        length = int(names.get(b"content-length", b"0"))
        if length > MAX_BODY:
            self._stop(BODY_TOO_LARGE)
        if self.parser.should_upgrade() and (length or b"transfer-encoding" in names):
            self._stop(UPGRADE_WITH_BODY)  # httptools would parse the body as the next request
        if len(self.pipeline) >= MAX_PIPELINED:
            self._stop(BAD_REQUEST)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._bytes_beside_body -= len(body)
        self._body_bytes += len(body)
        if self._body_bytes > MAX_BODY:
            self._stop(BODY_TOO_LARGE)
        super().on_body(body)

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._begin_message()  # counters start again for the next request
        self._update_count()

    def _unsupported_upgrade_warning(self) -> None:
        """No warning."""

    def _stop(self, refusal: Refusal) -> None:
        self._refusal = refusal
        raise Refused(refusal)

    # Called by the application

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def on_response_complete(self) -> None:
        running = self._running
        super().on_response_complete()
        self._unset_keepalive_if_required()  # `check_deadlines` does this
        if not self._recognised:
            self._connections.change_holder(self, None)
        self._recognised = False
        if running is not None and running.more_body:
            return  # its body is still arriving and has a deadline
        self._deadline = self.loop.time() + (
            self._limits.request_seconds if self._partial else self._limits.keep_alive_seconds
        )
        self._update_count()

    def recognise(self, holder: Holder) -> None:
        self._recognised = True
        if not self._removed:
            self._connections.change_holder(self, holder)

    # Limits

    def check_deadlines(self, now: float) -> None:
        """Called once a second: close the connection if it is overdue."""
        if not self.transport.get_write_buffer_size():
            self._unread_since = None
        elif self._unread_since is None:
            self._unread_since = now
        elif now - self._unread_since >= WRITE_SECONDS:
            self._connections.tally.count("answer not read in time")
            self.transport.abort()
            return
        if now < self._deadline or self.works:
            return
        if self._dropping or self.transport.is_closing():
            self.transport.abort()
        elif self._partial:
            self._refuse(TOO_SLOW)
        else:
            self.transport.close()

    def give_way(self) -> None:
        """Close this connection to make room for another: answer 503 if possible."""
        self._remove()
        running = self._running
        works = running is not None and not running.response_complete
        self._connections.tally.count(FULL.reason)
        if self._dropping or self.transport.is_closing() or self.transport.get_write_buffer_size():
            self.transport.abort()
        elif works or self._partial:
            self._answer(CUT if self.works else FULL)
            self.transport.close()
        else:
            self.transport.close()

    def _update_count(self) -> None:
        if not self._removed:
            self._connections.put(self)

    def _remove(self) -> None:
        if not self._removed:
            self._removed = True
            self._connections.remove(self)

    def _refuse(self, refusal: Refusal) -> None:
        """Refuse the request that is arriving. An earlier, complete one is still answered."""
        self._connections.tally.count(refusal.reason)
        self._dropping = True
        self.pipeline.clear()
        running = self._running
        if running is not None and not running.response_complete and not running.more_body:
            running.keep_alive = False
        else:
            self._answer(refusal)

    def _answer(self, refusal: Refusal) -> None:
        """Answer instead of the application, then close. Abort if the application has started its answer."""
        self._dropping = True
        self.pipeline.clear()
        running = self._running
        if running is not None and (running.more_body or not running.response_complete):
            if running.response_started:
                self.transport.abort()
                return
            _disconnect(running)
        self.transport.write(refusal.answer())
        self._deadline = self.loop.time() + LINGER_SECONDS
        self.transport.write_eof()


def _disconnect(cycle: RequestResponseCycle) -> None:
    """Tell the application that the client has disconnected."""
    if not cycle.response_complete:
        cycle.disconnected = True
        cycle.message_event.set()
