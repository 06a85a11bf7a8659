"""Endpoints that mean harm: whatever one answers, it ends soon, and little of it is read."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import example, given
from hypothesis import strategies as st

from broker.notifications import Progress
from broker.notify import Sender
from broker.notify.metered import MOST_HEAD, PIECE
from broker.notify.sender import MOST_READ, NoReply, Reply

from ..support import NOON, Clock, eventually
from .support import Endpoint, Telling

pytestmark = pytest.mark.anyio

LONG = 60.0
"""Seconds that a sender has in these tests: what is bounded otherwise ends far earlier."""

ENOUGH = 30.0
"""Seconds within which it ends, on a busy machine."""

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"

Answer = Callable[[asyncio.StreamWriter], Coroutine[Any, Any, None]]


async def _endlessly(writer: asyncio.StreamWriter, begin: bytes, more: bytes, every: float = 0) -> None:
    writer.write(begin)
    while True:
        writer.write(more)
        await writer.drain()
        await asyncio.sleep(every)


async def informational(writer: asyncio.StreamWriter) -> None:
    await _endlessly(writer, b"", b"HTTP/1.1 103 Early Hints\r\nX: y\r\n\r\n" * 500)


async def headers(writer: asyncio.StreamWriter) -> None:
    await _endlessly(writer, OK, b"A: b\r\n" * 3000)


async def long_headers(writer: asyncio.StreamWriter) -> None:
    await _endlessly(writer, OK, b"X-A: " + b"a" * 60_000 + b"\r\n")


async def one_header(writer: asyncio.StreamWriter) -> None:
    await _endlessly(writer, OK + b"X: ", b"a" * 60_000)


async def small_pieces(writer: asyncio.StreamWriter) -> None:
    await _endlessly(writer, OK + b"X: ", b"a", every=0.001)


async def chunk_extension(writer: asyncio.StreamWriter) -> None:
    await _endlessly(writer, CHUNKED + b"1;", b"a" * 60_000)


async def chunk_extensions(writer: asyncio.StreamWriter) -> None:
    await _endlessly(writer, CHUNKED, (b"1;" + b"x" * 5000 + b"\r\na\r\n") * 20)


async def trailers(writer: asyncio.StreamWriter) -> None:
    await _endlessly(writer, CHUNKED + b"0\r\n", b"A: b\r\n" * 5000)


TOO_LONG = (informational, headers, long_headers, one_header, chunk_extension, chunk_extensions, trailers)


@dataclass
class Hostile:
    """It takes a request, and answers as it likes. `ended` counts the requests that it is done with."""

    url: str
    ended: int = 0


@asynccontextmanager
async def hostile(answer: Answer, tls: ssl.SSLContext | None = None) -> AsyncIterator[Hostile]:
    made, answering = Hostile(""), set[asyncio.Task[Any]]()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        answering.add(task)
        try:
            with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await reader.readuntil(b"\r\n\r\n")
                await answer(writer)
        finally:
            made.ended += 1
            writer.transport.abort()
            await asyncio.sleep(0)  # or asyncio would complain that it was not closed

    async with await asyncio.start_server(handle, "127.0.0.1", 0, ssl=tls) as server:
        port = server.sockets[0].getsockname()[1]
        made.url = f"http{'s' if tls else ''}://localhost:{port}/"
        try:
            yield made
        finally:
            for task in answering:
                task.cancel()
            await asyncio.gather(*answering, return_exceptions=True)


@pytest.fixture
def sender() -> Sender:
    return Sender(allow_private=True, clock=Clock(), seconds=LONG)


@pytest.mark.parametrize("answer", TOO_LONG)
async def test_an_answer_without_end_is_not_read_to_its_end(sender: Sender, answer: Answer) -> None:
    async with hostile(answer) as there, asyncio.timeout(ENOUGH):
        with pytest.raises(NoReply, match="the answer is too long"):
            await sender.post(there.url, b"{}", {})


async def test_an_answer_in_tiny_pieces_is_not_waited_for(sender: Sender) -> None:
    async with hostile(small_pieces) as there, asyncio.timeout(ENOUGH):
        with pytest.raises(NoReply, match="the answer came in too many pieces"):
            await sender.post(there.url, b"{}", {})


async def test_an_answer_that_drips_has_all_in_all_as_long_as_any_other() -> None:
    async def drip(writer: asyncio.StreamWriter) -> None:
        await _endlessly(writer, OK + b"X: ", b"a", every=0.2)

    sender = Sender(allow_private=True, clock=Clock(), seconds=1)
    async with hostile(drip) as there, asyncio.timeout(ENOUGH):
        with pytest.raises(NoReply, match="no answer within 1 s"):
            await sender.post(there.url, b"{}", {})


async def test_a_tls_handshake_that_never_ends_has_as_long_as_any_other() -> None:
    async def silent(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(LONG)

    sender = Sender(allow_private=True, clock=Clock(), seconds=1)
    async with hostile(silent) as there, asyncio.timeout(ENOUGH):
        with pytest.raises(NoReply, match="no answer within 1 s"):
            await sender.post(there.url.replace("http:", "https:"), b"{}", {})


async def test_headers_of_an_honest_size_and_some_1xx_answers_are_no_harm(sender: Sender) -> None:
    filler = b"X-Filler: " + b"a" * (MOST_HEAD - 2 * PIECE) + b"\r\n"

    async def honest(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" * 3 + OK + filler)
        writer.write(b"Retry-After: 7\r\nContent-Length: 5000\r\n\r\n" + b"b" * 5000)
        await writer.drain()

    async with hostile(honest) as there, asyncio.timeout(ENOUGH):
        reply = await sender.post(there.url, b"{}", {})
    assert reply == Reply(status=200, body=b"b" * MOST_READ, retry_after=timedelta(seconds=7))


async def test_nothing_is_unpacked(sender: Sender) -> None:
    asked: list[bytes] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(OK + b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\x00")
        writer.close()

    async with await asyncio.start_server(handle, "127.0.0.1", 0) as server, asyncio.timeout(ENOUGH):
        port = server.sockets[0].getsockname()[1]
        reply = await sender.post(f"http://127.0.0.1:{port}/", b"{}", {})
    assert reply.body == b"\x1f\x8b\x08\x00"
    assert b"accept-encoding: identity\r\n" in asked[0].lower()


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's TLS, and that of a client who trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    built = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    built = built.not_valid_before(NOON - timedelta(days=9000)).not_valid_after(NOON + timedelta(days=9000))
    built = built.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    file: Path = tmp_path_factory.mktemp("tls") / "server.pem"
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(private + built.sign(key, hashes.SHA256()).public_bytes(pem))
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(file)
    return server, ssl.create_default_context(cafile=file)


async def test_it_is_bounded_within_tls_too(certified: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    server, client = certified
    sender = Sender(allow_private=True, clock=Clock(), seconds=LONG, tls=client)

    async def honest(writer: asyncio.StreamWriter) -> None:
        writer.write(OK + b"Content-Length: 2\r\n\r\nok")
        await writer.drain()

    async with hostile(honest, server) as there, asyncio.timeout(ENOUGH):
        assert (await sender.post(there.url, b"{}", {})).body == b"ok"
        with pytest.raises(NoReply, match="the TLS certificate is not valid"):
            await Sender(allow_private=True, clock=Clock()).post(there.url, b"{}", {})
    async with hostile(informational, server) as there, asyncio.timeout(ENOUGH):
        with pytest.raises(NoReply, match="the answer is too long"):
            await sender.post(there.url, b"{}", {})


@pytest.mark.parametrize("answer", [informational, headers, small_pieces, chunk_extensions])
async def test_a_hostile_channel_keeps_no_other_waiting(
    told: Telling, there: Endpoint, answer: Answer
) -> None:
    async with hostile(answer) as bad:
        await told.webhook(bad.url)
        await told.webhook(there.url, "Ben")
        for number in range(5):
            await told.park(key=f"request-{number}")
        await told.until(Progress.ACCEPTED, 5, "Ben")

        async def tried() -> list[str]:
            return [str(one.note) for one in await told.deliveries() if one.note]

        assert all(note.startswith("the answer ") for note in await eventually(tried))
    assert len(there.received) == 5


SENDER = Sender(allow_private=True, clock=Clock())
A_DATE = rb"\A[A-Z][a-z]{2}, [0-9]{1,2} Jan [0-9]{4} 0:0:0 [-+][0-9]{1,20}\Z"


@given(st.binary(max_size=60) | st.from_regex(A_DATE))
@example(b"Mon, 01 Jan 2024 0:0:0 +99999999999999")
def test_any_retry_after_is_read_or_passed_over(told: bytes) -> None:
    found = SENDER.retry_after([(b"Retry-After", told)])
    assert found is None or found >= timedelta()
