"""The way to Temporal, which may be away: commands are taken all the same, reads never go there."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final
from uuid import UUID
from weakref import WeakValueDictionary

from temporalio.client import Client
from temporalio.service import RPCError

CONNECT_WITHIN_SECONDS: Final = 1.5
# Temporal admits ten updates of one workflow in flight. A crowd that keeps it at ten starves the case: each refusal can drop the
# task in which the others would be taken. Two gateways stay below.
UPDATES_OF_A_CASE_AT_ONCE: Final = 4


class TemporalUnavailableError(Exception):
    """Temporal did not answer in time. What was recorded stays recorded and is carried out later."""


class TemporalLink:
    """Connects at the first need, once for all, and again after a failure; a connection that stands mends itself."""

    def __init__(self, connect: Callable[[], Awaitable[Client]]) -> None:
        self._connect = connect
        self._client: Client | None = None
        self._connecting = asyncio.Lock()
        self._turns: WeakValueDictionary[UUID, asyncio.Semaphore] = WeakValueDictionary()

    def turn(self, transfer_id: UUID) -> asyncio.Semaphore:
        """The turnstile before a case: held while one of its steps is in Temporal's hands. The others wait, in the order they came."""
        return self._turns.setdefault(transfer_id, asyncio.Semaphore(UPDATES_OF_A_CASE_AT_ONCE))

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
