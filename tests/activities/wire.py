"""The wire between the worker and who stands outside: it notes what goes over it, and breaks when told to."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

CLOSE, SILENCE = b"close", b"silence"


async def until_given_up(receive: Receive) -> None:
    """Say nothing for as long as the other side waits."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def cut_short(_scope: Scope, _receive: Receive, send: Send) -> None:
    """An answer of which the connection's end takes the last part."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"18")]})
    await send({"type": "http.response.body", "body": b"<Docu", "more_body": True})


class Asked(NamedTuple):
    method: str
    path: str
    query: bytes
    headers: list[tuple[bytes, bytes]]
    content: bytes


class Wire:
    """To a real application. While `loses_answers_for` counts down, what is handed in arrives, and its answer does not."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.requests: list[Asked] = []
        self.loses_answers_for = 0
        self.cuts = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        content = await Request(scope, receive).body()
        self.requests.append(Asked(scope["method"], scope["path"], scope["query_string"], scope["headers"], content))

        async def again() -> Message:
            return {"type": "http.request", "body": content}

        if scope["method"] != "PUT" or not self.loses_answers_for:
            await self._app(scope, again, send)
            return
        self.loses_answers_for -= 1
        await self._app(scope, again, _nowhere)
        if self.cuts:
            await cut_short(scope, receive, send)
        else:
            await until_given_up(receive)


async def _nowhere(_message: Message) -> None:
    pass


class Server:
    """Answers each request with the next of `answers`, as they stand; `requests` are what it was asked, by connection."""

    def __init__(self, *answers: bytes) -> None:
        self._answers = list(answers)
        self.requests: list[list[bytes]] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        mine: list[bytes] = []
        self.requests.append(mine)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next((line[16:] for line in head.split(b"\r\n") if line.startswith(b"Content-Length: ")), b"0")
                mine.append(head + await reader.readexactly(int(length)))
                if not await self._answer(writer):
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()

    async def _answer(self, writer: asyncio.StreamWriter) -> bool:
        """Whether the connection goes on."""
        answer = self._answers.pop(0)
        if answer == SILENCE:
            return True
        writer.write(answer.removesuffix(CLOSE))
        await writer.drain()
        return not answer.endswith(CLOSE)


@asynccontextmanager
async def listening(server: Server) -> AsyncIterator[str]:
    """`server`, while the block lasts, by its host and port."""
    async with await asyncio.start_server(server.serve, "127.0.0.1", 0) as opened:
        yield f"127.0.0.1:{opened.sockets[0].getsockname()[1]}"
