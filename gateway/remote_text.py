"""Text from a file or from an address, within a bounded time: the issuer's keys, and its list of what it revoked."""

import asyncio
import ssl
from functools import cache
from pathlib import Path
from typing import Final

import httpx

# For one address, from the first packet to the last: an answer that trickles must not hold up who waits for it.
WITHIN_SECONDS: Final = 3.0
MAX_BYTES: Final = 8 * 1024 * 1024


@cache
def _trusted_authorities() -> ssl.SSLContext:
    """Read once: it takes some 20 ms, and every request would read them again."""
    return ssl.create_default_context()


def new_client() -> httpx.AsyncClient:
    """A client for a few requests. Follows no redirect."""
    return httpx.AsyncClient(timeout=WITHIN_SECONDS, verify=_trusted_authorities())


def is_address(source: str) -> bool:
    return source.startswith(("https://", "http://"))


async def read_address(client: httpx.AsyncClient, address: str) -> str:
    """Raises `httpx.HTTPError`, `TimeoutError`, and `ValueError` for an answer that is too large."""
    async with asyncio.timeout(WITHIN_SECONDS), client.stream("GET", address) as answer:
        answer.raise_for_status()
        received = bytearray()
        async for chunk in answer.aiter_bytes():
            received += chunk
            if len(received) > MAX_BYTES:
                raise ValueError(f"the answer of {address} is over {MAX_BYTES} bytes")
    return received.decode()


async def read_text(source: str) -> str:
    """Of a path or an address. Raises `OSError`, `ValueError`, `httpx.HTTPError`."""
    if not is_address(source):
        return Path(source).read_text("utf-8")
    async with new_client() as client:
        return await read_address(client, source)
