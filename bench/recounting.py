"""A year's table that changes in flight: seconds until the worklist, and every open case, has its new date."""

import asyncio
import time
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple

import asyncpg

from activities.calendar_data import published_calendar
from activities.register_load import today_in_shanghai
from bench import figures
from bench.figures import Figure
from bench.system import System
from workflows.workdays import CalendarYear, DayOff

# What is slower has hung.
NOTED_WITHIN_SECONDS = 1_200.0
UNNOTED_SQL = """
select count(*) from transfers t
 where closed_at is null
   and not exists (select from transfer_events e where e.transfer_id = t.transfer_id and e.type = 'deadline_revised.1'
                      and e.event->'fact'->'after'->'editions' ? $1)
"""


class Recounted(NamedTuple):
    """`loaded_seconds` of the command, after which every reader sees the new dates; `noted_seconds` until every case has."""

    open_cases: int
    loaded_seconds: float
    noted_seconds: float


async def recount(system: System, working_days_ahead: int) -> Recounted:
    """Take a working day to come, inside the span of every case of today, from the year, and wait until all have noted it."""
    day = published_calendar().add_working_days(today_in_shanghai(), working_days_ahead)
    connection = await asyncpg.connect(system.info.postgres)
    try:
        open_cases = await connection.fetchval("select count(*) from transfers where closed_at is null")
        newest = await connection.fetch("select document from calendar_editions where year = $1", day.year)
        edition = _without(day, [CalendarYear.model_validate_json(each["document"]) for each in newest])
        path = system.data_dir / "edition.json"
        await asyncio.to_thread(_write, path, edition)
        began = time.monotonic()
        loaded_seconds = await system.command("calendar", "load", str(path))
        async with asyncio.timeout(NOTED_WITHIN_SECONDS):
            while await connection.fetchval(UNNOTED_SQL, edition.edition):
                await asyncio.sleep(0.5)
        return Recounted(open_cases, loaded_seconds, time.monotonic() - began)
    finally:
        await connection.close()


def recounting(few: Recounted, many: Recounted) -> list[Figure]:
    """The figures at many open cases, those at few as the baseline: both should grow as the cases do, and no faster."""
    baseline_is = f"{few.open_cases} open"
    said = f"with {many.open_cases:,} open"
    return [
        figures.of(f"calendar load {said}", "s", [many.loaded_seconds], [few.loaded_seconds], baseline_is=baseline_is),
        figures.of(
            f"new date noted by every case {said}",
            "s",
            [many.noted_seconds],
            [few.noted_seconds],
            baseline_is=baseline_is,
            ms_a_case=1000 * many.noted_seconds / many.open_cases,
        ),
    ]


def _write(path: Path, edition: CalendarYear) -> None:
    path.write_text(edition.model_dump_json(), "utf-8")


def _without(day: date, editions: list[CalendarYear]) -> CalendarYear:
    """The next edition of the day's year: the newest so far, and nobody works on `day`."""
    off = DayOff(date=day, name="调整")
    if not editions:
        first = {"notice": None, "published_on": day - timedelta(days=1), "source": "synthetic, for the benchmark"}
        return CalendarYear(year=day.year, edition=f"{day.year}.1", days_off=(off,), make_up_days=(), **first)
    newest = max(editions, key=lambda each: each.edition_number)
    days_off = sorted({each.date: each for each in (*newest.days_off, off)}.values(), key=lambda each: each.date)
    edition = f"{day.year}.{newest.edition_number + 1}"
    return newest.model_copy(
        update={
            "edition": edition,
            "days_off": tuple(days_off),
            "make_up_days": tuple(each for each in newest.make_up_days if each != day),
        }
    )
