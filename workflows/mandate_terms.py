"""A mandate: how long it may be given for, and how it stands. Pure.

It ends at 24:00 of the last day that it names (民法典 art. 203), or when it is taken back or laid down (art. 173). That no
mandate is for longer than two years is *ours*: who has forgotten one is not bound by it for ever.
"""

from datetime import date, datetime

from workflows.deadlines import shanghai_date
from workflows.rules import Invalid, invalid
from workflows.vocabulary import MandateState

LONGEST_YEARS = 2


def last_day(given_on: date) -> date:
    """The last day for which a mandate given on `given_on` can be good."""
    year = given_on.year + LONGEST_YEARS
    leap_day = (given_on.month, given_on.day) == (2, 29)
    return date(year, 2, 28) if leap_day else given_on.replace(year=year)


def refuse_validity(valid_until: date, given_on: date) -> Invalid | None:
    """Why a mandate given on `given_on` cannot be good until `valid_until`, or None."""
    if valid_until < given_on:
        return invalid("validUntil", "IN_THE_PAST")
    if valid_until > last_day(given_on):
        return invalid("validUntil", "TOO_FAR_AHEAD", limit=last_day(given_on).isoformat())
    return None


def mandate_state(valid_until: date, revoked_at: datetime | None, now: datetime) -> MandateState:
    """How a mandate stands at `now`."""
    if revoked_at is not None and revoked_at <= now:
        return MandateState.REVOKED
    return MandateState.IN_FORCE if valid_until >= shanghai_date(now) else MandateState.EXPIRED
