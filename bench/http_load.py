"""A load generator that leaves the machine to what is measured: HTTP/1.1 on one kept connection, requests made by hand."""

import asyncio
from typing import Any
from urllib.parse import urlsplit

import httptools
import orjson


class RequestError(Exception):
    """Not the answer that the load is made for: what is measured would be something else."""


class Connection(asyncio.Protocol):
    """One connection to the host and port of `url`, one request at a time; opened again when the server has closed it."""

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        self._host, self._port = address.hostname or "", address.port or 0
        self._parser: Any = None
        self._body: list[bytes] = []
        self._answer: asyncio.Future[bytes] | None = None
        self._transport: asyncio.Transport | None = None

    async def ask(self, request: bytes) -> Any:
        """The `data` of the answer. Raises `RequestError` for any other answer, and `OSError`."""
        answer = orjson.loads(await self.send(request))
        if "errors" in answer:
            raise RequestError(answer["errors"])
        return answer["data"]

    async def send(self, request: bytes) -> bytes:
        """The body of the answer to a whole request. Raises `RequestError` unless it is 200, and `OSError`."""
        loop = asyncio.get_running_loop()
        if self._transport is None or self._transport.is_closing():
            await loop.create_connection(lambda: self, self._host, self._port)
        assert self._transport is not None
        self._answer = loop.create_future()
        self._transport.write(request)
        return await self._answer

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    # -------------------------------------------------------------- what asyncio and the parser call

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(exc or ConnectionResetError("the server closed the connection"))

    def data_received(self, data: bytes) -> None:
        if self._parser is None:
            self._parser = httptools.HttpResponseParser(self)
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        status, body = self._parser.get_status_code(), b"".join(self._body)
        self._parser, self._body = None, []
        assert self._answer is not None
        if status == 200:
            self._answer.set_result(body)
        else:
            self._answer.set_exception(RequestError(f"{status}: {body[:500]!r}"))


def graphql_request(token: str, query: str, **variables: Any) -> bytes:
    """A whole request to `/graphql`."""
    body = orjson.dumps({"query": query, "variables": variables})
    head = (
        "POST /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nAccept: application/json\r\n"
        f"Authorization: Bearer {token}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
