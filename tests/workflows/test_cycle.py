"""On which day a region's batch goes to the bank, by the working-day table."""

from datetime import date, timedelta

import pytest
from pydantic import ValidationError

from activities.calendar_data import published_calendar
from workflows.cycle import send_on
from workflows.policy import RegionPolicy
from workflows.workdays import DayOff

CALENDAR = published_calendar()


@pytest.mark.parametrize(
    ("cycle", "ordered_on", "sent_on"),
    [
        ("daily", "2026-11-25", "2026-11-26"),
        # A Friday; a Saturday on which people work; the last day before the eight days of October.
        ("daily", "2026-11-27", "2026-11-30"),
        ("daily", "2026-02-13", "2026-02-14"),
        ("daily", "2026-09-30", "2026-10-08"),
        ("monthly:5", "2026-11-25", "2026-12-07"),
        ("monthly:5", "2026-12-04", "2026-12-07"),
        # The 5th is a Saturday: its batch goes on Monday, and takes what was ordered on the Sunday.
        ("monthly:5", "2026-12-06", "2026-12-07"),
        # Too late for the batch of the day itself.
        ("monthly:10", "2026-11-10", "2026-12-10"),
        ("monthly:1", "2026-10-01", "2026-10-08"),
        ("monthly:28", "2026-02-28", "2026-03-30"),
        ("monthly:28", "2026-12-27", "2026-12-28"),
        # The 28th of November is a Saturday; the batch of a month can go in the next.
        ("monthly:28", "2026-11-28", "2026-11-30"),
        ("monthly:28", "2026-11-30", "2026-12-28"),
    ],
)
def test_an_order_goes_with_the_next_batch(cycle: str, ordered_on: str, sent_on: str) -> None:
    assert send_on(cycle, date.fromisoformat(ordered_on), CALENDAR) == date.fromisoformat(sent_on)


def test_a_batch_that_a_long_holiday_moves_into_the_next_month_is_found_there() -> None:
    days = tuple(DayOff(date=date(2026, 4, 28) + timedelta(days=n), name="假") for n in range(10))
    calendar = CALENDAR.model_copy(update={"regional": {"450100": days}}).of_region("450100")
    # The days off end with 7 May, a Thursday.
    assert send_on("monthly:28", date(2026, 4, 27), calendar) == date(2026, 5, 8)
    assert send_on("monthly:28", date(2026, 5, 7), calendar) == date(2026, 5, 8)
    assert send_on("monthly:28", date(2026, 5, 8), calendar) == date(2026, 5, 28)


def test_past_the_published_years_the_statutory_days_decide() -> None:
    assert send_on("monthly:1", date(2027, 9, 2), CALENDAR) == date(2027, 10, 4)
    assert send_on("daily", date(2026, 12, 31), CALENDAR) == date(2027, 1, 4)
    assert not CALENDAR.published(date(2027, 1, 4))


def test_an_immediate_order_waits_for_no_day() -> None:
    assert send_on("immediate", date(2026, 11, 28), CALENDAR) is None


@pytest.mark.parametrize("cycle", ["daily", *(f"monthly:{n}" for n in range(1, 29))])
def test_a_batch_day_is_a_working_day_after_the_order_and_none_lies_between(cycle: str) -> None:
    day, last = date(2026, 1, 1), date(2027, 6, 30)
    while day < last:
        sent_on = send_on(cycle, day, CALENDAR)
        assert sent_on is not None
        assert sent_on > day
        assert CALENDAR.is_working_day(sent_on)
        # What is ordered later, before that day, goes on that day too.
        assert send_on(cycle, sent_on - timedelta(days=1), CALENDAR) == sent_on
        day += timedelta(days=9)


@pytest.mark.parametrize(
    "cycle", ["weekly", "monthly", "monthly:0", "monthly:29", "monthly:05", "Daily", "", "daily\n"]
)
def test_what_is_no_cycle_is_no_policy(cycle: str) -> None:
    with pytest.raises(ValueError, match="is no remittance cycle"):
        send_on(cycle, date(2026, 11, 25), CALENDAR)
    with pytest.raises(ValidationError):
        RegionPolicy(remittance_cycle=cycle)
