"""A mandate: how long it may be given for, and how it stands. Pure.

It ends at 24:00 of the last day that it names (民法典 art. 203), or when it is taken back or laid down (art. 173). That no
mandate is for longer than two years is *ours*: who has forgotten one is not bound by it for ever.

A mandate that a person gives on the platform starts at once. One that a window enters from paper needs a second person of
the same agency, and starts 24 hours after that person's approval; the giver may confirm it earlier, and it starts then.
These two rules are *ours*: no one clerk can give a mandate over a person.
"""

from datetime import date, datetime, timedelta
from typing import Final, Literal

from workflows.actors import Actor
from workflows.deadlines import shanghai_date
from workflows.rules import Invalid, invalid
from workflows.vocabulary import MandateState

LONGEST_YEARS = 2
# Between the second person's approval and the start: the time in which the giver can revoke it.
WAITING_TIME: Final = timedelta(hours=24)

# Keys of words: why an approval or a confirmation is refused.
WhyNot = Literal[
    "OTHER_AGENCY", "ENDED", "NOT_AWAITING_APPROVAL", "SAME_PERSON", "ENDS_BEFORE_START", "ALREADY_STARTED"
]


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


def refuse_entry(valid_until: date, entered_at: datetime) -> Invalid | None:
    """Why a window cannot enter a mandate that is good until `valid_until`, or None.

    It must last until the day on which it can start at the earliest without the giver's confirmation.
    """
    earliest = shanghai_date(entered_at + WAITING_TIME)
    if valid_until < earliest:
        return invalid("validUntil", "BEFORE_THE_START", earliest=earliest.isoformat())
    return None


def mandate_state(
    valid_until: date, revoked_at: datetime | None, now: datetime, *, starts_at: datetime | None
) -> MandateState:
    """How a mandate stands at `now`. `starts_at` is None while it waits for the second person or the giver."""
    if revoked_at is not None and revoked_at <= now:
        return MandateState.REVOKED
    if valid_until < shanghai_date(now):
        return MandateState.EXPIRED
    if starts_at is None:
        return MandateState.AWAITING_APPROVAL
    return MandateState.IN_FORCE if starts_at <= now else MandateState.AWAITING_START


def refuse_approval(
    state: MandateState, valid_until: date, entered_in: str | None, entered_by: Actor, approver: Actor, at: datetime
) -> WhyNot | None:
    """Why `approver` cannot approve at `at` a mandate that `entered_by` has entered for the agency of `entered_in`, or None.

    `state` is the mandate's at `at`.
    """
    if entered_in is not None and approver.region != entered_in:
        return "OTHER_AGENCY"
    if state in {MandateState.REVOKED, MandateState.EXPIRED}:
        return "ENDED"
    if state is not MandateState.AWAITING_APPROVAL:
        return "NOT_AWAITING_APPROVAL"
    if same_person(entered_by, approver):
        return "SAME_PERSON"
    return "ENDS_BEFORE_START" if valid_until < shanghai_date(at + WAITING_TIME) else None


def refuse_confirmation(state: MandateState) -> WhyNot | None:
    """Why the giver cannot confirm a mandate that is in `state`, or None."""
    if state in {MandateState.REVOKED, MandateState.EXPIRED}:
        return "ENDED"
    return "ALREADY_STARTED" if state is MandateState.IN_FORCE else None


def same_person(one: Actor, other: Actor) -> bool:
    """Whether two actors are the same person, in whatever spelling a token or a system names them."""
    return not one.names.isdisjoint(other.names)
