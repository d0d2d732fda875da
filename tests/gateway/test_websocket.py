"""graphql-transport-ws, spoken to by a standard WebSocket client over a real connection."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from tests.conftest import Database
from tests.gateway.conftest import Issuer, Served, Ticks

TICKS = "subscription($id: ID!, $after: Int! = 0) { ticks(transferId: $id, afterSeq: $after) { seq loadersAreNew } }"


@asynccontextmanager
async def _socket(served: Served, *protocols: str, language: str = "en") -> AsyncIterator[ClientConnection]:
    offered = [Subprotocol(each) for each in protocols or ("graphql-transport-ws",)]
    headers = {"accept-language": language}
    async with connect(served.ws_url, subprotocols=offered, additional_headers=headers, proxy=None) as socket:
        yield socket


async def _say(socket: ClientConnection, **message: Any) -> None:
    await socket.send(json.dumps(message))


async def _hear(socket: ClientConnection) -> dict[str, Any]:
    heard: dict[str, Any] = json.loads(await asyncio.wait_for(socket.recv(), 5))
    return heard


async def _end(socket: ClientConnection) -> tuple[int, str]:
    """The code and reason with which the gateway closes."""
    await asyncio.wait_for(socket.wait_closed(), 5)
    return socket.close_code or 0, socket.close_reason or ""


@asynccontextmanager
async def _initialised(served: Served, issuer: Issuer | None, **claims: Any) -> AsyncIterator[ClientConnection]:
    async with _socket(served) as socket:
        payload = {"authorization": f"Bearer {issuer.token(**claims)}"} if issuer else {}
        await _say(socket, type="connection_init", payload=payload)
        assert await _hear(socket) == {"type": "connection_ack"}
        yield socket


async def _subscribe(socket: ClientConnection, identifier: str, query: str, **variables: Any) -> None:
    await _say(socket, id=identifier, type="subscribe", payload={"query": query, "variables": variables})


async def test_queries_and_mutations_answer_once_and_complete(served: Served, issuer: Issuer) -> None:
    async with _initialised(served, issuer) as socket:
        await _subscribe(socket, "1", "query($n: String!) { me greeting(name: $n) }", n="琪")
        data = {"me": "clerk-1 en", "greeting": "hello 琪"}
        assert await _hear(socket) == {"id": "1", "type": "next", "payload": {"data": data}}
        assert await _hear(socket) == {"id": "1", "type": "complete"}
        # A finished operation's id is free again.
        await _subscribe(socket, "1", "mutation { count }")
        assert (await _hear(socket))["payload"]["data"]["count"] > 0
        assert await _hear(socket) == {"id": "1", "type": "complete"}


async def test_events_come_from_the_past_and_live_each_once_until_the_last(
    served: Served, issuer: Issuer, ticks: Ticks
) -> None:
    await ticks.add(*range(1, 25))
    async with _initialised(served, issuer) as socket:
        await _subscribe(socket, "a", TICKS, id=str(ticks.transfer_id), after=3)
        seen = [await _hear(socket) for _ in range(4, 25)]
        assert [each["payload"]["data"]["ticks"]["seq"] for each in seen] == list(range(4, 25))
        for seq in (25, 26):
            await ticks.add(seq)
            heard = await _hear(socket)
            assert heard["payload"] == {"data": {"ticks": {"seq": seq, "loadersAreNew": True}}}
        await ticks.add(100)
        assert (await _hear(socket))["payload"]["data"]["ticks"]["seq"] == 100
        assert await _hear(socket) == {"id": "a", "type": "complete"}
    assert served.app.state.services.progress.follower_count == 0


async def test_nothing_is_lost_or_doubled_when_the_listening_connection_is_killed(
    served: Served, issuer: Issuer, ticks: Ticks, database: Database
) -> None:
    hub = served.app.state.services.progress
    owner = await asyncpg.connect(database.owner_url)
    async with _initialised(served, issuer) as socket:
        await _subscribe(socket, "a", TICKS, id=str(ticks.transfer_id))
        await ticks.add(1)
        assert (await _hear(socket))["payload"]["data"]["ticks"]["seq"] == 1
        for seq in (2, 4):
            await asyncio.wait_for(hub.listening.wait(), 5)
            killed = await owner.fetchval(
                "select count(pg_terminate_backend(pid)) from pg_stat_activity where application_name = 'yibao gateway progress'"
                " and datname = current_database()"
            )
            assert killed == 1
            # The first is told to nobody, the second while nobody may be listening yet.
            await ticks.add(seq, notify=False)
            await ticks.add(seq + 1)
            assert [(await _hear(socket))["payload"]["data"]["ticks"]["seq"] for _ in range(2)] == [seq, seq + 1]
    await owner.close()


async def test_a_notice_that_is_none_of_ours_disturbs_nobody(
    served: Served, issuer: Issuer, ticks: Ticks, database: Database
) -> None:
    owner = await asyncpg.connect(database.owner_url)
    async with _initialised(served, issuer) as socket:
        await _subscribe(socket, "a", TICKS, id=str(ticks.transfer_id))
        await ticks.add(1)
        await _hear(socket)
        for payload in ("", "nonsense", f"{ticks.transfer_id}:x", f"{ticks.transfer_id}:1"):
            await owner.execute("select pg_notify('transfer_events', $1)", payload)
        await ticks.add(2)
        assert (await _hear(socket))["payload"]["data"]["ticks"]["seq"] == 2
    await owner.close()


async def test_a_client_that_completes_or_leaves_is_followed_no_more(
    served: Served, issuer: Issuer, ticks: Ticks
) -> None:
    hub = served.app.state.services.progress
    async with _initialised(served, issuer) as socket:
        await ticks.add(1)
        for identifier in ("a", "b"):
            await _subscribe(socket, identifier, TICKS, id=str(ticks.transfer_id))
            assert (await _hear(socket))["id"] == identifier
        assert hub.follower_count == 2
        await _say(socket, id="a", type="complete")
        await _say(socket, type="ping")
        assert await _hear(socket) == {"type": "pong"}
        assert hub.follower_count == 1
        await ticks.add(2)
        assert (await _hear(socket))["id"] == "b"
    for _ in range(100):
        if hub.follower_count == 0:
            break
        await asyncio.sleep(0.02)
    assert hub.follower_count == 0


async def test_errors_before_execution_end_the_operation_alone(served: Served, issuer: Issuer) -> None:
    async with _initialised(served, issuer) as socket:
        for query, message in (
            ("{ nothing }", "Cannot query field 'nothing' on type 'Query'."),
            ("{ greeting", "Syntax Error: Expected Name, found <EOF>."),
        ):
            await _subscribe(socket, "1", query)
            heard = await _hear(socket)
            assert (heard["type"], heard["id"]) == ("error", "1")
            assert [(e["message"], e["extensions"]) for e in heard["payload"]] == [
                (message, {"code": "VALIDATION_FAILED"})
            ]
        await _subscribe(socket, "1", "{ greeting }")
        assert (await _hear(socket))["payload"] == {"data": {"greeting": "hello world"}}


async def test_an_error_of_a_running_stream_ends_it_and_shows_nothing_of_its_cause(
    served: Served, issuer: Issuer
) -> None:
    async with _initialised(served, issuer) as socket:
        await _subscribe(socket, "1", "subscription { breaks }")
        assert (await _hear(socket))["payload"] == {"data": {"breaks": 1}}
        heard = await _hear(socket)
        assert (heard["type"], heard["payload"][0]["extensions"]["code"]) == ("error", "INTERNAL")
        assert "secret" not in json.dumps(heard)


async def test_without_a_token_public_fields_answer_and_others_are_unauthenticated(
    served: Served, ticks: Ticks
) -> None:
    async with _initialised(served, None) as socket:
        await _subscribe(socket, "1", "{ greeting }")
        assert (await _hear(socket))["payload"] == {"data": {"greeting": "hello world"}}
        assert (await _hear(socket))["type"] == "complete"
        await _subscribe(socket, "2", TICKS, id=str(ticks.transfer_id))
        heard = await _hear(socket)
        assert (heard["type"], heard["payload"][0]["extensions"]) == ("error", {"code": "UNAUTHENTICATED"})


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"exp": int(time.time()) - 1}, "The token has expired"),
        ({"iss": "https://other.example"}, "The token is of another issuer; expected https://issuer.example"),
    ],
)
async def test_a_bad_token_closes_with_4403(
    served: Served, issuer: Issuer, claims: dict[str, Any], reason: str
) -> None:
    async with _socket(served) as socket:
        await _say(socket, type="connection_init", payload={"authorization": f"Bearer {issuer.token(**claims)}"})
        assert await _end(socket) == (4403, reason)


async def test_a_token_that_expires_ends_the_socket(served: Served, issuer: Issuer, ticks: Ticks) -> None:
    async with _initialised(served, issuer, exp=time.time() + 1.5) as socket:
        await _subscribe(socket, "a", TICKS, id=str(ticks.transfer_id))
        assert await _end(socket) == (4403, "The token has expired")
    assert served.app.state.services.progress.follower_count == 0


@pytest.mark.parametrize("protocols", [("graphql-ws",), ("mqtt",)])
async def test_the_legacy_protocol_and_others_are_refused(served: Served, protocols: tuple[str, ...]) -> None:
    async with connect(served.ws_url, proxy=None) as socket:
        assert (await _end(socket))[0] == 4406
    headers = {"sec-websocket-protocol": ", ".join(protocols)}
    async with connect(served.ws_url, additional_headers=headers, proxy=None) as socket:
        assert await _end(socket) == (4406, "Subprotocol not acceptable: only graphql-transport-ws")


async def test_ours_is_chosen_among_several(served: Served) -> None:
    async with _socket(served, "graphql-ws", "graphql-transport-ws") as socket:
        assert socket.subprotocol == "graphql-transport-ws"


@pytest.mark.parametrize(
    ("messages", "end"),
    [
        (["{"], (4400, "Messages must be JSON")),
        (["[]"], (4400, "Messages must be JSON objects")),
        ([b"{}"], (4400, "Messages must be text")),
        (['{"type": "start"}'], (4400, "Unknown message type start")),
        (["{}"], (4400, "Unknown message type None")),
        (['{"type": "connection_init", "payload": 7}'], (4400, "The payload of connection_init must be an object")),
        (
            ['{"type": "connection_init", "payload": {"authorization": 7}}'],
            (4400, "authorization must be a string"),
        ),
        (['{"type": "connection_init"}', '{"type": "connection_init"}'], (4429, "Too many initialisation requests")),
        (['{"type": "subscribe", "id": "1", "payload": {"query": "{ greeting }"}}'], (4401, "Unauthorized")),
        (
            ['{"type": "connection_init"}', '{"type": "subscribe", "payload": {"query": "{ greeting }"}}'],
            (4400, "An operation needs an id, a string"),
        ),
        (
            ['{"type": "connection_init"}', '{"type": "subscribe", "id": "1", "payload": {}}'],
            (4400, "The parameter query is missing"),
        ),
        (
            ['{"type": "connection_init"}', '{"type": "subscribe", "id": "1"}'],
            (4400, "The request must be a JSON object"),
        ),
    ],
)
async def test_a_message_against_the_protocol_closes_with_its_code(
    served: Served, messages: list[str | bytes], end: tuple[int, str]
) -> None:
    async with _socket(served) as socket:
        for message in messages:
            await socket.send(message)
        assert await _end(socket) == end


async def test_an_id_in_use_closes_with_4409(served: Served, issuer: Issuer, ticks: Ticks) -> None:
    async with _initialised(served, issuer) as socket:
        for _ in range(2):
            await _subscribe(socket, "a", TICKS, id=str(ticks.transfer_id))
        assert await _end(socket) == (4409, "Subscriber for a already exists")


async def test_who_does_not_initialise_is_closed_with_4408(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.websocket.INIT_WITHIN_SECONDS", 0.3)
    async with _socket(served) as socket:
        await _say(socket, type="ping")
        assert await _hear(socket) == {"type": "pong"}
        assert await _end(socket) == (4408, "Connection initialisation timeout")


async def test_twenty_operations_run_on_one_connection_and_no_more(
    served: Served, issuer: Issuer, ticks: Ticks
) -> None:
    async with _initialised(served, issuer) as socket:
        for number in range(21):
            await _subscribe(socket, str(number), TICKS, id=str(ticks.transfer_id))
        heard = await _hear(socket)
        assert (heard["id"], heard["type"]) == ("20", "error")
        assert heard["payload"][0]["message"] == "At most 20 operations run on one connection"


async def test_a_message_that_is_too_large_closes_the_socket(served: Served, issuer: Issuer) -> None:
    async with _initialised(served, issuer) as socket:
        await socket.send("x" * (256 * 1024 + 1))
        assert (await _end(socket))[0] == 1009


async def test_a_gateway_that_stops_says_so_and_completes_nothing(served: Served, issuer: Issuer, ticks: Ticks) -> None:
    async with _initialised(served, issuer) as socket:
        await ticks.add(1)
        await _subscribe(socket, "a", TICKS, id=str(ticks.transfer_id))
        assert (await _hear(socket))["type"] == "next"
        served.server.should_exit = True
        with pytest.raises(ConnectionClosed) as closed:
            await asyncio.wait_for(socket.recv(), 5)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1012
        await asyncio.wait_for(asyncio.shield(served.serving), 5)
