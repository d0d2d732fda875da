"""What a connection may send, and how long it may take: real sockets, limits of tenths of a second."""

import asyncio
import contextlib
import json
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from activities.keyring import Keyring
from gateway.client_address import networks_of
from gateway.connection_guard import ConnectionGuard, HttpLimits, Seat
from gateway.settings import Settings, load_settings
from tests.gateway.conftest import AUDIENCE, COUNTED, ISSUER, Issuer, Served, serving, small_app

LIMITS = HttpLimits(
    head_seconds=0.4,
    body_seconds=0.8,
    idle_seconds=1.2,
    linger_seconds=0.4,
    drain_seconds=0.4,
    connections_of_address=5,
    pipelined=3,
)
BODY = b'{"query": "{ greeting }"}'
POST = b"POST /graphql HTTP/1.1\r\nhost: gateway\r\ncontent-type: application/json\r\n"
WHOLE = POST + b"content-length: %d\r\n\r\n" % len(BODY) + BODY
GREETING = b'{"data":{"greeting":"hello world"}}'
UPGRADE = (
    b"GET /graphql HTTP/1.1\r\nhost: gateway\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n"
    b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-protocol: graphql-transport-ws\r\n"
)


@pytest.fixture
def settings(issuer: Issuer, tmp_path: Path) -> Settings:
    """None of these tests reads from the database: nobody is at its address."""
    jwks = tmp_path / "jwks.json"
    jwks.write_text(json.dumps(issuer.jwks))
    environment = {
        "YIBAO_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
        "TEMPORAL_ADDRESS": "127.0.0.1:1",
        "YIBAO_OIDC_ISSUER": ISSUER,
        "YIBAO_OIDC_AUDIENCE": AUDIENCE,
        "YIBAO_OIDC_JWKS": str(jwks),
        "YIBAO_KEYRING": Keyring.generate_text(),
    }
    return load_settings(environment)


@pytest.fixture
async def limited(settings: Settings) -> AsyncIterator[Served]:
    async with serving(small_app(settings), settings, LIMITS) as served:
        yield served


class Connection:
    """One connection to the gateway, byte by byte."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, *parts: bytes) -> None:
        for part in parts:
            self.writer.write(part)
            await self.writer.drain()

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of the next answer."""
        async with asyncio.timeout(5):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = dict(line.lower().split(": ", 1) for line in head[1:-2])
            return int(head[0].split()[1]), headers, await self.reader.readexactly(int(headers["content-length"]))

    async def refusal(self) -> tuple[int, bytes]:
        """Status and body of an answer that is the connection's last word."""
        status, headers, body = await self.answer()
        assert headers["connection"] == "close"
        assert await asyncio.wait_for(self.reader.read(), 5) == b""
        return status, body

    async def closed_within(self, seconds: float) -> bytes:
        """What comes until the gateway closes."""
        return await asyncio.wait_for(self.reader.read(), seconds)

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()


Dial = Callable[[], Awaitable[Connection]]


@pytest.fixture
async def dial(limited: Served) -> AsyncIterator[Dial]:
    """Opens connections to the gateway, which are closed at the test's end."""
    opened: list[Connection] = []

    async def open_one() -> Connection:
        connection = Connection(*await asyncio.open_connection("127.0.0.1", limited.port))
        opened.append(connection)
        return connection

    yield open_one
    for each in opened:
        await each.close()


def head_of(size: int) -> bytes:
    """A request of `GET /healthz` whose head has `size` bytes."""
    head = b"GET /healthz HTTP/1.1\r\nhost: gateway\r\nx-filler: "
    return head + b"x" * (size - len(head) - 4) + b"\r\n\r\n"


@pytest.mark.parametrize("parts", [1, 7])
async def test_a_head_of_sixteen_kilobytes_is_taken_and_one_byte_more_is_431(dial: Dial, parts: int) -> None:
    for size, status in ((16 * 1024, 200), (16 * 1024 + 1, 431)):
        connection = await dial()
        head = head_of(size)
        assert len(head) == size
        step = size // parts + 1
        for start in range(0, size, step):
            await connection.send(head[start : start + step])
            await asyncio.sleep(0.01)
        if status == 200:
            assert (await connection.answer())[0] == 200
        else:
            assert await connection.refusal() == (431, b"The request's head is too large.")
        await connection.close()


