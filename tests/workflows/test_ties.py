"""What an agency without a tie is shown of a pre-check, the order of ties, and the terms of a consent."""

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.workflows.pure_cases import CALENDAR, THIRD, O, R, months
from tests.workflows.test_eligibility import AT_O, AT_R, EMPLOYEE, RESIDENT, TODAY, TOMORROW, check, judged
from workflows.consent_terms import refuse_consent
from workflows.eligibility import assess
from workflows.findings import Finding
from workflows.policy import Direction, RegionPolicy
from workflows.precheck import CompletedTransfer, Enrolment, PreCheck, Region
from workflows.rules import Violation
from workflows.ties import Tie, strongest
from workflows.vocabulary import RefusalClass, RefusalCode, Side

C = RefusalCode
OUT, IN, PLATFORM = Side.TRANSFER_OUT, Side.TRANSFER_IN, Side.PLATFORM


def blocks(code: RefusalCode, side: Side, **fields: Any) -> Finding:
    given = {"region": None, "basis": "43号"} | fields
    return Finding(code=code, cls=RefusalClass.BLOCKS, side=side, **given)


NEEDS_A_TIE = blocks(C.AGENT_NOT_AUTHORISED, PLATFORM, basis="PIPL", figures={"needs": "TIE"})
NOT_ENROLLED = blocks(C.NOT_ENROLLED_AT_DESTINATION, IN, region=R, retry_on=TOMORROW)
NO_RECORD = blocks(C.NO_RECORD_AT_ORIGIN, OUT, region=O, figures={"candidates": ""})
# All that another region's register, our own record and a certificate can say of a person.
TELLING_O = AT_O.model_copy(
    update={"active": True, "retired": True, "deceased": True, "unsettled_claims": True, "arrears_fen": 123_456}
)
ELSEWHERE = Enrolment(region=THIRD, scheme=EMPLOYEE, active=True, periods=months("202001-202608", THIRD))
EARLIER = CompletedTransfer(no="ZY-1", from_region=O, from_scheme=EMPLOYEE, stopped_on=date(2026, 8, 31))
TELLING: dict[str, Any] = {
    "enrolments": (TELLING_O, ELSEWHERE),
    "names_agree": False,
    "open_transfer_no": "ZY-2",
    "completed": (EARLIER,),
    "certificate_fault": "VOID",
}


class TestOneSide:
    def test_the_transfer_in_agency_is_shown_what_it_must_ask_for_and_its_own_register_alone(self) -> None:
        answer = judged(check(only_side=IN, **TELLING))
        assert answer.findings == (NEEDS_A_TIE, NOT_ENROLLED)
        assert answer.stop_needed is False
        assert (answer.stopped_on, answer.waiting_period, answer.gap) == (None, None, None)

    def test_the_transfer_out_agency_is_shown_no_other_region_that_has_the_record(self) -> None:
        answer = judged(check(only_side=OUT, **TELLING | {"enrolments": (AT_R, ELSEWHERE)}))
        assert answer.findings == (NEEDS_A_TIE, NO_RECORD)
        assert (answer.stopped_on, answer.waiting_period, answer.gap) == (None, None, None)

    def test_the_own_register_says_all_that_it_has(self) -> None:
        answer = judged(check(only_side=OUT, **TELLING))
        codes = [each.code for each in answer.findings]
        assert codes == [
            C.AGENT_NOT_AUTHORISED,
            C.DECEASED,
            C.RETIRED,
            C.COVERAGE_STILL_ACTIVE,
            C.UNSETTLED_CLAIMS,
            C.ARREARS_OUTSTANDING,
        ]
        assert (answer.stopped_on, answer.waiting_period, answer.stop_needed) == (None, None, False)

    def test_a_certificate_that_is_shown_and_does_not_fit_is_said_as_one_thing_whatever_is_wrong_with_it(self) -> None:
        shown = [
            judged(check(only_side=IN, certificate_shown=True, **TELLING | {"certificate_fault": fault}))
            for fault in (None, "UNKNOWN", "VOID", "EXPIRED")
        ]
        assert shown == [shown[0]] * 4
        assert shown[0].findings[0].figures == {"needs": "CERTIFICATE"}

    def test_the_rules_of_the_own_region_are_said_and_those_of_the_other_are_not(self) -> None:
        only_residents = RegionPolicy(open_for=(Direction(from_scheme=RESIDENT, to_scheme=RESIDENT),))
        given: dict[str, Any] = {"r_policy": only_residents, "enrolments": ()}
        codes = [each.code for each in judged(check(only_side=IN, **given)).findings]
        assert codes == [C.AGENT_NOT_AUTHORISED, C.DESTINATION_NOT_OPEN, C.NOT_ENROLLED_AT_DESTINATION]
        assert judged(check(only_side=OUT, **given)).findings == (NEEDS_A_TIE, NO_RECORD)

    @pytest.mark.parametrize(("side", "silent"), [(IN, R), (OUT, O)])
    def test_the_own_register_out_of_service_blocks_whoever_else_knows_the_person(
        self, side: Side, silent: str
    ) -> None:
        away = Region(code=silent, policy=RegionPolicy(register_available=False))
        given = {"destination" if side is IN else "origin": away}
        expected = blocks(C.REGISTER_UNAVAILABLE, side, region=silent, retry_on=TOMORROW)
        for enrolments in ((), TELLING["enrolments"]):
            answer = judged(check(only_side=side, **TELLING | given | {"enrolments": enrolments}))
            assert answer.findings == (NEEDS_A_TIE, expected)

    def test_nobody_waits_for_a_tie(self) -> None:
        answer = judged(check(only_side=IN, wait_for_register=True, enrolments=()))
        assert [(each.code, each.cls) for each in answer.findings] == [
            (C.AGENT_NOT_AUTHORISED, RefusalClass.BLOCKS),
            (C.NOT_ENROLLED_AT_DESTINATION, RefusalClass.RETRIED),
        ]
        assert answer.blocking == (NEEDS_A_TIE,)


