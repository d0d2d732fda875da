"""The auditor: verifies the ledger in one read-only snapshot of the database after another, while work goes on.

The first snapshot verifies everything. Each later one verifies what has changed since: the cases that told of an event,
those with a new posting, money without a case; and goes on round the rest, so that old rows which nothing should have
touched are looked at again and again. Nothing it does makes anybody wait.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

import asyncpg

from activities.database import Connection
from activities.ledger.books import read_books, read_postings, read_unmatched
from activities.ledger.invariants import Broken, broken_in, broken_posting, broken_unmatched
from activities.records import CHANNEL

CASES_AT_ONCE: Final = 200
# How many of the rest a snapshot looks at beside what has changed.
ROUND_CASES: Final = 20
# Twenty snapshots a second at most; the rest of the machine is for work.
PACE_SECONDS: Final = 0.05
FIRST_ID: Final = UUID(int=0)

NEW_POSTINGS_SQL = """
select posting_id, transfer_id from ledger_postings
 where posting_id > $1 and not coalesce(pg_visible_in_snapshot(written_in, $2::text::pg_snapshot), true)
"""


@dataclass(frozen=True)
class Snapshot:
    """One verified snapshot; `broken` is all that was found broken in it."""

    number: int
    seconds: float
    cases: int
    postings: int
    broken: tuple[Broken, ...]


@dataclass
class Found:
    """What a snapshot has verified so far."""

    cases: int = 0
    postings: int = 0
    broken: list[Broken] = field(default_factory=list)


@dataclass
class Auditor:
    """Verifies by `connection`, which is its own. What it is told of by `told` is verified next."""

    connection: Connection
    told: set[UUID] = field(default_factory=set)
    _number: int = 0
    _seen: str | None = None
    # Every posting up to this id is decided: committed and seen, or never to come.
    _floor: int = 0
    # For each snapshot its end and the last id in it: once nobody works who began before that end, the ids are decided.
    _marks: deque[tuple[int, int]] = field(default_factory=deque)
    _case: UUID = FIRST_ID
    _unmatched: str = ""

    async def verify(self) -> Snapshot:
        """Verify the next snapshot: the first time everything, then what has changed and a part of the rest."""
        began, told = time.perf_counter(), self.told
        self.told = set()
        async with self.connection.transaction(isolation="repeatable_read", readonly=True):
            (row,) = await self.connection.fetch(
                """select pg_current_snapshot()::text as seen, pg_snapshot_xmin(pg_current_snapshot())::text::bigint as oldest,
                          pg_snapshot_xmax(pg_current_snapshot())::text::bigint as next,
                          (select coalesce(max(posting_id), 0) from ledger_postings) as last"""
            )
            found = Found()
            if self._seen is None:
                await self._all(found)
            else:
                await self._changed(found, self._seen, told)
        self._seen = row["seen"]
        self._settle(row["oldest"], row["next"], row["last"])
        self._number += 1
        return Snapshot(self._number, time.perf_counter() - began, found.cases, found.postings, tuple(found.broken))

    async def _all(self, found: Found) -> None:
        while cases := await self._next_cases(CASES_AT_ONCE):
            await self._cases(found, cases)
        while unmatched := await self._next_unmatched(CASES_AT_ONCE):
            await self._unmatched_money(found, unmatched)
        loose = await self.connection.fetch("select posting_id from ledger_postings where transfer_id is null")
        await self._loose(found, [row["posting_id"] for row in loose])

    async def _changed(self, found: Found, seen: str, told: set[UUID]) -> None:
        rows = await self.connection.fetch(NEW_POSTINGS_SQL, self._floor, seen)
        cases = told | {row["transfer_id"] for row in rows if row["transfer_id"] is not None}
        cases.update(await self._next_cases(ROUND_CASES))
        await self._cases(found, list(cases))
        await self._loose(found, [row["posting_id"] for row in rows if row["transfer_id"] is None])
        unmatched = await self.connection.fetch(
            "select distinct unmatched from ledger_entries where posting_id = any($1::bigint[]) and unmatched is not null",
            [row["posting_id"] for row in rows],
        )
        owners = {row["unmatched"] for row in unmatched} | set(await self._next_unmatched(ROUND_CASES))
        await self._unmatched_money(found, sorted(owners))

    async def _cases(self, found: Found, transfer_ids: Sequence[UUID]) -> None:
        if transfer_ids:
            books = await read_books(self.connection, transfer_ids)
            found.cases += len(books.cases)
            found.postings += sum(len(case.postings) for case in books.cases)
            found.broken += broken_in(books)

    async def _loose(self, found: Found, posting_ids: Sequence[int]) -> None:
        postings = await read_postings(self.connection, posting_ids)
        undone = {each.reverses for each in postings.values() if each.reverses is not None}
        reversed_ = await read_postings(self.connection, undone)
        found.postings += len(postings)
        for posting in postings.values():
            found.broken += broken_posting(posting, reversed_, None)

    async def _unmatched_money(self, found: Found, unmatched: Sequence[str]) -> None:
        if unmatched:
            for owner, entries in (await read_unmatched(self.connection, unmatched)).items():
                found.broken += broken_unmatched(owner, entries)

    async def _next_cases(self, count: int) -> list[UUID]:
        """The next cases of the round; none once at its end, and then from the beginning again."""
        rows = await self.connection.fetch(
            "select transfer_id from transfers where transfer_id > $1 order by 1 limit $2", self._case, count
        )
        self._case = rows[-1]["transfer_id"] if rows else FIRST_ID
        return [row["transfer_id"] for row in rows]

    async def _next_unmatched(self, count: int) -> list[str]:
        rows = await self.connection.fetch(
            "select distinct unmatched from ledger_entries where unmatched > $1 order by 1 limit $2",
            self._unmatched,
            count,
        )
        self._unmatched = rows[-1]["unmatched"] if rows else ""
        return [row["unmatched"] for row in rows]

    def _settle(self, oldest: int, following: int, last: int) -> None:
        """Ids come before transactions by a moment: a mark waits for the end of the snapshot after it."""
        if self._marks:
            self._marks[-1] = following, self._marks[-1][1]
        self._marks.append((following, last))
        while len(self._marks) > 1 and self._marks[0][0] <= oldest:
            self._floor = self._marks.popleft()[1]


async def snapshots(auditor: Auditor) -> AsyncIterator[Snapshot]:
    """One verified snapshot after another, without an end."""
    while True:
        began = time.perf_counter()
        yield await auditor.verify()
        await asyncio.sleep(max(0.0, began + PACE_SECONDS - time.perf_counter()))


@asynccontextmanager
async def open_auditor(url: str, *, told: bool) -> AsyncIterator[Auditor]:
    """An auditor on the database of `url`; where it is `told`, it listens for the events of the cases.

    Raises `OSError` or `asyncpg.PostgresError` when the database is not there.
    """
    connection = await asyncpg.connect(url)
    auditor = Auditor(connection)
    listening = await asyncpg.connect(url) if told else None

    def note(_connection: Any, _pid: int, _channel: str, payload: object) -> None:
        auditor.told.add(UUID(str(payload).partition(":")[0]))

    try:
        if listening is not None:
            await listening.add_listener(CHANNEL, note)
        yield auditor
    finally:
        await connection.close()
        if listening is not None:
            await listening.close()
