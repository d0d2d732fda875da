"""Findings of the pre-check, put into words, and what they add up to."""

from datetime import date
from decimal import Decimal

import strawberry

from gateway.types.reference import Agency
from workflows.coverage_gap import CoverageGap as Gap
from workflows.vocabulary import RefusalClass, RefusalCode, Side, TransferRoute


@strawberry.type
class Refusal:
    code: RefusalCode
    cls: RefusalClass = strawberry.field(name="class")
    side: Side
    message: str = strawberry.field(
        description="Says the figures too: period and amount of arrears, number of the open transfer."
    )
    fix: str
    where: str = strawberry.field(description="Where the fix is made: which agency, with its phone, or which page.")
    legal_basis: str
    retry_on: date | None = strawberry.field(description="When trying again can help.")


@strawberry.type
class WaitingPeriod:
    gap_months: int
    months: int
    starts_on: date | None
    ends_on: date | None
    rule: str
    legal_basis: str
    ratio: Decimal | None = strawberry.field(
        description="Share of the benefits that is paid during the wait; null when there are none, or no wait."
    )


@strawberry.type(
    description="The person's own clock while nobody covers them: the gap must close by `closesOn`, or a waiting period follows."
)
class CoverageGap:
    stopped_on: date
    closes_on: date
    days_left: int = strawberry.field(description="Whole days from today to `closesOn`; negative once it has passed.")

    @classmethod
    def of(cls, gap: Gap, today: date) -> "CoverageGap":
        return cls(stopped_on=gap.stopped_on, closes_on=gap.closes_on, days_left=(gap.closes_on - today).days)


@strawberry.type
class Eligibility:
    eligible: bool = strawberry.field(
        description="True when no finding BLOCKS. A MANUAL finding sends the application to R's clerk."
    )
    findings: list[Refusal] = strawberry.field(description="Every reason at once, blocking ones first.")
    route: TransferRoute
    waiting_period: WaitingPeriod | None = strawberry.field(
        description="What the wait for benefits would be, if continued today."
    )
    due_on: date | None = strawberry.field(description="Statutory end of the whole transfer, if submitted today.")
    coverage_gap: CoverageGap | None = strawberry.field(
        description="The gap that is open today; null while either side covers the person."
    )
    provisional: bool = strawberry.field(
        description="True while that date lies past the last published working-day table."
    )


@strawberry.type
class CertificateCheck:
    valid: bool
    issued_on: date | None = None
    voided_on: date | None = None
    agency: Agency | None = None
