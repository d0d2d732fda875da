"""The proof of a deadline: every day of its span, counted or skipped, and why; anybody can count it again.

A deadline is proven by the editions that it names, also when newer ones are in force since.
"""

from collections.abc import Iterable
from datetime import date, timedelta
from enum import StrEnum
from typing import NamedTuple

from workflows.deadlines import Deadline, Pause
from workflows.workdays import SATURDAY, CalendarYear, StatutoryDays, WorkingCalendar

ONE_DAY = timedelta(days=1)


class DayReason(StrEnum):
    """Why a day uses up a day of the period, or does not."""

    WORKING_DAY = "WORKING_DAY"
    MAKE_UP_DAY = "MAKE_UP_DAY"
    WEEKEND = "WEEKEND"
    STATUTORY_HOLIDAY = "STATUTORY_HOLIDAY"
    REGIONAL_HOLIDAY = "REGIONAL_HOLIDAY"
    PAUSED = "PAUSED"


COUNTED = (DayReason.WORKING_DAY, DayReason.MAKE_UP_DAY)


class ProofDay(NamedTuple):
    """One day. `nth` is the how-manieth of the period it is, None for a day that is skipped.

    `name` is a holiday's, or the pause's reason.
    """

    date: date
    reason: DayReason
    nth: int | None = None
    name: str | None = None


class Proof(NamedTuple):
    """A deadline counted again, day by day: the last of `days` is `due_on`. `editions` are those counted by, by year."""

    deadline: Deadline
    days: tuple[ProofDay, ...]
    editions: tuple[CalendarYear, ...]
    provisional: bool

    @property
    def due_on(self) -> date:
        return self.days[-1].date

    @property
    def holds(self) -> bool:
        """Whether counting again comes to what the deadline says."""
        return (self.due_on, self.provisional) == (self.deadline.due_on, self.deadline.provisional)


class EditionMissingError(LookupError):
    """A deadline names an edition that is not at hand."""


def prove(deadline: Deadline, editions: Iterable[CalendarYear], statutory: StatutoryDays) -> Proof:
    """Count `deadline` again by those of `editions`, all there are, that it names. Raises `EditionMissingError`."""
    named = _named(deadline, {each.edition: each for each in editions})
    calendar = WorkingCalendar(years=named, statutory=statutory, overlay=deadline.regional_days_off)
    # A pause that lasts is proven as it is counted: as if it had ended at once.
    closed = tuple(each for each in deadline.pauses if each.to_on is not None)
    days: list[ProofDay] = []
    day, nth = deadline.starts_on, 0
    while nth < deadline.working_days:
        day += ONE_DAY
        reason, name = reason_of(day, calendar, closed)
        nth += reason in COUNTED
        days.append(ProofDay(day, reason, nth if reason in COUNTED else None, name))
    return Proof(deadline, tuple(days), named, provisional=not calendar.published(day))


def reason_of(day: date, calendar: WorkingCalendar, pauses: tuple[Pause, ...]) -> tuple[DayReason, str | None]:
    """Why `day` counts or is skipped, and the holiday's name; a pause skips only what would have counted."""
    reason, name = _of_calendar(day, calendar)
    if reason in COUNTED:
        for pause in pauses:
            if pause.covers(day):
                return DayReason.PAUSED, pause.reason
    return reason, name


def _of_calendar(day: date, calendar: WorkingCalendar) -> tuple[DayReason, str | None]:
    """The State Council's word comes first; a region's own day off is the reason where people would work without it."""
    weekend, make_up = day.weekday() >= SATURDAY, day in calendar.make_up_days
    name = calendar.name_of_day_off(day)
    if name is not None and not (weekend and make_up):
        return DayReason.STATUTORY_HOLIDAY, name
    if weekend and not make_up:
        return DayReason.WEEKEND, None
    if day in calendar.overlay_days:
        return DayReason.REGIONAL_HOLIDAY, calendar.overlay_days[day]
    return (DayReason.MAKE_UP_DAY if weekend else DayReason.WORKING_DAY), None


def _named(deadline: Deadline, editions: dict[str, CalendarYear]) -> tuple[CalendarYear, ...]:
    names = deadline.editions or _presumed(deadline, editions)
    missing = [name for name in names if name not in editions]
    if missing:
        raise EditionMissingError(f"no edition {', '.join(missing)} of the working-day table is at hand")
    return tuple(editions[name] for name in names)


def _presumed(deadline: Deadline, editions: dict[str, CalendarYear]) -> tuple[str, ...]:
    """The editions of a deadline of the first release, which named that of its end only: with it, its neighbours' newest.

    The year after belongs to it when its notice names a December day of the span, and was out when the clock started.
    """
    own = editions.get(deadline.calendar_edition)
    if own is None:
        return (deadline.calendar_edition,)
    newest: dict[int, CalendarYear] = {}
    for each in sorted(editions.values(), key=lambda each: each.edition_number):
        newest[each.year] = each
    before = [newest[year].edition for year in range(deadline.starts_on.year, own.year) if year in newest]
    after = newest.get(own.year + 1)
    reaches_back = (
        not deadline.provisional
        and after is not None
        and after.published_on <= deadline.starts_on
        and after.names_a_day_in(deadline.starts_on, deadline.due_on)
    )
    return (*before, own.edition, *([after.edition] if after and reaches_back else []))
