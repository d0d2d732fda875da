"""Money that came and is nobody's yet, as the API shows it. Not in version 1 of the contract, which it adds to."""

# ruff: noqa: N818 - names of the API; none of these is an exception

from datetime import date
from typing import Annotated

import strawberry

from activities.bank.matching import Why
from activities.bank.unmatched import Because
from gateway.errors import IdempotencyConflict, StepPending, UserError, ValidationFailed
from gateway.scalars import IdempotencyKey
from gateway.types.reference import Agency, Money, Node, PageInfo

strawberry.enum(Why, name="UnmatchedReason", description="Why money that came is nobody's yet.")
strawberry.enum(Because, name="ProposalReason", description="Why an order may be the one that the money belongs to.")


@strawberry.type(description="An order on its way to this agency that the money may belong to, the likeliest first.")
class UnmatchedFundsProposal:
    remittance_reference: str
    transfer_no: str
    amount: Money
    because: list[Because]


@strawberry.type(
    description="Money on the agency's account that belongs to nobody yet. Finance confirms the receipt of the order that it "
    "belongs to with its `bankReference`, or sends it home."
)
class UnmatchedFunds(Node):
    bank_reference: str
    amount: Money
    received_on: date
    value_on: date
    age_days: int
    why: Why
    message: str = strawberry.field(description="Why, what to do, and who must act, in one sentence.")
    agency: Agency = strawberry.field(description="Who has it, and must act.")
    said_reference: str | None = strawberry.field(description="The reference that the payer gave.")
    payer_name: str | None
    payer_account: str | None = strawberry.field(description="Its last digits: `****1234`.")
    text: str | None = strawberry.field(description="What the payer wrote.")
    going_home: bool = strawberry.field(description="It was sent home, and the bank has not taken it yet.")
    proposals: list[UnmatchedFundsProposal]


@strawberry.type
class UnmatchedFundsEdge:
    cursor: str
    node: UnmatchedFunds


@strawberry.type
class UnmatchedFundsConnection:
    edges: list[UnmatchedFundsEdge]
    page_info: PageInfo


@strawberry.input
class SendUnmatchedFundsHomeInput:
    idempotency_key: IdempotencyKey
    entry_id: strawberry.ID
    reason: str


@strawberry.type
class UnmatchedFundsNotFound(UserError):
    pass


@strawberry.type
class SendUnmatchedFundsHomePayload:
    unmatched_funds: UnmatchedFunds | None = strawberry.field(description="Null once it has gone.")
    replayed: bool


SendUnmatchedFundsHomeResult = Annotated[
    SendUnmatchedFundsHomePayload | ValidationFailed | UnmatchedFundsNotFound | IdempotencyConflict | StepPending,
    strawberry.union("SendUnmatchedFundsHomeResult"),
]
