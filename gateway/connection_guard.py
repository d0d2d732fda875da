"""Which connections the gateway takes, how long it waits for each, and how much it reads of a request.

RFC 9110 (408, 413), RFC 6585 (429, 431). One timer looks at all connections: a timer for each request would cost more than its head.
"""

import asyncio
import resource
from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

from gateway.budgets import Budget, Rate
from gateway.client_address import Network, counted_as, is_trusted
from gateway.faults import TooManyRequests

# What the process needs of its file descriptors for other things: the pool, Temporal, logs.
RESERVED_DESCRIPTORS: Final = 200


class HttpLimits(NamedTuple):
    """Bytes, seconds and numbers.

    `head_bytes` and `headers` bound a request's line and headers together. `head_seconds` counts from the connection, or from a
    request's first byte; `body_seconds` from the head's end; `idle_seconds` from the last answer. `linger_seconds` is how long
    what a refused client still sends is thrown away unread, so that it sees the answer, and how long a client may take to
    read the last bytes. `drain_seconds` is how long a client may leave more than a full buffer unread.
    """

    head_bytes: int = 16 * 1024
    headers: int = 100
    head_seconds: float = 10.0
    body_seconds: float = 30.0
    idle_seconds: float = 60.0
    linger_seconds: float = 2.0
    drain_seconds: float = 15.0
    # Endpoints refuse a body over their own limit; this much of it is read so that they can say so.
    body_bytes: int = 64 * 1024 * 1024
    # Chunk sizes, chunk extensions and trailers, beyond as many bytes as the body has.
    body_overhead_bytes: int = 64 * 1024
    thrown_away_bytes: int = 64 * 1024 * 1024
    pipelined: int = 16
    connections_of_address: int = 500
    connections: int = 5_000
    # WebSockets that clients of one address may open: an office comes back at once when the gateway has restarted.
    handshakes_at_once: float = 100
    handshakes_per_second: float = 5


DEFAULT_LIMITS: Final = HttpLimits()


class Watched(Protocol):
    """A connection with a time until which it must have done something."""

    deadline: float

    def expire(self) -> None:
        """The deadline has passed."""


class Seat:
    """One connection in the counts; `release` gives it back, once."""

    def __init__(self, guard: "ConnectionGuard", address: str | None) -> None:
        self._guard: ConnectionGuard | None = guard
        self._address = address

    def release(self) -> None:
        guard, self._guard = self._guard, None
        if guard is not None:
            guard.leave(self._address)


class ConnectionGuard:
    """Counts the connections of one server and closes those that are late.

    A trusted proxy's connections carry many clients: they count for the whole process only.
    """

    def __init__(self, limits: HttpLimits = DEFAULT_LIMITS, trusted_proxies: Sequence[Network] = ()) -> None:
        self.limits = limits
        self._trusted_proxies = trusted_proxies
        descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self._most = limits.connections
        if descriptors != resource.RLIM_INFINITY:
            self._most = min(self._most, max(1, descriptors - RESERVED_DESCRIPTORS))
        self._open = 0
        self._by_address: dict[str, int] = {}
        self._handshakes = Budget(Rate(limits.handshakes_per_second, limits.handshakes_at_once))
        self._watched: set[Watched] = set()
        self._looking: asyncio.TimerHandle | None = None
        shortest = min(limits.head_seconds, limits.body_seconds, limits.idle_seconds, limits.linger_seconds)
        self._look_every = min(1.0, shortest / 4)

    @property
    def open(self) -> int:
        """Connections that have a seat."""
        return self._open

    @property
    def is_crowded(self) -> bool:
        """Whether refused connections, which wait for their clients to see why, have to be closed at once."""
        return len(self._watched) > self._most

    def enter(self, peer: str) -> Seat | int:
        """A seat for a connection from `peer`, or the HTTP status of the refusal: 429 of its address, 503 of the process."""
        if self._open >= self._most:
            return 503
        trusted = bool(self._trusted_proxies) and is_trusted(peer, self._trusted_proxies)
        address = None if trusted else counted_as(peer)
        if address is not None:
            taken = self._by_address.get(address, 0)
            if taken >= self.limits.connections_of_address:
                return 429
            self._by_address[address] = taken + 1
        self._open += 1
        return Seat(self, address)

    def leave(self, address: str | None) -> None:
        self._open -= 1
        if address is None:
            return
        left = self._by_address[address] - 1
        if left:
            self._by_address[address] = left
        else:
            del self._by_address[address]

    def may_open_socket(self, peer: str) -> bool:
        """Count a WebSocket handshake; False when clients of this address have opened too many in a short time."""
        if self._trusted_proxies and is_trusted(peer, self._trusted_proxies):
            return True
        try:
            self._handshakes.require(counted_as(peer))
        except TooManyRequests:
            return False
        self._handshakes.spend(counted_as(peer), 1)
        return True

    def watch(self, connection: Watched, loop: asyncio.AbstractEventLoop) -> None:
        if not self._watched:
            self._looking = loop.call_later(self._look_every, self._look, loop)
        self._watched.add(connection)

    def unwatch(self, connection: Watched) -> None:
        self._watched.discard(connection)
        if not self._watched and self._looking is not None:
            self._looking.cancel()
            self._looking = None

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for late in [each for each in self._watched if each.deadline <= now]:
            late.expire()
        if self._watched:
            self._looking = loop.call_later(self._look_every, self._look, loop)


class DrainTimer:
    """Ends a connection whose client leaves a full buffer unread for too long: what is written for it would only pile up."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop, seconds: float) -> None:
        self._transport = transport
        self._loop = loop
        self._seconds = seconds
        self._handle: asyncio.TimerHandle | None = None

    def start(self) -> None:
        if self._handle is None:
            self._handle = self._loop.call_later(self._seconds, self._transport.abort)

    def stop(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
