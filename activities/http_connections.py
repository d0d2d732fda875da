"""HTTP/1.1 beneath httpx, on kept connections and the parser that uvicorn has.

httpx's own transport takes 2.2 ms of processor time for each request, four times what this one does; a transfer asks the
bank three times and tells eight notices. There are no proxies here: the address of the bank, or of who takes the notices,
is what is connected to.
"""

import asyncio
import ssl
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import httptools
import httpx

# A kept connection that a server has closed is seen closed before it is used: more than these are not worth their memory.
IDLE_CONNECTIONS = 20
_HEADERS_THAT_END_A_BODY = {b"content-length", b"transfer-encoding"}


class KeptConnections(httpx.AsyncBaseTransport):
    """Connections to one server, each for one request at a time, opened at need and kept for the next.

    A request raises `OSError`, and `TimeoutError` (one of them) when it takes longer than its client allows for reading.
    """

    def __init__(self) -> None:
        self._idle: list[_Connection] = []

    @cached_property
    def _trusted(self) -> ssl.SSLContext:
        return httpx.create_ssl_context()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = await request.aread()
        async with asyncio.timeout(request.extensions["timeout"]["read"]):
            connection = await self._connection(request.url)
            try:
                answer = await connection.exchange(_head(request) + body)
            except BaseException:
                # What is left of an answer on its way would be taken for the next one.
                connection.close()
                raise
        if answer.keep_alive and len(self._idle) < IDLE_CONNECTIONS:
            self._idle.append(connection)
        else:
            connection.close()
        return httpx.Response(answer.status, headers=answer.headers, content=b"".join(answer.body))

    async def aclose(self) -> None:
        while self._idle:
            self._idle.pop().close()

    async def _connection(self, url: httpx.URL) -> "_Connection":
        while self._idle:
            kept = self._idle.pop()
            if kept.is_open:
                return kept
        secure = url.scheme == "https"
        port = url.port or (443 if secure else 80)
        loop = asyncio.get_running_loop()
        _, opened = await loop.create_connection(_Connection, url.host, port, ssl=self._trusted if secure else None)
        return opened


def _head(request: httpx.Request) -> bytes:
    """The request line and the headers, as httpx has put them together."""
    lines = [b"%s %s HTTP/1.1" % (request.method.encode(), request.url.raw_path)]
    lines += [b"%s: %s" % header for header in request.headers.raw]
    return b"\r\n".join([*lines, b"", b""])


@dataclass
class _Answer:
    status: int = 0
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: list[bytes] = field(default_factory=list)
    keep_alive: bool = False

    @property
    def ends_with_its_connection(self) -> bool:
        return self.status != 0 and _HEADERS_THAT_END_A_BODY.isdisjoint(name.lower() for name, _ in self.headers)


class _Connection(asyncio.Protocol):
    def __init__(self) -> None:
        self._transport: Any = None
        self._parser: Any = None
        self._answer = _Answer()
        self._answered: asyncio.Future[_Answer] | None = None

    @property
    def is_open(self) -> bool:
        return not self._transport.is_closing()

    def close(self) -> None:
        self._transport.abort()

    async def exchange(self, request: bytes) -> _Answer:
        self._answer, self._parser = _Answer(), httptools.HttpResponseParser(self)
        self._answered = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answered

    # -------------------------------------------------------------- what the loop and the parser call

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answered is None or self._answered.done():
            return
        if exc is None and self._answer.ends_with_its_connection:
            self._answered.set_result(self._answer)
        else:
            self._answered.set_exception(exc or ConnectionResetError("the server closed the connection"))

    def data_received(self, data: bytes) -> None:
        if self._parser is None or self._answered is None or self._answered.done():
            # Nobody has asked for it.
            self.close()
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._answered.set_exception(ConnectionAbortedError(f"no HTTP: {error}"))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._answer.headers.append((name, value))

    def on_headers_complete(self) -> None:
        self._answer.status = self._parser.get_status_code()

    def on_body(self, body: bytes) -> None:
        self._answer.body.append(body)

    def on_message_complete(self) -> None:
        self._answer.keep_alive = self._parser.should_keep_alive()
        if self._answered is not None and not self._answered.done():
            self._answered.set_result(self._answer)
