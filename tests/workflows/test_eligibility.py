"""The pre-check: each reason by itself in exact values, then all of them together, in order and independent."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.workflows.pure_cases import CALENDAR, O, R, months
from workflows.continuation import WaitingPeriod, WaitingRule
from workflows.eligibility import Assessment, assess, shortened_periods
from workflows.findings import Finding
from workflows.policy import RegionPolicy, Treatment
from workflows.precheck import CompletedTransfer, Enrolment, PreCheck, Region
from workflows.vocabulary import InsuranceScheme, RefusalClass, RefusalCode, Side, TransferRoute
from workflows.vocabulary import TransferStepKind as K

C = RefusalCode
EMPLOYEE, RESIDENT = InsuranceScheme.EMPLOYEE, InsuranceScheme.RESIDENT
# A Friday; the next working day is a Monday.
TODAY, TOMORROW = date(2026, 11, 20), date(2026, 11, 23)

AT_O = Enrolment(
    region=O,
    scheme=EMPLOYEE,
    active=False,
    stopped_on=date(2026, 8, 31),
    enrolled_on=date(2015, 1, 1),
    periods=months("201501-202608"),
)
AT_R = Enrolment(
    region=R, scheme=EMPLOYEE, active=True, enrolled_on=date(2026, 9, 1), periods=months("202609-202611", R)
)


def check(
    o: dict[str, Any] | None = None,
    r: dict[str, Any] | None = None,
    *,
    others: tuple[Enrolment, ...] = (),
    o_policy: RegionPolicy | None = None,
    r_policy: RegionPolicy | None = None,
    **given: Any,
) -> PreCheck:
    """A person who may transfer from O to R, but for the changes."""
    fields = {
        "origin": Region(code=O, policy=o_policy or RegionPolicy()),
        "destination": Region(code=R, policy=r_policy or RegionPolicy()),
        "from_scheme": EMPLOYEE,
        "to_scheme": EMPLOYEE,
        "enrolments": (AT_O.model_copy(update=o or {}), AT_R.model_copy(update=r or {}), *others),
    }
    return PreCheck(**(fields | given))


def judged(asked: PreCheck) -> Assessment:
    return assess(asked, today=TODAY, calendar=CALENDAR)


def found(asked: PreCheck) -> tuple[Finding, ...]:
    return judged(asked).findings


def reason(
    code: C,
    side: Side,
    *,
    cls: RefusalClass = RefusalClass.BLOCKS,
    region: str | None = None,
    basis: str = "43号",
    retry_on: date | None = None,
    **figures: str | int,
) -> tuple[Finding, ...]:
    return (Finding(code=code, cls=cls, side=side, region=region, basis=basis, figures=figures, retry_on=retry_on),)


def test_a_person_stopped_at_o_and_insured_at_r_may_transfer() -> None:
    assert judged(check()) == Assessment(
        findings=(),
        route=TransferRoute.PLATFORM,
        stop_needed=False,
        stopped_on=date(2026, 8, 31),
        waiting_period=WaitingPeriod(
            gap_months=0, months=0, starts_on=None, ends_on=None, rule=WaitingRule.NO_WAIT, basis="43号 待遇衔接"
        ),
        periods={},
    )


class TestEachReason:
    def test_coverage_still_active(self) -> None:
        asked = check({"active": True, "stopped_on": None})
        assert found(asked) == reason(C.COVERAGE_STILL_ACTIVE, Side.TRANSFER_OUT, region=O, retry_on=TOMORROW)

    def test_coverage_still_active_is_no_reason_when_the_stop_is_asked_for(self) -> None:
        answer = judged(check({"active": True, "stopped_on": None}, request_stop=True))
        assert (answer.findings, answer.stop_needed, answer.stopped_on) == ((), True, None)

    def test_a_stop_that_is_asked_for_is_not_needed_where_cover_has_stopped(self) -> None:
        assert judged(check(request_stop=True)).stop_needed is False

    @pytest.mark.parametrize("asked", [check(r={"active": False}), check(enrolments=(AT_O,))])
    def test_not_enrolled_at_destination(self, asked: PreCheck) -> None:
        assert found(asked) == reason(C.NOT_ENROLLED_AT_DESTINATION, Side.TRANSFER_IN, region=R, retry_on=TOMORROW)

    def test_not_enrolled_at_destination_blocks_a_stop_that_is_asked_for(self) -> None:
        asked = check({"active": True, "stopped_on": None}, {"active": False}, request_stop=True)
        assert found(asked) == reason(C.NOT_ENROLLED_AT_DESTINATION, Side.TRANSFER_IN, region=R, retry_on=TOMORROW)

    def test_current_month_unpaid(self) -> None:
        unpaid = reason(C.CURRENT_MONTH_UNPAID, Side.TRANSFER_IN, region=R, retry_on=TOMORROW, month="2026-11")
        assert found(check(r={"current_month_unpaid": True})) == unpaid

    def test_retired(self) -> None:
        assert found(check({"retired": True})) == reason(C.RETIRED, Side.TRANSFER_OUT, region=O)

    def test_deceased(self) -> None:
        assert found(check({"deceased": True})) == reason(C.DECEASED, Side.TRANSFER_OUT, region=O)

    def test_same_pooling_region(self) -> None:
        same = Region(code=O, policy=RegionPolicy())
        assert found(check(destination=same)) == reason(C.SAME_POOLING_REGION, Side.PLATFORM)

    def test_no_record_at_origin_with_the_regions_where_there_is_one(self) -> None:
        elsewhere = tuple(AT_O.model_copy(update={"region": region}) for region in ("440100", "120000"))
        assert found(check(enrolments=(AT_R, *elsewhere))) == reason(
            C.NO_RECORD_AT_ORIGIN, Side.TRANSFER_OUT, region=O, candidates="120000,440100"
        )
        assert found(check(enrolments=(AT_R,))) == reason(
            C.NO_RECORD_AT_ORIGIN, Side.TRANSFER_OUT, region=O, candidates=""
        )

    @pytest.mark.parametrize("active", [True, False])
    def test_scheme_mismatch_at_o_and_not_double_insured(self, active: bool) -> None:
        asked = check({"scheme": RESIDENT, "active": active})
        assert found(asked) == reason(C.SCHEME_MISMATCH, Side.TRANSFER_OUT, region=O, held="RESIDENT")

    def test_scheme_mismatch_at_r_and_neither_double_insured_nor_not_enrolled(self) -> None:
        mismatch = reason(C.SCHEME_MISMATCH, Side.TRANSFER_IN, region=R, held="RESIDENT")
        assert found(check(r={"scheme": RESIDENT})) == mismatch
        ended = AT_R.model_copy(update={"active": False, "stopped_on": date(2020, 1, 31)})
        resident = AT_R.model_copy(update={"scheme": RESIDENT})
        assert found(check(enrolments=(AT_O, ended, resident))) == mismatch

    def test_an_ended_enrolment_in_the_other_scheme_at_r_is_no_mismatch(self) -> None:
        asked = check(r={"scheme": RESIDENT, "active": False})
        assert found(asked) == reason(C.NOT_ENROLLED_AT_DESTINATION, Side.TRANSFER_IN, region=R, retry_on=TOMORROW)

    def test_resident_id_invalid(self) -> None:
        invalid = reason(C.RESIDENT_ID_INVALID, Side.PLATFORM, basis="GB 11643", fault="CHECK_DIGIT")
        assert found(check(resident_id_fault="CHECK_DIGIT")) == invalid

    def test_identity_mismatch_on_the_side_that_spells_it_otherwise(self) -> None:
        at_o = reason(C.IDENTITY_MISMATCH, Side.TRANSFER_OUT, region=O)
        at_r = reason(C.IDENTITY_MISMATCH, Side.TRANSFER_IN, region=R)
        assert found(check({"name_agrees": False}, {"name_agrees": True})) == at_o
        assert found(check({"name_agrees": True}, {"name_agrees": False})) == at_r
        assert found(check({"name_agrees": False}, {"name_agrees": False})) == at_o + at_r
        assert found(check({"name_agrees": True}, {"name_agrees": True})) == ()

    def test_identity_mismatch_between_the_registers_is_said_once(self) -> None:
        at_r = reason(C.IDENTITY_MISMATCH, Side.TRANSFER_IN, region=R)
        assert found(check(names_agree=False)) == at_r
        at_o = reason(C.IDENTITY_MISMATCH, Side.TRANSFER_OUT, region=O)
        assert found(check({"name_agrees": False}, {"name_agrees": True}, names_agree=False)) == at_o

    def test_arrears_outstanding_warns_with_period_and_amount(self) -> None:
        arrears: dict[str, Any] = {"arrears_fen": 12_300, "arrears_from": "2026-01", "arrears_to": "2026-03"}
        figures: dict[str, Any] = {"arrears_fen": 12_300, "first_month": "2026-01", "last_month": "2026-03"}
        asked = check(arrears)
        assert found(asked) == reason(
            C.ARREARS_OUTSTANDING, Side.TRANSFER_OUT, cls=RefusalClass.WARNS, region=O, basis="94号", **figures
        )
        assert judged(asked).blocking == ()

    def test_unsettled_claims(self) -> None:
        unsettled = reason(C.UNSETTLED_CLAIMS, Side.TRANSFER_OUT, region=O, retry_on=TOMORROW)
        assert found(check({"unsettled_claims": True})) == unsettled

    def test_account_frozen_goes_to_the_clerk(self) -> None:
        frozen = reason(C.ACCOUNT_FROZEN, Side.TRANSFER_OUT, cls=RefusalClass.MANUAL, region=O)
        answer = judged(check({"account_frozen": True}))
        assert (answer.findings, answer.blocking, answer.remaining) == (frozen, (), frozen)

    def test_special_personnel_goes_to_the_clerk(self) -> None:
        special = reason(C.SPECIAL_PERSONNEL, Side.PLATFORM, cls=RefusalClass.MANUAL)
        assert found(check({"special_personnel": True})) == special

    def test_receiving_account_missing_goes_to_the_clerk(self) -> None:
        poor = Region(code=R, policy=RegionPolicy(), has_receiving_account=False)
        missing = reason(C.RECEIVING_ACCOUNT_MISSING, Side.TRANSFER_IN, cls=RefusalClass.MANUAL, region=R)
        assert found(check(destination=poor)) == missing

    def test_double_insured_in_a_third_region_in_o_and_in_r(self) -> None:
        third = AT_R.model_copy(update={"region": "440100"})
        beside_o = AT_O.model_copy(update={"scheme": RESIDENT, "active": True, "stopped_on": None})
        beside_r = AT_R.model_copy(update={"scheme": RESIDENT})
        for other, side, held in (
            (third, Side.TRANSFER_OUT, "EMPLOYEE"),
            (beside_o, Side.TRANSFER_OUT, "RESIDENT"),
            (beside_r, Side.TRANSFER_IN, "RESIDENT"),
        ):
            double = reason(C.DOUBLE_INSURED, side, region=other.region, basis="SIL", held=held)
            assert found(check(others=(other,))) == double

    def test_enrolments_that_have_ended_insure_nobody_twice(self) -> None:
        ended = AT_O.model_copy(update={"region": "440100"})
        assert found(check(others=(ended,))) == ()

    def test_overlapping_months_warn_with_how_many_and_from_when_to_when(self) -> None:
        asked = check(r={"periods": months("202606-202611", R)})
        assert found(asked) == reason(
            C.OVERLAPPING_MONTHS,
            Side.TRANSFER_IN,
            cls=RefusalClass.WARNS,
            region=R,
            basis="SIL",
            months=3,
            first_month="2026-06",
            last_month="2026-08",
        )

    def test_transfer_in_progress_with_its_number(self) -> None:
        asked = check(open_transfer_no="ZY-319900-20261101-000007")
        in_progress = reason(C.TRANSFER_IN_PROGRESS, Side.PLATFORM, transfer_no="ZY-319900-20261101-000007")
        assert found(asked) == in_progress

    def test_already_transferred_while_nothing_has_happened_at_o_since(self) -> None:
        earlier = CompletedTransfer(no="ZY-1", from_region=O, from_scheme=EMPLOYEE, stopped_on=date(2026, 8, 31))
        assert found(check(completed=(earlier,))) == reason(C.ALREADY_TRANSFERRED, Side.PLATFORM, transfer_no="ZY-1")
        insured_again = {"stopped_on": date(2026, 9, 30)}
        assert found(check(insured_again, completed=(earlier,))) == ()
        corrected = {"stopped_on": date(2026, 8, 30)}
        transferred = reason(C.ALREADY_TRANSFERRED, Side.PLATFORM, transfer_no="ZY-1")
        assert found(check(corrected, completed=(earlier,))) == transferred
        undated = earlier.model_copy(update={"stopped_on": None})
        assert found(check(completed=(undated,))) == ()
        assert found(check({"stopped_on": None}, completed=(undated,))) == transferred
        assert found(check({"stopped_on": None}, completed=(earlier,))) == ()
        other_scheme = earlier.model_copy(update={"from_scheme": RESIDENT})
        other_region = earlier.model_copy(update={"from_region": R})
        assert found(check(completed=(other_scheme, other_region))) == ()

    @pytest.mark.parametrize(("o", "r"), [(True, False), (False, True), (False, False)])
    def test_with_a_region_that_is_not_connected_it_goes_by_post_and_to_r_s_clerk(self, o: bool, r: bool) -> None:
        answer = judged(check(o_policy=RegionPolicy(connected=o), r_policy=RegionPolicy(connected=r)))
        assert (answer.findings, answer.route, answer.manual) == ((), TransferRoute.PAPER, True)
        assert (judged(check()).route, judged(check()).manual) == (TransferRoute.PLATFORM, False)

    def test_agent_not_authorised(self) -> None:
        assert found(check(authorised=False)) == reason(C.AGENT_NOT_AUTHORISED, Side.PLATFORM, basis="PIPL")


def resident_to_resident(o: dict[str, Any] | None = None, r: dict[str, Any] | None = None, **given: Any) -> PreCheck:
    """Someone in the resident scheme of O this year; R's register has them, for no year yet."""
    o = {"scheme": RESIDENT, "active": True, "stopped_on": None, "periods": months("202401-202612")} | (o or {})
    r = {"scheme": RESIDENT, "active": False, "enrolled_on": None, "periods": ()} | (r or {})
    return check(o, r, **({"from_scheme": RESIDENT, "to_scheme": RESIDENT} | given))


