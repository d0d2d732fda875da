"""A second reckoning of deadlines, which shares no code with `workflows/`: it reads the JSON tables and sorts days.

It writes down every working day of a table as a list of day numbers, once, and then picks: what the code under test walks,
this looks up.
"""

import json
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Sequence
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

TABLES = Path(__file__).parents[2] / "activities" / "data" / "calendar"
DAYS_BEFORE_DUE_SOON = 2
RUNGS = (1, 5)
# The last year that is written down: past it nobody asks.
LAST_YEAR = 2031

Table = dict[str, Any]
# The days after the first up to and including the last are left out.
Span = tuple[date, date]


class Answer(NamedTuple):
    """`counted` are all days that use up the period, the last of them `due_on`."""

    due_on: date
    due_soon_on: date
    provisional: bool
    counted: tuple[date, ...]
    escalate_on: tuple[date, ...]


@cache
def published() -> tuple[Table, ...]:
    """Every edition that comes with the package, as its file has it."""
    return tuple(json.loads(path.read_text("utf-8")) for path in sorted(TABLES.glob("2*.json")))


@cache
def _statutory() -> Table:
    table: Table = json.loads((TABLES / "statutory.json").read_text("utf-8"))
    return table


def in_force(tables: Iterable[Table]) -> list[Table]:
    """The highest edition of each year."""
    by_year: dict[int, list[Table]] = {}
    for table in tables:
        by_year.setdefault(table["year"], []).append(table)
    return [max(each, key=lambda table: int(table["edition"].split(".")[1])) for _, each in sorted(by_year.items())]


class Oracle:
    """The working days by `tables`, one edition a year, the years in a row, less a region's own days off."""

    def __init__(self, tables: Sequence[Table], overlay: Collection[date] = ()) -> None:
        first, last = tables[0]["year"], tables[-1]["year"]
        self._end_of_notices = date(last, 12, 31).toordinal()
        off = {_number(each["date"]) for table in tables for each in table["days_off"]}
        on = {_number(each) for table in tables for each in table["make_up_days"]}
        for year in range(last + 1, LAST_YEAR + 1):
            off |= {date(year, each["month"], each["day"]).toordinal() for each in _statutory()["fixed_days"]}
        lunar = {_number(each["date"]) for each in _statutory()["lunar_days"]}
        off |= {day for day in lunar if day > self._end_of_notices}
        regional = {day.toordinal() for day in overlay}
        from_first = {day for day in on if day >= date(first, 1, 1).toordinal()}
        self._working = sorted(((_weekdays(first) - off) | from_first) - regional)

    def deadline(self, start: date, budget: int, *, pauses: Sequence[Span] = ()) -> Answer:
        """The deadline of `budget` working days after `start`."""
        left_out: set[int] = set()
        for after, until in pauses:
            left_out.update(range(after.toordinal() + 1, until.toordinal() + 1))
        zero = start.toordinal()
        from_here = bisect_right(self._working, zero)
        # So many entries hold the period for certain, with the days left out and the rungs after it.
        enough = self._working[from_here : from_here + budget + len(left_out) + max(RUNGS)]
        counting = [day for day in enough if day not in left_out]
        counted = counting[:budget]
        # Backwards from the last day, and never before the start.
        soon = counted[-1 - DAYS_BEFORE_DUE_SOON] if budget > DAYS_BEFORE_DUE_SOON else zero
        return Answer(
            due_on=date.fromordinal(counted[-1]),
            due_soon_on=date.fromordinal(soon),
            provisional=counted[-1] > self._end_of_notices,
            counted=tuple(date.fromordinal(day) for day in counted),
            escalate_on=tuple(date.fromordinal(counting[budget - 1 + rung] + 1) for rung in RUNGS),
        )

    def is_working_day(self, day: date) -> bool:
        at = bisect_left(self._working, day.toordinal())
        return at < len(self._working) and self._working[at] == day.toordinal()


@cache
def _weekdays(first_year: int) -> frozenset[int]:
    """Monday to Friday, as day numbers: number 1, 1 January of the year 1, was a Monday."""
    every = range(date(first_year, 1, 1).toordinal(), date(LAST_YEAR, 12, 31).toordinal() + 1)
    return frozenset(day for day in every if (day - 1) % 7 < 5)


def _number(text: str) -> int:
    return date.fromisoformat(text).toordinal()
