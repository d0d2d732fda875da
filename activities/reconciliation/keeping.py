"""What a run found, kept: a difference once however often it is found, and cleared by nothing but an event with a reason."""

import uuid
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Final, Literal, NamedTuple

import asyncpg
from pydantic import BaseModel

from activities.database import Connection
from activities.reconciliation.compare import ages, differences
from activities.reconciliation.kinds import Difference, DifferenceKind, Party
from activities.reconciliation.sources import pages
from activities.reference import calendar_in_force

# What happened before that was looked at then; what it left open is looked at again.
LOOKS_BACK: Final = timedelta(days=92)
# Any constant will do: it keeps two runs from writing at once.
RUN_LOCK: Final = 4304
AT_ONCE: Final = 500

OPEN_SQL: Final = """
select d.* from reconciliation_differences d
 where not exists (select from reconciliation_clearings c where c.difference_id = d.difference_id)
 order by d.difference_id
"""
# What a person cleared stays cleared while it is the same; what was gone and is there again is a row of its own.
KEEP_SQL: Final = """
insert into reconciliation_differences (cause, occurrence, run_id, kind, reference, transfer_no, party, region,
                                        expected_fen, found_fen, stands_since, ordered_on, found_on, basis)
select $1, 1 + (select count(*) from reconciliation_differences d where d.cause = $1), $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13
 where not exists (select from reconciliation_differences d left join reconciliation_clearings c using (difference_id)
                    where d.cause = $1 and c.how is distinct from 'CLEARED_BY_RUN')
"""
CLEAR_SQL: Final = """
insert into reconciliation_clearings (difference_id, how, reason, cleared_by, run_id)
select difference_id, $2, $3, $4, $5 from reconciliation_differences where difference_id = any($1)
"""
CLEARED_SQL: Final = """
select difference_id, reason, cleared_by, cleared_at from reconciliation_clearings
 where how = 'BY_HAND' order by cleared_at desc, difference_id desc
"""
RUN_SQL: Final = """
insert into reconciliation_runs (run_id, why, since, until, started_by, started_at, ledger_lines, bank_lines, register_lines,
                                 found, new, gone)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
"""
NEW_SQL: Final = "select count(*) from reconciliation_differences where run_id = $1"
Why = Literal["DAILY", "ON_DEMAND"]


class Run(BaseModel, frozen=True):
    """A run that is done. `new` of the `found` differences were not known before; `gone` were, and are no more."""

    run_id: uuid.UUID
    why: Why
    since: date
    until: date
    started_by: str
    started_at: datetime
    ledger_lines: int = 0
    bank_lines: int = 0
    register_lines: int = 0
    found: int = 0
    new: int = 0
    gone: int = 0


class OpenDifference(BaseModel, frozen=True):
    """A difference that nobody has cleared yet."""

    difference_id: int
    kind: DifferenceKind
    reference: str
    transfer_no: str | None
    party: Party
    region: str | None
    expected_fen: int
    found_fen: int
    stands_since: date
    ordered_on: date
    found_on: date
    basis: tuple[str, ...]


class NotOpenError(LookupError):
    """There is no open difference with this number."""


async def reconcile(
    reader: Connection, keeper: Connection, *, since: date, until: date, why: Why, started_by: str
) -> Run:
    """Hold the three streams of the days against each other and keep what does not agree.

    The reader, in no transaction yet, sees one instant of the database; the keeper is in the transaction that keeps all of
    the run or nothing. Memory is a page of each stream and the open differences. Raises `asyncpg.PostgresError`.
    """
    run = Run(
        run_id=uuid.uuid4(), why=why, since=since, until=until, started_by=started_by, started_at=datetime.now(UTC)
    )
    await keeper.execute("select pg_advisory_xact_lock($1)", RUN_LOCK)
    known = {row["cause"]: row for row in await keeper.fetch(OPEN_SQL)}
    age_of = ages(until, await calendar_in_force(reader, until))
    seen: set[str] = set()
    counts = {"ledger_lines": 0, "bank_lines": 0, "register_lines": 0, "found": 0}
    async with reader.transaction(isolation="repeatable_read", readonly=True):
        async for page in pages(reader, since, until):
            counts["ledger_lines"] += len(page.ledger)
            counts["bank_lines"] += len(page.bank)
            counts["register_lines"] += len(page.registers)
            found = list(differences(*page, age_of))
            counts["found"] += len(found)
            seen.update(each.cause for each in found)
            await _keep(keeper, run, [each for each in found if each.cause not in known])
    # A run that looks at fewer days, or only until an earlier one, says nothing of what lies outside them.
    gone = [
        row["difference_id"]
        for cause, row in known.items()
        if cause not in seen and row["stands_since"] >= since and row["found_on"] <= until
    ]
    reason = f"没有再出现于 {until} 的对账 · not found any more by the run until {until}"
    await keeper.execute(CLEAR_SQL, gone, "CLEARED_BY_RUN", reason, "platform", run.run_id)
    new = await keeper.fetchval(NEW_SQL, run.run_id)
    run = run.model_copy(update=counts | {"new": new, "gone": len(gone)})
    await keeper.execute(RUN_SQL, *run.model_dump().values())
    return run


async def _keep(keeper: Connection, run: Run, found: Sequence[Difference]) -> None:
    rows = [
        (
            each.cause, run.run_id, each.kind, each.reference, each.transfer_no, each.party, each.region,
            each.expected_fen, each.found_fen, each.on, each.ordered_on, run.until, each.basis_texts,
        )
        for each in found
    ]  # fmt: skip
    for start in range(0, len(rows), AT_ONCE):
        await keeper.executemany(KEEP_SQL, rows[start : start + AT_ONCE])


async def first_day(connection: Connection, until: date) -> date:
    """From where a run until that day looks when nobody says: the last quarter, and whatever stands open from before it."""
    oldest = min((row["stands_since"] for row in await connection.fetch(OPEN_SQL)), default=until)
    return min(oldest, until - LOOKS_BACK)


async def open_differences(connection: Connection) -> list[OpenDifference]:
    """What nobody has cleared, the oldest first."""
    rows = await connection.fetch(OPEN_SQL)
    return sorted(
        (OpenDifference.model_validate(dict(row)) for row in rows),
        key=lambda each: (each.stands_since, each.difference_id),
    )


class Cleared(NamedTuple):
    """A difference that was cleared by hand; `reason` as `free_text.seal_without_person` sealed it."""

    difference_id: int
    reason: str
    cleared_by: str
    cleared_at: datetime


async def cleared_by_hand(connection: Connection) -> list[Cleared]:
    """What was cleared by hand, the latest first."""
    return [Cleared(*row) for row in await connection.fetch(CLEARED_SQL)]


async def clear(connection: Connection, difference_id: int, *, reason: str, cleared_by: str) -> None:
    """Clear an open difference by hand, for a sealed `reason`. Raises `NotOpenError` when there is none, or it was cleared before."""
    try:
        done = await connection.execute(CLEAR_SQL, [difference_id], "BY_HAND", reason, cleared_by, None)
    except asyncpg.UniqueViolationError:
        raise NotOpenError(f"difference {difference_id} was cleared before") from None
    if done != "INSERT 0 1":
        raise NotOpenError(f"there is no difference {difference_id}")