async def test_a_large_head_with_its_body_in_one_packet_is_measured_without_the_body(dial: Dial) -> None:
    padding = b" " * 30_000
    connection = await dial()
    await connection.send(POST + b"content-length: %d\r\n\r\n" % (len(BODY) + len(padding)) + BODY + padding)
    assert (await connection.answer())[2] == GREETING
    await connection.send(POST + b"x-filler: " + b"x" * 17_000 + b"\r\ncontent-length: 25\r\n\r\n" + BODY)
    assert (await connection.refusal())[0] == 431


async def test_a_head_behind_another_request_is_measured_without_it(dial: Dial) -> None:
    connection = await dial()
    head = head_of(9_000)
    padding = b" " * 10_000
    first = POST + b"content-length: %d\r\n\r\n" % (len(BODY) + len(padding)) + BODY + padding
    await connection.send(first + head[:6_000])
    assert (await connection.answer())[2] == GREETING
    await connection.send(head[6_000:8_000])
    await asyncio.sleep(0.05)
    await connection.send(head[8_000:])
    assert (await connection.answer())[0] == 200


async def test_a_hundred_headers_are_taken_and_one_more_is_431(dial: Dial) -> None:
    for number, status in ((99, 200), (100, 431)):
        connection = await dial()
        await connection.send(b"GET /healthz HTTP/1.1\r\nhost: gateway\r\n" + b"x: y\r\n" * number + b"\r\n")
        assert (await connection.answer())[0] == status
        await connection.close()


async def test_an_endless_line_is_refused_at_once_and_costs_nothing(dial: Dial) -> None:
    connection = await dial()
    started = time.process_time()
    await connection.send(b"GET /healthz HTTP/1.1\r\nhost: gateway\r\nx-endless: ")
    with pytest.raises(ConnectionError):
        await connection.send(*[b"x" * 65_536] * 10_000)
    assert time.process_time() - started < 5
    other = await dial()
    await other.send(WHOLE)
    assert (await other.answer())[2] == GREETING


async def test_an_endless_line_gets_its_431_while_it_is_sent(dial: Dial) -> None:
    connection = await dial()
    await connection.send(b"GET /" + b"x" * 1_000_000)
    assert await connection.refusal() == (431, b"The request's head is too large.")


async def test_a_head_that_is_not_complete_in_time_is_408(dial: Dial) -> None:
    connection = await dial()
    started = time.monotonic()
    for byte in b"GET /healthz HTTP/1.1\r\nhost: gatewa":
        await connection.send(bytes([byte]))
        await asyncio.sleep(0.03)
        if time.monotonic() - started > 0.7:
            break
    assert await connection.refusal() == (408, b"The request was not complete in time.")
    assert 0.35 < time.monotonic() - started < 3


async def test_a_head_after_an_answer_has_its_time_from_its_first_byte(dial: Dial) -> None:
    connection = await dial()
    await connection.send(WHOLE)
    await connection.answer()
    await asyncio.sleep(0.6)
    await connection.send(WHOLE[:30])
    await asyncio.sleep(0.2)
    await connection.send(WHOLE[30:])
    assert (await connection.answer())[2] == GREETING
    await connection.send(WHOLE[:30])
    assert (await connection.refusal())[0] == 408


async def test_a_body_that_is_not_complete_in_time_is_408_and_is_not_carried_out(dial: Dial) -> None:
    before = len(COUNTED)
    body = b'{"query": "mutation { count }"}'
    for length in (
        b"content-length: 1000\r\n\r\n" + body,
        b"transfer-encoding: chunked\r\n\r\n1f\r\n" + body + b"\r\n",
    ):
        connection = await dial()
        await connection.send(POST + length)
        assert await connection.refusal() == (408, b"The request was not complete in time.")
    await asyncio.sleep(0.05)
    assert len(COUNTED) == before
    # In time it is.
    connection = await dial()
    await connection.send(POST + b"content-length: %d\r\n\r\n" % len(body) + body[:10])
    await asyncio.sleep(0.3)
    await connection.send(body[10:])
    assert (await connection.answer())[0] == 200
    assert len(COUNTED) == before + 1