SAME_YEAR = reason(C.RESIDENT_SAME_YEAR, Side.TRANSFER_IN, region=R, retry_on=date(2027, 1, 1))
NEXT_YEAR = {"next_year_enrolled": True}
NO_WAIT = WaitingPeriod(
    gap_months=0, months=0, starts_on=None, ends_on=None, rule=WaitingRule.NO_WAIT, basis="43号 待遇衔接"
)


class TestResidentToResident:
    """The one condition is R's enrolment for the coming year: the scheme is insured by the calendar year."""

    @pytest.mark.parametrize("active_at_r", [True, False])
    def test_enrolled_at_r_for_the_next_year_o_s_cover_ends_with_this_one(self, active_at_r: bool) -> None:
        asked = resident_to_resident(r=NEXT_YEAR | {"active": active_at_r})
        assert judged(asked) == Assessment(
            findings=(),
            route=TransferRoute.PLATFORM,
            stop_needed=False,
            stopped_on=date(2026, 12, 31),
            waiting_period=NO_WAIT,
            periods={},
        )

    def test_no_stop_is_asked_of_o_for_it_would_end_the_cover_before_r_s_begins(self) -> None:
        answer = judged(resident_to_resident(r=NEXT_YEAR, request_stop=True))
        assert (answer.findings, answer.stop_needed, answer.stopped_on) == ((), False, date(2026, 12, 31))

    @pytest.mark.parametrize("request_stop", [True, False])
    @pytest.mark.parametrize("r", [{}, {"active": True, "enrolled_on": date(2026, 9, 1)}])
    @pytest.mark.parametrize("o", [{}, {"active": False, "stopped_on": date(2026, 1, 31)}])
    def test_without_it_in_the_same_year_the_earliest_date_is_told_and_nothing_else(
        self, o: dict[str, Any], r: dict[str, Any], request_stop: bool
    ) -> None:
        """Neither "stop at O" nor "enrol at R": the one cannot be done by the person, the other would insure twice."""
        answer = judged(resident_to_resident(o, r, request_stop=request_stop))
        assert (answer.findings, answer.stopped_on) == (SAME_YEAR, o.get("stopped_on"))

    def test_without_any_enrolment_at_r_in_the_same_year_it_is_the_same(self) -> None:
        at_o = AT_O.model_copy(update={"scheme": RESIDENT, "active": True, "stopped_on": None})
        assert found(resident_to_resident(enrolments=(at_o,))) == SAME_YEAR

    def test_in_the_other_scheme_at_r_is_told_beside_it(self) -> None:
        employed = AT_R.model_copy(update={"scheme": EMPLOYEE})
        mismatch = reason(C.SCHEME_MISMATCH, Side.TRANSFER_IN, region=R, held="EMPLOYEE")
        assert found(resident_to_resident(others=(employed,))) == mismatch + SAME_YEAR
        assert found(resident_to_resident(r=NEXT_YEAR, others=(employed,))) == mismatch

    def test_stopped_in_an_earlier_year_and_insured_at_r(self) -> None:
        answer = judged(
            resident_to_resident(
                {"active": False, "stopped_on": date(2025, 12, 31)}, {"active": True, "enrolled_on": date(2026, 1, 1)}
            )
        )
        assert (answer.findings, answer.stopped_on, answer.waiting_period) == ((), date(2025, 12, 31), NO_WAIT)

    def test_stopped_in_an_earlier_year_and_not_enrolled_at_r(self) -> None:
        asked = resident_to_resident({"active": False, "stopped_on": date(2025, 12, 31)})
        assert found(asked) == reason(C.NOT_ENROLLED_AT_DESTINATION, Side.TRANSFER_IN, region=R, retry_on=TOMORROW)

    def test_stopped_in_an_earlier_year_and_enrolled_at_r_for_the_next_one(self) -> None:
        """R's cover begins with January: the year without cover is a missed one."""
        paid = months("202401-202512")
        answer = judged(
            resident_to_resident({"active": False, "stopped_on": date(2025, 12, 31), "periods": paid}, NEXT_YEAR)
        )
        assert (answer.findings, answer.stopped_on) == ((), date(2025, 12, 31))
        assert answer.waiting_period == WaitingPeriod(
            gap_months=12,
            months=4,
            starts_on=date(2027, 1, 1),
            ends_on=date(2027, 4, 30),
            rule=WaitingRule.WAIT_RESIDENT,
            basis="38号",
            missed_years=1,
        )

    def test_stopped_in_this_year_and_enrolled_at_r_for_the_next_one(self) -> None:
        answer = judged(resident_to_resident({"active": False, "stopped_on": date(2026, 10, 31)}, NEXT_YEAR))
        assert (answer.findings, answer.stopped_on) == ((), date(2026, 10, 31))
        assert answer.waiting_period is not None
        assert (answer.waiting_period.gap_months, answer.waiting_period.payable_gap) == (2, True)


