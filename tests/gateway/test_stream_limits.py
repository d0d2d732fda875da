"""How many sockets, event streams and subscriptions there may be: at the cap it works, one more is refused, and one fewer frees a place."""

import asyncio
import contextlib
import gc
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from typing import Any

import asyncpg
import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from gateway.auth import ANONYMOUS, Viewer
from gateway.context import RequestContext
from gateway.faults import Unauthenticated
from gateway.settings import Settings
from gateway.stream_limits import CONNECTIONS, PROCESS, SUBSCRIPTIONS, Caps, StreamLimits, TooManyStreams
from gateway.websocket import _Connection
from tests.conftest import Database
from tests.gateway.conftest import RESIDENT_ID, Issuer, Served, Ticks, serving, small_app
from workflows.vocabulary import Role

TICKS = "subscription($id: ID!) { ticks(transferId: $id) { seq } }"
PERSON = Viewer("person-1", (Role.INSURED_PERSON,))
CLERK = Viewer("clerk-1", (Role.CLERK,))
SYSTEM = Viewer("system-1", (Role.AGENCY_SYSTEM,))


# ------------------------------------------------------------------ the counts


@pytest.mark.parametrize("viewer", [PERSON, CLERK, SYSTEM])
def test_each_kind_of_subject_has_its_cap(viewer: Viewer) -> None:
    limits = StreamLimits(Caps(1, 2, 3, 9, 9), Caps(1, 2, 3, 9, 9))
    most = {PERSON: 1, CLERK: 2, SYSTEM: 3}[viewer]
    for hold in (limits.connection_of, lambda who: limits.subscription(who, "192.0.2.1")):
        with ExitStack() as held:
            for _ in range(most):
                held.enter_context(hold(viewer))
            with pytest.raises(TooManyStreams) as full, hold(viewer):
                pass
            assert full.value.extensions() == {"code": "UNAVAILABLE", "retryAfterSeconds": 30}
            # Another issuer's subject of the same name is somebody else.
            held.enter_context(hold(Viewer(viewer.subject, viewer.roles, issuer="https://other.example")))
        with hold(viewer):
            pass
    assert (limits.connections.keys(), limits.subscriptions.keys()) == (0, 0)


def test_an_address_and_the_process_have_caps_too() -> None:
    limits = StreamLimits(Caps(9, 9, 9, address=2, process=3), Caps(9, 9, 9, address=2, process=3), anonymous_sockets=2)

    def subscription(address: str) -> Any:
        return limits.subscription(CLERK, address)

    for hold, places in ((limits.connection, limits.connections), (subscription, limits.subscriptions)):
        with ExitStack() as held:
            for _ in range(2):
                held.enter_context(hold("192.0.2.1"))
            with pytest.raises(TooManyStreams, match="one address"), hold("192.0.2.1"):
                pass
            assert places.taken(PROCESS) == 2
            held.enter_context(hold("192.0.2.2"))
            with pytest.raises(TooManyStreams, match="too many streams"), hold("192.0.2.3"):
                pass
        assert places.keys() == 0
    with limits.anonymous_socket("192.0.2.1"), limits.anonymous_socket("192.0.2.1"):
        with pytest.raises(TooManyStreams, match="wait for a token"), limits.anonymous_socket("192.0.2.1"):
            pass
        with limits.anonymous_socket("192.0.2.2"):
            pass


def test_the_anonymous_have_no_subscriptions() -> None:
    limits = StreamLimits()
    with pytest.raises(Unauthenticated), limits.subscription(ANONYMOUS, "192.0.2.1"):
        pass
    assert limits.subscriptions.keys() == 0


def test_the_caps_are_what_an_app_and_an_office_can_live_with() -> None:
    assert Caps(person=10, staff=40, system=100, address=400, process=4_000) == CONNECTIONS
    assert Caps(person=20, staff=100, system=2_000, address=2_000, process=20_000) == SUBSCRIPTIONS


