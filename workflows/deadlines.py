"""A deadline is a budget, a start, its pauses and a calendar edition; the instants are derived from them."""

from datetime import date, datetime, time, timedelta, timezone
from enum import StrEnum

from pydantic import BaseModel

from workflows.law import DUE_SOON_WORKING_DAYS, ESCALATION_WORKING_DAYS, Period
from workflows.vocabulary import DeadlineState
from workflows.workdays import DayOff, WorkingCalendar

# China has one time zone and no daylight saving.
SHANGHAI = timezone(timedelta(hours=8), "Asia/Shanghai")
ONE_DAY = timedelta(days=1)


class PauseReason(StrEnum):
    """Why a clock stands still: a correction of the form is asked for, or the person has yet to name an account."""

    CORRECTION = "CORRECTION"
    PAYOUT_ACCOUNT = "PAYOUT_ACCOUNT"


class Pause(BaseModel, frozen=True):
    """A clock stands still after the day `from_on`, which still counts, up to and including `to_on`; None: it still does."""

    from_on: date
    to_on: date | None = None
    reason: PauseReason

    def covers(self, day: date) -> bool:
        return self.from_on < day and (self.to_on is None or day <= self.to_on)


class Deadline(BaseModel, frozen=True):
    """The limit of one step.

    `starts_on` is day 0 (民法典 art. 201); the step may be done until 24:00 of `due_on` (art. 203), in Asia/Shanghai.
    `basis` is a key of `law.INSTRUMENTS`. `provisional` means that `due_on` lies past the last published year.
    `editions` are all those that the span rests on, `calendar_edition` that of its end; `regional_days_off` are the acting
    agency's own within it: with these, what was counted can be counted again (`workflows.proof`). Events of the first
    release have none of the three. While a pause lasts, `due_on` is what it would be if the pause ended on the day it began.
    """

    starts_on: date
    working_days: int
    due_on: date
    due_soon_on: date
    provisional: bool
    calendar_edition: str
    basis: str
    pauses: tuple[Pause, ...] = ()
    editions: tuple[str, ...] = ()
    regional_days_off: tuple[DayOff, ...] = ()
    # The days on whose first instant an overdue step is escalated, one for each rung of the law's ladder.
    escalate_on: tuple[date, ...] = ()

    @property
    def due_at(self) -> datetime:
        """The instant from which the step is overdue: 24:00 of the last day."""
        return start_of(self.due_on + ONE_DAY)

    @property
    def due_soon_at(self) -> datetime:
        return start_of(self.due_soon_on)

    @property
    def paused_since(self) -> date | None:
        """The day on which the clock was stopped; None while it runs."""
        return self.pauses[-1].from_on if self.pauses and self.pauses[-1].to_on is None else None

    def rungs_due(self, now: datetime) -> int:
        """How many rungs of the escalation have been reached at `now`."""
        return sum(now >= start_of(day) for day in self.escalate_on)


def set_deadline(
    period: Period, starts_on: date, calendar: WorkingCalendar, pauses: tuple[Pause, ...] = ()
) -> Deadline:
    """The deadline of `period` counted from `starts_on` by `calendar`, the days of `pauses` left out."""
    # A pause that lasts is counted as if it had ended at once: until it ends nobody knows its length.
    closed = tuple(pause for pause in pauses if pause.to_on is not None)
    due_on = nth_counted_day(starts_on, period.working_days, calendar, closed)
    return Deadline(
        starts_on=starts_on,
        working_days=period.working_days,
        due_on=due_on,
        due_soon_on=_counted_days_before(due_on, DUE_SOON_WORKING_DAYS, starts_on, calendar, closed),
        provisional=not calendar.published(due_on),
        calendar_edition=calendar.edition_for(starts_on, due_on),
        basis=period.basis,
        pauses=pauses,
        editions=calendar.editions_for(starts_on, due_on),
        regional_days_off=tuple(off for off in calendar.overlay if starts_on < off.date <= due_on),
        escalate_on=tuple(
            nth_counted_day(due_on, days, calendar, closed) + ONE_DAY for days in ESCALATION_WORKING_DAYS
        ),
    )


