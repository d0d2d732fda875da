"""One hostile caller, in a process of its own: `python -m bench.attack SECONDS`, the rest on standard input as JSON.

All at once, on 127.0.0.1 and for so many seconds: requests at a fixed rate, some of them documents that were never seen, with
long comments; sockets with subscriptions of one transfer; and request heads that do not end. Whatever the server closes is
opened again. It prints how much it sent, as JSON.
"""

import asyncio
import contextlib
import os
import sys
from collections import Counter
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import orjson

from bench.http_load import graphql_request

# Its own, so that limits by address do not meet the honest callers, who come from 127.0.0.1.
HOSTILE_ADDRESS: Final = "127.0.0.2"
REQUESTS_PER_SECOND: Final = 1_000
NEW_DOCUMENTS_PER_SECOND: Final = 100
REQUEST_CONNECTIONS: Final = 32
SOCKETS: Final = 800
SUBSCRIPTIONS_OF_A_SOCKET: Final = 20
SOCKETS_OPENED_PER_SECOND: Final = 100
ENDLESS_HEADS: Final = 20
HEAD_BYTES_PER_SECOND: Final = 64_000
COMMENT: Final = "#" + "x" * 60_000 + "\n"
SUBSCRIPTION: Final = (
    "subscription ($id: ID!) { transferProgress(transferId: $id) { seq message transfer { status } } }"
)


@dataclass(frozen=True)
class Target:
    """Where the gateway is, the hostile caller's token, and a transfer that the caller may see."""

    url: str
    token: str
    no: str
    transfer_id: str
    query: str

    @property
    def address(self) -> tuple[str, int]:
        parts = urlsplit(self.url)
        return str(parts.hostname), int(parts.port or 80)


class Attack:
    def __init__(self, target: Target, seconds: float) -> None:
        self._target = target
        self._loop = asyncio.get_running_loop()
        self._until = self._loop.time() + seconds
        self._numbers = iter(range(10**9))
        self.sent: Counter[str] = Counter()

    async def run(self) -> None:
        await asyncio.gather(
            *(self._again(self._requests) for _ in range(REQUEST_CONNECTIONS)),
            *(self._again(self._endless_head) for _ in range(ENDLESS_HEADS)),
            *(self._sockets(first) for first in range(0, SOCKETS, SOCKETS_OPENED_PER_SECOND)),
        )

    @property
    def _left(self) -> float:
        return self._until - self._loop.time()

    async def _again(self, act: Any) -> None:
        """Do `act` on a new connection, and again when the server has ended it, until the time is over."""
        while self._left > 0:
            writer = None
            with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
                async with asyncio.timeout(self._left):
                    reader, writer = await asyncio.open_connection(
                        *self._target.address, local_addr=(HOSTILE_ADDRESS, 0)
                    )
                    await act(reader, writer)
            if writer is not None:
                writer.close()
            await asyncio.sleep(0.1)

    async def _requests(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reading = asyncio.create_task(_discard(reader))
        try:
            while not reading.done():
                number = next(self._numbers)
                query, variables = self._target.query, {"no": self._target.no}
                if number % (REQUESTS_PER_SECOND // NEW_DOCUMENTS_PER_SECOND) == 0:
                    query = f"{COMMENT if number % 2 else ''}{{ a{number}: viewer {{ b{number}: roles }} }}"
                    self.sent["new documents"] += 1
                writer.write(graphql_request(self._target.token, query, **variables))
                self.sent["requests"] += 1
                await writer.drain()
                await asyncio.sleep(REQUEST_CONNECTIONS / REQUESTS_PER_SECOND)
        finally:
            reading.cancel()

    async def _endless_head(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reading = asyncio.create_task(_discard(reader))
        self.sent["endless heads"] += 1
        try:
            writer.write(b"POST /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Endless: ")
            while not reading.done():
                writer.write(b"x" * (HEAD_BYTES_PER_SECOND // 10))
                await writer.drain()
                await asyncio.sleep(0.1)
        finally:
            reading.cancel()

    async def _sockets(self, first: int) -> None:
        await asyncio.sleep(min(self._left, first / SOCKETS_OPENED_PER_SECOND / 2))
        await asyncio.gather(*(self._again(self._socket) for _ in range(SOCKETS_OPENED_PER_SECOND)))

    async def _socket(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(
            b"GET /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            b"Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
        )
        await reader.readuntil(b"\r\n\r\n")
        self.sent["sockets"] += 1
        payload = {"authorization": f"Bearer {self._target.token}"}
        writer.write(_frame({"type": "connection_init", "payload": payload}))
        await reader.readexactly(2)
        for number in range(SUBSCRIPTIONS_OF_A_SOCKET):
            subscribe = {"query": SUBSCRIPTION, "variables": {"id": self._target.transfer_id}}
            writer.write(_frame({"id": str(number), "type": "subscribe", "payload": subscribe}))
        await writer.drain()
        await _discard(reader)
        # A caller that was closed comes back, not faster than a second.
        await asyncio.sleep(1)


def _frame(message: dict[str, Any]) -> bytes:
    """A text frame (RFC 6455, 5.2), masked with zeros as a client may."""
    text = orjson.dumps(message)
    length = bytes([0x80 | len(text)]) if len(text) < 126 else bytes([0x80 | 126]) + len(text).to_bytes(2)
    return b"\x81" + length + bytes(4) + text


async def _discard(reader: asyncio.StreamReader) -> None:
    while await reader.read(65_536):
        pass


async def main() -> None:
    attack = Attack(Target(**orjson.loads(sys.stdin.read())), float(sys.argv[1]))
    await attack.run()
    print(orjson.dumps(attack.sent).decode(), flush=True)


if __name__ == "__main__":
    os.nice(19)
    asyncio.run(main())
