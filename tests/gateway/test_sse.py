"""Subscriptions as server-sent events, over a real connection."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from tests.gateway.conftest import Issuer, Served, Ticks

TICKS = "subscription($id: ID!, $after: Int! = 0) { ticks(transferId: $id, afterSeq: $after) { seq } }"
END = ("", "")


class Stream:
    """One event stream, read event by event."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self._lines = response.aiter_lines()

    async def event(self) -> tuple[str, str]:
        """The next event's name and data, comments left out; empty at the stream's end."""
        name = data = ""
        async with asyncio.timeout(5):
            async for line in self._lines:
                if line.startswith("event: "):
                    name = line[7:]
                elif line.startswith("data:"):
                    data = line[5:].strip()
                elif not line and name:
                    return name, data
        return END

    async def seq(self) -> int:
        name, data = await self.event()
        assert name == "next"
        return int(json.loads(data)["data"]["ticks"]["seq"])


@asynccontextmanager
async def _stream(served: Served, headers: dict[str, str], query: str, **variables: Any) -> AsyncIterator[Stream]:
    async with (
        httpx.AsyncClient(trust_env=False) as client,
        client.stream(
            "POST",
            served.url,
            json={"query": query, "variables": variables},
            headers={"accept": "text/event-stream", "accept-language": "en"} | headers,
        ) as response,
    ):
        yield Stream(response)


async def test_events_come_from_the_past_and_live_and_the_stream_completes(
    served: Served, issuer: Issuer, ticks: Ticks
) -> None:
    await ticks.add(1, 2, 3)
    async with _stream(served, issuer.bearer(), TICKS, id=str(ticks.transfer_id), after=1) as stream:
        assert stream.response.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert stream.response.headers["cache-control"] == "no-cache"
        assert [await stream.seq(), await stream.seq()] == [2, 3]
        await ticks.add(100)
        assert await stream.seq() == 100
        assert await stream.event() == ("complete", "")
        assert await stream.event() == END


async def test_a_client_that_comes_back_with_its_last_seq_misses_nothing(
    served: Served, issuer: Issuer, ticks: Ticks
) -> None:
    await ticks.add(1)
    async with _stream(served, issuer.bearer(), TICKS, id=str(ticks.transfer_id)) as stream:
        last = await stream.seq()
    await ticks.add(2, 3)
    async with _stream(served, issuer.bearer(), TICKS, id=str(ticks.transfer_id), after=last) as stream:
        assert [await stream.seq(), await stream.seq()] == [2, 3]
    for _ in range(100):
        if served.app.state.services.progress.follower_count == 0:
            break
        await asyncio.sleep(0.02)
    assert served.app.state.services.progress.follower_count == 0


async def test_a_query_has_one_answer(served: Served, issuer: Issuer) -> None:
    async with _stream(served, issuer.bearer(), "{ me }") as stream:
        assert await stream.event() == ("next", '{"data":{"me":"clerk-1 en"}}')
        assert await stream.event() == ("complete", "")
        assert await stream.event() == END


async def test_a_subscription_streams_wherever_an_event_stream_is_acceptable(
    served: Served, issuer: Issuer, ticks: Ticks
) -> None:
    await ticks.add(100)
    headers = issuer.bearer() | {"accept": "application/json, text/event-stream"}
    async with _stream(served, headers, TICKS, id=str(ticks.transfer_id)) as stream:
        assert await stream.seq() == 100


@pytest.mark.parametrize(
    ("headers", "query", "message", "code"),
    [
        ({}, "{ nothing }", "Cannot query field 'nothing' on type 'Query'.", "VALIDATION_FAILED"),
        ({}, TICKS, "This needs a bearer token", "UNAUTHENTICATED"),
        ({"authorization": "Bearer x"}, "{ greeting }", "The token is malformed: not a JWT", "UNAUTHENTICATED"),
    ],
)
async def test_a_refusal_is_the_only_event(
    served: Served, ticks: Ticks, headers: dict[str, str], query: str, message: str, code: str
) -> None:
    variables = {"id": str(ticks.transfer_id)} if query == TICKS else {}
    async with _stream(served, headers, query, **variables) as stream:
        name, data = await stream.event()
        [error] = json.loads(data)["errors"]
        assert (name, error["message"], error["extensions"]) == ("next", message, {"code": code})
        assert await stream.event() == ("complete", "")


async def test_a_quiet_stream_is_kept_alive(
    served: Served, issuer: Issuer, ticks: Ticks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.sse.KEEP_ALIVE_SECONDS", 0.1)
    async with _stream(served, issuer.bearer(), TICKS, id=str(ticks.transfer_id)) as stream:
        comments = 0
        async with asyncio.timeout(5):
            async for line in stream.response.aiter_lines():
                comments += line == ":"
                if comments == 3:
                    break
        assert comments == 3


async def test_a_token_that_expires_ends_the_stream(served: Served, issuer: Issuer, ticks: Ticks) -> None:
    async with _stream(served, issuer.bearer(exp=time.time() + 1.5), TICKS, id=str(ticks.transfer_id)) as stream:
        name, data = await stream.event()
        assert (name, json.loads(data)["errors"]) == (
            "next",
            [{"message": "The token has expired", "extensions": {"code": "UNAUTHENTICATED"}}],
        )
        assert await stream.event() == ("complete", "")


async def test_a_gateway_that_stops_ends_the_stream_without_completing_it(
    served: Served, issuer: Issuer, ticks: Ticks
) -> None:
    await ticks.add(1)
    async with _stream(served, issuer.bearer(), TICKS, id=str(ticks.transfer_id)) as stream:
        assert await stream.seq() == 1
        served.server.should_exit = True
        assert await stream.event() == END
    await asyncio.wait_for(asyncio.shield(served.serving), 5)
