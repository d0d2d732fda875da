"""What continuation means for the person: the years that count, and the wait for benefits."""

from calendar import monthrange
from datetime import date, timedelta
from enum import StrEnum

from pydantic import BaseModel

from workflows.contribution import (
    ContributionPeriod,
    actual_months,
    deemed_months,
    gap_months,
    merge,
    month_of,
    months_without_a_break,
    overlapping_months,
    total_months,
    years_with_a_month,
)
from workflows.law import (
    CONTINUOUS_MONTHS_TO_SWITCH,
    RESIDENT_LEAST_WAIT_MONTHS,
    RESIDENT_MISSED_YEARS_WITH_LEAST_WAIT,
    RESIDENT_WAIT_FROM,
)
from workflows.policy import WaitingPolicy
from workflows.vocabulary import InsuranceScheme


class WaitingRule(StrEnum):
    """Which rule of law decides the wait; each is a key of the words that explain it."""

    # 43号: no gap, or one of up to three months, which may be paid.
    NO_WAIT = "NO_WAIT"
    # 43号: the same between the schemes, after two continuous years.
    NO_WAIT_SWITCHING = "NO_WAIT_SWITCHING"
    # R asks for no wait where the law would let it.
    NO_WAIT_HERE = "NO_WAIT_HERE"
    # 43号: between the schemes without two continuous years, R's months.
    WAIT_AFTER_SWITCHING = "WAIT_AFTER_SWITCHING"
    # 43号: after more than three months, R's months.
    WAIT_AFTER_GAP = "WAIT_AFTER_GAP"
    # 38号: the resident scheme from 2025, after more than three months.
    WAIT_RESIDENT = "WAIT_RESIDENT"


class WaitingPeriod(BaseModel, frozen=True):
    """`gap_months` without cover; a wait of `months` from `starts_on` to `ends_on`, None when there is no wait.

    `basis` is a key of `law.INSTRUMENTS`. `payable_gap`: the gap may be paid at R, and then, where R is `retroactive`, its
    benefits are granted too. `ratio`: the share of the benefits paid during the wait ("0.5"), None when there are none.
    """

    gap_months: int
    months: int
    starts_on: date | None
    ends_on: date | None
    rule: WaitingRule
    # What was written before these were told says nothing of them.
    basis: str = "43号"
    missed_years: int = 0
    payable_gap: bool = False
    retroactive: bool = False
    ratio: str | None = None


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
    region: str,
    from_scheme: InsuranceScheme,
    to_scheme: InsuranceScheme,
    stopped_on: date,
    covered_from: date,
    policy: WaitingPolicy,
) -> Continuation:
    """Add up the years of both regions and set the waiting period by R's policy.

    `own` is the register of `region`, R. `stopped_on` is the last day of cover at O, `covered_from` the first at R.
    """
    merged = merge(own, incoming, home=region)
    return Continuation(
        actual_months=actual_months(merged),
        deemed_months=deemed_months(merged),
        total_months=total_months(merged),
        overlaps=overlapping_months(own, incoming),
        waiting_period=waiting_period(
            stopped_on=stopped_on,
            covered_from=covered_from,
            from_scheme=from_scheme,
            to_scheme=to_scheme,
            periods=merged,
            policy=policy,
        ),
    )


def waiting_period(
    *,
    stopped_on: date,
    covered_from: date,
    from_scheme: InsuranceScheme,
    to_scheme: InsuranceScheme,
    periods: tuple[ContributionPeriod, ...],
    policy: WaitingPolicy,
) -> WaitingPeriod:
    """The wait for benefits at R after a gap in cover, by the law and R's `policy`; `periods` are the merged ones.

    Whoever switches schemes without two continuous years waits for R's months however short the gap (43号).
    """
    gap = gap_months(stopped_on, covered_from)
    switching = from_scheme is not to_scheme
    if gap <= policy.free_gap_months and (not switching or _two_continuous_years(periods, stopped_on)):
        return WaitingPeriod(
            gap_months=gap,
            months=0,
            starts_on=None,
            ends_on=None,
            rule=WaitingRule.NO_WAIT_SWITCHING if switching else WaitingRule.NO_WAIT,
            basis="43号 待遇衔接",
            payable_gap=gap > 0,
            retroactive=gap > 0 and policy.retroactive,
        )
    missed = missed_years(stopped_on, covered_from, periods)
    months, basis, rule = policy.months, "43号 待遇衔接", WaitingRule.WAIT_AFTER_GAP
    if to_scheme is InsuranceScheme.RESIDENT and covered_from >= RESIDENT_WAIT_FROM:
        months, basis, rule = _resident_months(missed, policy), "38号", WaitingRule.WAIT_RESIDENT
    if gap <= policy.free_gap_months:
        rule = WaitingRule.WAIT_AFTER_SWITCHING
    return WaitingPeriod(
        gap_months=gap,
        months=months,
        starts_on=covered_from if months else None,
        ends_on=end_of_months(covered_from, months) if months else None,
        rule=rule if months else WaitingRule.NO_WAIT_HERE,
        basis=basis,
        missed_years=missed,
        ratio=policy.ratio if months else None,
    )


def missed_years(stopped_on: date, covered_from: date, periods: tuple[ContributionPeriod, ...]) -> int:
    """The calendar years wholly without cover between the last covered day and the day cover begins (断保).

    *Ours*, since 38号 leaves it open: the year of the stop and the year of the new cover are not missed, for each has a
    day of cover; nor is a year between them of which any month was contributed in whatever region.
    """
    between = set(range(stopped_on.year + 1, covered_from.year))
    return len(between - years_with_a_month(periods))


def _two_continuous_years(periods: tuple[ContributionPeriod, ...], stopped_on: date) -> bool:
    return months_without_a_break(periods, stopped_on) >= CONTINUOUS_MONTHS_TO_SWITCH


def _resident_months(missed: int, policy: WaitingPolicy) -> int:
    """38号. From four missed years on the six months are the law's, so that no policy goes below them."""
    months = policy.resident_months + policy.resident_months_per_missed_year * missed
    return max(months, RESIDENT_LEAST_WAIT_MONTHS) if missed >= RESIDENT_MISSED_YEARS_WITH_LEAST_WAIT else months


def end_of_months(begins: date, months: int) -> date:
    """The last day of `months` whole months from `begins`.

    It is the day before the same day of the last month; where that month has no such day, its own last day (民法典 art. 202).
    """
    year, month = divmod(month_of(begins) + months, 12)
    last_of_month = monthrange(year, month + 1)[1]
    if begins.day > last_of_month:
        return date(year, month + 1, last_of_month)
    return date(year, month + 1, begins.day) - timedelta(days=1)
