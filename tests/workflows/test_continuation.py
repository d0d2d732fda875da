"""What continuation means: months that count once, and the wait for benefits to the day."""

import json
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.workflows.pure_cases import O, R, months
from workflows.continuation import Continuation, WaitingPeriod, WaitingRule, continue_record, waiting_period
from workflows.contribution import ContributionPeriod, gap_months, month_of, month_text
from workflows.law import INSTRUMENTS
from workflows.policy import WaitingPolicy
from workflows.vocabulary import InsuranceScheme
from workflows.words import WORDS
from workflows.words.waiting import waiting_words

LAW = WaitingPolicy()
EMPLOYEE, RESIDENT = InsuranceScheme.EMPLOYEE, InsuranceScheme.RESIDENT
BENEFITS = "43号 待遇衔接"


def waiting(
    stopped_on: str,
    covered_from: str,
    policy: WaitingPolicy = LAW,
    *,
    schemes: tuple[InsuranceScheme, InsuranceScheme] = (EMPLOYEE, EMPLOYEE),
    paid: str = "",
) -> WaitingPeriod:
    return waiting_period(
        stopped_on=date.fromisoformat(stopped_on),
        covered_from=date.fromisoformat(covered_from),
        from_scheme=schemes[0],
        to_scheme=schemes[1],
        periods=months(paid),
        policy=policy,
    )


