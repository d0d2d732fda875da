"""Load an extract of the agencies' registers: one transaction, in bounded memory, an update and never a deletion.

Good rows are sealed and copied into a temporary table, a batch at a time; duplicates are found and the whole is merged
in SQL. From the first bad row on, nothing is sealed any more: the rest is only read, to list what is wrong with it.
"""

import io
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, date, datetime
from operator import attrgetter
from pathlib import Path
from typing import BinaryIO
from uuid import UUID, uuid4

import asyncpg
from pydantic import TypeAdapter

from activities.csv_batches import SHOWN, Faults, load_whole, read_batches, regions_in_force
from activities.csv_cells import RowRules
from activities.csv_file import HeaderError, RowError, read_header
from activities.keyring import DataKey, Keyring
from activities.people import name_key, open_name, seal_identity, seal_name
from activities.register_merge import PLAIN_COLUMNS, STAGED_COLUMNS, Conflict, conflicts, duplicates, merge, stage
from activities.register_rows import LAYOUT, RegisterRow, parse_row
from workflows.contribution import ContributionPeriod
from workflows.deadlines import SHANGHAI

# Any constant will do: it keeps two loads from running at once.
LOAD_LOCK = 4302

_plain_cells = attrgetter(*PLAIN_COLUMNS)
_PERIODS = TypeAdapter(tuple[ContributionPeriod, ...])


class RegisterLoadError(Exception):
    """The load cannot begin; the message says why."""


@dataclass(frozen=True)
class LoadReport:
    """What a load did, or with `errors` what keeps it from doing anything; of each list at most the first 1,000."""

    rows: int
    inserted: int
    updated: int
    unchanged: int
    conflicts: tuple[Conflict, ...]
    conflict_count: int
    errors: tuple[RowError, ...]
    error_count: int


@dataclass
class _Person:
    """A person known in this batch, with the sealed names that the registers hold by (region, scheme)."""

    person_id: UUID
    data_key: DataKey
    names: dict[tuple[str, str], bytes]


def today_in_shanghai() -> date:
    """The present day where the agencies are."""
    return datetime.now(UTC).astimezone(SHANGHAI).date()


async def load_register(
    database_url: str,
    keyring: Keyring,
    path: Path,
    *,
    as_of: date | None = None,
    dry_run: bool = False,
    on_progress: Callable[[int, int], None] = lambda _bytes, _rows: None,
) -> LoadReport:
    """Load the CSV file `path` of contract `stack.md`, as fresh as `as_of` (default: today in Asia/Shanghai).

    All or nothing: with any error in the report, or with `dry_run`, the database is as before. Rows that a transfer
    moved past, and rows older than what is held, are kept and reported as conflicts. A column that the file leaves out
    says nothing, and leaves what is held. `on_progress` hears (bytes read, rows read) after each batch.

    Raises `RegisterLoadError` when another load runs or `as_of` is in the future, `OSError` for the file, and
    `asyncpg.PostgresError`.
    """
    today = today_in_shanghai()
    as_of = as_of or today
    if as_of > today:
        raise RegisterLoadError(f"as of {as_of}: an extract cannot be newer than today, {today}")
    with path.open("rb", buffering=io.DEFAULT_BUFFER_SIZE * 32) as file:
        try:
            columns = read_header(file, LAYOUT)
        except HeaderError as error:
            return LoadReport(0, 0, 0, 0, (), 0, tuple(error.errors), len(error.errors))
        return await load_whole(
            database_url,
            lambda connection: _load(connection, keyring, file, columns, as_of, today, on_progress),
            dry_run=dry_run,
        )


async def _load(
    connection: asyncpg.Connection,
    keyring: Keyring,
    file: BinaryIO,
    columns: tuple[str, ...],
    as_of: date,
    today: date,
    on_progress: Callable[[int, int], None],
) -> LoadReport:
    if not await connection.fetchval("select pg_try_advisory_xact_lock($1)", LOAD_LOCK):
        raise RegisterLoadError("another extract is being loaded: try again when that has ended")
    await stage(connection)
    rules = RowRules(await regions_in_force(connection, today), today)
    errors, rows = Faults(), 0
    async with aclosing(read_batches(file, columns, rules, parse_row)) as batches:
        async for batch in batches:
            rows += batch.lines
            errors.add(batch.errors)
            await _stage_batch(connection, keyring, batch.rows, as_of, seal=not errors.count)
            on_progress(file.tell(), rows)
    if not rows:
        errors.add([RowError(1, None, "there is no row below the header")])
    errors.add(*await duplicates(connection, SHOWN))
    if errors.count:
        return LoadReport(rows, 0, 0, 0, (), 0, errors.in_order(), errors.count)
    merged = await merge(connection, columns, as_of)
    kept, kept_count = await conflicts(connection, columns, as_of, SHOWN)
    unchanged = rows - merged.inserted - merged.updated - kept_count
    return LoadReport(rows, merged.inserted, merged.updated, unchanged, kept, kept_count, (), 0)