KINDS = [(EMPLOYEE, RESIDENT), (RESIDENT, EMPLOYEE), (EMPLOYEE, EMPLOYEE)]


class TestFromAndToTheEmployeeScheme:
    """O's cover stopped, and enrolled in the target scheme at R: between the schemes as within the employee scheme."""

    @pytest.mark.parametrize(("from_scheme", "to_scheme"), KINDS)
    def test_stopped_at_o_and_insured_at_r(self, from_scheme: InsuranceScheme, to_scheme: InsuranceScheme) -> None:
        answer = judged(of_kind(from_scheme, to_scheme))
        assert (answer.findings, answer.stop_needed, answer.stopped_on) == ((), False, date(2026, 8, 31))
        rule = WaitingRule.NO_WAIT if from_scheme is to_scheme else WaitingRule.NO_WAIT_SWITCHING
        assert answer.waiting_period == NO_WAIT.model_copy(update={"rule": rule})

    @pytest.mark.parametrize(("from_scheme", "to_scheme"), KINDS)
    def test_still_covered_at_o(self, from_scheme: InsuranceScheme, to_scheme: InsuranceScheme) -> None:
        active = {"active": True, "stopped_on": None}
        still_active = reason(C.COVERAGE_STILL_ACTIVE, Side.TRANSFER_OUT, region=O, retry_on=TOMORROW)
        assert found(of_kind(from_scheme, to_scheme, active)) == still_active
        # R's year to come does not end a cover that is not by the year on both sides.
        assert found(of_kind(from_scheme, to_scheme, active, NEXT_YEAR)) == still_active
        answer = judged(of_kind(from_scheme, to_scheme, active, request_stop=True))
        assert (answer.findings, answer.stop_needed, answer.stopped_on) == ((), True, None)

    @pytest.mark.parametrize(("from_scheme", "to_scheme"), KINDS)
    @pytest.mark.parametrize("r", [{"active": False}, {"active": False, "next_year_enrolled": True}])
    def test_not_insured_at_r(
        self, from_scheme: InsuranceScheme, to_scheme: InsuranceScheme, r: dict[str, Any]
    ) -> None:
        not_enrolled = reason(C.NOT_ENROLLED_AT_DESTINATION, Side.TRANSFER_IN, region=R, retry_on=TOMORROW)
        assert found(of_kind(from_scheme, to_scheme, r=r)) == not_enrolled

    @pytest.mark.parametrize(("from_scheme", "to_scheme"), [*KINDS, (RESIDENT, RESIDENT)])
    def test_a_record_or_an_enrolment_in_the_other_scheme_only(
        self, from_scheme: InsuranceScheme, to_scheme: InsuranceScheme
    ) -> None:
        other = {EMPLOYEE: RESIDENT, RESIDENT: EMPLOYEE}
        at_o = {"scheme": other[from_scheme], "stopped_on": date(2025, 8, 31)}
        assert found(of_kind(from_scheme, to_scheme, at_o)) == reason(
            C.SCHEME_MISMATCH, Side.TRANSFER_OUT, region=O, held=other[from_scheme]
        )
        at_r = {"scheme": other[to_scheme]}
        assert found(of_kind(from_scheme, to_scheme, {"stopped_on": date(2025, 8, 31)}, at_r)) == reason(
            C.SCHEME_MISMATCH, Side.TRANSFER_IN, region=R, held=other[to_scheme]
        )

    def test_who_switches_without_two_continuous_years_is_told_the_wait_beforehand(self) -> None:
        wait = judged(of_kind(RESIDENT, EMPLOYEE, {"periods": months("202601-202608")})).waiting_period
        assert wait is not None
        assert (wait.rule, wait.months, wait.starts_on) == (WaitingRule.WAIT_AFTER_SWITCHING, 6, date(2026, 9, 1))

    @pytest.mark.parametrize(("from_scheme", "to_scheme"), [*KINDS, (RESIDENT, RESIDENT)])
    def test_retirees_are_refused_and_special_personnel_go_to_the_clerk(
        self, from_scheme: InsuranceScheme, to_scheme: InsuranceScheme
    ) -> None:
        earlier: dict[str, Any] = {"stopped_on": date(2025, 8, 31)}
        retired = reason(C.RETIRED, Side.TRANSFER_OUT, region=O)
        assert found(of_kind(from_scheme, to_scheme, earlier | {"retired": True})) == retired
        special = reason(C.SPECIAL_PERSONNEL, Side.PLATFORM, cls=RefusalClass.MANUAL)
        answer = judged(of_kind(from_scheme, to_scheme, earlier | {"special_personnel": True}))
        assert (answer.findings, answer.blocking) == (special, ())


