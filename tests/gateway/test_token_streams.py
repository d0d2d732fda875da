"""Streams and sockets: the token of a stream ends it, and a hostile token opens none."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.gateway.conftest import Issuer, Served, Ticks
from tests.gateway.tokens import Holder, good_header, signed

WITHDRAWN = "The token's key is no longer its issuer's; sign in again"
TICKS = "subscription($id: ID!) { ticks(transferId: $id) { seq } }"


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A minute passes in a tenth of a second."""
    monkeypatch.setattr("gateway.auth.CHECK_AGAIN_SECONDS", 0.05)
    monkeypatch.setattr("gateway.jwks.FRESH_SECONDS", 0.05)
    monkeypatch.setattr("gateway.jwks.LOOK_AGAIN_SECONDS", 0.0)


@asynccontextmanager
async def _socket(served: Served, payload: object) -> AsyncIterator[ClientConnection]:
    offered = [Subprotocol("graphql-transport-ws")]
    async with connect(served.ws_url, subprotocols=offered, proxy=None) as socket:
        await socket.send(json.dumps({"type": "connection_init", "payload": payload}))
        yield socket


async def _hear(socket: ClientConnection) -> dict[str, Any]:
    heard: dict[str, Any] = json.loads(await asyncio.wait_for(socket.recv(), 5))
    return heard


async def _end(socket: ClientConnection) -> tuple[int | None, str | None]:
    await asyncio.wait_for(socket.wait_closed(), 5)
    return socket.close_code, socket.close_reason


def _withdraw(environment: dict[str, str]) -> None:
    Path(environment["YIBAO_OIDC_JWKS"]).write_text(json.dumps(Issuer().jwks))


@pytest.mark.usefixtures("_impatient")
async def test_a_key_that_leaves_closes_the_sockets_opened_with_it(
    served: Served, issuer: Issuer, ticks: Ticks, environment: dict[str, str]
) -> None:
    await ticks.add(1)
    async with _socket(served, {"authorization": f"Bearer {issuer.token()}"}) as socket:
        assert await _hear(socket) == {"type": "connection_ack"}
        subscribe = {"query": TICKS, "variables": {"id": str(ticks.transfer_id)}}
        await socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": subscribe}))
        assert (await _hear(socket))["payload"] == {"data": {"ticks": {"seq": 1}}}
        await asyncio.sleep(0.3)
        await ticks.add(2)
        assert (await _hear(socket))["payload"] == {"data": {"ticks": {"seq": 2}}}
        _withdraw(environment)
        assert await _end(socket) == (4403, WITHDRAWN)


@pytest.mark.usefixtures("_impatient")
async def test_a_key_that_leaves_ends_the_event_streams_opened_with_it(
    served: Served, issuer: Issuer, ticks: Ticks, environment: dict[str, str]
) -> None:
    await ticks.add(1)
    headers = issuer.bearer() | {"accept": "text/event-stream", "accept-language": "en"}
    body = {"query": TICKS, "variables": {"id": str(ticks.transfer_id)}}
    async with (
        httpx.AsyncClient(trust_env=False) as client,
        client.stream("POST", served.url, json=body, headers=headers) as response,
    ):
        seen = []
        async with asyncio.timeout(5):
            async for line in response.aiter_lines():
                if line.startswith("data: "):
                    seen.append(json.loads(line[6:]))
                    _withdraw(environment)
    assert seen == [
        {"data": {"ticks": {"seq": 1}}},
        {"errors": [{"message": WITHDRAWN, "extensions": {"code": "UNAUTHENTICATED"}}]},
    ]


async def test_a_hostile_token_opens_no_socket_and_leaves_no_traceback(
    served: Served, issuer: Issuer, caplog: pytest.LogCaptureFixture
) -> None:
    hostile = [
        (signed(issuer, good_header(issuer) | {"alg": ["x"]}, issuer.claims()), "The alg in the token's header"),
        (signed(issuer, good_header(issuer), issuer.claims() | {"exp": float("nan")}), "The token's payload is not"),
        (signed(issuer, good_header(issuer), issuer.claims() | {"region": "\ud800"}), "The token's payload is not"),
    ]
    with caplog.at_level(logging.DEBUG, "gateway"):
        for token, why in hostile:
            async with _socket(served, {"authorization": f"Bearer {token}"}) as socket:
                code, reason = await _end(socket)
            assert (code, (reason or "").startswith(why)) == (4403, True)
        for payload, reason in (
            ({"authorization": ["Bearer x"]}, "authorization must be a string"),
            ({"authorization": {"a": 1}}, "authorization must be a string"),
            ({"authorization": 5}, "authorization must be a string"),
            ({"authorization": "Bearer x", "dpop": ["a"]}, "dpop must be a string"),
            (["authorization"], "The payload of connection_init must be an object"),
        ):
            async with _socket(served, payload) as socket:
                assert await _end(socket) == (4400, reason)
    assert [record for record in caplog.records if record.exc_info] == []


async def test_a_bound_token_opens_a_socket_with_a_proof_for_its_address(served: Served, issuer: Issuer) -> None:
    holder = Holder()
    token = issuer.token(cnf={"jkt": holder.thumbprint})
    address = "http://127.0.0.1:8000/graphql"
    proof = holder.proof(token, htm="GET", htu=address)
    authorization = f"DPoP {token}"
    async with _socket(served, {"authorization": authorization, "dpop": proof}) as socket:
        assert await _hear(socket) == {"type": "connection_ack"}
    for bad, why in (
        (proof, "The DPoP proof was used before: make a proof for each request"),
        (holder.proof(token, htu=address), "The DPoP proof is for another method: htm must be GET"),
        (None, "A proof is missing: send one in the header DPoP"),
    ):
        async with _socket(served, {"authorization": authorization, "dpop": bad}) as socket:
            assert await _end(socket) == (4403, why)
