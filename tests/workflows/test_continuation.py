"""What continuation means: months that count once, and the wait for benefits to the day."""

from datetime import date

import pytest

from tests.workflows.pure_cases import O, R, months
from workflows.continuation import Continuation, WaitingPeriod, continue_record, waiting_period
from workflows.policy import WaitingPolicy

LAW = WaitingPolicy()


def waiting(stopped_on: str, covered_from: str, policy: WaitingPolicy = LAW) -> WaitingPeriod:
    return waiting_period(
        stopped_on=date.fromisoformat(stopped_on), covered_from=date.fromisoformat(covered_from), policy=policy
    )


class TestTheWait:
    @pytest.mark.parametrize(
        ("stopped_on", "covered_from", "gap"),
        [
            ("2026-06-30", "2026-07-01", 0),
            ("2026-06-30", "2026-06-01", 0),
            ("2026-06-01", "2026-07-31", 0),
            ("2026-06-30", "2026-10-31", 3),
            ("2025-11-30", "2026-03-01", 3),
        ],
    )
    def test_a_gap_of_up_to_three_months_has_none(self, stopped_on: str, covered_from: str, gap: int) -> None:
        assert waiting(stopped_on, covered_from) == WaitingPeriod(
            gap_months=gap, months=0, starts_on=None, ends_on=None, rule="NO_WAIT"
        )

    def test_a_gap_of_four_months_has_six_months_from_the_first_day_of_cover(self) -> None:
        assert waiting("2026-06-30", "2026-11-01") == WaitingPeriod(
            gap_months=4,
            months=6,
            starts_on=date(2026, 11, 1),
            ends_on=date(2027, 4, 30),
            rule="WAIT_AFTER_GAP",
        )

    @pytest.mark.parametrize(
        ("covered_from", "ends_on"),
        [
            ("2026-01-01", "2026-06-30"),
            ("2026-01-15", "2026-07-14"),
            ("2026-08-01", "2027-01-31"),
            ("2026-08-28", "2027-02-27"),
            # February has no 29th, 30th or 31st: its own last day ends the wait.
            ("2026-08-29", "2027-02-28"),
            ("2026-08-30", "2027-02-28"),
            ("2026-08-31", "2027-02-28"),
            ("2026-09-01", "2027-02-28"),
            ("2027-08-29", "2028-02-28"),
            ("2027-08-31", "2028-02-29"),
            ("2026-03-31", "2026-09-30"),
            ("2026-12-31", "2027-06-30"),
        ],
    )
    def test_it_ends_the_day_before_the_same_day_of_the_month_or_at_the_month_s_end(
        self, covered_from: str, ends_on: str
    ) -> None:
        assert waiting("2020-01-31", covered_from).ends_on == date.fromisoformat(ends_on)

    def test_a_later_first_day_never_ends_the_wait_earlier(self) -> None:
        first = date(2026, 1, 1).toordinal()
        ends = [
            waiting_period(stopped_on=date(2020, 1, 31), covered_from=date.fromordinal(day), policy=LAW).ends_on
            for day in range(first, first + 1000)
        ]
        assert ends == sorted(each for each in ends if each)

    def test_a_region_may_ask_for_less_or_for_nothing(self) -> None:
        assert waiting("2026-01-31", "2026-12-01", WaitingPolicy(months=3)).ends_on == date(2027, 2, 28)
        assert waiting("2026-01-31", "2026-12-01", WaitingPolicy(months=0)).rule == "NO_WAIT"
        assert waiting("2026-06-30", "2026-11-01", WaitingPolicy(free_gap_months=4)).rule == "NO_WAIT"
        assert waiting("2026-06-30", "2026-12-01", WaitingPolicy(free_gap_months=4)).rule == "WAIT_AFTER_GAP"


def test_months_of_both_regions_count_once_and_overlaps_are_listed() -> None:
    continued = continue_record(
        months("202510-202609", R),
        months("d200101-200112;201501-202512", O),
        stopped_on=date(2025, 12, 31),
        covered_from=date(2025, 10, 1),
        policy=LAW,
    )
    assert continued == Continuation(
        actual_months=141,
        deemed_months=12,
        total_months=153,
        overlaps=("2025-10", "2025-11", "2025-12"),
        waiting_period=WaitingPeriod(gap_months=0, months=0, starts_on=None, ends_on=None, rule="NO_WAIT"),
    )


def test_a_deemed_month_that_was_paid_elsewhere_counts_as_paid() -> None:
    continued = continue_record(
        months("202001-202001", R),
        months("d202001-202002", O),
        stopped_on=date(2020, 2, 29),
        covered_from=date(2020, 3, 1),
        policy=LAW,
    )
    assert (continued.actual_months, continued.deemed_months, continued.overlaps) == (1, 1, ("2020-01",))


def test_without_any_month_there_is_nothing_to_add_up() -> None:
    continued = continue_record((), (), stopped_on=date(2026, 1, 31), covered_from=date(2026, 2, 1), policy=LAW)
    assert (continued.total_months, continued.overlaps) == (0, ())