def nth_counted_day(starts_on: date, working_days: int, calendar: WorkingCalendar, pauses: tuple[Pause, ...]) -> date:
    """The last day of a period of `working_days`, one or more, after `starts_on`, day 0 (民法典 art. 201)."""
    if working_days < 1:
        raise ValueError(f"a period has one working day or more, not {working_days}")
    if not pauses:
        return calendar.add_working_days(starts_on, working_days)
    day, left = starts_on, working_days
    while left:
        day += ONE_DAY
        left -= counts(day, calendar, pauses)
    return day


def counts(day: date, calendar: WorkingCalendar, pauses: tuple[Pause, ...]) -> bool:
    """Whether `day` uses up a day of the period."""
    return calendar.is_working_day(day) and not (pauses and any(pause.covers(day) for pause in pauses))


def pause(deadline: Deadline, on: date, reason: PauseReason) -> Deadline:
    """The clock stands still after `on`. One that stands still already stays as it is."""
    if deadline.paused_since is not None:
        return deadline
    return deadline.model_copy(update={"pauses": (*deadline.pauses, Pause(from_on=on, reason=reason))})


def resume(deadline: Deadline, on: date, calendar: WorkingCalendar) -> Deadline:
    """The clock runs again after `on`, and its last day is counted anew. One that runs stays as it is."""
    if deadline.paused_since is None:
        return deadline
    last = deadline.pauses[-1].model_copy(update={"to_on": on})
    return set_deadline(_period(deadline), deadline.starts_on, calendar, (*deadline.pauses[:-1], last))


def recount(deadline: Deadline, calendar: WorkingCalendar) -> Deadline:
    """The deadline by another calendar, the acting region's; `deadline` itself when none of its dates says anything else.

    The days of reminders and escalations are dates too: a table that swaps two days of the span may move them alone.
    """
    recounted = set_deadline(_period(deadline), deadline.starts_on, calendar, deadline.pauses)
    # A deadline of the first release has no rungs, and is not revised to be given some.
    rungs = recounted.escalate_on if deadline.escalate_on else ()
    said = (recounted.due_on, recounted.due_soon_on, recounted.provisional, rungs)
    unchanged = said == (deadline.due_on, deadline.due_soon_on, deadline.provisional, deadline.escalate_on)
    return deadline if unchanged else recounted


def _period(deadline: Deadline) -> Period:
    return Period(working_days=deadline.working_days, basis=deadline.basis)


def deadline_state(deadline: Deadline, *, done_at: datetime | None, now: datetime) -> DeadlineState:
    """How a step stands against its deadline at `now`, or stood when it was done."""
    if done_at is not None:
        return DeadlineState.MET if done_at < deadline.due_at else DeadlineState.MET_LATE
    if deadline.paused_since is not None:
        return DeadlineState.PAUSED
    if now >= deadline.due_at:
        return DeadlineState.OVERDUE
    return DeadlineState.DUE_SOON if now >= deadline.due_soon_at else DeadlineState.ON_TRACK


def remaining_working_days(deadline: Deadline, now: datetime, calendar: WorkingCalendar) -> int:
    """Working days left after today; negative once it is missed: −1 also on a weekend, when none has passed since.

    While the clock stands still they are those that were left when it was stopped. `calendar` is the acting region's.
    """
    today = deadline.paused_since or shanghai_date(now)
    closed = tuple(each for each in deadline.pauses if each.to_on is not None)
    first, last = sorted((today, deadline.due_on))
    days = (first + timedelta(days=offset) for offset in range(1, (last - first).days + 1))
    left = sum(counts(day, calendar, closed) for day in days)
    return min(-left, -1) if today > deadline.due_on else left


def shanghai_date(instant: datetime) -> date:
    """The calendar date of an aware instant in Asia/Shanghai."""
    return instant.astimezone(SHANGHAI).date()


def start_of(day: date) -> datetime:
    """00:00 of `day` in Asia/Shanghai."""
    return datetime.combine(day, time.min, SHANGHAI)


def _counted_days_before(
    day: date, count: int, not_before: date, calendar: WorkingCalendar, pauses: tuple[Pause, ...]
) -> date:
    while count and day > not_before:
        day -= ONE_DAY
        count -= counts(day, calendar, pauses)
    return day
