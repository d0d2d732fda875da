"""The bank's outbox, read while the worker runs: messages are taken in, and what follows from them is carried on."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

import asyncpg

from activities.bank import Bank
from activities.bank.inbox import PLACE_SQL, take_in
from activities.bank.judging import leave_confirmed
from activities.bank.sending_home import send_due_home
from activities.bank.telling import Words
from activities.keyring import Keyring

log = logging.getLogger(__name__)

EVERY_SECONDS: Final = 2.0
AT_ONCE: Final = 100


class Poller:
    def __init__(self, pool: asyncpg.Pool, keyring: Keyring, bank: Bank, words: Words) -> None:
        self._pool = pool
        self._keyring = keyring
        self._bank = bank
        self._words = words

    async def run(self, *, every_seconds: float = EVERY_SECONDS) -> None:
        """Poll until cancelled. What fails, for the bank, PostgreSQL or Temporal is away, keeps nothing else from its turn."""
        works: tuple[Callable[[], Awaitable[int]], ...] = (
            self.read_outbox,
            self.leave_confirmed,
            self._words.tell_due,
            self.send_home,
        )
        while True:
            for work in works:
                try:
                    await work()
                except Exception:
                    log.exception("%s failed; it comes again in %.0f s", work.__name__, every_seconds)
            await asyncio.sleep(every_seconds)

    async def read_outbox(self) -> int:
        """Take in all that the outbox holds by now; how many messages there were."""
        count = 0
        while True:
            place = await self._pool.fetchval(PLACE_SQL)
            posted = await self._bank.messages(place, AT_ONCE)
            if not posted:
                return count
            if await take_in(self._pool, self._keyring, place, posted) is not None:
                count += len(posted)

    async def leave_confirmed(self) -> int:
        return await leave_confirmed(self._pool, self._keyring)

    async def send_home(self) -> int:
        return await send_due_home(self._pool, self._keyring, self._bank)
