"""The closed list, code by code: each is found by the pre-check in exact values, and said in both languages; nothing else refuses."""

from datetime import date
from typing import Any, NamedTuple, TypeAlias

import pytest

from tests.workflows.pure_cases import O_CLERK, R_CLERK, O, R, Story, months, returned, submission
from tests.workflows.test_eligibility import AT_R, EMPLOYEE, RESIDENT, check, found, judged, resident_to_resident
from tests.workflows.test_words import LANGUAGES, REGIONS
from workflows import commands as c
from workflows.certificate_request import refuse_certificate
from workflows.eligibility import PASSING
from workflows.findings import Finding
from workflows.policy import Direction, RegionPolicy, Treatment
from workflows.precheck import CompletedTransfer, PreCheck, Region
from workflows.vocabulary import InsuranceScheme, RefusalClass, RefusalCode, ReturnReason, Side
from workflows.words import Language
from workflows.words.findings import finding_words

C: TypeAlias = RefusalCode
S: TypeAlias = Side
Cls: TypeAlias = RefusalClass
# The pre-check is made on Friday 20 November 2026: the next working day is a Monday.
MONDAY, NEW_YEAR = date(2026, 11, 23), date(2027, 1, 1)
NO = "ZY-319900-20261101-000007"


Figures = dict[str, str | int]
NO_FIGURES: Figures = {}


class Row(NamedTuple):
    """One way to a reason: the check, and the finding in all its values."""

    code: C
    cls: Cls
    side: S
    region: str | None
    basis: str
    asked: PreCheck
    retry_on: date | None = None
    figures: Figures = NO_FIGURES


def silent(code: str) -> Region:
    return Region(code=code, policy=RegionPolicy(register_available=False))


ACTIVE = {"active": True, "stopped_on": None}
ARREARS: dict[str, Any] = {"arrears_fen": 12_300, "arrears_from": "2026-01", "arrears_to": "2026-03"}
OWED: dict[str, str | int] = {"arrears_fen": 12_300, "first_month": "2026-01", "last_month": "2026-03"}
THIRD = AT_R.model_copy(update={"region": "440100"})
TO_THE_CLERK = RegionPolicy(
    doubtful_identity=Treatment.CLERK, double_insurance=Treatment.CLERK, invalid_certificate=Treatment.CLERK
)
EARLIER = CompletedTransfer(no=NO, from_region=O, from_scheme=EMPLOYEE, stopped_on=date(2026, 8, 31))
SAME = Region(code=O, policy=RegionPolicy())
ONLY_RESIDENTS = RegionPolicy(open_for=(Direction(from_scheme=RESIDENT, to_scheme=RESIDENT),))
WITHOUT_ACCOUNT = Region(code=R, policy=RegionPolicy(), has_receiving_account=False)
TWICE: Figures = {"months": 1, "first_month": "2026-08", "last_month": "2026-08"}

