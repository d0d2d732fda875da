"""How many WebSockets, event streams and live subscriptions a subject, an address and the whole process may have.

An app has one socket for each tab and a subscription for each case on its screen; an agency's system follows all cases of its
region. A hospital's or an office's people share one address.
"""

from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple

from gateway.auth import Viewer
from gateway.faults import Unauthenticated, Unavailable
from workflows.vocabulary import Role


class Caps(NamedTuple):
    """The most at one time: of a person, of any other subject, of an agency's system, of an address, of the process."""

    person: int
    staff: int
    system: int
    address: int
    process: int

    def of(self, viewer: Viewer) -> int:
        if viewer.has(Role.AGENCY_SYSTEM):
            return self.system
        return self.person if set(viewer.roles) <= {Role.INSURED_PERSON} else self.staff


# WebSockets and event streams together.
CONNECTIONS: Final = Caps(person=10, staff=40, system=100, address=400, process=4_000)
# Live subscriptions, whether they came by WebSocket or as an event stream.
SUBSCRIPTIONS: Final = Caps(person=20, staff=100, system=2_000, address=2_000, process=20_000)
# WebSockets of one address whose client has not said who it is: initialising takes a moment.
ANONYMOUS_SOCKETS: Final = 20
RETRY_AFTER_SECONDS: Final = 30

PROCESS: Final = "the whole process"


class TooManyStreams(Unavailable):
    """A cap on connections or subscriptions is reached."""

    http_status = 429


class Places:
    """How many places each key has taken. A place is given back when its block ends, however it ends."""

    def __init__(self) -> None:
        self._taken: dict[Hashable, int] = {}

    def taken(self, key: Hashable) -> int:
        return self._taken.get(key, 0)

    def keys(self) -> int:
        """How many keys have a place."""
        return len(self._taken)

    @contextmanager
    def hold(self, key: Hashable, at_most: int, full: TooManyStreams) -> Iterator[None]:
        """Raises `full` when the key has `at_most` places."""
        taken = self._taken.get(key, 0)
        if taken >= at_most:
            raise full
        self._taken[key] = taken + 1
        try:
            yield
        finally:
            left = self._taken[key] - 1
            if left:
                self._taken[key] = left
            else:
                del self._taken[key]


class StreamLimits:
    """The connections and subscriptions of one gateway. Each block raises `TooManyStreams` when a cap is reached."""

    def __init__(
        self,
        connections: Caps = CONNECTIONS,
        subscriptions: Caps = SUBSCRIPTIONS,
        anonymous_sockets: int = ANONYMOUS_SOCKETS,
    ) -> None:
        self._connection_caps = connections
        self._subscription_caps = subscriptions
        self._anonymous_cap = anonymous_sockets
        self.connections = Places()
        self.subscriptions = Places()
        self._anonymous = Places()

    @contextmanager
    def connection(self, address: str) -> Iterator[None]:
        """A WebSocket or an event stream from `address`."""
        caps = self._connection_caps
        with (
            self.connections.hold(PROCESS, caps.process, _process_full()),
            self.connections.hold(("address", address), caps.address, _connections_full(caps.address, "address")),
        ):
            yield

    @contextmanager
    def connection_of(self, viewer: Viewer) -> Iterator[None]:
        """The same connection, once its subject is known."""
        cap = self._connection_caps.of(viewer)
        with self.connections.hold(("subject", viewer.identity), cap, _connections_full(cap, "subject")):
            yield

    @contextmanager
    def anonymous_socket(self, address: str) -> Iterator[None]:
        """A WebSocket from `address` as long as its client has not said who it is."""
        cap = self._anonymous_cap
        full = TooManyStreams(
            f"同一地址未登录的连接最多 {cap} 个，请先关闭一个或稍后重试",
            f"At most {cap} connections of one address wait for a token: close one, or try again later",
            retry_after_seconds=RETRY_AFTER_SECONDS,
        )
        with self._anonymous.hold(address, cap, full):
            yield

    @contextmanager
    def subscription(self, viewer: Viewer, address: str) -> Iterator[None]:
        """A live subscription of `viewer`, who came from `address`. Raises `Unauthenticated` for a caller without a token."""
        if viewer.anonymous:
            raise Unauthenticated
        caps = self._subscription_caps
        cap = caps.of(viewer)
        places = self.subscriptions
        with (
            places.hold(PROCESS, caps.process, _process_full()),
            places.hold(("address", address), caps.address, _subscriptions_full(caps.address, "address")),
            places.hold(("subject", viewer.identity), cap, _subscriptions_full(cap, "subject")),
        ):
            yield

    @contextmanager
    def event_stream(self, viewer: Viewer, address: str) -> Iterator[None]:
        """A subscription that has a connection of its own. Raises `Unauthenticated` too."""
        with self.subscription(viewer, address), self.connection(address), self.connection_of(viewer):
            yield


NOUNS: Final = {"subject": ("同一用户", "one caller"), "address": ("同一地址", "one address")}


def _connections_full(cap: int, whose: str) -> TooManyStreams:
    zh, en = NOUNS[whose]
    return TooManyStreams(
        f"{zh}的实时连接最多 {cap} 个，请先关闭一个或稍后重试",
        f"At most {cap} streaming connections of {en} are open at a time: close one, or try again later",
        retry_after_seconds=RETRY_AFTER_SECONDS,
    )


def _subscriptions_full(cap: int, whose: str) -> TooManyStreams:
    zh, en = NOUNS[whose]
    return TooManyStreams(
        f"{zh}的订阅最多 {cap} 个，请先结束一个或稍后重试",
        f"At most {cap} subscriptions of {en} run at a time: end one, or try again later",
        retry_after_seconds=RETRY_AFTER_SECONDS,
    )


def _process_full() -> TooManyStreams:
    return TooManyStreams(
        "实时连接过多，请稍后重试",
        "The gateway has too many streams; try again later",
        retry_after_seconds=RETRY_AFTER_SECONDS,
    )
