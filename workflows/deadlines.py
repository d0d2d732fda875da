"""A deadline is a budget, a start and a calendar edition; the instants are derived from it."""

from datetime import date, datetime, time, timedelta, timezone

from pydantic import BaseModel

from workflows.law import DUE_SOON_WORKING_DAYS, Period
from workflows.vocabulary import DeadlineState
from workflows.workdays import WorkingCalendar, due_on

# China has one time zone and no daylight saving.
SHANGHAI = timezone(timedelta(hours=8), "Asia/Shanghai")


class Deadline(BaseModel, frozen=True):
    """The limit of one step.

    `starts_on` is day 0 (民法典 art. 201); the step may be done until 24:00 of `due_on` (art. 203), in Asia/Shanghai.
    `basis` is a key of `law.INSTRUMENTS`. `provisional` means that `due_on` lies past the last published year.
    """

    starts_on: date
    working_days: int
    due_on: date
    due_soon_on: date
    provisional: bool
    calendar_edition: str
    basis: str

    @property
    def due_at(self) -> datetime:
        """The instant from which the step is overdue: 24:00 of the last day."""
        return start_of(self.due_on + timedelta(days=1))

    @property
    def due_soon_at(self) -> datetime:
        return start_of(self.due_soon_on)


def set_deadline(period: Period, starts_on: date, calendar: WorkingCalendar) -> Deadline:
    """The deadline of `period` counted from `starts_on` by `calendar`."""
    due = due_on(starts_on, period.working_days, calendar)
    return Deadline(
        starts_on=starts_on,
        working_days=period.working_days,
        due_on=due.due_on,
        due_soon_on=_working_days_before(due.due_on, DUE_SOON_WORKING_DAYS, not_before=starts_on, calendar=calendar),
        provisional=due.provisional,
        calendar_edition=due.edition,
        basis=period.basis,
    )


def recount(deadline: Deadline, calendar: WorkingCalendar) -> Deadline:
    """The deadline by another calendar: `deadline` itself unless the last day moved, or is no longer provisional."""
    period = Period(working_days=deadline.working_days, basis=deadline.basis)
    recounted = set_deadline(period, deadline.starts_on, calendar)
    said = (deadline.due_on, deadline.provisional)
    return deadline if said == (recounted.due_on, recounted.provisional) else recounted


def deadline_state(deadline: Deadline, *, done_at: datetime | None, now: datetime) -> DeadlineState:
    """How a step stands against its deadline at `now`, or stood when it was done."""
    if done_at is not None:
        return DeadlineState.MET if done_at < deadline.due_at else DeadlineState.MET_LATE
    if now >= deadline.due_at:
        return DeadlineState.OVERDUE
    return DeadlineState.DUE_SOON if now >= deadline.due_soon_at else DeadlineState.ON_TRACK


def remaining_working_days(deadline: Deadline, now: datetime, calendar: WorkingCalendar) -> int:
    """Working days left after today; negative once it is missed: −1 also on a weekend, when none has passed since."""
    remaining = calendar.working_days_between(shanghai_date(now), deadline.due_on)
    return min(remaining, -1) if now >= deadline.due_at else remaining


def shanghai_date(instant: datetime) -> date:
    """The calendar date of an aware instant in Asia/Shanghai."""
    return instant.astimezone(SHANGHAI).date()


def start_of(day: date) -> datetime:
    """00:00 of `day` in Asia/Shanghai."""
    return datetime.combine(day, time.min, SHANGHAI)


def _working_days_before(day: date, count: int, *, not_before: date, calendar: WorkingCalendar) -> date:
    while count and day > not_before:
        day -= timedelta(days=1)
        count -= calendar.is_working_day(day)
    return day
