"""A file of rows taken in by batches, in bounded memory: the good rows with their line numbers, and what is wrong with the others."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from itertools import islice
from typing import BinaryIO, Generic, Protocol, TypeVar

import asyncpg

from activities.csv_cells import CsvRow, Parsed, RowRules
from activities.csv_file import Row, RowError, read_rows

SHOWN = 1_000
BATCH_ROWS = 2_000


@dataclass
class Batch(Generic[CsvRow]):
    """Some lines of the file: how many, the good ones with their numbers, and what is wrong with the others."""

    lines: int
    rows: list[tuple[int, CsvRow]]
    errors: list[RowError]


class _Reports(Protocol):
    @property
    def error_count(self) -> int: ...


Report = TypeVar("Report", bound=_Reports)


class Faults:
    """The first thousand faults, and how many there are."""

    def __init__(self) -> None:
        self.shown: list[RowError] = []
        self.count = 0

    def add(self, errors: Iterable[RowError], count: int | None = None) -> None:
        listed = list(errors)
        self.shown += listed[: SHOWN - len(self.shown)]
        self.count += len(listed) if count is None else count

    def in_order(self) -> tuple[RowError, ...]:
        return tuple(sorted(self.shown, key=lambda error: error.line))


async def read_batches(
    file: BinaryIO,
    columns: tuple[str, ...],
    rules: RowRules,
    parse: Callable[[dict[str, str], RowRules], Parsed[CsvRow]],
) -> AsyncGenerator[Batch[CsvRow], None]:
    """The lines below the header, each read by `parse`. The next batch is read while the caller takes in this one.

    To be closed (`contextlib.aclosing`) before the file is.
    """
    rows = read_rows(file, columns)

    def begin() -> asyncio.Task[Batch[CsvRow]]:
        return asyncio.create_task(asyncio.to_thread(lambda: _read_next(rows, rules, parse)))

    upcoming = begin()
    try:
        while (batch := await upcoming).lines:
            upcoming = begin()
            yield batch
    finally:
        await asyncio.gather(upcoming, return_exceptions=True)


def _read_next(
    rows: Iterator[Row | RowError], rules: RowRules, parse: Callable[[dict[str, str], RowRules], Parsed[CsvRow]]
) -> Batch[CsvRow]:
    batch: Batch[CsvRow] = Batch(0, [], [])
    for row in islice(rows, BATCH_ROWS):
        batch.lines += 1
        if isinstance(row, RowError):
            batch.errors.append(row)
            continue
        parsed = parse(row.cells, rules)
        if isinstance(parsed, list):
            batch.errors.extend(RowError(row.line, field, reason) for field, reason in parsed)
        else:
            batch.rows.append((row.line, parsed))
    return batch


async def load_whole(
    database_url: str, load: Callable[[asyncpg.Connection], Awaitable[Report]], *, dry_run: bool
) -> Report:
    """What `load` reports. What it did in the database stays only if the report has no error, and this is no `dry_run`."""
    connection = await asyncpg.connect(database_url)
    try:
        transaction = connection.transaction()
        await transaction.start()
        report = await load(connection)
        if dry_run or report.error_count:
            await transaction.rollback()
        else:
            await transaction.commit()
        return report
    finally:
        # An open transaction ends with its connection.
        await connection.close()


async def regions_in_force(connection: asyncpg.Connection, day: date) -> frozenset[str]:
    """Codes of the directory's pooling regions on `day`."""
    rows = await connection.fetch(
        "select code from pooling_regions where effective_from <= $1 and (effective_to is null or effective_to > $1)",
        day,
    )
    return frozenset(row["code"] for row in rows)