def of_kind(
    from_scheme: InsuranceScheme,
    to_scheme: InsuranceScheme,
    o: dict[str, Any] | None = None,
    r: dict[str, Any] | None = None,
    **given: Any,
) -> PreCheck:
    """A person stopped in one scheme at O and insured in another, or the same, at R, but for the changes."""
    o, r = {"scheme": from_scheme} | (o or {}), {"scheme": to_scheme} | (r or {})
    return check(o, r, from_scheme=from_scheme, to_scheme=to_scheme, **given)


class TestPolicies:
    def test_arrears_block_where_o_says_so(self) -> None:
        asked = check({"arrears_fen": 1}, o_policy=RegionPolicy(arrears=Treatment.BLOCK))
        assert [(each.code, each.cls) for each in judged(asked).blocking] == [("ARREARS_OUTSTANDING", "BLOCKS")]

    def test_an_unpaid_month_warns_or_is_ignored_where_r_says_so(self) -> None:
        warns = check(r={"current_month_unpaid": True}, r_policy=RegionPolicy(current_month_unpaid=Treatment.WARN))
        assert [(each.code, each.cls, each.retry_on) for each in found(warns)] == [
            ("CURRENT_MONTH_UNPAID", "WARNS", None)
        ]
        ignored = RegionPolicy(current_month_unpaid=Treatment.IGNORE)
        assert found(check(r={"current_month_unpaid": True}, r_policy=ignored)) == ()

    def test_unsettled_claims_warn_where_o_says_so(self) -> None:
        asked = check({"unsettled_claims": True}, o_policy=RegionPolicy(unsettled_claims=Treatment.WARN))
        assert [(each.code, each.cls, each.retry_on) for each in found(asked)] == [("UNSETTLED_CLAIMS", "WARNS", None)]

    def test_doubtful_identity_and_double_insurance_go_to_r_s_clerk_where_r_says_so(self) -> None:
        clerk = RegionPolicy(doubtful_identity=Treatment.CLERK, double_insurance=Treatment.CLERK)
        third = AT_R.model_copy(update={"region": "440100"})
        answer = judged(check({"name_agrees": False}, others=(third,), r_policy=clerk))
        assert [(each.code, each.cls) for each in answer.findings] == [
            ("IDENTITY_MISMATCH", "MANUAL"),
            ("DOUBLE_INSURED", "MANUAL"),
        ]
        assert answer.blocking == ()

    def test_a_policy_of_the_other_side_changes_nothing(self) -> None:
        o_policy = RegionPolicy(doubtful_identity=Treatment.CLERK, current_month_unpaid=Treatment.IGNORE)
        r_policy = RegionPolicy(arrears=Treatment.BLOCK, unsettled_claims=Treatment.WARN)
        asked = check(
            {"arrears_fen": 1, "unsettled_claims": True},
            {"current_month_unpaid": True, "name_agrees": False},
            o_policy=o_policy,
            r_policy=r_policy,
        )
        assert [(each.code, each.cls) for each in found(asked)] == [
            ("UNSETTLED_CLAIMS", "BLOCKS"),
            ("CURRENT_MONTH_UNPAID", "BLOCKS"),
            ("IDENTITY_MISMATCH", "BLOCKS"),
            ("ARREARS_OUTSTANDING", "WARNS"),
        ]

    def test_each_side_shortens_its_own_steps(self) -> None:
        o_policy = RegionPolicy(shortened_periods={K.DELIVER_INFORMATION_FORM: 7, K.CONFIRM_CONTINUATION: 1})
        r_policy = RegionPolicy(shortened_periods={K.DELIVER_INFORMATION_FORM: 3, K.CONFIRM_CONTINUATION: 4})
        expected = {K.DELIVER_INFORMATION_FORM: 7, K.CONFIRM_CONTINUATION: 4}
        assert shortened_periods(o_policy, r_policy) == expected
        assert judged(check(o_policy=o_policy, r_policy=r_policy)).periods == expected

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            ({"arrears": Treatment.IGNORE}, "arrears may be warn or block, not ignore"),
            ({"unsettled_claims": Treatment.CLERK}, "unsettled_claims may be block or warn, not clerk"),
            (
                {"shortened_periods": {K.DELIVER_INFORMATION_FORM: 16}},
                "DELIVER_INFORMATION_FORM may be shortened to 1 … 15 working days, not 16",
            ),
            ({"shortened_periods": {K.CONFIRM_CONTINUATION: 0}}, "shortened to 1 … 15 working days, not 0"),
            (
                {"shortened_periods": {K.ISSUE_CERTIFICATE: 1}},
                "ISSUE_CERTIFICATE is done at once: it has no period to shorten",
            ),
            (
                {
                    "disposition": (
                        {"to_scheme": "RESIDENT", "disposition": "pay_out"},
                        *[{"disposition": "retain"}] * 2,
                    )
                },
                "rule 3 can never match: rule 2 takes all of its cases",
            ),
            (
                {"regional_holidays": [{"date": f"2027-04-{day:02}", "name": "三月三"} for day in (9, 8)]},
                "dates must rise without repeats: 2027-04-08 follows 2027-04-09",
            ),
        ],
    )
    def test_a_region_cannot_allow_itself_what_the_law_does_not(self, given: dict[str, Any], message: str) -> None:
        with pytest.raises(ValueError, match=message):
            RegionPolicy(**given)


