"""The directory and the working calendar, which change by the year and must be seen at once when they do."""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Final

import asyncpg

from activities.reference import CalendarCache, RegionEntry, regions_on
from workflows.deadlines import Deadline, Pause, remaining_working_days, shanghai_date
from workflows.recounting import Recounting
from workflows.workdays import CalendarYear, WorkingCalendar

# How long the directory's rows are good for, and how long it may take until a new calendar or policy is seen.
FRESH: Final = timedelta(seconds=30)
LOOK_AGAIN: Final = timedelta(seconds=1)


@dataclass(frozen=True, eq=False)
class Reference:
    """The directory and the working calendar in force, as read at `read_at`; `editions` are all that were ever published."""

    regions: dict[str, RegionEntry]
    calendar: WorkingCalendar
    editions: tuple[CalendarYear, ...]
    read_at: datetime
    # Today and the due dates of open steps: few, asked for by every answer.
    _remaining: dict[tuple[str, date, date, tuple[Pause, ...]], int] = field(default_factory=dict)

    @cached_property
    def recounting(self) -> Recounting:
        """What open deadlines say by the calendar in force."""
        return Recounting(self.calendar)

    def remaining_working_days(self, deadline: Deadline, now: datetime, region: str) -> int:
        """As the agency of `region` counts."""
        key = region, shanghai_date(now), deadline.due_on, deadline.pauses
        known = self._remaining.get(key)
        if known is None:
            calendar = self.calendar.of_region(region)
            known = self._remaining[key] = remaining_working_days(deadline, now, calendar)
        return known


class ReferenceCache:
    """One process looks every second whether a calendar or a policy is new, and at the directory every 30 seconds."""

    def __init__(self) -> None:
        self._kept: dict[asyncpg.Pool, Reference] = {}
        self._looked_at: datetime | None = None
        self._calendar = CalendarCache()

    async def read(self, pool: asyncpg.Pool, now: datetime, *, anew: bool = False) -> Reference:
        """What is known, at most a second old; `anew`: what is in force at this moment."""
        kept, looked_at = self._kept.get(pool), self._looked_at
        if kept is not None and looked_at is not None and abs(now - looked_at) < LOOK_AGAIN and not anew:
            return kept
        # Said before the answer is there: one request asks, those beside it go on with what is known.
        self._looked_at = now
        async with pool.acquire() as connection:
            today = shanghai_date(now)
            calendar = await self._calendar.in_force(connection, today)
            if kept is not None and calendar is kept.calendar and abs(now - kept.read_at) < FRESH:
                return kept
            regions = await regions_on(connection, today)
        self._kept = {pool: Reference(regions, calendar, self._calendar.editions, now)}
        return self._kept[pool]
