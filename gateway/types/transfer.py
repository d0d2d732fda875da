"""The case as the contract shows it. `gateway/case.py` makes one from a transfer's state."""

from collections.abc import Awaitable, Callable
from datetime import date, datetime
from typing import TYPE_CHECKING

import strawberry

from gateway.authorisation import field
from gateway.scalars import Month, TransferNo
from gateway.types.enums import FundsStatus, PersonAction, TransferAction, TransferEventKind
from gateway.types.proof import DeadlineProof
from gateway.types.reference import Agency, InsuredPerson, Money, Node, PageInfo, PoolingRegion
from gateway.types.refusals import CoverageGap, Refusal, WaitingPeriod
from workflows.actors import ActorKind
from workflows.state import TransferState
from workflows.vocabulary import (
    DeadlineState,
    DocumentKind,
    InsuranceScheme,
    RemittanceKind,
    RemittanceStatus,
    Role,
    StepState,
    TransferRoute,
    TransferStatus,
    TransferStepKind,
)

if TYPE_CHECKING:
    from gateway.caller_view import CallerView
    from gateway.telling import Telling


@strawberry.type
class Deadline:
    proving: strawberry.Private[Callable[[], Awaitable[DeadlineProof]]]

    starts_on: date
    due_on: date
    working_days: int
    remaining_working_days: int | None = strawberry.field(
        description="Negative when overdue; null once the step is done."
    )
    state: DeadlineState
    legal_basis: str = strawberry.field(description="Document and article the period comes from.")
    provisional: bool = strawberry.field(
        description="True while the due date lies past the last published working-day table."
    )
    calendar_edition: str = strawberry.field(description="Edition of the working-day table used, e.g. `2026.1`.")

    @strawberry.field
    async def proof(self) -> DeadlineProof:
        return await self.proving()


@strawberry.type
class TransferStep:
    kind: TransferStepKind
    round: int = strawberry.field(description="1, or more when a correction opened the step again.")
    state: StepState
    agency: Agency
    deadline: Deadline | None
    done_at: datetime | None
    label: str = strawberry.field(description="Ready to show, in the request's Accept-Language (zh-CN, en).")


@strawberry.type
class TransferDocument(Node):
    kind: DocumentKind
    number: str
    version: int
    issued_at: datetime
    issued_by: Agency | None
    sha256: str
    void: bool = strawberry.field(description="True when a later one voids it.")
    download_url: str = strawberry.field(
        description="Signed link to the PDF, good for five minutes. It is made for the caller: a request that carries another's "
        "token is refused, and one without a token may use it five times."
    )


@strawberry.type
class ContributionPeriod:
    first_month: Month
    last_month: Month
    months: int
    region: PoolingRegion
    scheme: InsuranceScheme
    deemed: bool


@strawberry.type(description="What continuation means for the person. Null months before the form is delivered.")
class ContinuationStatement:
    actual_months: int
    deemed_months: int
    total_months: int
    overlapping_months: int
    waiting_period: WaitingPeriod


@strawberry.type(
    description="The seven questions, answered: where is it, who holds it, since when, the legal limit, the likely date, "
    "the money, what can I do."
)
class Progress:
    headline: str
    holder: Agency | None
    held_since: datetime
    due_on: date | None
    provisional: bool
    expected_on: date | None = strawberry.field(
        description="Half of like cases were done by this date; null until there is a basis for it."
    )
    expected_by: date | None = strawberry.field(description="Nine in ten were done by this date.")
    money: str
    actions: list[PersonAction]
    holder_role: Role | None = strawberry.field(
        description="SUPERVISOR where the bureau above `holder` has to act, and not the agency itself; otherwise null."
    )


@strawberry.type
class Remittance:
    reference: str = strawberry.field(description="Ours, unique for ever, carried unchanged through the bank.")
    kind: RemittanceKind
    amount: Money
    status: RemittanceStatus
    ordered_at: datetime
    bank_reference: str | None = strawberry.field(
        description="The bank's own reference of the credit; null before it arrived."
    )
    return_reason: str | None
    corrects: str | None = strawberry.field(description="The reference of the order that this one corrects.")


