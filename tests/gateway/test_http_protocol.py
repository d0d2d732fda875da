"""The head of a response leaves with its body, and never waits for one."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvicorn

from gateway.http_protocol import HeadWithBody, HttpProtocol

LET_GO = asyncio.Event()
REQUEST = b"GET %s HTTP/1.1\r\nHost: gateway\r\n\r\n"


class Notebook(asyncio.Transport):
    """A transport that notes what it is given."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 1)})
        self.written: list[bytes] = []

    def write(self, data: Any) -> None:
        self.written.append(data)

    def get_write_buffer_size(self) -> int:
        return 0

    def close(self) -> None:
        self.written.append(b"closed")


async def application(scope: Any, _receive: Any, send: Any) -> None:
    """Answers at once; `/slow` says its head, and its body when the test lets go."""
    if scope["type"] == "lifespan":
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
    if scope["path"] == "/slow":
        await LET_GO.wait()
    await send({"type": "http.response.body", "body": b"body"})


@pytest.fixture
async def connection() -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    config = uvicorn.Config(application, port=0, http=HttpProtocol, lifespan="off", log_config=None, access_log=False)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server._serve())
    while not server.started:
        await asyncio.sleep(0.01)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.servers[0].sockets[0].getsockname()[1])
    yield reader, writer
    writer.close()
    server.should_exit = True
    await serving


async def test_head_and_body_are_one_write() -> None:
    beneath = Notebook()
    together = HeadWithBody(beneath)
    for body in (b"one", b"two"):
        together.write(b"HTTP/1.1 200 OK\r\n\r\n")
        together.write(body)
    assert beneath.written == [b"HTTP/1.1 200 OK\r\n\r\none", b"HTTP/1.1 200 OK\r\n\r\ntwo"]
    await asyncio.sleep(0)
    assert len(beneath.written) == 2


async def test_a_head_leaves_in_the_next_turn_when_no_body_follows() -> None:
    beneath = Notebook()
    HeadWithBody(beneath).write(b"HTTP/1.1 200 OK\r\n\r\n")
    assert beneath.written == []
    await asyncio.sleep(0)
    assert beneath.written == [b"HTTP/1.1 200 OK\r\n\r\n"]


async def test_a_head_leaves_before_its_connection_is_closed() -> None:
    beneath = Notebook()
    together: Any = HeadWithBody(beneath)
    together.write(b"HTTP/1.1 204 No Content\r\n\r\n")
    together.close()
    await asyncio.sleep(0)
    assert beneath.written == [b"HTTP/1.1 204 No Content\r\n\r\n", b"closed"]
    assert together.get_extra_info("peername") == ("127.0.0.1", 1)


async def test_requests_on_one_connection_are_answered_in_turn(
    connection: tuple[asyncio.StreamReader, asyncio.StreamWriter],
) -> None:
    reader, writer = connection
    writer.write(REQUEST % b"/" * 3)
    for _ in range(3):
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        assert await reader.readexactly(4) == b"body"


async def test_the_head_of_a_slow_body_is_not_kept_back(
    connection: tuple[asyncio.StreamReader, asyncio.StreamWriter],
) -> None:
    reader, writer = connection
    writer.write(REQUEST % b"/slow")
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    LET_GO.set()
    assert await reader.readexactly(4) == b"body"