EVERYTHING_ELSE: dict[str, Any] = {"names_agree": False, "open_transfer_no": "ZY-1", "request_stop": True}


class TestTheEndOfTheCheck:
    """Some reasons stand alone, and then nothing that the registers hold is told."""

    @pytest.mark.parametrize(
        ("given", "code"),
        [
            ({"resident_id_fault": "LENGTH"}, C.RESIDENT_ID_INVALID),
            ({"authorised": False}, C.AGENT_NOT_AUTHORISED),
            ({"destination": Region(code=O, policy=RegionPolicy())}, C.SAME_POOLING_REGION),
        ],
    )
    def test_it_is_told_alone_and_the_registers_are_silent(self, given: dict[str, Any], code: C) -> None:
        answer = judged(check({"retired": True, "active": True}, {"active": False}, **(EVERYTHING_ELSE | given)))
        assert [each.code for each in answer.findings] == [code]
        assert (answer.stop_needed, answer.stopped_on, answer.waiting_period) == (False, None, None)
        assert answer.blocking == answer.findings

    def test_a_wrong_number_is_told_before_the_same_region_and_that_before_the_missing_mandate(self) -> None:
        same = Region(code=O, policy=RegionPolicy())
        all_three = check(resident_id_fault="LENGTH", destination=same, authorised=False)
        assert [each.code for each in found(all_three)] == [C.RESIDENT_ID_INVALID]
        assert [each.code for each in found(check(destination=same, authorised=False))] == [C.SAME_POOLING_REGION]


