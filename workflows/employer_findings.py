"""What an employer is told of the reasons against a transfer of its employee: those of the side whose register names it. Pure.

An employer may apply for its employee, and learns neither what another region holds about them nor their medical bills or other
insurance (《个人信息保护法》 art. 6: no more than the purpose needs).
"""

from collections.abc import Collection, Iterable
from typing import Final

from workflows.findings import Finding, finding
from workflows.precheck import PreCheck
from workflows.vocabulary import RefusalClass, RefusalCode, Side

C = RefusalCode
# They say nothing of what a register holds about the person.
IMPERSONAL: Final = frozenset(
    {
        *(C.RESIDENT_ID_INVALID, C.SAME_POOLING_REGION, C.AGENT_NOT_AUTHORISED, C.TRANSFER_IN_PROGRESS),
        *(C.DESTINATION_NOT_OPEN, C.REGISTER_UNAVAILABLE, C.RECEIVING_ACCOUNT_MISSING),
    }
)
# Not an employer's to know, on whatever side.
PERSONAL: Final = frozenset({C.UNSETTLED_CLAIMS, C.DOUBLE_INSURED, C.OVERLAPPING_MONTHS, C.ALREADY_TRANSFERRED})


def employing_sides(check: PreCheck, employer: str) -> frozenset[Side]:
    """The sides whose register names the employer."""
    sides = ((Side.TRANSFER_OUT, check.at_origin), (Side.TRANSFER_IN, check.at_destination))
    return frozenset(side for side, row in sides if row is not None and row.employer_id == employer)


def for_employer(findings: Iterable[Finding], sides: Collection[Side]) -> tuple[Finding, ...]:
    """The findings that an employer of `sides` is told; one that says nothing else stands for all others that block."""
    listed = tuple(findings)
    shown = tuple(
        each for each in listed if each.code in IMPERSONAL or (each.side in sides and each.code not in PERSONAL)
    )
    hidden_ones_block = any(each.cls is RefusalClass.BLOCKS for each in listed if each not in shown)
    return (finding(C.AGENT_NOT_AUTHORISED, needs="EMPLOYEE"), *shown) if hidden_ones_block else shown
