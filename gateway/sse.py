"""Subscriptions as server-sent events, one operation a connection.

https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md (distinct connections mode)
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

from starlette.types import Message, Receive, Send

from gateway.auth import Viewer
from gateway.context import RequestContext
from gateway.execution import Answer, refusal
from gateway.faults import Fault

KEEP_ALIVE_SECONDS: Final = 15.0
START: Final[Message] = {
    "type": "http.response.start",
    "status": 200,
    "headers": [
        (b"content-type", b"text/event-stream; charset=utf-8"),
        (b"cache-control", b"no-cache"),
        (b"x-accel-buffering", b"no"),
    ],
}
COMPLETE: Final = b"event: complete\ndata:\n\n"
KEEP_ALIVE: Final = b":\n\n"


async def send_one(send: Send, answer: Answer) -> None:
    """An operation that has one answer."""
    await send(START)
    await send(_body(_next(answer) + COMPLETE, more=False))


async def send_events(
    receive: Receive,
    send: Send,
    answers: AsyncIterator[Answer],
    context: RequestContext,
    ended: Callable[[Viewer], Awaitable[Fault]],
) -> None:
    """Send each answer as it comes, until the stream ends, the client leaves, the token ends or the gateway stops.

    `ended` waits for the end of the viewer's token. A gateway that stops ends the response without `complete`: the client comes back for the rest.
    """
    await send(START)
    await send(_body(KEEP_ALIVE))
    closing = context.progress.closing
    pumping = asyncio.create_task(_pump(send, answers))
    ending = asyncio.ensure_future(ended(context.viewer))
    others: list[asyncio.Future[Any]] = [
        ending,
        asyncio.create_task(_left(receive)),
        asyncio.create_task(closing.wait()),
        asyncio.create_task(_keep_alive(send)),
    ]
    try:
        done, _ = await asyncio.wait({pumping, *others}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (pumping, *others):
            task.cancel()
        await asyncio.gather(pumping, *others, return_exceptions=True)
    last = b""
    if pumping in done and not closing.is_set():
        last = COMPLETE
    elif ending in done:
        last = _next(refusal(ending.result(), context.language)) + COMPLETE
    await send(_body(last, more=False))


async def _pump(send: Send, answers: AsyncIterator[Answer]) -> None:
    async for answer in answers:
        await send(_body(_next(answer)))


async def _keep_alive(send: Send) -> None:
    while True:
        await asyncio.sleep(KEEP_ALIVE_SECONDS)
        await send(_body(KEEP_ALIVE))


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _next(answer: Answer) -> bytes:
    return b"event: next\ndata: " + answer.encoded() + b"\n\n"


def _body(body: bytes, *, more: bool = True) -> dict[str, Any]:
    return {"type": "http.response.body", "body": body, "more_body": more}