class TestTheWaitBeforehand:
    def test_it_is_reckoned_from_r_s_cover(self) -> None:
        answer = judged(check({"stopped_on": date(2026, 3, 31)}))
        assert answer.waiting_period == WaitingPeriod(
            gap_months=5,
            months=6,
            starts_on=date(2026, 9, 1),
            ends_on=date(2027, 2, 28),
            rule=WaitingRule.WAIT_AFTER_GAP,
            basis="43号 待遇衔接",
        )

    @pytest.mark.parametrize(
        "asked",
        [
            check({"stopped_on": date(2026, 3, 31)}, {"active": False, "enrolled_on": date(2010, 1, 1)}),
            check(enrolments=(AT_O.model_copy(update={"stopped_on": date(2026, 3, 31)}),)),
        ],
    )
    def test_cover_that_r_does_not_give_yet_would_begin_today(self, asked: PreCheck) -> None:
        wait = judged(asked).waiting_period
        assert wait is not None
        assert (wait.gap_months, wait.starts_on, wait.ends_on) == (7, TODAY, date(2027, 5, 19))

    def test_without_a_record_at_o_there_is_none(self) -> None:
        assert judged(check(enrolments=(AT_R,))).waiting_period is None


# Each changes a check so that it has one reason; together they have all of them.
Change = Callable[[PreCheck], PreCheck]