# ------------------------------------------------------------------ over real connections


@pytest.fixture
async def limited(settings: Settings) -> AsyncIterator[Served]:
    """A gateway with caps of two sockets and three subscriptions for a person, four sockets for an address."""
    app = small_app(settings)
    app.state.services.streams.__init__(
        Caps(2, 2, 4, address=4, process=9), Caps(3, 5, 7, address=7, process=9), anonymous_sockets=2
    )
    async with serving(app, settings) as served:
        yield served


@asynccontextmanager
async def socket_of(served: Served, issuer: Issuer | None, **claims: Any) -> AsyncIterator[ClientConnection]:
    """A WebSocket that has been initialised; one that says nothing at all without an issuer."""
    protocols = [Subprotocol("graphql-transport-ws")]
    language = {"accept-language": "en"}
    async with connect(served.ws_url, subprotocols=protocols, additional_headers=language, proxy=None) as socket:
        if issuer is not None:
            await say(socket, type="connection_init", payload={"authorization": f"Bearer {issuer.token(**claims)}"})
            assert await hear(socket) == {"type": "connection_ack"}
        yield socket


def person(name: str = "person-1") -> dict[str, Any]:
    return {"sub": name, "roles": ["INSURED_PERSON"], "resident_id": RESIDENT_ID, "region": None}


async def say(socket: ClientConnection, **message: Any) -> None:
    await socket.send(json.dumps(message))


async def hear(socket: ClientConnection) -> dict[str, Any]:
    heard: dict[str, Any] = json.loads(await asyncio.wait_for(socket.recv(), 5))
    return heard


async def subscribe(socket: ClientConnection, identifier: str, ticks: Ticks) -> dict[str, Any]:
    """Subscribe, and what is heard first."""
    payload = {"query": TICKS, "variables": {"id": str(ticks.transfer_id)}}
    await say(socket, id=identifier, type="subscribe", payload=payload)
    return await hear(socket)


async def nothing_is_held(served: Served) -> None:
    """Waits until what the clients have left is counted no more."""
    services = served.app.state.services
    protocol: Any = served.server.config.http_protocol_class
    guard = protocol.guard
    async with asyncio.timeout(5):
        while (
            services.streams.connections.keys()
            or services.streams.subscriptions.keys()
            or services.streams._anonymous.keys()
            or services.progress.follower_count
            or guard.open
        ):
            await asyncio.sleep(0.02)


def refused(message: dict[str, Any], words: str) -> None:
    assert message["type"] == "error"
    [error] = message["payload"]
    assert (error["message"], error["extensions"]) == (words, {"code": "UNAVAILABLE", "retryAfterSeconds": 30})


async def test_a_subject_has_so_many_subscriptions_over_all_its_connections(
    limited: Served, issuer: Issuer, ticks: Ticks
) -> None:
    await ticks.add(1)
    words = "At most 3 subscriptions of one caller run at a time: end one, or try again later"
    stream = {"accept": "text/event-stream", "accept-language": "en"} | issuer.bearer(**person())
    request = {"query": TICKS, "variables": {"id": str(ticks.transfer_id)}}
    async with (
        socket_of(limited, issuer, **person()) as socket,
        httpx.AsyncClient(trust_env=False) as client,
        client.stream("POST", limited.url, json=request, headers=stream) as first,
    ):
        assert first.status_code == 200
        for identifier in ("a", "b"):
            assert (await subscribe(socket, identifier, ticks))["type"] == "next"
        refused(await subscribe(socket, "c", ticks), words)
        # Queries are answered all the same, and so are other subjects.
        await say(socket, id="q", type="subscribe", payload={"query": "{ greeting }"})
        assert (await hear(socket))["type"] == "next"
        assert await hear(socket) == {"id": "q", "type": "complete"}
        async with socket_of(limited, issuer, **person("person-2")) as other:
            assert (await subscribe(other, "a", ticks))["type"] == "next"
        await say(socket, id="a", type="complete")
        assert (await subscribe(socket, "d", ticks))["type"] == "next"
        refused(await subscribe(socket, "e", ticks), words)
    await nothing_is_held(limited)