@strawberry.type
class TransferEvent:
    seq: int = strawberry.field(
        description="Per-transfer sequence number, from 1 without holes. An employer is not shown every event."
    )
    occurred_at: datetime
    kind: TransferEventKind
    step: TransferStepKind | None
    message: str = strawberry.field(description="Ready to show, in the request's language.")
    transfer: "Transfer"
    actor: ActorKind = strawberry.field(description="Who did it.")
    actor_label: str = strawberry.field(description="Who did it, ready to show, in the request's language.")


@strawberry.type
class TransferEventEdge:
    cursor: str
    node: TransferEvent


@strawberry.type
class TransferEventConnection:
    edges: list[TransferEventEdge]
    page_info: PageInfo


@strawberry.type(description="Somebody was told of an event of the case, or is about to be.")
class Notice:
    seq: int = strawberry.field(description="The `seq` of the event.")
    kind: TransferEventKind
    step: TransferStepKind | None
    label: str = strawberry.field(description="What it is about, ready to show, in the request's language.")
    recipient: str = strawberry.field(description="Whom it is for, ready to show: an agency, a bureau, the person.")
    created_at: datetime
    delivered_at: datetime | None = strawberry.field(
        description="When the receiver had it; null while it is on its way."
    )


@strawberry.type
class Transfer(Node):
    """Fields without a resolver are worked out by `gateway.case.Case`; those below read more than the case's own row."""

    stored: strawberry.Private[TransferState]
    view: strawberry.Private["CallerView"]
    telling: strawberry.Private["Telling"]

    no: TransferNo
    route: TransferRoute
    from_scheme: InsuranceScheme
    to_scheme: InsuranceScheme
    status: TransferStatus
    funds_status: FundsStatus
    transfer_out: Agency
    transfer_in: Agency
    steps: list[TransferStep]
    current_step: TransferStep | None = strawberry.field(description="The open step due first; null when closed.")
    progress: Progress
    refusals: list[Refusal]
    contribution_periods: list[ContributionPeriod]
    continuation: ContinuationStatement | None
    personal_account_balance: Money | None = strawberry.field(
        description="Frozen balance; null before the form is delivered."
    )
    remittances: list[Remittance] = strawberry.field(
        description="Every order of money for this transfer, oldest first."
    )
    allowed_actions: list[TransferAction] = strawberry.field(
        description="What the caller may do now: the same rule the mutations enforce."
    )
    coverage_gap: CoverageGap | None = strawberry.field(
        description="Null while either side covers the person. How to close it: enrol and pay at the destination."
    )
    submitted_at: datetime
    accepted_at: datetime | None
    closed_at: datetime | None
    revision: int = strawberry.field(
        description="The `seq` of the last event. Sent back as `expectedRevision` it refuses (StaleRevision) only what no "
        "longer rests on the same facts: an event since then that concerns the step, the form's version or the status. A "
        "clock's event or the other track's step does not."
    )

    @strawberry.field
    async def insured_person(self) -> InsuredPerson:
        return await self.telling.insured_person(self.stored)

    @strawberry.field
    async def documents(self) -> list[TransferDocument]:
        return await self.telling.documents(self)

    @field(
        "Who was told of what, oldest event first: all of it for the agencies, bureaus and operators of the case, "
        "for the person and their agent what the person was told, for an employer nothing."
    )
    async def notices(self) -> list[Notice]:
        return await self.telling.notices(self)

    @strawberry.field
    async def events(self, first: int = 20, after: str | None = strawberry.UNSET) -> TransferEventConnection:
        return await self.telling.page_of_events(self, first, after or None)


@strawberry.type
class TransferEdge:
    cursor: str
    node: Transfer


@strawberry.type
class TransferConnection:
    edges: list[TransferEdge]
    page_info: PageInfo