def _at(index: int, **update: Any) -> Change:
    def change(asked: PreCheck) -> PreCheck:
        held = list(asked.enrolments)
        held[index] = held[index].model_copy(update=update)
        return asked.model_copy(update={"enrolments": tuple(held)})

    return change


def _with(**update: Any) -> Change:
    return lambda asked: asked.model_copy(update=update)


def _third_region(asked: PreCheck) -> PreCheck:
    return asked.model_copy(update={"enrolments": (*asked.enrolments, AT_R.model_copy(update={"region": "440100"}))})


def _no_account(asked: PreCheck) -> PreCheck:
    poor = asked.destination.model_copy(update={"has_receiving_account": False})
    return asked.model_copy(update={"destination": poor})


REASONS: dict[C, Change] = {
    C.TRANSFER_IN_PROGRESS: _with(open_transfer_no="ZY-1"),
    C.DECEASED: _at(0, deceased=True),
    C.RETIRED: _at(0, retired=True),
    C.COVERAGE_STILL_ACTIVE: _at(0, active=True),
    C.UNSETTLED_CLAIMS: _at(0, unsettled_claims=True),
    C.CURRENT_MONTH_UNPAID: _at(1, current_month_unpaid=True),
    C.IDENTITY_MISMATCH: _with(names_agree=False),
    C.DOUBLE_INSURED: _third_region,
    C.ACCOUNT_FROZEN: _at(0, account_frozen=True),
    C.SPECIAL_PERSONNEL: _at(0, special_personnel=True),
    C.RECEIVING_ACCOUNT_MISSING: _no_account,
    C.ARREARS_OUTSTANDING: _at(0, arrears_fen=5, arrears_from="2026-01", arrears_to="2026-01"),
    C.OVERLAPPING_MONTHS: _at(1, periods=months("202608-202611", R)),
}
SINGLE = {code: found(change(check())) for code, change in REASONS.items()}


