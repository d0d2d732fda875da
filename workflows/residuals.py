"""Residuals: contributions that arrive at O after the money has left are swept along to R, without anybody asking."""

from calendar import monthrange
from collections.abc import Sequence
from datetime import date, datetime
from enum import StrEnum
from typing import Final

from workflows import commands as c
from workflows import events as e
from workflows.actors import PLATFORM
from workflows.conclusion import conclude
from workflows.fold import Facts, advance
from workflows.money import order_by_itself, over_threshold
from workflows.state import TransferState
from workflows.vocabulary import ReopeningReason, TransferStatus
from workflows.workdays import WorkingCalendar

SWEPT_ALONG_MONTHS: Final = 36


class ContributionState(StrEnum):
    """AWAITS_SWEEP: taken along next. WAITS_FOR_COMPLETION: its case is not at its end yet. SWEPT_ALONG: in a case's order.

    RETAINED: booked, and kept at O by the rule of the province. NO_TRANSFER: the person has not moved from there, it stays.
    TOO_LATE: it came more than 36 months after the transfer was completed, and stays.
    """

    AWAITS_SWEEP = "AWAITS_SWEEP"
    WAITS_FOR_COMPLETION = "WAITS_FOR_COMPLETION"
    SWEPT_ALONG = "SWEPT_ALONG"
    RETAINED = "RETAINED"
    NO_TRANSFER = "NO_TRANSFER"
    TOO_LATE = "TOO_LATE"


def swept_along_until(completed_on: date) -> date:
    """The last day on which a contribution is swept along; the 36 months end on the day of completion's number (民法典 art. 202)."""
    return _months_later(completed_on, SWEPT_ALONG_MONTHS)


def in_time(completed_on: date, arrived_on: date) -> bool:
    """Whether what arrived on `arrived_on` follows a transfer whose first completion was on `completed_on`."""
    return arrived_on <= swept_along_until(completed_on)


def sweep_along(
    state: TransferState,
    contributions: Sequence[e.LateContribution],
    policy: c.RemitFacts,
    at: datetime,
    calendar: WorkingCalendar,
) -> Facts:
    """The money of a completed case is under way again, with one order for all of `contributions`; `policy` is O's of the day.

    Nobody is asked: the platform orders by itself. But O's finance is where the law of the region wants two persons, where O
    is not connected, and where the person's account is not known any more. What stays in the province is booked, and the
    case is at its end again at once. Empty for a case that is not completed.
    """
    if state.status is not TransferStatus.COMPLETED or not contributions:
        return ()
    facts: Facts = (e.Reopened(why=ReopeningReason.LATE_CONTRIBUTION), *contributions)
    after = advance(state, facts, at=at, actor=PLATFORM)[1]
    asked = after.awaits_account or after.from_region in after.unconnected
    if after.owed_fen > 0 and not (asked or over_threshold(policy, after.owed_fen)):
        facts = (*facts, *order_by_itself(after, policy, at, calendar))
    return conclude(state, facts, at=at, actor=PLATFORM, calendar=calendar)


def _months_later(day: date, months: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))