# fmt: off
TABLE = (
    Row(C.COVERAGE_STILL_ACTIVE, Cls.BLOCKS, S.TRANSFER_OUT, O, "43号", check(ACTIVE), MONDAY),
    Row(C.NOT_ENROLLED_AT_DESTINATION, Cls.BLOCKS, S.TRANSFER_IN, R, "43号", check(r={"active": False}), MONDAY),
    Row(C.CURRENT_MONTH_UNPAID, Cls.BLOCKS, S.TRANSFER_IN, R, "43号", check(r={"current_month_unpaid": True}), MONDAY,
        {"month": "2026-11"}),
    Row(C.RETIRED, Cls.BLOCKS, S.TRANSFER_OUT, O, "43号", check({"retired": True})),
    Row(C.SAME_POOLING_REGION, Cls.BLOCKS, S.PLATFORM, None, "43号", check(destination=SAME)),
    Row(C.NO_RECORD_AT_ORIGIN, Cls.BLOCKS, S.TRANSFER_OUT, O, "43号", check(enrolments=(AT_R,)), None,
        {"candidates": ""}),
    Row(C.RESIDENT_SAME_YEAR, Cls.BLOCKS, S.TRANSFER_IN, R, "43号", resident_to_resident(), NEW_YEAR),
    Row(C.SCHEME_MISMATCH, Cls.BLOCKS, S.TRANSFER_OUT, O, "43号", check({"scheme": RESIDENT}), None,
        {"held": "RESIDENT"}),
    Row(C.SCHEME_MISMATCH, Cls.BLOCKS, S.TRANSFER_IN, R, "43号", check(r={"scheme": RESIDENT}), None,
        {"held": "RESIDENT"}),
    Row(C.IDENTITY_MISMATCH, Cls.BLOCKS, S.TRANSFER_OUT, O, "43号", check({"name_agrees": False})),
    Row(C.IDENTITY_MISMATCH, Cls.MANUAL, S.TRANSFER_IN, R, "43号", check(names_agree=False, r_policy=TO_THE_CLERK)),
    Row(C.RESIDENT_ID_INVALID, Cls.BLOCKS, S.PLATFORM, None, "GB 11643", check(resident_id_fault="CHECK_DIGIT"), None,
        {"fault": "CHECK_DIGIT"}),
    Row(C.ARREARS_OUTSTANDING, Cls.WARNS, S.TRANSFER_OUT, O, "94号", check(ARREARS), None, OWED),
    Row(C.ARREARS_OUTSTANDING, Cls.BLOCKS, S.TRANSFER_OUT, O, "94号",
        check(ARREARS, o_policy=RegionPolicy(arrears=Treatment.BLOCK)), None, OWED),
    Row(C.DOUBLE_INSURED, Cls.BLOCKS, S.TRANSFER_OUT, "440100", "SIL", check(others=(THIRD,)), None,
        {"held": "EMPLOYEE"}),
    Row(C.DOUBLE_INSURED, Cls.MANUAL, S.TRANSFER_IN, R, "SIL",
        check(others=(AT_R.model_copy(update={"scheme": RESIDENT}),), r_policy=TO_THE_CLERK), None,
        {"held": "RESIDENT"}),
    Row(C.OVERLAPPING_MONTHS, Cls.WARNS, S.TRANSFER_IN, R, "SIL", check(r={"periods": months("202608-202611", R)}), None,
        TWICE),
    Row(C.UNSETTLED_CLAIMS, Cls.BLOCKS, S.TRANSFER_OUT, O, "43号", check({"unsettled_claims": True}), MONDAY),
    Row(C.TRANSFER_IN_PROGRESS, Cls.BLOCKS, S.PLATFORM, None, "43号", check(open_transfer_no=NO), None,
        {"transfer_no": NO}),
    Row(C.ALREADY_TRANSFERRED, Cls.BLOCKS, S.PLATFORM, None, "43号", check(completed=(EARLIER,)), None,
        {"transfer_no": NO}),
    Row(C.DESTINATION_NOT_OPEN, Cls.BLOCKS, S.PLATFORM, R, "43号", check(r_policy=ONLY_RESIDENTS)),
    Row(C.CERTIFICATE_INVALID, Cls.BLOCKS, S.TRANSFER_IN, O, "43号", check(certificate_fault="VOID"), None,
        {"certificate_fault": "VOID"}),
    Row(C.CERTIFICATE_INVALID, Cls.MANUAL, S.TRANSFER_IN, O, "43号",
        check(certificate_fault="EXPIRED", r_policy=TO_THE_CLERK), None, {"certificate_fault": "EXPIRED"}),
    Row(C.ACCOUNT_FROZEN, Cls.MANUAL, S.TRANSFER_OUT, O, "43号", check({"account_frozen": True})),
    Row(C.DECEASED, Cls.BLOCKS, S.TRANSFER_OUT, O, "43号", check({"deceased": True})),
    Row(C.AGENT_NOT_AUTHORISED, Cls.BLOCKS, S.PLATFORM, None, "PIPL", check(authorised=False)),
    Row(C.AGENT_NOT_AUTHORISED, Cls.BLOCKS, S.PLATFORM, None, "PIPL", check(only_side=S.TRANSFER_OUT), None,
        {"needs": "TIE"}),
    Row(C.AGENT_NOT_AUTHORISED, Cls.BLOCKS, S.PLATFORM, None, "PIPL",
        check(only_side=S.TRANSFER_IN, certificate_shown=True), None, {"needs": "CERTIFICATE"}),
    Row(C.SPECIAL_PERSONNEL, Cls.MANUAL, S.PLATFORM, None, "43号", check({"special_personnel": True})),
    Row(C.REGISTER_UNAVAILABLE, Cls.RETRIED, S.TRANSFER_OUT, O, "43号", check(origin=silent(O)), MONDAY),
    Row(C.REGISTER_UNAVAILABLE, Cls.RETRIED, S.TRANSFER_IN, R, "43号", check(destination=silent(R)), MONDAY),
    Row(C.RECEIVING_ACCOUNT_MISSING, Cls.MANUAL, S.TRANSFER_IN, R, "43号", check(destination=WITHOUT_ACCOUNT)),
)
# fmt: on