async def test_a_subscription_that_is_completed_while_it_reads_frees_its_place_for_the_next_message(
    limited: Served, issuer: Issuer, ticks: Ticks, database: Database
) -> None:
    await ticks.add(1)
    owner = await asyncpg.connect(database.owner_url)
    async with socket_of(limited, issuer, **person()) as socket, owner.transaction():
        await owner.execute("lock table ticks")
        payload = {"query": TICKS, "variables": {"id": str(ticks.transfer_id)}}
        for identifier in ("a", "b", "c"):
            await say(socket, id=identifier, type="subscribe", payload=payload)
        await asyncio.sleep(0.2)
        await say(socket, id="a", type="complete")
        await say(socket, id="d", type="subscribe", payload=payload)
        await say(socket, id="e", type="subscribe", payload=payload)
        heard = await hear(socket)
        assert heard["id"] == "e"
        refused(heard, "At most 3 subscriptions of one caller run at a time: end one, or try again later")
    await owner.close()
    await nothing_is_held(limited)


async def test_a_subscription_that_ends_by_itself_or_by_its_error_frees_its_place(
    limited: Served, issuer: Issuer, ticks: Ticks
) -> None:
    await ticks.add(100)
    async with socket_of(limited, issuer, **person()) as socket:
        for number in range(5):
            assert (await subscribe(socket, str(number), ticks))["type"] == "next"
            assert (await hear(socket))["type"] == "complete"
        for number in range(5):
            await say(socket, id=str(number), type="subscribe", payload={"query": "subscription { breaks }"})
            assert [(await hear(socket))["type"] for _ in range(2)] == ["next", "error"]
        assert limited.app.state.services.streams.subscriptions.keys() == 0


async def test_an_event_stream_over_the_cap_is_429_with_retry_after(
    limited: Served, issuer: Issuer, ticks: Ticks
) -> None:
    await ticks.add(1)
    headers = {"accept": "text/event-stream", "accept-language": "en"} | issuer.bearer(**person())
    request = {"query": TICKS, "variables": {"id": str(ticks.transfer_id)}}
    async with httpx.AsyncClient(trust_env=False) as client:
        async with AsyncExitStack() as streams:
            for _ in range(2):
                await streams.enter_async_context(
                    client.stream("POST", limited.url, json=request, headers=headers, timeout=5)
                )
            answer = await client.post(limited.url, json=request, headers=headers)
            assert (answer.status_code, answer.headers["retry-after"]) == (429, "30")
            words = "At most 2 streaming connections of one caller are open at a time: close one, or try again later"
            assert answer.json()["errors"][0]["message"] == words
        await nothing_is_held_but_connections(limited)
        async with client.stream("POST", limited.url, json=request, headers=headers) as again:
            assert again.status_code == 200
    await nothing_is_held(limited)


async def nothing_is_held_but_connections(served: Served) -> None:
    async with asyncio.timeout(5):
        while served.app.state.services.streams.connections.keys():
            await asyncio.sleep(0.02)


async def test_a_subject_has_so_many_sockets_and_the_next_is_closed_with_1013(limited: Served, issuer: Issuer) -> None:
    async with socket_of(limited, issuer, **person()):
        async with socket_of(limited, issuer, **person()), socket_of(limited, None) as third:
            await say(third, type="connection_init", payload={"authorization": f"Bearer {issuer.token(**person())}"})
            with pytest.raises(ConnectionClosed) as closed:
                await asyncio.wait_for(third.recv(), 5)
            assert closed.value.rcvd is not None
            words = "At most 2 streaming connections of one caller are open at a time: close one, or try again later"
            assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1013, words)
        async with socket_of(limited, issuer, **person()):
            pass
    await nothing_is_held(limited)