async def _stage_batch(
    connection: asyncpg.Connection, keyring: Keyring, rows: list[tuple[int, RegisterRow]], as_of: date, *, seal: bool
) -> None:
    keyed = [(line, keyring.person_keys(row.resident_id), row) for line, row in rows]
    if seal:
        people = await _people(connection, keyring, {tuple(keys): row.resident_id for _, keys, row in keyed})
        records = [_record(line, keys[0], row, people[keys[0]], as_of) for line, keys, row in keyed]
    else:
        records = [(line, keys[0], None, row.region, row.scheme.value) for line, keys, row in keyed]
    width = len(STAGED_COLUMNS) if seal else 5
    await connection.copy_records_to_table("staged", records=records, columns=STAGED_COLUMNS[:width])


async def _people(
    connection: asyncpg.Connection, keyring: Keyring, resident_ids: dict[tuple[bytes, ...], str]
) -> dict[bytes, _Person]:
    """The persons of these numbers by the current keyed hash: those held, and new ones made for the rest.

    `resident_ids` has the keyed hashes of a number under all versions, the current one first.
    """
    people = await _known(connection, keyring, {key: keys[0] for keys in resident_ids for key in keys})
    new: list[tuple[UUID, bytes, str, bytes, bytes]] = []
    for (key, *_), number in resident_ids.items():
        if key not in people:
            wrapped, data_key = keyring.new_data_key()
            people[key] = _Person(uuid4(), data_key, {})
            new.append((people[key].person_id, key, keyring.current, wrapped, seal_identity(data_key, number)))
    made = await _insert_persons(connection, new)
    if len(made) < len(new):
        # Someone else entered these persons between the two statements: theirs stand.
        theirs = {key for _, key, *_ in new} - made
        people |= await _known(connection, keyring, {key: key for key in theirs})
    return people


async def _known(
    connection: asyncpg.Connection, keyring: Keyring, current_key: dict[bytes, bytes]
) -> dict[bytes, _Person]:
    rows = await connection.fetch(
        "select person_key, p.person_id, wrapped_key, region, scheme, name_sealed"
        " from persons p left join enrolments using (person_id) where person_key = any($1)",
        list(current_key),
    )
    people: dict[bytes, _Person] = {}
    for row in rows:
        key = current_key[row["person_key"]]
        if key not in people:
            people[key] = _Person(row["person_id"], keyring.unwrap(row["wrapped_key"]), {})
        if row["region"] is not None:
            people[key].names[row["region"], row["scheme"]] = row["name_sealed"]
    return people


async def _insert_persons(
    connection: asyncpg.Connection, persons: list[tuple[UUID, bytes, str, bytes, bytes]]
) -> set[bytes]:
    if not persons:
        return set()
    rows = await connection.fetch(
        "insert into persons (person_id, person_key, person_key_version, wrapped_key, resident_id_sealed)"
        " select * from unnest($1::uuid[], $2::bytea[], $3::text[], $4::bytea[], $5::bytea[])"
        " on conflict (person_key) do nothing returning person_key",
        *map(list, zip(*persons, strict=True)),
    )
    return {row["person_key"] for row in rows}


def _record(line: int, key: bytes, row: RegisterRow, person: _Person, as_of: date) -> tuple[object, ...]:
    held = person.names.get((row.region, row.scheme))
    # A name that did not change keeps its sealed form, so that SQL can see that it did not.
    same = held is not None and open_name(person.data_key, held) == row.name
    return (
        line,
        key,
        person.person_id,
        row.region,
        row.scheme.value,
        held if same else seal_name(person.data_key, row.name),
        name_key(person.data_key, row.name),
        _PERIODS.dump_json(row.contribution_months).decode(),
        as_of,
        *_plain_cells(row),
    )
