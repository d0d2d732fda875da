"""Small pieces of HTTP that the endpoints share: what a client accepts, bounded bodies, JSON answers."""

import asyncio
import contextlib
from functools import lru_cache
from typing import Any, Final

import orjson
from starlette.types import Receive, Send

from gateway.faults import Refused

JSON: Final = "application/json"
GRAPHQL_RESPONSE: Final = "application/graphql-response+json"
EVENT_STREAM: Final = "text/event-stream"
# A body that is too large is read to its end and thrown away, else the client, still sending, never sees the answer.
DISCARD_WITHIN_SECONDS: Final = 5.0
MAX_DISCARDED_BYTES: Final = 64 * 1024 * 1024


class BodyTooLargeError(Exception):
    """More than the endpoint takes."""


@lru_cache(maxsize=256)
def accepted(accept: str) -> tuple[str, ...]:
    """The media types we can answer a GraphQL request with, in the order that an `Accept` value prefers.

    Without a preference it is `application/json`. An event stream has to be asked for by name.
    """
    if not accept.strip():
        return (JSON,)
    wanted: list[tuple[float, str]] = []
    for entry in accept[:1000].split(","):
        name, *parameters = (part.strip().lower() for part in entry.split(";"))
        quality = next((_quality(each) for each in parameters if each.startswith("q=")), 1.0)
        name = JSON if name in {"*/*", "application/*"} else name
        if quality > 0 and name in {JSON, GRAPHQL_RESPONSE, EVENT_STREAM}:
            wanted.append((quality, name))
    return tuple(dict.fromkeys(name for _, name in sorted(wanted, key=lambda each: -each[0])))


def _quality(parameter: str) -> float:
    try:
        return float(parameter[2:])
    except ValueError:
        return 0.0


@lru_cache(maxsize=256)
def is_json(content_type: str) -> bool:
    """Whether a `Content-Type` value says JSON in UTF-8."""
    name, *parameters = (part.strip().lower() for part in content_type.split(";"))
    charsets = [each[8:].strip('"') for each in parameters if each.startswith("charset=")]
    return name == JSON and all(charset == "utf-8" for charset in charsets)


async def read_body(headers: dict[bytes, bytes], receive: Receive, limit: int) -> bytes:
    """The request's body.

    Raises `BodyTooLargeError` over `limit` bytes, of which no more are kept in memory, and `Refused` when the client leaves or is
    late: what came until then may look like a whole request and must not be carried out.
    """
    length = headers.get(b"content-length", b"")
    if length.isdigit() and int(length) > limit:
        await _discard(receive)
        raise BodyTooLargeError
    chunks: list[bytes] = []
    received = 0
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Refused("请求未完整送达", "The request did not arrive whole")
        chunk = message.get("body", b"")
        received += len(chunk)
        more = message.get("more_body", False)
        if received > limit:
            if more:
                await _discard(receive)
            raise BodyTooLargeError
        chunks.append(chunk)
    return b"".join(chunks)


async def _discard(receive: Receive) -> None:
    received = 0
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(DISCARD_WITHIN_SECONDS):
            more = True
            while more and received <= MAX_DISCARDED_BYTES:
                message = await receive()
                received += len(message.get("body", b""))
                more = message.get("more_body", False)


def parse_json(body: bytes) -> Any:
    """Raises `Refused`."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Refused("请求体不是有效的 JSON", f"The body is not valid JSON: {str(error)[:100]}") from None


async def send_json(
    send: Send, status: int, value: Any, media_type: str = JSON, headers: tuple[tuple[bytes, bytes], ...] = ()
) -> None:
    body = orjson.dumps(value)
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [
                (b"content-type", media_type.encode() + b"; charset=utf-8"),
                (b"content-length", str(len(body)).encode()),
                (b"cache-control", b"no-store"),
                *headers,
            ],
        }
    )
    await send({"type": "http.response.body", "body": body})
