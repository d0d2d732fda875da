"""Residuals: contributions that arrive at O after the money has left are swept along to R, without anybody asking."""

from calendar import monthrange
from datetime import date
from enum import StrEnum
from typing import Final

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


def _months_later(day: date, months: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))
