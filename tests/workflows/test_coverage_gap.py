"""The person's own clock: its last day to the day, each warning once, and the most urgent one alone."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.workflows.pure_cases import at
from workflows.contribution import gap_months
from workflows.coverage_gap import (
    CoverageGap,
    closes_on,
    due_warnings,
    is_over,
    next_warning,
    open_gap,
    with_warnings,
)
from workflows.deadlines import SHANGHAI

# Closes on 31 December 2026: warned on 1, 21 and 28 December.
GAP = open_gap(date(2026, 8, 31), 3)
FIRST, SECOND, THIRD = "2026-12-01 00:00", "2026-12-21 00:00", "2026-12-28 00:00"
# How many free months there can be, days, and instants around the warnings.
FREE = st.integers(3, 12)
DAYS = st.dates(date(2000, 1, 1), date(2099, 12, 31))
WARNED = st.sampled_from([(), (30,), (30, 10), (30, 10, 3), (10,), (3,)])


@pytest.mark.parametrize(
    ("stopped_on", "free", "last"),
    [
        ("2026-08-31", 3, "2026-12-31"),
        # Any day of the month is the same month.
        ("2026-08-01", 3, "2026-12-31"),
        ("2026-07-31", 3, "2026-11-30"),
        ("2026-09-30", 3, "2027-01-31"),
        ("2026-12-31", 3, "2027-04-30"),
        # Ends of February, with and without a 29th.
        ("2026-10-31", 3, "2027-02-28"),
        ("2027-10-01", 3, "2028-02-29"),
        ("2028-02-29", 3, "2028-06-30"),
        ("2099-10-31", 3, "2100-02-28"),
        ("1999-10-31", 3, "2000-02-29"),
        ("2026-08-31", 4, "2027-01-31"),
        ("2026-11-30", 12, "2027-12-31"),
        ("2026-12-31", 12, "2028-01-31"),
    ],
)
def test_the_last_day_on_which_cover_may_begin(stopped_on: str, free: int, last: str) -> None:
    assert closes_on(date.fromisoformat(stopped_on), free) == date.fromisoformat(last)


@given(DAYS, FREE)
def test_the_last_day_against_trying_every_day(stopped_on: date, free: int) -> None:
    within = [
        day
        for day in (stopped_on + timedelta(days=offset) for offset in range(500))
        if gap_months(stopped_on, day) <= free
    ]
    assert closes_on(stopped_on, free) == within[-1]


def test_a_gap_is_opened_without_a_warning_given() -> None:
    assert CoverageGap(stopped_on=date(2026, 8, 31), closes_on=date(2026, 12, 31), warned=()) == GAP


@pytest.mark.parametrize(
    ("now", "warned", "due"),
    [
        ("2026-09-01 00:00", (), ()),
        ("2026-11-30 23:59", (), ()),
        (FIRST, (), (30,)),
        (FIRST, (30,), ()),
        ("2026-12-20 23:59", (), (30,)),
        (SECOND, (30,), (10,)),
        (SECOND, (), (30, 10)),
        (THIRD, (30, 10), (3,)),
        (THIRD, (30,), (10, 3)),
        (THIRD, (), (30, 10, 3)),
        (THIRD, (30, 10, 3), ()),
        # What is less urgent than a warning given counts as given.
        (THIRD, (3,), ()),
        (SECOND, (10,), ()),
        ("2027-02-01 00:00", (30,), (10, 3)),
    ],
)
def test_the_warnings_that_are_due(now: str, warned: tuple[int, ...], due: tuple[int, ...]) -> None:
    assert due_warnings(GAP.model_copy(update={"warned": warned}), at(now)) == due


@pytest.mark.parametrize(
    ("warned", "warns_at"),
    [((), FIRST), ((30,), SECOND), ((30, 10), THIRD), ((10,), THIRD), ((30, 10, 3), None), ((3,), None)],
)
def test_when_the_next_warning_falls_due(warned: tuple[int, ...], warns_at: str | None) -> None:
    assert next_warning(GAP.model_copy(update={"warned": warned})) == (at(warns_at) if warns_at else None)


@pytest.mark.parametrize(
    ("stopped_on", "days"),
    [
        # Closes on 28 February 2027 and on 29 February 2028.
        (date(2026, 10, 31), ("2027-01-29", "2027-02-18", "2027-02-25")),
        (date(2027, 10, 31), ("2028-01-30", "2028-02-19", "2028-02-26")),
        # Closes on 31 March 2028, past the 29th of February.
        (date(2027, 11, 30), ("2028-03-01", "2028-03-21", "2028-03-28")),
    ],
)
def test_the_days_of_the_warnings_at_the_end_of_february(stopped_on: date, days: tuple[str, ...]) -> None:
    gap, found = open_gap(stopped_on, 3), []
    while (instant := next_warning(gap)) is not None:
        found.append(f"{instant:%Y-%m-%d}")
        gap = with_warnings(gap, due_warnings(gap, instant))
    assert tuple(found) == days


def test_the_day_begins_in_shanghai() -> None:
    assert due_warnings(GAP, datetime(2026, 11, 30, 15, 59, 59, tzinfo=UTC)) == ()
    assert due_warnings(GAP, datetime(2026, 11, 30, 16, 0, tzinfo=UTC)) == (30,)


def test_the_window_is_open_until_the_end_of_its_last_day() -> None:
    assert not is_over(GAP, at("2026-12-31 23:59"))
    assert is_over(GAP, at("2027-01-01 00:00"))


@given(DAYS, FREE, WARNED, st.integers(-40, 5), st.integers(0, 23))
def test_the_warnings_that_are_due_against_counting_the_days_left(
    stopped_on: date, free: int, warned: tuple[int, ...], day: int, hour: int
) -> None:
    gap = open_gap(stopped_on, free).model_copy(update={"warned": warned})
    today = gap.closes_on + timedelta(days=day)
    now = datetime(today.year, today.month, today.day, hour, tzinfo=SHANGHAI)
    left = (gap.closes_on - today).days
    assert due_warnings(gap, now) == tuple(
        days for days in (30, 10, 3) if left <= days and not any(given <= days for given in warned)
    )


@given(DAYS, FREE, st.lists(st.integers(0, 500), max_size=12).map(sorted))
def test_whenever_the_clock_is_looked_at_no_warning_is_told_twice_and_each_is_more_urgent(
    stopped_on: date, free: int, looks: list[int]
) -> None:
    gap, told = open_gap(stopped_on, free), list[int]()
    begun = datetime(stopped_on.year, stopped_on.month, stopped_on.day, tzinfo=SHANGHAI)
    for days in looks:
        now = begun + timedelta(days=days)
        upcoming, due = next_warning(gap), due_warnings(gap, now)
        assert bool(due) is (upcoming is not None and upcoming <= now)
        told += due[-1:]
        gap = with_warnings(gap, due)
        assert due_warnings(gap, now) == ()
    assert told == sorted(set(told), reverse=True)
    assert CoverageGap.model_validate_json(gap.model_dump_json()) == gap
