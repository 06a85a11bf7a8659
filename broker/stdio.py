"""MCP over standard input and output, forwarded to the running broker.

It knows no tools: each request is one POST to /mcp, and each answer becomes one line. The agent's process has
only its API key, neither Binance keys nor the database.
"""

from __future__ import annotations

import asyncio
import json
import sys
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import httpx2

from .errors import HINTS, BrokerError, Code
from .stdin_lines import each_line, standard_input

MAX_LINE: Final = 1024 * 1024
AGAIN_SECONDS: Final = 0.25
CALL_PATIENCE_SECONDS: Final = 4.0
"""How long a call retries to connect: less than the 5 seconds after which some clients give up, so that the
model gets the error.
"""

START_PATIENCE_SECONDS: Final = 20.0
"""The same for the first request: a client often starts before the broker, and sends it only once."""

LAST_ANSWERS_SECONDS: Final = 1.0
"""How long to wait for answers after the client closed standard input. Clients kill after 2 seconds."""

TIMEOUT: Final = httpx2.Timeout(10, connect=2, read=60)
"""While a call waits, the broker pings every 15 seconds."""

TOO_LONG: Final = f"The message is over {MAX_LINE} bytes. It was not forwarded."
VERSION: Final = "io.modelcontextprotocol/protocolVersion"
CANCELLED: Final = "notifications/cancelled"
PARSE_ERROR, INVALID_REQUEST, INTERNAL_ERROR = -32700, -32600, -32603

Id = int | float | str
Write = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request of the client. `line` is forwarded unchanged, so that no number changes."""

    id: Id
    method: str
    params: dict[str, Any]
    line: bytes

    @property
    def modern(self) -> str | None:
        """The protocol version in the request, which the newer protocol era has; None in the older era."""
        meta = self.params.get("_meta")
        version = meta.get(VERSION) if isinstance(meta, dict) else None
        return version if isinstance(version, str) else None

    @property
    def starts(self) -> bool:
        return self.method in ("initialize", "server/discover")

    def headers(self, agreed: str | None) -> dict[str, str]:
        """The HTTP headers. `agreed`: the version of the older era's handshake."""
        if self.modern is None:
            return {} if agreed is None or self.starts else {"MCP-Protocol-Version": agreed}
        headers = {"MCP-Protocol-Version": self.modern, "Mcp-Method": _header(self.method)}
        name = next((self.params[key] for key in ("name", "uri", "taskId") if key in self.params), None)
        return {**headers, "Mcp-Name": _header(name)} if isinstance(name, str) else headers


