"""Load the feed of late contributions: one transaction, in bounded memory, each contribution once by its id.

Good rows are copied into a temporary table, a batch at a time; repeats, and where each contribution stands, are found in
SQL. What is to be swept along is taken by the sweep beside the worker.
"""

import io
from collections import Counter
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import asyncpg

from activities.contribution_rows import LAYOUT, ContributionRow, parse_row
from activities.contribution_standing import FOLLOWED_SQL, STANDING_SQL
from activities.csv_batches import SHOWN, Faults, load_whole, read_batches, regions_in_force
from activities.csv_cells import RowRules
from activities.csv_file import HeaderError, RowError, read_header
from activities.keyring import Keyring
from workflows.deadlines import shanghai_date
from workflows.residuals import ContributionState

# Any constant will do: it keeps two loads of this feed from running at once.
LOAD_LOCK = 4303

STAGE_SQL = """
create temporary table staged (
    line int, contribution_id text, person_key bytea, person_keys bytea[], person_id uuid,
    region text, scheme text, month text, amount_fen bigint) on commit drop
"""
_COLUMNS = ("line", "contribution_id", "person_key", "person_keys", "region", "scheme", "month", "amount_fen")
# What tells one contribution from another: a person may be held under the key of another version.
_SAME = {
    "resident_id": "(a.person_key = b.person_key or a.person_key = any(b.person_keys))",
    "region": "a.region = b.region",
    "scheme": "a.scheme = b.scheme",
    "month": "a.month = b.month",
    "amount_fen": "a.amount_fen = b.amount_fen",
}
_DIFFERS = ", ".join(f"case when not {same} then '{name}' end" for name, same in _SAME.items())
# Lines `b` that name the id of an earlier line, or of a contribution that is held, and say something else of it.
CONTRADICTIONS_SQL = f"""
with earlier as (
    select distinct on (contribution_id) contribution_id, line, person_key, region, scheme, month, amount_fen
      from staged order by contribution_id, line),
said as (
    select b.line, 'line ' || a.line as where_said, array_remove(array[{_DIFFERS}], null) as differs
      from staged b join earlier a on a.contribution_id = b.contribution_id and a.line < b.line
     union all
    select b.line, 'the feed of ' || (a.received_at at time zone 'Asia/Shanghai')::date,
           array_remove(array[{_DIFFERS}], null)
      from staged b join late_contributions a using (contribution_id))
select *, count(*) over () as lines from (
    select distinct on (line) * from said where differs <> '{{}}' order by line, where_said) first
 order by line limit $1
"""  # noqa: S608 - our own columns
INSERT_SQL = f"""
with once as (select distinct on (contribution_id) *, $1::timestamptz as received_at from staged order by contribution_id, line),
inserted as (
    insert into late_contributions (contribution_id, person_key, person_key_version, person_id, region, scheme, month,
                                    amount_fen, received_at, state, transfer_id)
    select c.contribution_id, c.person_key, $2, c.person_id, c.region, c.scheme, c.month, c.amount_fen, c.received_at,
           {STANDING_SQL}, followed.transfer_id
      from once c {FOLLOWED_SQL}
        on conflict (contribution_id) do nothing returning state)
select state, count(*) as rows from inserted group by state
"""  # noqa: S608 - our own columns


class ContributionLoadError(Exception):
    """The load cannot begin; the message says why."""


@dataclass(frozen=True)
class ContributionReport:
    """What a load did: `taken` by state, and what had been loaded before; or with `errors`, at most the first 1,000, nothing."""

    rows: int
    taken: Counter[ContributionState] = field(default_factory=Counter)
    repeated: int = 0
    errors: tuple[RowError, ...] = ()
    error_count: int = 0


async def load_contributions(
    database_url: str,
    keyring: Keyring,
    path: Path,
    *,
    dry_run: bool = False,
    at: datetime | None = None,
    on_progress: Callable[[int, int], None] = lambda _bytes, _rows: None,
) -> ContributionReport:
    """Load the CSV file `path`, all or nothing: with any error in the report, or with `dry_run`, the database is as before.

    An id that was loaded before with the same content is skipped and counted; with another it is an error. The feed arrives
    at `at`, or now. `on_progress` hears (bytes read, rows read) after each batch.

    Raises `ContributionLoadError` when another load runs, `OSError` for the file, and `asyncpg.PostgresError`.
    """
    with path.open("rb", buffering=io.DEFAULT_BUFFER_SIZE * 32) as file:
        try:
            columns = read_header(file, LAYOUT)
        except HeaderError as error:
            return ContributionReport(0, errors=tuple(error.errors), error_count=len(error.errors))
        return await load_whole(
            database_url,
            lambda connection: _load(connection, keyring, file, columns, at or datetime.now(UTC), on_progress),
            dry_run=dry_run,
        )


async def _load(
    connection: asyncpg.Connection,
    keyring: Keyring,
    file: BinaryIO,
    columns: tuple[str, ...],
    now: datetime,
    on_progress: Callable[[int, int], None],
) -> ContributionReport:
    if not await connection.fetchval("select pg_try_advisory_xact_lock($1)", LOAD_LOCK):
        raise ContributionLoadError("another feed of contributions is being loaded: try again when that has ended")
    rules = RowRules(await regions_in_force(connection, shanghai_date(now)), shanghai_date(now))
    await connection.execute(STAGE_SQL)
    errors, rows = Faults(), 0
    async with aclosing(read_batches(file, columns, rules, parse_row)) as batches:
        async for batch in batches:
            rows += batch.lines
            errors.add(batch.errors)
            records = [_record(keyring, line, row) for line, row in batch.rows]
            await connection.copy_records_to_table("staged", records=records, columns=_COLUMNS)
            on_progress(file.tell(), rows)
    if not rows:
        errors.add([RowError(1, None, "there is no row below the header")])
    await connection.execute("analyze staged")
    contradictions = await connection.fetch(CONTRADICTIONS_SQL, SHOWN)
    errors.add(map(_contradiction, contradictions), contradictions[0]["lines"] if contradictions else 0)
    if errors.count:
        return ContributionReport(rows, errors=errors.in_order(), error_count=errors.count)
    await connection.execute(
        "update staged s set person_id = p.person_id from persons p where p.person_key = any(s.person_keys)"
    )
    counted = await connection.fetch(INSERT_SQL, now, keyring.current)
    taken = Counter({ContributionState(row["state"]): row["rows"] for row in counted})
    return ContributionReport(rows, taken, repeated=rows - taken.total())


def _record(keyring: Keyring, line: int, row: ContributionRow) -> tuple[object, ...]:
    keys = keyring.person_keys(row.resident_id)
    return (line, row.contribution_id, keys[0], keys, row.region, row.scheme.value, row.month, row.amount_fen)


def _contradiction(row: asyncpg.Record) -> RowError:
    differs = ", ".join(row["differs"])
    return RowError(row["line"], "contribution_id", f"{row['where_said']} has this id with another {differs}")
