"""Load for an HTTP server: raw requests over connections that are kept open.

A client of a library costs more than the server it measures, so requests are ready-made bytes, and of an
answer only the status and the length are read.
"""

import asyncio
import time

from msgspec import Struct


class Load(Struct, frozen=True):
    """What to send."""

    host: str
    port: int
    requests: tuple[bytes, ...]  # whole HTTP/1.1 requests, taken in turn
    connections: int
    seconds: float  # when to stop; `inf` with a `count`
    requests_per_s: float | None = None  # None: each connection asks again when it has its answer
    count: float = float("inf")  # requests after which to stop


class Answers(Struct, frozen=True):
    """What came back."""

    seconds: float
    latencies_s: list[float]  # sorted; where the rate is given, from when the request was due
    failures: int  # answers of another status than 200


def http_request(method: str, path: str, host: str, body: bytes = b"") -> bytes:
    """The bytes of a request."""
    head = f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def send_load(load: Load) -> Answers:
    """Sends it, and waits for all answers.

    Raises:
        OSError: the server does not answer, or closes a connection.
    """
    return asyncio.run(_send(load))


async def _send(load: Load) -> Answers:
    connections = [await _Connection.open(load.host, load.port) for _ in range(load.connections)]
    latencies: list[float] = []
    failures = 0
    started = time.perf_counter()
    ends = started + load.seconds

    async def closed_loop(connection: "_Connection", number: int) -> None:
        nonlocal failures
        while number < load.count and (began := time.perf_counter()) < ends:
            failures += await connection.ask(load.requests[number % len(load.requests)]) != 200
            latencies.append(time.perf_counter() - began)
            number += load.connections

    async def open_loop(connection: "_Connection", number: int, rate: float) -> None:
        nonlocal failures
        while number < load.count and (due := started + number / rate) < ends:
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            failures += await connection.ask(load.requests[number % len(load.requests)]) != 200
            latencies.append(time.perf_counter() - due)
            number += load.connections

    rate = load.requests_per_s
    await asyncio.gather(
        *(
            closed_loop(connection, number) if rate is None else open_loop(connection, number, rate)
            for number, connection in enumerate(connections)
        )
    )
    seconds = time.perf_counter() - started
    for connection in connections:
        connection.close()
    return Answers(seconds, sorted(latencies), failures)


class _Connection(asyncio.Protocol):
    """One connection; one request at a time."""

    def __init__(self) -> None:
        self._received = b""
        self._answer: asyncio.Future[int] | None = None
        self._transport: asyncio.Transport | None = None

    @classmethod
    async def open(cls, host: str, port: int) -> "_Connection":
        _, connection = await asyncio.get_running_loop().create_connection(cls, host, port)
        return connection

    async def ask(self, request: bytes) -> int:
        """Sends a request, and gives the status of its answer."""
        self._answer = asyncio.get_running_loop().create_future()
        if self._transport is None or self._transport.is_closing():
            raise ConnectionError("the server has closed the connection")
        self._transport.write(request)
        return await self._answer

    def close(self) -> None:
        """Closes it."""
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio."""
        if isinstance(transport, asyncio.Transport):
            self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Called by asyncio."""
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        if end and len(body) >= _content_length(head) and self._answer is not None:
            status = int(head[9:12])
            self._received = b""
            if not self._answer.done():
                self._answer.set_result(status)

    def connection_lost(self, error: Exception | None) -> None:
        """Called by asyncio."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error or ConnectionError("the server has closed the connection"))


def _content_length(head: bytes) -> int:
    _, found, rest = head.lower().partition(b"content-length:")
    if not found:
        raise ValueError(f"an answer without its length: {head!r}")
    return int(rest.partition(b"\r\n")[0])