class Bridge:
    """`write` gets each answer, without its line end. `tell` gets lines for the operator."""

    def __init__(self, url: str, key: str, *, write: Write, tell: Write) -> None:
        self._url = url
        self._key = key
        self._write = write
        self._tell = tell
        self._agreed: str | None = None
        self._broker_down = False
        self._in_flight: dict[Id, asyncio.Task[None]] = {}

    async def run(self, lines: asyncio.StreamReader) -> None:
        """Runs until the client closes standard input."""
        # A new connection for each call: on an idle one, a failed call may have arrived or not.
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=0)
        async with httpx2.AsyncClient(
            headers={
                "X-MCP-API-Key": self._key,
                "Accept": "application/json, text/event-stream",
                "Content-Type": "application/json",
            },
            timeout=TIMEOUT,
            limits=limits,
            trust_env=False,
            verify=False,  # plain HTTP on this machine; loading certificates takes 0.1 s
        ) as http:
            async for line in each_line(lines):
                if line is None or len(line) > MAX_LINE:
                    self._refuse(line)
                else:
                    self._take(line, http)
            await self._end()

    def _take(self, line: bytes, http: httpx2.AsyncClient) -> None:
        if not line.strip():
            return
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            self._write(_error(None, PARSE_ERROR, "The line is not JSON."))
            return
        if not isinstance(message, dict):
            self._write(_error(None, INVALID_REQUEST, "The line must be one JSON-RPC message."))
            return
        if message.get("method") == CANCELLED:
            self._cancel(_params(message).get("requestId"))
        elif asked := _asked(message, line):
            task = asyncio.create_task(self._serve(asked, http))
            self._in_flight[asked.id] = task
            task.add_done_callback(lambda done: self._done(asked.id, done))
        # Other notifications and answers are dropped: the broker has no sessions.

    def _refuse(self, line: bytes | None) -> None:
        """Answers a message that is too long, with its id if it can be read."""
        asked = None if line is None else _asked(_json_object(line), line)
        if asked is None:
            self._write(_error(None, INVALID_REQUEST, TOO_LONG))
        else:
            self._write(_failure(asked, BrokerError(Code.PAYLOAD_TOO_LARGE, TOO_LONG)))

    def _cancel(self, request_id: object) -> None:
        """Closes the call's connection, which cancels it at the broker in both protocol eras."""
        if isinstance(request_id, Id) and (task := self._in_flight.get(request_id)):
            task.cancel()

    def _done(self, request_id: Id, task: asyncio.Task[None]) -> None:
        if self._in_flight.get(request_id) is task:
            del self._in_flight[request_id]

    async def _end(self) -> None:
        tasks = list(self._in_flight.values())
        if tasks:
            await asyncio.wait(tasks, timeout=LAST_ANSWERS_SECONDS)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, asked: Asked, http: httpx2.AsyncClient) -> None:
        try:
            await self._ask_with_retries(asked, http)
        except BrokerError as error:
            self._write(_failure(asked, error))
        except Exception as error:
            self._tell(f"{type(error).__name__}: {error}")
            self._write(
                _failure(asked, BrokerError(Code.INTERNAL, "An error of `broker stdio`; see its log."))
            )

    async def _ask_with_retries(self, asked: Asked, http: httpx2.AsyncClient) -> None:
        """Retries only failures to connect: then nothing was sent yet."""
        loop = asyncio.get_running_loop()
        until = loop.time() + (START_PATIENCE_SECONDS if asked.starts else CALL_PATIENCE_SECONDS)
        while True:
            try:
                await self._ask(asked, http)
                return
            except (httpx2.ConnectError, httpx2.ConnectTimeout):
                self._note_unreachable()
                if loop.time() > until:
                    raise self._unreachable() from None
                await asyncio.sleep(AGAIN_SECONDS)
            except httpx2.HTTPError:
                raise self._lost() from None

    async def _ask(self, asked: Asked, http: httpx2.AsyncClient) -> None:
        headers = asked.headers(self._agreed)
        async with http.stream("POST", f"{self._url}/mcp", content=asked.line, headers=headers) as response:
            self._note_reachable()
            if response.headers.get("content-type", "").startswith("text/event-stream"):
                async for event in httpx2.EventSource(response, max_event_size=None):
                    if event.data and self._deliver(asked, event.data):
                        return
                raise self._lost()
            body = (await response.aread()).decode(errors="replace")
            if not self._deliver(asked, body):
                raise self._refused(response.status_code, body)

    def _deliver(self, asked: Asked, text: str) -> bool:
        """Writes the message to the client. Returns whether it was the answer; progress comes before it."""
        message = _json_object(text)
        if "jsonrpc" not in message:
            return False
        if "method" in message:
            self._write(_one_line(text))
            return False
        if asked.method == "initialize":
            self._agreed = _agreed(message)
        if message.get("id") == asked.id:
            self._write(_one_line(text))
        else:  # refused before its id was read
            self._write(json.dumps({**message, "id": asked.id}))
        return True

    def _note_unreachable(self) -> None:
        if not self._broker_down:
            self._broker_down = True
            self._tell(f"No broker answers at {self._url}. Start one with `broker`. Retrying.")

    def _note_reachable(self) -> None:
        if self._broker_down:
            self._broker_down = False
            self._tell(f"The broker at {self._url} answers again.")

    def _unreachable(self) -> BrokerError:
        return BrokerError(
            Code.BROKER_UNREACHABLE,
            f"The confirmation broker does not answer at {self._url}. This call did nothing: nothing was "
            f"parked, and nothing was sent to Binance. {HINTS[Code.BROKER_UNREACHABLE].say}",
        )

    def _lost(self) -> BrokerError:
        self._tell("The connection was lost before the broker answered a call.")
        return BrokerError(
            Code.ANSWER_LOST,
            "The connection to the confirmation broker was lost before it answered. If you called a HIGH "
            "tool, its request may now wait for a trader. Check with intent_list before you call again, or "
            "repeat the call with the same idempotencyKey.",
        )

    def _refused(self, status: int, body: str) -> BrokerError:
        """The error for an HTTP answer that is not an MCP message."""
        if status == 401:
            text = (
                f"The broker at {self._url} does not accept this API key. Ask the user to start `broker "
                "stdio` with the broker's MCP_API_KEY, or with its DATA_DIR, which contains the key."
            )
            self._tell(text)
            return BrokerError(Code.UNAUTHORIZED, text)
        failure = _json_object(body)
        if failure.get("error") in set(Code):
            return BrokerError(
                Code(failure["error"]),
                str(failure["message"]),
                details=failure.get("details"),
                next_step=failure.get("next"),
            )
        self._tell(f"The broker at {self._url} answered with status {status}: {body[:200]}")
        return BrokerError(Code.INTERNAL, f"{self._url} answered with status {status}. Is it a broker?")


