"""The way to Temporal, which may be away: commands are taken all the same, reads never go there."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from temporalio.client import Client
from temporalio.service import RPCError

CONNECT_WITHIN_SECONDS: Final = 1.5


class TemporalUnavailableError(Exception):
    """Temporal did not answer in time. What was recorded stays recorded and is carried out later."""


class TemporalLink:
    """Connects at the first need, once for all, and again after a failure; a connection that stands mends itself."""

    def __init__(self, connect: Callable[[], Awaitable[Client]]) -> None:
        self._connect = connect
        self._client: Client | None = None
        self._connecting = asyncio.Lock()

    async def client(self) -> Client:
        """The client, within 1.5 s. Raises `TemporalUnavailableError`.

        A client in hand says nothing about the server's being there now: bound each call of it too.
        """
        if self._client is not None:
            return self._client
        try:
            async with asyncio.timeout(CONNECT_WITHIN_SECONDS), self._connecting:
                if self._client is None:
                    self._client = await self._connect()
                return self._client
        except (TimeoutError, OSError, RuntimeError, RPCError) as error:
            # The SDK says that it could not connect with a RuntimeError.
            raise TemporalUnavailableError(str(error)) from error
