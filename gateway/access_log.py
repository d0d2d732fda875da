"""The read audit: who has looked at whose data, when, in which role, for which purpose, through which operation.

A resolver notes each look in memory. A task writes what was noted once a second, or as soon as 500 looks are there, so that an
answer waits for nothing. A clean stop writes everything; a process that is killed loses the looks of its last second.
While PostgreSQL is away the looks are kept, up to `CAPACITY`; then the oldest are dropped, logged and counted.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Iterable
from typing import Final

import asyncpg

from activities.keyring import Keyring
from gateway.access_log_rows import AccessLogWriter
from gateway.access_looks import Entry, Look, coalesced
from gateway.reachability import is_out_of_reach

EVERY_SECONDS: Final = 1.0
BATCH: Final = 500
CAPACITY: Final = 50_000
STOPS_WITHIN_SECONDS: Final = 5.0

log = logging.getLogger(__name__)


class AccessLog:
    """The looks of this process that are not written yet. `dropped` counts those that never will be."""

    def __init__(self, pool: asyncpg.Pool, keyring: Keyring, *, capacity: int = CAPACITY) -> None:
        self._writer = AccessLogWriter(pool, keyring)
        self._capacity = capacity
        self._noted: deque[Look] = deque()
        self._entries: deque[Entry] = deque()
        self._full = asyncio.Event()
        self._writing = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._away = False
        self.dropped = 0

    @property
    def waiting(self) -> int:
        """How many looks and coalesced entries are not written yet."""
        return len(self._noted) + len(self._entries)

    def note(self, look: Look) -> None:
        """Remember a look. This is all that an answer pays for itself."""
        noted = self._noted
        noted.append(look)
        if len(noted) >= BATCH:
            self._full.set()
            if self.waiting > self._capacity:
                self._drop_oldest()

    def start(self) -> None:
        """Write in the background until `stop`."""
        self._task = asyncio.create_task(self._keep_writing(), name="access log")

    async def stop(self) -> None:
        """Write everything that is noted. What PostgreSQL does not take within five seconds is lost, and logged."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOPS_WITHIN_SECONDS):
                await self.flush()
        if self.waiting:
            self._lose(self.waiting, "the gateway stops while PostgreSQL is away")

    async def flush(self) -> bool:
        """Write everything noted so far; False when PostgreSQL does not take it now. Then it is kept for the next attempt."""
        async with self._writing:
            while self._entries or self._noted:
                if not self._entries:
                    # An entry that was sent once stays as it is: should it have arrived, sending it again changes nothing.
                    self._entries.extend(coalesced(self._take(BATCH)))
                batch = list(self._entries)
                try:
                    unusable = await self._writer.write(batch)
                except Exception as error:  # noqa: BLE001 - whatever it is, the looks are kept and no reader pays for it
                    self._note_failure(error)
                    return False
                self._away = False
                # What was dropped meanwhile is not there any more.
                written = {entry.entry_id for entry in batch}
                while self._entries and self._entries[0].entry_id in written:
                    self._entries.popleft()
                if unusable:
                    self._lose(unusable, "PostgreSQL refuses them")
            return True

    async def _keep_writing(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(EVERY_SECONDS):
                    await self._full.wait()
            self._full.clear()
            if not await self.flush():
                await asyncio.sleep(EVERY_SECONDS)

    def _take(self, limit: int) -> Iterable[Look]:
        noted = self._noted
        return [noted.popleft() for _ in range(min(limit, len(noted)))]

    def _drop_oldest(self) -> None:
        """Make room for a tenth of the capacity, so that a flood is logged seldom."""
        dropping = self.waiting - self._capacity + self._capacity // 10
        for _ in range(dropping):
            (self._entries or self._noted).popleft()
        self._lose(dropping, "PostgreSQL is away")

    def _lose(self, count: int, why: str) -> None:
        self.dropped += count
        log.error("%d looks at personal data are not in the access log: %s", count, why)

    def _note_failure(self, error: Exception) -> None:
        if not self._away:
            # The driver's words can quote a value.
            known = is_out_of_reach(error)
            log.log(logging.WARNING if known else logging.ERROR, "the access log waits: %s", type(error).__name__)
        self._away = True
