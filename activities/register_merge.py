"""The SQL of a register load: the staged rows, the duplicates among them, and their merge into the enrolments.

A held row is kept, and is a conflict when the extract says otherwise, where a transfer moved past the extract: the
row was moved on the extract's day or later, or part of its balance is frozen for a transfer; and where what is held is
fresher than the extract.
"""

from dataclasses import dataclass
from datetime import date

import asyncpg

from activities.csv_file import RowError
from activities.register_rows import COLUMNS

_KEY = ("person_id", "region", "scheme")
_NAMES = ("name_sealed", "name_key")
# The columns of the file that are stored as they are.
PLAIN_COLUMNS = tuple(
    column for column in COLUMNS if column not in {"resident_id", "name", "region", "scheme", "contribution_months"}
)
STAGED_COLUMNS = ("line", "person_key", *_KEY, *_NAMES, "contribution_periods", "as_of", *PLAIN_COLUMNS)
_ENROLMENT_COLUMNS = STAGED_COLUMNS[2:]
_SAME_ROW = " and ".join(f"e.{column} = s.{column}" for column in _KEY)
_PASSED = "(e.moved_on >= $1 or e.frozen_fen > 0 or e.as_of > $1)"


def _stored(columns: tuple[str, ...]) -> tuple[str, ...]:
    """The columns of the enrolments that a file of these columns speaks about."""
    return (*_NAMES, "contribution_periods", *(column for column in PLAIN_COLUMNS if column in columns))


@dataclass(frozen=True)
class Conflict:
    """A row of the file that was not carried out, because what is held is ahead of it."""

    line: int
    region: str
    scheme: str
    transfer_no: str | None
    why: str

    def __str__(self) -> str:
        return f"line {self.line}, {self.region} {self.scheme}: {self.why}"


@dataclass(frozen=True)
class Merged:
    """How many enrolments a load added and changed."""

    inserted: int
    updated: int


async def stage(connection: asyncpg.Connection) -> None:
    """Make the empty temporary table `staged`, which ends with the transaction."""
    await connection.execute("set local work_mem = '64MB'")
    await connection.execute(
        "create temporary table staged on commit drop as"
        " select 0 as line, ''::bytea as person_key, e.* from enrolments e where false"
    )


async def duplicates(connection: asyncpg.Connection, limit: int) -> tuple[list[RowError], int]:
    """Staged lines that name the person, region and scheme of an earlier line: the first `limit`, and how many."""
    rows = await connection.fetch(
        "select s.line, d.first_line, count(*) over () as lines from staged s join ("
        "  select person_key, region, scheme, min(line) as first_line from staged"
        "  group by person_key, region, scheme having count(*) > 1"
        ") d using (person_key, region, scheme) where s.line > d.first_line order by s.line limit $1",
        limit,
    )
    errors = [
        RowError(row["line"], "resident_id", f"the same person, region and scheme as line {row['first_line']}")
        for row in rows
    ]
    return errors, rows[0]["lines"] if rows else 0


async def merge(connection: asyncpg.Connection, columns: tuple[str, ...], as_of: date) -> Merged:
    """Insert the staged rows and update the held ones that differ in one of the file's `columns`.

    In the order of the key, as whoever locks several enrolments must, so that no deadlock arises.
    """
    said = _stored(columns)
    await connection.execute("analyze staged")
    [row] = await connection.fetch(
        f"with merged as ("  # noqa: S608 - column names of our own schema
        f"  insert into enrolments as e ({', '.join(_ENROLMENT_COLUMNS)})"
        f"  select {', '.join(_ENROLMENT_COLUMNS)} from staged order by {', '.join(_KEY)}"
        f"  on conflict (person_id, region, scheme) do update"
        f"  set as_of = excluded.as_of, changed_at = clock_timestamp(), {', '.join(f'{column} = excluded.{column}' for column in said)}"
        f"  where {_differs('excluded', said)} and not coalesce({_PASSED}, false)"
        # An inserted row has no deleter; an updated one carries the lock of the conflict.
        f"  returning xmax = 0 as inserted"
        f") select count(*) filter (where inserted) as inserted, count(*) filter (where not inserted) as updated"
        f" from merged",
        as_of,
    )
    # Rows that say the same are fresher now.
    await connection.execute(
        f"update enrolments e set as_of = $1 from staged s"  # noqa: S608 - as above
        f" where {_SAME_ROW} and e.as_of < $1 and not ({_differs('s', said)})",
        as_of,
    )
    return Merged(row["inserted"], row["updated"])


async def conflicts(
    connection: asyncpg.Connection, columns: tuple[str, ...], as_of: date, limit: int
) -> tuple[tuple[Conflict, ...], int]:
    """After a merge, the staged rows that still say something else than is held: the first `limit`, and how many."""
    rows = await connection.fetch(
        f"select s.line, e.region, e.scheme, e.moved_on, e.moved_by, e.frozen_fen, e.as_of, count(*) over () as lines"  # noqa: S608 - as above
        f" from staged s join enrolments e on {_SAME_ROW} where {_differs('s', _stored(columns))}"
        f" order by s.line limit $1",
        limit,
    )
    return tuple(_conflict(row, as_of) for row in rows), rows[0]["lines"] if rows else 0


def _conflict(row: asyncpg.Record, as_of: date) -> Conflict:
    transfer = f"transfer {row['moved_by']}" if row["moved_by"] else "a transfer"
    if row["frozen_fen"] > 0:
        why = f"{row['frozen_fen']} fen are frozen for {transfer}"
    elif row["moved_on"] is not None and row["moved_on"] >= as_of:
        why = f"{transfer} moved the row on {row['moved_on']}, and the extract is as of {as_of}"
    else:
        why = f"older than what is held: held as of {row['as_of']}, the extract is as of {as_of}"
    by_transfer = row["frozen_fen"] > 0 or (row["moved_on"] is not None and row["moved_on"] >= as_of)
    return Conflict(row["line"], row["region"], row["scheme"], row["moved_by"] if by_transfer else None, why)


def _differs(said_by: str, columns: tuple[str, ...]) -> str:
    held, said = (", ".join(f"{table}.{column}" for column in columns) for table in ("e", said_by))
    return f"({held}) is distinct from ({said})"