async def serve(url: str, key: str) -> None:
    """Serves this process's standard input and output. Only protocol messages go to standard output."""
    out, sys.stdout = sys.stdout, sys.stderr

    def write(message: str) -> None:
        try:
            out.write(message + "\n")
            out.flush()
        except BrokenPipeError:  # the client has ended; standard input will end too
            pass

    def tell(line: str) -> None:
        print(f"broker stdio: {line}", file=sys.stderr, flush=True)

    await Bridge(url, key, write=write, tell=tell).run(standard_input())


def _asked(message: dict[str, Any], line: bytes) -> Asked | None:
    """None if the message is not a request."""
    method, request_id = message.get("method"), message.get("id")
    if not (isinstance(method, str) and isinstance(request_id, Id)):
        return None
    return Asked(id=request_id, method=method, params=_params(message), line=line)


def _params(message: dict[str, Any]) -> dict[str, Any]:
    params = message.get("params")
    return params if isinstance(params, dict) else {}


def _agreed(answer: dict[str, Any]) -> str | None:
    result = answer.get("result")
    version = result.get("protocolVersion") if isinstance(result, dict) else None
    return version if isinstance(version, str) else None


def _failure(asked: Asked, error: BrokerError) -> str:
    """A failed call as the broker itself would answer it: a tool's result, because models do not see protocol
    errors.
    """
    if asked.method != "tools/call":
        return _error(asked.id, INTERNAL_ERROR, error.message, error.body())
    body = error.body()
    texts = [error.message, json.dumps(body)]
    result = {
        "content": [{"type": "text", "text": text} for text in texts],
        "structuredContent": body,
        "isError": True,
    }
    if asked.modern is not None:
        result["resultType"] = "complete"
    return json.dumps({"jsonrpc": "2.0", "id": asked.id, "result": result})


def _error(request_id: Id | None, code: int, message: str, data: dict[str, Any] | None = None) -> str:
    error = {"code": code, "message": message} | ({} if data is None else {"data": data})
    return json.dumps({"jsonrpc": "2.0", "id": request_id, "error": error})


def _json_object(text: str | bytes) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _one_line(text: str) -> str:
    """Replaces line ends. In JSON they can only be white space between tokens."""
    return text.replace("\r", " ").replace("\n", " ")


def _header(value: str) -> str:
    """Encodes a value that a header cannot hold, as the MCP specification requires."""
    plain = value.isascii() and value.isprintable() and value == value.strip()
    return (
        value
        if plain and not value.startswith("=?base64?")
        else f"=?base64?{b64encode(value.encode()).decode()}?="
    )
