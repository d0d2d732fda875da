"""What continuation means for the person: the years that count, and the wait for benefits."""

from calendar import monthrange
from datetime import date, timedelta

from pydantic import BaseModel

from workflows.contribution import (
    ContributionPeriod,
    actual_months,
    deemed_months,
    gap_months,
    merge,
    month_of,
    overlapping_months,
    total_months,
)
from workflows.policy import WaitingPolicy


class WaitingPeriod(BaseModel, frozen=True):
    """`gap_months` without cover; a wait of `months` from `starts_on` to `ends_on`, None when there is no wait.

    `rule` is a key of the words that explain it: `NO_WAIT` or `WAIT_AFTER_GAP`. Source: 43号.
    """

    gap_months: int
    months: int
    starts_on: date | None
    ends_on: date | None
    rule: str


class Continuation(BaseModel, frozen=True):
    """Months that count once, by kind, and those that both regions had recorded (`YYYY-MM`)."""

    actual_months: int
    deemed_months: int
    total_months: int
    overlaps: tuple[str, ...]
    waiting_period: WaitingPeriod


def continue_record(
    own: tuple[ContributionPeriod, ...],
    incoming: tuple[ContributionPeriod, ...],
    *,
    stopped_on: date,
    covered_from: date,
    policy: WaitingPolicy,
) -> Continuation:
    """Add up the years of both regions and set the waiting period by R's policy.

    `stopped_on` is the last day of cover at O, `covered_from` the first at R.
    """
    merged = merge(own, incoming)
    return Continuation(
        actual_months=actual_months(merged),
        deemed_months=deemed_months(merged),
        total_months=total_months(merged),
        overlaps=overlapping_months(own, incoming),
        waiting_period=waiting_period(stopped_on=stopped_on, covered_from=covered_from, policy=policy),
    )


def waiting_period(*, stopped_on: date, covered_from: date, policy: WaitingPolicy) -> WaitingPeriod:
    """The wait for benefits after a gap in cover (43号: none up to three months, else at most six)."""
    gap = gap_months(stopped_on, covered_from)
    if gap <= policy.free_gap_months or policy.months == 0:
        return WaitingPeriod(gap_months=gap, months=0, starts_on=None, ends_on=None, rule="NO_WAIT")
    ends_on = _end_of_months(covered_from, policy.months)
    return WaitingPeriod(
        gap_months=gap, months=policy.months, starts_on=covered_from, ends_on=ends_on, rule="WAIT_AFTER_GAP"
    )


def _end_of_months(begins: date, months: int) -> date:
    """The last day of `months` whole months from `begins`.

    It is the day before the same day of the last month; where that month has no such day, its own last day (民法典 art. 202).
    """
    year, month = divmod(month_of(begins) + months, 12)
    last_of_month = monthrange(year, month + 1)[1]
    if begins.day > last_of_month:
        return date(year, month + 1, last_of_month)
    return date(year, month + 1, begins.day) - timedelta(days=1)