def continued(own: str, incoming: tuple[ContributionPeriod, ...], stopped_on: str, covered_from: str) -> Continuation:
    return continue_record(
        months(own, R),
        incoming,
        region=R,
        from_scheme=EMPLOYEE,
        to_scheme=EMPLOYEE,
        stopped_on=date.fromisoformat(stopped_on),
        covered_from=date.fromisoformat(covered_from),
        policy=LAW,
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
            gap_months=gap,
            months=0,
            starts_on=None,
            ends_on=None,
            rule=WaitingRule.NO_WAIT,
            basis=BENEFITS,
            payable_gap=gap > 0,
        )

    def test_a_gap_of_four_months_has_six_months_from_the_first_day_of_cover(self) -> None:
        assert waiting("2026-06-30", "2026-11-01") == WaitingPeriod(
            gap_months=4,
            months=6,
            starts_on=date(2026, 11, 1),
            ends_on=date(2027, 4, 30),
            rule=WaitingRule.WAIT_AFTER_GAP,
            basis=BENEFITS,
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
        ends = [waiting("2020-01-31", date.fromordinal(day).isoformat()).ends_on for day in range(first, first + 1000)]
        assert ends == sorted(each for each in ends if each)

    def test_a_region_may_ask_for_less_or_for_nothing(self) -> None:
        assert waiting("2026-01-31", "2026-12-01", WaitingPolicy(months=3)).ends_on == date(2027, 2, 28)
        assert waiting("2026-01-31", "2026-12-01", WaitingPolicy(months=0)) == WaitingPeriod(
            gap_months=10, months=0, starts_on=None, ends_on=None, rule=WaitingRule.NO_WAIT_HERE, basis=BENEFITS
        )
        assert waiting("2026-06-30", "2026-11-01", WaitingPolicy(free_gap_months=4)).rule == "NO_WAIT"
        assert waiting("2026-06-30", "2026-12-01", WaitingPolicy(free_gap_months=4)).rule == "WAIT_AFTER_GAP"


class TestSwitchingSchemes:
    """43号: employee ↔ resident, where no wait is for who has been insured two years without a break."""

    @pytest.mark.parametrize("schemes", [(EMPLOYEE, RESIDENT), (RESIDENT, EMPLOYEE)])
    @pytest.mark.parametrize(
        ("paid", "covered_from", "gap"),
        [
            ("202407-202606", "2026-07-01", 0),
            ("202407-202606", "2026-10-31", 3),
            # The stop's own month is not paid any more.
            ("202406-202605", "2026-08-01", 1),
            ("d200001-202505;202506-202606", "2026-08-01", 1),
        ],
    )
    def test_after_two_continuous_years_a_gap_of_up_to_three_months_has_none(
        self, schemes: tuple[InsuranceScheme, InsuranceScheme], paid: str, covered_from: str, gap: int
    ) -> None:
        assert waiting("2026-06-30", covered_from, schemes=schemes, paid=paid) == WaitingPeriod(
            gap_months=gap,
            months=0,
            starts_on=None,
            ends_on=None,
            rule=WaitingRule.NO_WAIT_SWITCHING,
            basis=BENEFITS,
            payable_gap=gap > 0,
        )

    @pytest.mark.parametrize(
        "paid", ["202408-202606", "202405-202604", "202301-202412;202502-202606", "202607-202906", ""]
    )
    def test_without_two_continuous_years_up_to_the_stop_r_s_months_apply(self, paid: str) -> None:
        assert waiting("2026-06-30", "2026-08-01", schemes=(RESIDENT, EMPLOYEE), paid=paid) == WaitingPeriod(
            gap_months=1,
            months=6,
            starts_on=date(2026, 8, 1),
            ends_on=date(2027, 1, 31),
            rule=WaitingRule.WAIT_AFTER_SWITCHING,
            basis=BENEFITS,
        )
        assert waiting("2026-06-30", "2026-07-01", schemes=(EMPLOYEE, RESIDENT), paid=paid) == WaitingPeriod(
            gap_months=0,
            months=3,
            starts_on=date(2026, 7, 1),
            ends_on=date(2026, 9, 30),
            rule=WaitingRule.WAIT_AFTER_SWITCHING,
            basis="38号",
        )

    def test_the_months_of_both_registers_make_the_two_years(self) -> None:
        def wait(own: str) -> WaitingRule:
            return continue_record(
                months(own, R),
                months("202507-202606", O),
                region=R,
                from_scheme=RESIDENT,
                to_scheme=EMPLOYEE,
                stopped_on=date(2026, 6, 30),
                covered_from=date(2026, 8, 1),
                policy=LAW,
            ).waiting_period.rule

        assert wait("202407-202506") is WaitingRule.NO_WAIT_SWITCHING
        assert wait("202408-202506") is WaitingRule.WAIT_AFTER_SWITCHING

    def test_within_a_scheme_two_years_are_not_asked_for(self) -> None:
        assert waiting("2026-06-30", "2026-08-01", schemes=(EMPLOYEE, EMPLOYEE)).rule is WaitingRule.NO_WAIT
        assert waiting("2026-06-30", "2026-08-01", schemes=(RESIDENT, RESIDENT)).rule is WaitingRule.NO_WAIT

    def test_after_a_longer_gap_two_years_do_not_help(self) -> None:
        long = waiting("2026-06-30", "2026-11-01", schemes=(RESIDENT, EMPLOYEE), paid="200001-202606")
        assert (long.rule, long.months, long.payable_gap) == (WaitingRule.WAIT_AFTER_GAP, 6, False)


class TestTheResidentScheme:
    """38号: from 2025 three months, one more for each missed year, from four missed years at least six."""

    @pytest.mark.parametrize("from_scheme", [EMPLOYEE, RESIDENT])
    @pytest.mark.parametrize(
        ("stopped_on", "covered_from", "missed", "wait", "ends_on"),
        [
            # Four months without cover, and no whole calendar year.
            ("2026-03-31", "2026-08-01", 0, 3, "2026-10-31"),
            ("2025-12-31", "2026-12-31", 0, 3, "2027-03-30"),
            # The years of the stop and of the new cover are never missed ones, however little of them was covered.
            ("2025-01-01", "2026-12-31", 0, 3, "2027-03-30"),
            ("2025-12-31", "2027-01-01", 1, 4, "2027-04-30"),
            ("2025-01-01", "2027-12-31", 1, 4, "2028-04-30"),
            ("2024-12-31", "2027-01-01", 2, 5, "2027-05-31"),
            ("2023-12-31", "2027-01-01", 3, 6, "2027-06-30"),
            ("2022-12-31", "2027-01-01", 4, 7, "2027-07-31"),
            ("2021-12-31", "2027-01-01", 5, 8, "2027-08-31"),
            ("2011-12-31", "2027-01-01", 15, 18, "2028-06-30"),
            ("2023-12-31", "2025-01-01", 1, 4, "2025-04-30"),
        ],
    )
    def test_the_table(
        self, from_scheme: InsuranceScheme, stopped_on: str, covered_from: str, missed: int, wait: int, ends_on: str
    ) -> None:
        found = waiting(stopped_on, covered_from, schemes=(from_scheme, RESIDENT))
        begins = date.fromisoformat(covered_from)
        assert found == WaitingPeriod(
            gap_months=gap_months(date.fromisoformat(stopped_on), begins),
            months=wait,
            starts_on=begins,
            ends_on=date.fromisoformat(ends_on),
            rule=WaitingRule.WAIT_RESIDENT,
            basis="38号",
            missed_years=missed,
        )

    def test_a_year_with_a_month_in_any_region_is_not_missed(self) -> None:
        paid = "202112;202307;202612"
        found = waiting("2021-12-31", "2027-01-01", schemes=(RESIDENT, RESIDENT), paid=paid)
        assert (found.missed_years, found.months) == (3, 6)

    def test_cover_that_began_before_2025_is_under_the_rule_of_2021(self) -> None:
        before = waiting("2023-06-30", "2024-12-31", schemes=(RESIDENT, RESIDENT))
        assert (before.rule, before.basis, before.months) == (WaitingRule.WAIT_AFTER_GAP, BENEFITS, 6)

    @pytest.mark.parametrize(
        ("policy", "by_missed_years"),
        [
            (WaitingPolicy(resident_months_per_missed_year=0), [3, 3, 3, 3, 6, 6]),
            (WaitingPolicy(resident_months=1), [1, 2, 3, 4, 6, 6, 7]),
            (WaitingPolicy(resident_months=0, resident_months_per_missed_year=0), [0, 0, 0, 0, 6, 6]),
            # The months of the employee scheme are another rule's.
            (WaitingPolicy(months=0), [3, 4, 5, 6, 7, 8]),
        ],
    )
    def test_a_region_may_ask_for_less_but_from_four_missed_years_never_for_less_than_six(
        self, policy: WaitingPolicy, by_missed_years: list[int]
    ) -> None:
        found = [
            waiting(f"{2029 - missed}-08-31", "2030-09-01", policy, schemes=(RESIDENT, RESIDENT)).months
            for missed in range(len(by_missed_years))
        ]
        assert found == by_missed_years


class TestLocalVariants:
    def test_a_region_may_pay_a_share_during_the_wait(self) -> None:
        half = WaitingPolicy(ratio="0.5")
        assert waiting("2026-06-30", "2026-11-01", half).ratio == "0.5"
        assert waiting("2026-06-30", "2026-11-01", half, schemes=(RESIDENT, RESIDENT)).ratio == "0.5"
        assert waiting("2026-06-30", "2026-08-01", half).ratio is None
        assert waiting("2026-06-30", "2026-11-01", WaitingPolicy(ratio="0.5", months=0)).ratio is None

    def test_a_region_may_grant_the_benefits_of_a_gap_that_is_paid(self) -> None:
        kind = WaitingPolicy(retroactive=True)
        gap, none, long = (waiting("2026-06-30", begins, kind) for begins in ("2026-09-01", "2026-07-01", "2026-11-01"))
        assert [(each.payable_gap, each.retroactive) for each in (gap, none, long)] == [
            (True, True),
            (False, False),
            (False, False),
        ]

    @pytest.mark.parametrize(
        "given",
        [
            {"months": 7},
            {"months": -1},
            {"free_gap_months": 2},
            {"resident_months": 4},
            {"resident_months_per_missed_year": 2},
            {"ratio": "0"},
            {"ratio": "0.0"},
            {"ratio": "1"},
            {"ratio": "1.0"},
            {"ratio": "0.505"},
            {"ratio": "0.5\n"},
            {"ratio": "50%"},
            {"ratio": 0.5},
            {"least_months": 1},
        ],
    )
    def test_a_region_cannot_ask_for_longer_than_the_law_or_for_what_is_no_share(self, given: dict[str, Any]) -> None:
        with pytest.raises(ValidationError):
            WaitingPolicy(**given)

    def test_what_an_operator_types_is_read(self) -> None:
        typed = {"months": "3", "ratio": "0.65", "retroactive": "yes", "resident_months": "2"}
        assert WaitingPolicy.model_validate(typed) == WaitingPolicy(
            months=3, ratio="0.65", retroactive=True, resident_months=2
        )


@st.composite
def policies(draw: st.DrawFn) -> WaitingPolicy:
    return WaitingPolicy(
        free_gap_months=draw(st.integers(3, 12)),
        months=draw(st.integers(0, 6)),
        resident_months=draw(st.integers(0, 3)),
        resident_months_per_missed_year=draw(st.integers(0, 1)),
        ratio=draw(st.sampled_from([None, "0.5"])),
        retroactive=draw(st.booleans()),
    )


DAYS = st.dates(date(2015, 1, 1), date(2035, 12, 31))
SCHEMES = st.sampled_from(list(InsuranceScheme))


@given(DAYS, DAYS, SCHEMES, SCHEMES, st.integers(0, 60), policies())
def test_no_policy_lets_a_person_wait_longer_than_the_law(
    stopped_on: date,
    covered_from: date,
    from_scheme: InsuranceScheme,
    to_scheme: InsuranceScheme,
    paid: int,
    policy: WaitingPolicy,
) -> None:
    last = month_of(stopped_on)
    run = month_text(last - paid + 1).replace("-", "") + "-" + month_text(last).replace("-", "")
    periods = months(run) if paid else ()

    def wait(asked: WaitingPolicy) -> WaitingPeriod:
        return waiting_period(
            stopped_on=stopped_on,
            covered_from=covered_from,
            from_scheme=from_scheme,
            to_scheme=to_scheme,
            periods=periods,
            policy=asked,
        )

    found, law = wait(policy), wait(LAW)
    assert found.months <= law.months
    assert (found.starts_on is None) is (found.ends_on is None) is (found.months == 0)
    assert found.basis in INSTRUMENTS
    assert not (found.months and (found.payable_gap or found.retroactive))
    assert found.ratio is None or found.months
    # The law's own table, written down a second time.
    if gap_months(stopped_on, covered_from) <= 3 and (from_scheme is to_scheme or paid >= 24):
        assert law.months == 0
    elif to_scheme is RESIDENT and covered_from.year >= 2025:
        assert law.months == 3 + max(0, covered_from.year - stopped_on.year - 1)
    else:
        assert law.months == 6


class TestWhatTheWordsSay:
    def test_every_rule_has_its_words_in_both_languages(self) -> None:
        for words in WORDS.values():
            assert [rule for rule in WaitingRule if f"waiting.{rule}" not in words] == []

    def test_a_gap_that_may_be_paid(self) -> None:
        wait = waiting("2026-06-30", "2026-08-01", WaitingPolicy(retroactive=True))
        assert waiting_words(wait) == (
            "中断缴费1个月，未超过政策规定的期限，自转入地参保之日起享受待遇，无等待期。"
            "中断的1个月可按转入地规定补缴。补缴后，中断期间的待遇可按转入地规定追溯享受。"
        )

    def test_missed_years_and_the_share_paid_meanwhile(self) -> None:
        wait = waiting("2024-06-30", "2026-08-01", WaitingPolicy(ratio="0.65"), schemes=(RESIDENT, RESIDENT))
        assert waiting_words(wait) == (
            "中断缴费25个月，其中整年未参保1年，参加居民医保需等待4个月后享受统筹基金待遇。等待期内先按正常待遇的65%享受。"
        )
        assert waiting_words(wait, "en") == (
            "A gap of 25 months, 1 whole year(s) of them missed: in the resident scheme pooled-fund benefits start after"
            " 4 month(s). During the wait 65% of the benefits are paid."
        )


def test_a_wait_that_was_written_before_its_rule_had_a_basis_still_reads() -> None:
    written = {
        "gap_months": 4,
        "months": 6,
        "starts_on": "2026-11-01",
        "ends_on": "2027-04-30",
        "rule": "WAIT_AFTER_GAP",
    }
    read = WaitingPeriod.model_validate_json(json.dumps(written))
    assert read == WaitingPeriod(
        gap_months=4,
        months=6,
        starts_on=date(2026, 11, 1),
        ends_on=date(2027, 4, 30),
        rule=WaitingRule.WAIT_AFTER_GAP,
        basis="43号",
        missed_years=0,
        payable_gap=False,
        retroactive=False,
        ratio=None,
    )
    assert waiting_words(read) == "中断缴费4个月，超过政策规定的期限，需等待6个月后享受统筹基金待遇。"


def test_months_of_both_regions_count_once_and_overlaps_are_listed() -> None:
    assert continued(
        "202510-202609", months("d200101-200112;201501-202512", O), "2025-12-31", "2025-10-01"
    ) == Continuation(
        actual_months=141,
        deemed_months=12,
        total_months=153,
        overlaps=("2025-10", "2025-11", "2025-12"),
        waiting_period=WaitingPeriod(
            gap_months=0, months=0, starts_on=None, ends_on=None, rule=WaitingRule.NO_WAIT, basis=BENEFITS
        ),
    )


def test_a_deemed_month_that_was_paid_elsewhere_counts_as_paid() -> None:
    found = continued("202001-202001", months("d202001-202002", O), "2020-02-29", "2020-03-01")
    assert (found.actual_months, found.deemed_months, found.overlaps) == (1, 1, ("2020-01",))


def test_months_that_come_home_count_as_actual_again_and_are_no_overlap() -> None:
    """Paid at R until 2020, deemed at O after a first transfer, and back at R."""
    form = (*months("d201501-202012", R), *months("202101-202608", O))
    found = continued("201501-202012", form, "2026-08-31", "2026-09-01")
    assert (found.actual_months, found.deemed_months, found.total_months, found.overlaps) == (140, 0, 140, ())
    assert continued("", form, "2026-08-31", "2026-09-01").actual_months == 140


def test_without_any_month_there_is_nothing_to_add_up() -> None:
    found = continued("", (), "2026-01-31", "2026-02-01")
    assert (found.total_months, found.overlaps) == (0, ())
