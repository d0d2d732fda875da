"""A person's consent at a window: how long it is good for. Pure.

The person agrees that this agency looks at what other agencies hold about them (《个人信息保护法》 arts. 14 and 15), for a
clear purpose and no longer than it needs; that no consent is for longer than thirty days is *ours*.
"""

from datetime import date, timedelta
from typing import Final

from workflows.rules import Invalid, invalid

LONGEST_DAYS: Final = 30


def refuse_consent(valid_until: date, given_on: date) -> Invalid | None:
    """Why a consent given on `given_on` cannot be good until the end of `valid_until`, or None."""
    if valid_until < given_on:
        return invalid("validUntil", "IN_THE_PAST")
    last = given_on + timedelta(days=LONGEST_DAYS)
    if valid_until > last:
        return invalid("validUntil", "TOO_FAR_AHEAD", limit=last.isoformat())
    return None
