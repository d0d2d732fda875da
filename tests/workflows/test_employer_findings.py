"""An employer is told the reasons of its own side, and that there are others which are not its own to know."""

from workflows.employer_findings import for_employer
from workflows.findings import Finding, finding
from workflows.vocabulary import RefusalClass, RefusalCode, Side

C = RefusalCode
OUT, IN = frozenset({Side.TRANSFER_OUT}), frozenset({Side.TRANSFER_IN})
STOPPED = finding(C.COVERAGE_STILL_ACTIVE, region="110000")
UNSETTLED = finding(C.UNSETTLED_CLAIMS, region="110000")
NOT_ENROLLED = finding(C.NOT_ENROLLED_AT_DESTINATION, region="319900")
ARREARS = finding(
    C.ARREARS_OUTSTANDING, cls=RefusalClass.WARNS, arrears_fen=123_456, first_month="2026-01", last_month="2026-02"
)
TWICE = finding(C.DOUBLE_INSURED, side=Side.TRANSFER_OUT, region="440100")
OPEN = finding(C.TRANSFER_IN_PROGRESS, transfer_no="ZY-319900-20260302-000001")
OTHERS = finding(C.AGENT_NOT_AUTHORISED, needs="EMPLOYEE")


def told(sides: frozenset[Side], *findings: Finding) -> tuple[Finding, ...]:
    return for_employer(findings, sides)


def test_it_is_told_the_reasons_of_its_own_side() -> None:
    assert told(OUT, STOPPED, ARREARS) == (STOPPED, ARREARS)
    assert told(IN, NOT_ENROLLED) == (NOT_ENROLLED,)
    assert told(OUT | IN, STOPPED, NOT_ENROLLED) == (STOPPED, NOT_ENROLLED)


def test_reasons_of_the_other_side_are_one_that_says_nothing() -> None:
    assert told(IN, STOPPED, ARREARS, NOT_ENROLLED) == (OTHERS, NOT_ENROLLED)
    # A warning of the other side stands in nobody's way.
    assert told(IN, ARREARS) == ()


def test_medical_bills_and_other_insurance_are_not_its_own_to_know_on_any_side() -> None:
    assert told(OUT | IN, UNSETTLED, TWICE) == (OTHERS,)
    assert told(OUT, UNSETTLED, STOPPED) == (OTHERS, STOPPED)


def test_what_says_nothing_of_the_registers_is_told() -> None:
    assert told(frozenset(), OPEN) == (OPEN,)