def ids(row: Row) -> str:
    return f"{row.code}-{row.cls}-{row.side}"


def test_the_table_has_every_code_of_the_closed_list() -> None:
    assert {row.code for row in TABLE} == set(RefusalCode)


@pytest.mark.parametrize("row", TABLE, ids=ids)
def test_the_pre_check_finds_it_in_exact_values_and_nothing_beside(row: Row) -> None:
    expected = Finding(
        code=row.code,
        cls=row.cls,
        side=row.side,
        region=row.region,
        basis=row.basis,
        figures=row.figures,
        retry_on=row.retry_on,
    )
    assert found(row.asked) == (expected,)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("row", TABLE, ids=ids)
def test_it_is_said_with_its_fix_and_where_in_full(row: Row, language: Language) -> None:
    (finding,) = found(row.asked)
    words = finding_words(finding, REGIONS, language)
    assert all(each.strip() for each in words)
    assert not any("{" in each or "}" in each or "None" in each for each in words)
    if row.figures.get("transfer_no"):
        assert NO in words.message


@pytest.mark.parametrize("row", TABLE, ids=ids)
def test_who_asked_to_wait_waits_for_what_passes_with_time_and_for_nothing_else(row: Row) -> None:
    answer = judged(row.asked.model_copy(update={"wait_for_register": True}))
    passes = row.cls is Cls.BLOCKS and row.code in PASSING
    (finding,) = answer.findings
    assert finding.cls is (Cls.RETRIED if passes else row.cls)
    assert (finding.retry_on, finding.figures) == (row.retry_on, row.figures)
    assert answer.waiting is (passes or row.code is C.REGISTER_UNAVAILABLE)
    assert (answer.blocking, answer.remaining) == (((finding,), ()) if finding.cls is Cls.BLOCKS else ((), (finding,)))


def test_five_reasons_pass_with_time() -> None:
    assert {
        C.COVERAGE_STILL_ACTIVE,
        C.NOT_ENROLLED_AT_DESTINATION,
        C.CURRENT_MONTH_UNPAID,
        C.RESIDENT_SAME_YEAR,
        C.UNSETTLED_CLAIMS,
    } == PASSING


class TestASilentRegister:
    """A register that is out of service is asked again, never guessed."""

    def test_a_person_whom_no_register_knows_cannot_wait_for_it(self) -> None:
        for asked in (
            check(origin=silent(O), enrolments=()),
            check(origin=silent(O), enrolments=(), wait_for_register=True),
        ):
            answer = judged(asked)
            unavailable = next(each for each in answer.findings if each.code is C.REGISTER_UNAVAILABLE)
            assert unavailable.cls is Cls.BLOCKS
            assert unavailable in answer.blocking

    def test_what_it_holds_is_not_told_and_does_not_refuse(self) -> None:
        asked = check({"retired": True, "name_agrees": False}, origin=silent(O), names_agree=False)
        assert [each.code for each in found(asked)] == [C.REGISTER_UNAVAILABLE]
        answer = judged(asked)
        assert (answer.stopped_on, answer.waiting_period, answer.stop_needed) == (None, None, False)

    def test_both_are_told_and_what_the_other_side_says_beside_them(self) -> None:
        assert [each.side for each in found(check(origin=silent(O), destination=silent(R)))] == [
            S.TRANSFER_OUT,
            S.TRANSFER_IN,
        ]
        asked = check(r={"current_month_unpaid": True}, origin=silent(O))
        assert [(each.code, each.cls) for each in found(asked)] == [
            (C.CURRENT_MONTH_UNPAID, Cls.BLOCKS),
            (C.REGISTER_UNAVAILABLE, Cls.RETRIED),
        ]

    def test_no_gap_is_counted_while_r_does_not_say_whether_it_covers_the_person(self) -> None:
        assert judged(check(r={"active": False})).gap is not None
        assert judged(check(r={"active": False}, destination=silent(R))).gap is None

    def test_a_resident_is_not_told_to_enrol_while_o_does_not_say_whether_it_covers_this_year(self) -> None:
        assert [each.code for each in found(resident_to_resident(origin=silent(O)))] == [C.REGISTER_UNAVAILABLE]


