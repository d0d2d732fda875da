"""For how long a mandate may be given, and how one stands."""

from datetime import date, datetime, timedelta

import pytest

from workflows.deadlines import SHANGHAI
from workflows.mandate_terms import last_day, mandate_state, refuse_validity
from workflows.rules import invalid
from workflows.vocabulary import MandateState

TODAY = date(2026, 3, 2)
NOON = datetime(2026, 3, 2, 12, tzinfo=SHANGHAI)


@pytest.mark.parametrize(
    ("given_on", "last"), [(TODAY, date(2028, 3, 2)), (date(2024, 2, 29), date(2026, 2, 28)), (date(2026, 2, 28), date(2028, 2, 28))]
)  # fmt: skip
def test_a_mandate_is_for_two_years_at_most(given_on: date, last: date) -> None:
    assert last_day(given_on) == last
    assert refuse_validity(last, given_on) is None
    too_far = invalid("validUntil", "TOO_FAR_AHEAD", limit=last.isoformat())
    assert refuse_validity(last + timedelta(days=1), given_on) == too_far


def test_a_mandate_can_be_for_today_and_not_for_yesterday() -> None:
    assert refuse_validity(TODAY, TODAY) is None
    assert refuse_validity(date(2026, 3, 1), TODAY) == invalid("validUntil", "IN_THE_PAST")


def test_a_mandate_ends_with_its_last_day_or_when_it_is_taken_back() -> None:
    midnight = datetime(2026, 3, 3, tzinfo=SHANGHAI)
    assert mandate_state(TODAY, None, midnight - timedelta(microseconds=1)) is MandateState.IN_FORCE
    assert mandate_state(TODAY, None, midnight) is MandateState.EXPIRED
    assert mandate_state(TODAY, NOON, NOON - timedelta(seconds=1)) is MandateState.IN_FORCE
    assert mandate_state(TODAY, NOON, NOON) is MandateState.REVOKED
    assert mandate_state(TODAY, NOON, midnight) is MandateState.REVOKED
