"""The connections beneath the bank's client: kept, opened again, given up when an answer does not come."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from activities.http_connections import KeptConnections

TAKEN = b'{"status":"TAKEN"}'
WITH_LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: 18\r\n\r\n" + TAKEN
IN_CHUNKS = b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n{"status\r\na\r\n":"TAKEN"}\r\n0\r\n\r\n'
UNTIL_THE_END = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + TAKEN
CUT_SHORT = b"HTTP/1.1 200 OK\r\nContent-Length: 18\r\n\r\n{"
CLOSE, SILENCE = b"close", b"silence"


class Server:
    """Answers each request with the next of `answers`; `requests` are what it was asked, by connection."""

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
async def client_of(server: Server) -> AsyncIterator[httpx.AsyncClient]:
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=0.3, transport=KeptConnections())
    async with listening, client:
        yield client


async def test_requests_follow_each_other_on_one_connection() -> None:
    server = Server(WITH_LENGTH, IN_CHUNKS)
    async with client_of(server) as client:
        first = await client.put("/orders/1", json={"amount": 1})
        second = await client.get("/orders/1")
    assert (first.status_code, first.json()) == (200, {"status": "TAKEN"})
    assert (second.status_code, second.json()) == (200, {"status": "TAKEN"})
    [(put, get)] = server.requests
    assert put.startswith(b"PUT /orders/1 HTTP/1.1\r\nHost: 127.0.0.1:")
    assert put.endswith(b'\r\n\r\n{"amount":1}')
    assert get.startswith(b"GET /orders/1 HTTP/1.1\r\n")


async def test_requests_at_once_have_a_connection_each() -> None:
    server = Server(WITH_LENGTH, WITH_LENGTH, WITH_LENGTH)
    async with client_of(server) as client:
        await asyncio.gather(client.get("/a"), client.get("/b"))
        await client.get("/c")
    assert sorted(len(each) for each in server.requests) == [1, 2]


async def test_a_connection_that_the_server_has_closed_is_not_used_again() -> None:
    server = Server(WITH_LENGTH + CLOSE, WITH_LENGTH)
    async with client_of(server) as client:
        await client.get("/a")
        await asyncio.sleep(0.05)
        assert (await client.get("/b")).status_code == 200
    assert [len(each) for each in server.requests] == [1, 1]


async def test_an_answer_without_a_length_ends_with_its_connection() -> None:
    async with client_of(Server(UNTIL_THE_END + CLOSE)) as client:
        assert (await client.get("/a")).json() == {"status": "TAKEN"}


@pytest.mark.parametrize("answer", [CLOSE, CUT_SHORT + CLOSE, b"no HTTP at all\r\n\r\n"])
async def test_a_broken_answer_is_an_error_of_the_connection(answer: bytes) -> None:
    server = Server(answer, WITH_LENGTH)
    async with client_of(server) as client:
        with pytest.raises(ConnectionError):
            await client.get("/a")
        assert (await client.get("/b")).status_code == 200
    assert [len(each) for each in server.requests] == [1, 1]


async def test_an_answer_that_does_not_come_in_time_is_given_up_with_its_connection() -> None:
    server = Server(SILENCE, WITH_LENGTH)
    async with client_of(server) as client:
        with pytest.raises(TimeoutError):
            await client.get("/a")
        assert (await client.get("/b")).status_code == 200
    assert [len(each) for each in server.requests] == [1, 1]


async def test_nobody_at_the_address_is_an_error_of_the_system() -> None:
    client = httpx.AsyncClient(base_url="http://127.0.0.1:1", timeout=0.3, transport=KeptConnections())
    async with client:
        with pytest.raises(OSError, match=r"127\.0\.0\.1"):
            await client.get("/a")
