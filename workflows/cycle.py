"""The batch cycle of a region: on which day what is ordered today goes to the bank."""

import re
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Final

from workflows.workdays import WorkingCalendar

IMMEDIATE: Final = "immediate"
DAILY: Final = "daily"
# Every month has a 28th.
CYCLE_PATTERN: Final = "^(immediate|daily|monthly:([1-9]|1[0-9]|2[0-8]))$"


def send_on(cycle: str, ordered_on: date, calendar: WorkingCalendar) -> date | None:
    """The day on which an order of `ordered_on` is sent, by the payer's own calendar; None at once.

    `daily`: the next working day. `monthly:N`: the next batch day, which is the Nth or the first working day after it. What is
    ordered on a batch day is too late for that day's batch. Raises ValueError for what is no cycle.
    """
    if not re.fullmatch(CYCLE_PATTERN, cycle):
        raise ValueError(f"{cycle!r} is no remittance cycle")
    if cycle == IMMEDIATE:
        return None
    if cycle == DAILY:
        return calendar.next_working_day(ordered_on)
    batch_days = _batch_days(int(cycle.partition(":")[2]), ordered_on, calendar)
    return next(day for day in batch_days if day > ordered_on)


def _batch_days(n: int, around: date, calendar: WorkingCalendar) -> Iterator[date]:
    """The batch days from the month before `around` on: a long holiday moves one into the next month."""
    month = around.year * 12 + around.month - 2
    while True:
        day = date(month // 12, month % 12 + 1, n)
        # The first working day from the Nth on, the Nth included.
        yield calendar.next_working_day(day - timedelta(days=1))
        month += 1
