"""Who may see and do what: every relation of a caller to a person or a transfer, and what it allows.

One module decides for reads, `eligibility`, mutations, streams, documents and `node`, so that one page answers who sees what.
"""

from enum import StrEnum


class Relation(StrEnum):
    """What a caller is to a person or to a transfer of theirs."""

    SELF = "SELF"
    MANDATE = "MANDATE"
    EMPLOYER = "EMPLOYER"
    FORMER_EMPLOYER = "FORMER_EMPLOYER"
    TRANSFER_OUT = "TRANSFER_OUT"
    TRANSFER_IN = "TRANSFER_IN"
    SUPERVISOR = "SUPERVISOR"
    OPERATOR = "OPERATOR"
    # An agency that is on neither side.
    OTHER_AGENCY = "OTHER_AGENCY"
    NONE = "NONE"


class Purpose(StrEnum):
    """Why data about a person is looked at (PIPL art. 6: for a clear purpose, and no more than it needs)."""

    OWN_AFFAIRS = "OWN_AFFAIRS"
    EMPLOYEE_AFFAIRS = "EMPLOYEE_AFFAIRS"
    CASE_HANDLING = "CASE_HANDLING"
    PRE_CHECK = "PRE_CHECK"
    SUPERVISION = "SUPERVISION"
    PLATFORM_OPERATION = "PLATFORM_OPERATION"