class TestTheGap:
    def test_it_runs_while_neither_side_covers_the_person(self) -> None:
        gap = judged(check(r={"active": False})).gap
        assert gap is not None
        assert (gap.stopped_on, gap.closes_on, gap.warned) == (date(2026, 8, 31), date(2026, 12, 31), ())

    def test_there_is_none_with_cover_on_either_side_or_when_it_is_too_late(self) -> None:
        assert judged(check()).gap is None
        assert judged(check(ACTIVE, {"active": False})).gap is None
        assert judged(check({"stopped_on": date(2026, 6, 30)}, {"active": False})).gap is None

    def test_a_year_that_begins_before_it_closes_closes_it_by_itself(self) -> None:
        enrolled = {"next_year_enrolled": True}
        late = resident_to_resident({"active": False, "stopped_on": date(2026, 10, 31)}, enrolled)
        assert judged(late).gap is None
        early = judged(resident_to_resident({"active": False, "stopped_on": date(2026, 8, 31)}, enrolled)).gap
        assert early is not None
        assert early.closes_on == date(2026, 12, 31)


CERTIFICATES: tuple[tuple[dict[str, Any], Finding | None], ...] = (
    ({"resident_id_fault": "LENGTH"}, Finding(code=C.RESIDENT_ID_INVALID, cls=Cls.BLOCKS, side=S.PLATFORM, region=None, basis="GB 11643", figures={"fault": "LENGTH"})),
    ({"authorised": False}, Finding(code=C.AGENT_NOT_AUTHORISED, cls=Cls.BLOCKS, side=S.PLATFORM, region=None, basis="PIPL")),
    ({"enrolled": [(O, RESIDENT), (R, EMPLOYEE)]}, Finding(code=C.SCHEME_MISMATCH, cls=Cls.BLOCKS, side=S.TRANSFER_OUT, region=O, basis="94号 art. 4", figures={"held": "RESIDENT"})),
    ({"enrolled": [(R, EMPLOYEE)]}, Finding(code=C.NO_RECORD_AT_ORIGIN, cls=Cls.BLOCKS, side=S.TRANSFER_OUT, region=O, basis="94号 art. 4", figures={"candidates": R})),
    ({}, None),
)  # fmt: skip


@pytest.mark.parametrize(("given", "refused"), CERTIFICATES)
def test_a_certificate_by_itself_is_refused_for_four_reasons_of_the_list(
    given: dict[str, Any], refused: Finding | None
) -> None:
    fields: dict[str, Any] = {"resident_id_fault": None, "authorised": True, "enrolled": [(O, EMPLOYEE)]}
    assert refuse_certificate(region=O, scheme=InsuranceScheme.EMPLOYEE, **(fields | given)) == refused


RETURNED = {
    ReturnReason.EMPLOYER_HAS_NOT_STOPPED: (C.COVERAGE_STILL_ACTIVE, "43号"),
    ReturnReason.IDENTITY_DOUBT: (C.IDENTITY_MISMATCH, "43号"),
    ReturnReason.WRONG_REGION: (C.NO_RECORD_AT_ORIGIN, "43号"),
    ReturnReason.NO_RECORD: (C.NO_RECORD_AT_ORIGIN, "43号"),
    ReturnReason.ACCOUNT_FROZEN: (C.ACCOUNT_FROZEN, "43号"),
    ReturnReason.DECEASED: (C.DECEASED, "43号"),
}


@pytest.mark.parametrize("reason", ReturnReason)
def test_o_s_return_ends_with_a_reason_of_the_list(reason: ReturnReason) -> None:
    story = Story()
    story.do(returned(reason), O_CLERK)
    code, basis = RETURNED[reason]
    finding = Finding(code=code, cls=Cls.BLOCKS, side=S.TRANSFER_OUT, region=O, basis=basis)
    assert (story.state.status, story.state.findings, story.state.returned) == ("DECLINED", (finding,), reason)


@pytest.mark.parametrize("code", RefusalCode)
def test_r_s_clerk_declines_with_any_reason_of_the_list_and_no_other_can_be_said(code: C) -> None:
    story = Story(submission(manual=True))
    story.do(c.DeclineTransfer(reasons=(code,)), R_CLERK)
    (finding,) = story.state.findings
    assert (story.state.status, finding.code, finding.cls) == ("DECLINED", code, Cls.BLOCKS)
    with pytest.raises(ValueError, match="reasons"):
        c.DeclineTransfer(reasons=("BECAUSE",))