async def test_connections_that_say_nothing_are_closed(dial: Dial) -> None:
    silent, idle, blank = [await dial() for _ in range(3)]
    started = time.monotonic()
    await idle.send(WHOLE)
    await idle.answer()
    await blank.send(b"\r\n\r\n")
    assert await silent.closed_within(3) == b""
    assert await blank.closed_within(3) == b""
    assert 0.35 < time.monotonic() - started < 1.1
    assert await idle.closed_within(3) == b""
    assert 1.15 < time.monotonic() - started < 3


async def test_a_body_that_nobody_reads_ends_with_its_time(dial: Dial) -> None:
    connection = await dial()
    await connection.send(b"GET /healthz HTTP/1.1\r\nhost: gateway\r\ncontent-length: 1000000\r\n\r\nx")
    assert (await connection.answer())[0] == 200
    assert await connection.closed_within(3) == b""


@pytest.mark.parametrize(
    "part",
    [
        pytest.param(b"1\r\nx\r\n", id="tiny chunks"),
        pytest.param(b"1;" + b"e" * 1_000 + b"\r\nx\r\n", id="chunk extensions"),
    ],
)
async def test_what_chunks_cost_beside_the_body_has_a_bound(dial: Dial, part: bytes) -> None:
    connection = await dial()
    await connection.send(POST + b"transfer-encoding: chunked\r\n\r\n")
    await connection.send(part * (200_000 // len(part)))
    assert (await connection.refusal())[0] == 400


async def test_trailers_are_bounded(dial: Dial) -> None:
    for trailers, status in ((b"x: y\r\n" * 20_000, 431), (b"x: " + b"y" * 200_000, 400)):
        connection = await dial()
        await connection.send(POST + b"transfer-encoding: chunked\r\n\r\n0\r\n", trailers)
        assert (await connection.refusal())[0] == status


async def test_so_many_requests_may_wait_behind_one_and_no_more(dial: Dial) -> None:
    connection = await dial()
    await connection.send(WHOLE * 4)
    assert [(await connection.answer())[2] for _ in range(4)] == [GREETING] * 4
    # One over closes the connection, before any of them is answered.
    await connection.send(WHOLE * 5)
    assert await connection.closed_within(0.8) == b""


async def test_a_broken_request_is_400(dial: Dial) -> None:
    connection = await dial()
    await connection.send(b"NONSENSE\r\n\r\n")
    assert await connection.refusal() == (400, b"Invalid HTTP request received.")


async def test_an_address_has_so_many_connections_and_no_more(limited: Served, dial: Dial) -> None:
    taken = [await dial() for _ in range(5)]
    for each in taken:
        await each.send(WHOLE)
        assert (await each.answer())[2] == GREETING
    refused = await dial()
    await refused.send(WHOLE)
    status, headers, body = await refused.answer()
    assert (status, headers["retry-after"], headers["connection"]) == (429, "30", "close")
    assert body == b"Too many connections of this address."
    for each in taken[:2]:
        await each.close()
    # A socket takes the seat of the request that it began as, and gives it back.
    await asyncio.sleep(0.05)
    upgraded = await dial()
    await upgraded.send(UPGRADE + b"\r\n")
    assert (await upgraded.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
    assert _guard(limited).open == 4
    await upgraded.close()
    await asyncio.sleep(0.05)
    assert _guard(limited).open == 3
    again = await dial()
    await again.send(WHOLE)
    assert (await again.answer())[2] == GREETING


def _guard(served: Served) -> ConnectionGuard:
    protocol: Any = served.server.config.http_protocol_class
    guard = protocol.guard
    assert isinstance(guard, ConnectionGuard)
    return guard


def test_a_process_has_so_many_connections_and_a_trusted_proxy_is_no_single_client() -> None:
    limits = HttpLimits(connections=4, connections_of_address=2)
    guard = ConnectionGuard(limits, networks_of("10.0.0.0/8"))
    seats = [guard.enter("10.0.0.1") for _ in range(3)]
    assert all(isinstance(each, Seat) for each in seats)
    other = guard.enter("192.0.2.1")
    assert isinstance(other, Seat)
    assert [guard.enter(peer) for peer in ("192.0.2.1", "10.0.0.1")] == [503, 503]
    other.release()
    other.release()
    assert guard.open == 3
    assert isinstance(guard.enter("192.0.2.2"), Seat)
    free = ConnectionGuard(limits)
    assert [isinstance(free.enter("10.0.0.1"), Seat) for _ in range(3)] == [True, True, False]
    assert free.enter("10.0.0.1") == 429


@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        (b"x-filler: " + b"x" * 9_000 + b"\r\n", 431),
        (b"x-filler: " + b"x" * 17_000 + b"\r\n", 431),
        (b"content-length: 5\r\n", 400),
        (b"sec-websocket-key: twice\r\n", 400),
    ],
)
async def test_a_handshake_that_fails_is_answered_and_closed(
    limited: Served, dial: Dial, wrong: bytes, status: int
) -> None:
    connection = await dial()
    await connection.send(UPGRADE + wrong + b"\r\n")
    received = await connection.closed_within(3)
    assert received.startswith(b"HTTP/1.1 %d " % status)
    await connection.close()
    await asyncio.sleep(0.05)
    assert _guard(limited).open == 0


async def test_half_a_handshake_is_408(dial: Dial) -> None:
    connection = await dial()
    await connection.send(UPGRADE)
    assert (await connection.refusal())[0] == 408


# Its answer is more than a megabyte: each of 2,500 objects has three long names.
NAMES = b" ".join(b"%b%d: name" % (b"x" * 200, number) for number in range(3))
LARGE = b'{"query": "{ branch { branches(first: 50) { branches(first: 50) { %b } } } }"}' % NAMES
SUBSCRIBE = b'{"id": "%d", "type": "subscribe", "payload": ' + LARGE + b"}"


def frame(text: bytes) -> bytes:
    """A WebSocket text frame of a client, masked with zeros (RFC 6455 section 5.2)."""
    return b"\x81" + bytes([0x80 | 126]) + len(text).to_bytes(2, "big") + bytes(4) + text


@pytest.mark.parametrize("way", ["http", "websocket"])
async def test_a_client_that_does_not_read_is_cut_off_and_holds_nothing(limited: Served, way: str) -> None:
    with socket.create_connection(("127.0.0.1", limited.port)) as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        if way == "http":
            deaf.sendall((POST + b"content-length: %d\r\n\r\n" % len(LARGE) + LARGE) * 3)
        else:
            deaf.sendall(UPGRADE + b"\r\n")
            await asyncio.sleep(0.1)
            messages = [b'{"type": "connection_init"}', *(SUBSCRIBE % number for number in range(20))]
            deaf.sendall(b"".join(frame(each) for each in messages))
        await asyncio.sleep(0.2)
        assert _guard(limited).open == 1
        # Well before the end of an idle connection.
        async with asyncio.timeout(0.8):
            while _guard(limited).open:
                await asyncio.sleep(0.02)


async def test_an_address_opens_so_many_sockets_at_once_and_requests_go_on(settings: Settings) -> None:
    limits = LIMITS._replace(handshakes_at_once=2, handshakes_per_second=0.001)
    async with serving(small_app(settings), settings, limits) as served:
        statuses = []
        for _ in range(3):
            reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
            opened = Connection(reader, writer)
            await opened.send(UPGRADE + b"\r\n")
            line = await asyncio.wait_for(reader.readline(), 5)
            statuses.append(line.split()[1])
            writer.close()
        assert statuses == [b"101", b"101", b"429"]
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        asked = Connection(reader, writer)
        await asked.send(WHOLE)
        assert (await asked.answer())[2] == GREETING
        writer.close()


def test_each_address_has_handshakes_of_its_own_and_a_trusted_proxy_as_many_as_it_likes() -> None:
    limits = HttpLimits(handshakes_at_once=2, handshakes_per_second=0.001)
    guard = ConnectionGuard(limits, networks_of("10.0.0.0/8"))
    assert [guard.may_open_socket("192.0.2.1") for _ in range(3)] == [True, True, False]
    assert guard.may_open_socket("192.0.2.2")
    assert all(guard.may_open_socket("10.0.0.1") for _ in range(5))