async def test_an_address_has_so_many_sockets_and_the_next_handshake_is_429(limited: Served, issuer: Issuer) -> None:
    async with AsyncExitStack() as sockets:
        for number in range(4):
            await sockets.enter_async_context(socket_of(limited, issuer, **person(f"person-{number}")))
        with pytest.raises(InvalidStatus) as refusal:
            await sockets.enter_async_context(socket_of(limited, issuer, **person("person-5")))
        response = refusal.value.response
        assert (response.status_code, response.headers["retry-after"]) == (429, "30")
        assert response.body is not None
        words = "At most 4 streaming connections of one address are open at a time: close one, or try again later"
        assert json.loads(response.body)["errors"][0]["message"] == words
    await nothing_is_held(limited)
    async with socket_of(limited, issuer, **person("person-5")):
        pass


async def test_sockets_that_do_not_say_who_they_are_have_a_cap_of_their_own(limited: Served, issuer: Issuer) -> None:
    async with socket_of(limited, None) as silent, socket_of(limited, None) as anonymous:
        await say(anonymous, type="connection_init")
        assert await hear(anonymous) == {"type": "connection_ack"}
        with pytest.raises(InvalidStatus) as refusal:
            async with socket_of(limited, None):
                pass
        assert refusal.value.response.status_code == 429
        # One that says who it is makes room.
        await say(silent, type="connection_init", payload={"authorization": f"Bearer {issuer.token(**person())}"})
        assert await hear(silent) == {"type": "connection_ack"}
        async with socket_of(limited, None):
            pass
    await nothing_is_held(limited)


async def test_a_gateway_that_stops_holds_nothing_any_more(limited: Served, issuer: Issuer, ticks: Ticks) -> None:
    await ticks.add(1)
    async with socket_of(limited, issuer, **person()) as socket:
        assert (await subscribe(socket, "a", ticks))["type"] == "next"
        limited.server.should_exit = True
        await asyncio.wait_for(socket.wait_closed(), 5)
    await asyncio.wait_for(asyncio.shield(limited.serving), 5)
    await nothing_is_held(limited)


async def test_a_flood_of_messages_closes_the_socket(served: Served, issuer: Issuer) -> None:
    async with socket_of(served, issuer) as socket:
        for _ in range(400):
            await say(socket, type="pong")
        await say(socket, type="ping")
        assert await hear(socket) == {"type": "pong"}
        with contextlib.suppress(ConnectionClosed):
            for _ in range(2_000):
                await say(socket, type="pong")
        await asyncio.wait_for(socket.wait_closed(), 5)
        assert (socket.close_code, socket.close_reason) == (1008, "Too many messages")
    await nothing_is_held(served)


async def test_nothing_is_kept_of_subscriptions_that_have_ended(served: Served, issuer: Issuer, ticks: Ticks) -> None:
    await ticks.add(1)
    kinds = (RequestContext, _Connection, asyncio.Task)
    before = count_of(*kinds)
    for _ in range(3):
        async with AsyncExitStack() as sockets:
            for number in range(5):
                socket = await sockets.enter_async_context(socket_of(served, issuer, **person(f"person-{number}")))
                for identifier in range(20):
                    assert (await subscribe(socket, str(identifier), ticks))["type"] == "next"
            assert served.app.state.services.progress.follower_count == 100
            assert count_of(*kinds)[0] >= before[0] + 100
    await nothing_is_held(served)
    await asyncio.sleep(0.05)
    assert count_of(*kinds) == before
    hub = served.app.state.services.progress
    assert (hub._followers, hub._pages, list(hub._to_wake)) == ({}, {}, [])


def count_of(*kinds: type) -> list[int]:
    gc.collect()
    alive = [type(each) for each in gc.get_objects()]
    return [sum(issubclass(each, kind) for each in alive) for kind in kinds]
