"""The person's own clock: until when cover must begin again so that the gap stays one without a wait (43号).

It runs from the last day of cover at O until R's cover begins, whatever the agencies' clocks say. Pure: the caller
knows the time, gives the warnings, and stops the clock once R covers the person.
"""

from calendar import monthrange
from datetime import date, datetime, timedelta

from pydantic import BaseModel

from workflows.contribution import month_of
from workflows.deadlines import start_of
from workflows.law import COVERAGE_GAP_WARNING_DAYS


class CoverageGap(BaseModel, frozen=True):
    """`stopped_on` is the last day of cover, `closes_on` the last on which cover may begin.

    `warned`: the warnings given, each by its number of days before `closes_on`.
    """

    stopped_on: date
    closes_on: date
    warned: tuple[int, ...] = ()


def open_gap(stopped_on: date, free_gap_months: int) -> CoverageGap:
    """The gap that begins with the day after `stopped_on`, by R's free months (`WaitingPolicy.free_gap_months`)."""
    return CoverageGap(stopped_on=stopped_on, closes_on=closes_on(stopped_on, free_gap_months))


def closes_on(stopped_on: date, free_gap_months: int) -> date:
    """The last day on which cover may begin so that the whole months without cover are at most the free ones.

    A gap is counted in whole calendar months (`gap_months`), so that it is always the last day of a month.
    """
    year, month = divmod(month_of(stopped_on) + free_gap_months + 1, 12)
    return date(year, month + 1, monthrange(year, month + 1)[1])


def due_warnings(gap: CoverageGap, now: datetime) -> tuple[int, ...]:
    """The warnings that are due at `now` and were not given, the most urgent one last.

    Only the last is told; all of them go on record with `with_warnings`. One that is less urgent than one given counts as
    given. Days after `closes_on` change nothing: whether it is too late is `is_over`.
    """
    return tuple(days for days in _not_given(gap) if now >= _warns_at(gap, days))


def next_warning(gap: CoverageGap) -> datetime | None:
    """When the next warning that was not given falls due, 00:00 in Asia/Shanghai, maybe already past; None after the last."""
    return next((_warns_at(gap, days) for days in _not_given(gap)), None)


def with_warnings(gap: CoverageGap, given: tuple[int, ...]) -> CoverageGap:
    """The gap with warnings put on record as given, in the order of `due_warnings`."""
    return gap.model_copy(update={"warned": tuple(sorted({*gap.warned, *given}, reverse=True))})


def with_warnings_of(gap: CoverageGap, earlier: CoverageGap | None) -> CoverageGap:
    """The gap as it is found again, with the warnings already given about the same one: nobody is warned twice."""
    if earlier is None or (earlier.stopped_on, earlier.closes_on) != (gap.stopped_on, gap.closes_on):
        return gap
    return with_warnings(gap, earlier.warned)


def is_over(gap: CoverageGap, now: datetime) -> bool:
    """Whether it is too late to close the gap: from 24:00 of `closes_on` on."""
    return now >= start_of(gap.closes_on + timedelta(days=1))


def _not_given(gap: CoverageGap) -> tuple[int, ...]:
    most_urgent = min(gap.warned, default=None)
    return tuple(days for days in COVERAGE_GAP_WARNING_DAYS if most_urgent is None or days < most_urgent)


def _warns_at(gap: CoverageGap, days: int) -> datetime:
    return start_of(gap.closes_on - timedelta(days=days))