def combined(codes: list[C]) -> PreCheck:
    asked = check()
    for code in codes:
        asked = REASONS[code](asked)
    return asked


def test_each_change_has_one_reason() -> None:
    assert {code: [each.code for each in findings] for code, findings in SINGLE.items()} == {
        code: [code] for code in REASONS
    }


def test_all_reasons_are_told_at_once_blocking_ones_first() -> None:
    assert [(each.code, each.cls) for each in found(combined(list(REASONS)))] == [
        ("TRANSFER_IN_PROGRESS", "BLOCKS"),
        ("DECEASED", "BLOCKS"),
        ("RETIRED", "BLOCKS"),
        ("COVERAGE_STILL_ACTIVE", "BLOCKS"),
        ("UNSETTLED_CLAIMS", "BLOCKS"),
        ("CURRENT_MONTH_UNPAID", "BLOCKS"),
        ("IDENTITY_MISMATCH", "BLOCKS"),
        ("DOUBLE_INSURED", "BLOCKS"),
        ("ACCOUNT_FROZEN", "MANUAL"),
        ("SPECIAL_PERSONNEL", "MANUAL"),
        ("RECEIVING_ACCOUNT_MISSING", "MANUAL"),
        ("ARREARS_OUTSTANDING", "WARNS"),
        ("OVERLAPPING_MONTHS", "WARNS"),
    ]


@given(st.lists(st.sampled_from(list(REASONS)), unique=True))
def test_any_reasons_together_are_exactly_the_union_of_each_alone(codes: list[C]) -> None:
    answer = judged(combined(codes))
    alone = [each for code in REASONS if code in codes for each in SINGLE[code]]
    assert sorted(answer.findings, key=lambda each: each.code) == sorted(alone, key=lambda each: each.code)
    blocks = [each for each in answer.findings if each.cls is RefusalClass.BLOCKS]
    assert answer.blocking == tuple(blocks) == answer.findings[: len(blocks)]
    assert answer.blocking + answer.remaining == answer.findings
    assert judged(combined(codes)) == answer
    assert judged(combined(codes[::-1])) == answer


@given(st.lists(st.sampled_from(list(REASONS)), unique=True), st.booleans())
def test_the_stop_that_is_asked_for_takes_away_its_own_reason_alone(codes: list[C], active: bool) -> None:
    codes = [code for code in codes if code is not C.COVERAGE_STILL_ACTIVE]
    asked = combined(codes)
    if active:
        asked = REASONS[C.COVERAGE_STILL_ACTIVE](asked)
    answer = judged(asked.model_copy(update={"request_stop": True}))
    assert answer.findings == found(combined(codes))
    assert answer.stop_needed is active