ENROLMENTS = st.builds(
    Enrolment,
    region=st.sampled_from([O, R, THIRD]),
    scheme=st.sampled_from([EMPLOYEE, RESIDENT]),
    active=st.booleans(),
    stopped_on=st.sampled_from([None, date(2025, 12, 31), date(2026, 8, 31)]),
    enrolled_on=st.sampled_from([None, date(2015, 1, 1)]),
    name_agrees=st.sampled_from([None, True, False]),
    retired=st.booleans(),
    unsettled_claims=st.booleans(),
    next_year_enrolled=st.booleans(),
    arrears_fen=st.sampled_from([0, 4711]),
    periods=st.sampled_from([(), months("201501-202608")]),
)
KNOWN = st.fixed_dictionaries(
    {
        "enrolments": st.lists(ENROLMENTS, max_size=5).map(tuple),
        "names_agree": st.booleans(),
        "certificate_fault": st.sampled_from([None, "VOID"]),
        "open_transfer_no": st.sampled_from([None, "ZY-2"]),
        "completed": st.sampled_from([(), (EARLIER,)]),
    }
)
ASKED = st.fixed_dictionaries(
    {
        "from_scheme": st.sampled_from([EMPLOYEE, RESIDENT]),
        "to_scheme": st.sampled_from([EMPLOYEE, RESIDENT]),
        "request_stop": st.booleans(),
        "wait_for_register": st.booleans(),
    }
)


@given(KNOWN, ASKED, st.sampled_from([OUT, IN]))
def test_the_answer_to_one_side_rests_on_its_own_register_and_on_nothing_else(
    known: dict[str, Any], asked: dict[str, Any], side: Side
) -> None:
    region = O if side is OUT else R
    base: PreCheck = check(only_side=side, **asked | known)
    own = tuple(each for each in base.enrolments if each.region == region)
    nothing_else = check(only_side=side, **asked | {"enrolments": own})
    answer = assess(base, today=TODAY, calendar=CALENDAR)
    assert answer == assess(nothing_else, today=TODAY, calendar=CALENDAR)
    assert NEEDS_A_TIE in answer.blocking
    assert {each.region for each in answer.findings} <= {None, region}


@pytest.mark.parametrize(
    ("held", "tie"),
    [
        ([], None),
        ([Tie.CONSENT], Tie.CONSENT),
        ([Tie.CONSENT, Tie.MANDATE, Tie.CERTIFICATE], Tie.CERTIFICATE),
        (list(reversed(Tie)), Tie.ENROLMENT),
    ],
)
def test_an_agency_knows_the_person_by_its_strongest_tie(held: list[Tie], tie: Tie | None) -> None:
    assert strongest(held) is tie


MONDAY = date(2026, 3, 2)


@pytest.mark.parametrize(
    ("until", "violation"),
    [
        (date(2026, 3, 1), Violation(field="validUntil", code="IN_THE_PAST")),
        (MONDAY, None),
        (date(2026, 4, 1), None),
        (date(2026, 4, 2), Violation(field="validUntil", code="TOO_FAR_AHEAD", figures={"limit": "2026-04-01"})),
    ],
)
def test_a_consent_is_good_for_today_to_thirty_days(until: date, violation: Violation | None) -> None:
    refused = refuse_consent(until, MONDAY)
    assert (refused.violations if refused is not None else ()) == ((violation,) if violation is not None else ())
