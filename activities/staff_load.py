"""Load an agency's directory of staff: the file is the whole directory, and takes the place of the one before it."""

from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import BinaryIO

import asyncpg

from activities.csv_batches import Faults, load_whole, read_batches, regions_in_force
from activities.csv_cells import RowRules
from activities.csv_file import HeaderError, RowError, read_header
from activities.staff_rows import LAYOUT, StaffRow, parse_row
from workflows.staff_identity import canonical_identity

# Any constant will do: it keeps two loads from running at once.
LOAD_LOCK = 4304

# One statement for each table: who stays keeps the day since which they are in the directory.
REMOVE_SQL = "delete from staff where region = $1 and not staff_key = any($2::text[]) returning staff_key"
WRITE_SQL = """
insert into staff (region, staff_key, staff_id, valid_from, ends_on) values ($1, $2, $3, $4, $5)
    on conflict (region, staff_key) do update
       set staff_id = excluded.staff_id, ends_on = excluded.ends_on, loaded_at = excluded.loaded_at
"""
HELD_SQL = """
select staff_key, staff_id, ends_on,
       array(select subject from staff_subjects s
              where s.region = staff.region and s.staff_key = staff.staff_key order by subject_key) as subjects
  from staff where region = $1
"""


class StaffLoadError(Exception):
    """The load cannot begin; the message says why."""


@dataclass(frozen=True)
class StaffReport:
    """What a load did, by persons; or with `errors`, at most the first 1,000, nothing."""

    rows: int
    added: int = 0
    changed: int = 0
    unchanged: int = 0
    removed: int = 0
    errors: tuple[RowError, ...] = ()
    error_count: int = 0


async def load_staff(database_url: str, path: Path, region: str, *, today: date, dry_run: bool = False) -> StaffReport:
    """Load the CSV file `path` as the directory of `region`, all or nothing: with any error, or with `dry_run`, nothing changes.

    Raises `StaffLoadError` for a region that is not in the directory of regions or while another load runs, `OSError` for
    the file, and `asyncpg.PostgresError`.
    """
    with path.open("rb") as file:
        try:
            columns = read_header(file, LAYOUT)
        except HeaderError as error:
            return StaffReport(0, errors=tuple(error.errors), error_count=len(error.errors))
        return await load_whole(
            database_url, lambda connection: _load(connection, file, columns, region, today), dry_run=dry_run
        )


async def _load(
    connection: asyncpg.Connection, file: BinaryIO, columns: tuple[str, ...], region: str, today: date
) -> StaffReport:
    if not await connection.fetchval("select pg_try_advisory_xact_lock($1)", LOAD_LOCK):
        raise StaffLoadError("another directory of staff is being loaded: try again when that has ended")
    regions = await regions_in_force(connection, today)
    if region not in regions:
        raise StaffLoadError(f"{region[:20]} is not a pooling region of the directory")
    errors, rows, lines = Faults(), list[tuple[int, StaffRow]](), 0
    async with aclosing(read_batches(file, columns, RowRules(regions, today), parse_row)) as batches:
        async for batch in batches:
            lines += batch.lines
            rows += batch.rows
            errors.add(batch.errors)
    if not lines:
        errors.add([RowError(1, None, "there is no row below the header")])
    errors.add(_names_of_two(rows))
    if errors.count:
        return StaffReport(lines, errors=errors.in_order(), error_count=errors.count)
    return await _write(connection, region, [row for _, row in rows], today)


def _names_of_two(rows: list[tuple[int, StaffRow]]) -> Iterator[RowError]:
    """A name, be it a staff id or a subject, belongs to one person."""
    owner: dict[str, int] = {}
    for line, row in rows:
        named = [("staff_id", row.staff_id), *(("subjects", each) for each in row.subjects)]
        for field, name in named:
            first = owner.setdefault(canonical_identity(name), line)
            if first != line:
                yield RowError(
                    line, field, f"{name[:40]!r} is a name of the person of line {first}; spelling does not count"
                )


async def _write(connection: asyncpg.Connection, region: str, rows: list[StaffRow], today: date) -> StaffReport:
    held = {
        row["staff_key"]: (row["staff_id"], row["ends_on"], _by_key(row["subjects"]))
        for row in await connection.fetch(HELD_SQL, region)
    }
    wanted = {canonical_identity(row.staff_id): (row.staff_id, row.ends_on, _by_key(row.subjects)) for row in rows}
    removed = await connection.fetch(REMOVE_SQL, region, list(wanted))
    changed = {key: entry for key, entry in wanted.items() if held.get(key) != entry}
    # A subject that goes from one person to another leaves the first before it comes to the second.
    await connection.execute(
        "delete from staff_subjects where region = $1 and staff_key = any($2::text[])", region, list(changed)
    )
    await connection.executemany(
        WRITE_SQL, [(region, key, staff_id, today, ends_on) for key, (staff_id, ends_on, _) in changed.items()]
    )
    await connection.executemany(
        "insert into staff_subjects (region, subject_key, subject, staff_key) values ($1, $2, $3, $4)",
        [(region, each, subject, key) for key, (*_, subjects) in changed.items() for each, subject in subjects.items()],
    )
    added = len(changed.keys() - held.keys())
    return StaffReport(
        len(rows),
        added=added,
        changed=len(changed) - added,
        unchanged=len(wanted) - len(changed),
        removed=len(removed),
    )


def _by_key(subjects: tuple[str, ...] | list[str]) -> dict[str, str]:
    return {canonical_identity(subject): subject for subject in subjects}
