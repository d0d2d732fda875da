"""What moves money, or notes what the bank says of it, without being an activity: called here as the loops beside the worker do."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import asyncpg
from pydantic import BaseModel

from activities import contribution_load
from activities.bank.polling import Poller
from activities.bank.telling import Words
from activities.bank_words import note_bank_word
from activities.dispatch import regrow
from activities.keyring import Keyring
from activities.reopening import PATIENCE, open_again
from activities.residuals import ResidualSweep
from workflows.messages import BankNote, BankSaid, CommandOutcome

# The sandbox bank says that it has taken an order once it has looked at it for so long, and somewhat more.
UNTIL_TAKEN_SECONDS = 0.5

TO_SWEEP_SQL = """
select count(*) from late_contributions c join transfers t using (transfer_id)
 where c.state = 'AWAITS_SWEEP' and t.status = 'COMPLETED'
"""
GOING_HOME_SQL = "select count(*) from bank_entries where state = 'GOING_HOME'"
# Who waits for a word's next time waits here no longer.
UNTOLD_SQL = """
with untold as (update bank_words set next_attempt_at = clock_timestamp() where told_at is null returning reference)
select count(*) from untold
"""


class Nothing(BaseModel):
    """Said to what needs to be told nothing."""


class At(BaseModel, frozen=True):
    """The time that it is to be."""

    now: datetime


class Reopening(At, frozen=True):
    """What a completed case is opened again by."""

    no: str
    said: BankSaid


class Feed(At, frozen=True):
    """A feed of late contributions, as the file has it."""

    text: str


class Beside:
    """The errands beside the workflows. `temporal` counts what is asked of Temporal; `looks` into the database are not counted."""

    def __init__(self, url: str, pool: asyncpg.Pool, keyring: Keyring, bank: Any, temporal: Any, folder: Path) -> None:
        self._url = url
        self._pool = pool
        self._keyring = keyring
        self._temporal = temporal
        self._folder = folder
        words: Any = None
        self._poller = Poller(pool, keyring, bank, words)

    @property
    def errands(self) -> list[Callable[..., Awaitable[Any]]]:
        return [
            self.reopen_case,
            self.read_outbox,
            self.leave_confirmed,
            self.tell_due,
            self.send_due_home,
            self.sweep_late_contributions,
            self.load_contributions,
        ]

    async def reopen_case(self, given: Reopening) -> CommandOutcome:
        return await self._reopened(given.said, given.now)

    async def read_outbox(self, given: Nothing) -> int:  # noqa: ARG002 - as every errand's
        return await self._poller.read_outbox()

    async def leave_confirmed(self, given: Nothing) -> int:  # noqa: ARG002 - as above
        return await self._poller.leave_confirmed()

    async def tell_due(self, given: At) -> int:
        """Until every word is told, whatever it has to wait for."""

        async def reopen(said: BankSaid) -> CommandOutcome:
            return await self._reopened(said, given.now)

        words, told = Words(self._pool, _Case(self, given.now), reopen), 0
        while await self._look(UNTOLD_SQL):
            told += await words.tell_due()
        return told

    async def send_due_home(self, given: Nothing) -> int:  # noqa: ARG002 - as above
        """Until nothing is on its way home any more: handed in by one pass, asked after by the next."""
        gone = await self._poller.send_home()
        while await self._look(GOING_HOME_SQL):
            await asyncio.sleep(UNTIL_TAKEN_SECONDS)
            gone += await self._poller.send_home()
        return gone

    async def sweep_late_contributions(self, given: At) -> int:
        """A case that fails is logged by the sweep, and has its next turn in another one."""
        swept = await ResidualSweep(self._pool, self._temporal, self._keyring).sweep(given.now)
        if await self._look(TO_SWEEP_SQL):
            raise RuntimeError("what arrived late is not swept along yet")
        return swept

    async def load_contributions(self, given: Feed) -> int:
        file = self._folder / "feed.csv"
        file.write_text(given.text, "utf-8")
        report = await contribution_load.load_contributions(self._url, self._keyring, file, at=given.now)
        if report.error_count:
            raise RuntimeError(str(report.errors))
        return report.rows

    # ---------------------------------------------------------------- its parts

    async def note(self, no: str, said: BankSaid, now: datetime) -> None:
        """As the workflow of the case does that the signal has woken."""
        await self._temporal.signal(no, said)
        transfer_id, revision = await self._row("select transfer_id, revision from transfers where no = $1", no)
        note = BankNote(transfer_id=transfer_id, after_seq=revision, said=said, now=now)
        await note_bank_word(self._pool, self._keyring, note)

    async def _reopened(self, said: BankSaid, now: datetime) -> CommandOutcome:
        reopened = await open_again(self._pool, self._keyring, said, now)
        if reopened.state is not None:
            await regrow(self._temporal, reopened.state, timeout=PATIENCE)
        return reopened.outcome

    async def _look(self, sql: str) -> int:
        return int((await self._row(sql))[0])

    async def _row(self, sql: str, *values: object) -> Any:
        """Raises as a statement does when the database is away."""
        connection = await asyncpg.connect(self._url, connection_class=asyncpg.Connection)
        try:
            return await connection.fetchrow(sql, *values)
        finally:
            await connection.close()


class _Case:
    """The ear of every open case, at a time of its own."""

    def __init__(self, beside: Beside, now: datetime) -> None:
        self._beside = beside
        self._now = now

    async def tell(self, no: str, said: BankSaid) -> None:
        await self._beside.note(no, said, self._now)
