"""The directory and the working calendar, which change by the year: read now and then, not for each request."""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Final

import asyncpg

from activities.reference import RegionEntry, calendar_in_force, regions_on
from workflows.deadlines import Deadline, Pause, remaining_working_days, shanghai_date
from workflows.workdays import WorkingCalendar

FRESH: Final = timedelta(seconds=30)


@dataclass(frozen=True, eq=False)
class Reference:
    """The directory and the working calendar in force, as read at `read_at`."""

    regions: dict[str, RegionEntry]
    calendar: WorkingCalendar
    read_at: datetime
    # Today and the due dates of open steps, and the pauses in between: few of them, asked for by every answer.
    _remaining: dict[tuple[date, date, tuple[Pause, ...]], int] = field(default_factory=dict)

    def remaining_working_days(self, deadline: Deadline, now: datetime) -> int:
        key = shanghai_date(now), deadline.due_on, deadline.pauses
        known = self._remaining.get(key)
        if known is None:
            known = self._remaining[key] = remaining_working_days(deadline, now, self.calendar)
        return known


class ReferenceCache:
    """One process looks at reference data again every 30 seconds."""

    def __init__(self) -> None:
        self._kept: dict[asyncpg.Pool, Reference] = {}

    async def read(self, pool: asyncpg.Pool, now: datetime) -> Reference:
        kept = self._kept.get(pool)
        if kept is not None and abs(now - kept.read_at) < FRESH:
            return kept
        async with pool.acquire() as connection:
            regions = await regions_on(connection, shanghai_date(now))
            calendar = await calendar_in_force(connection)
        self._kept = {pool: Reference(regions, calendar, now)}
        return self._kept[pool]
