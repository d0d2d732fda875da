"""Mandates as the API shows them. Not in version 1 of the contract, which they add to."""

# ruff: noqa: N818 - names of the API; none of these is an exception

from datetime import date, datetime
from typing import Annotated

import strawberry
from strawberry import UNSET

from gateway.errors import IdempotencyConflict, StepPending, UserError, ValidationFailed
from gateway.scalars import IdempotencyKey, ResidentId
from gateway.types.reference import Agency, InsuredPerson, Node
from workflows.vocabulary import MandateRelation, MandateState


@strawberry.type(
    description="A person's word that another acts for them. While it is in force the agent may check, apply, withdraw and ask "
    "for certificates in the person's name, and sees the person's transfers with their documents; no longer."
)
class Mandate(Node):
    person: InsuredPerson = strawberry.field(description="Who gave it.")
    agent_masked_resident_id: str = strawberry.field(description="Who acts: `110101********1234`.")
    relation: MandateRelation
    granted_at: datetime
    valid_until: date = strawberry.field(description="Good to the end of this day, in Asia/Shanghai.")
    revoked_at: datetime | None
    state: MandateState
    entered_by: Agency | None = strawberry.field(
        description="The agency whose window entered it from paper; null when the person gave it on the platform."
    )
    starts_at: datetime | None = strawberry.field(
        description="From when the agent may act: at once for a mandate given on the platform. From a window: 24 hours after a "
        "second person of the agency has approved it, or when the giver confirms it; null until one of the two has happened."
    )
    paper_reference: str | None = strawberry.field(
        description="The reference of the paper that the giver has signed: for the giver and the agency that entered it, null "
        "for everybody else and for a mandate given on the platform."
    )


@strawberry.type
class Mandates:
    given: list[Mandate] = strawberry.field(description="By the person, newest first, ended ones too; 50 at most.")
    held: list[Mandate] = strawberry.field(description="By the caller for others, those in force; 50 at most.")


@strawberry.input
class GrantMandateInput:
    idempotency_key: IdempotencyKey
    resident_id: ResidentId | None = strawberry.field(
        default=UNSET,
        description="Who gives it: from the token for an insured person; required at a window, of a person of its region who "
        "has signed on paper.",
    )
    agent_resident_id: ResidentId = strawberry.field(description="Who is to act. They need not be in any register.")
    relation: MandateRelation
    valid_until: date = strawberry.field(
        description="The last day, from today to two years ahead; at a window, from the day on which it can start, 24 hours from "
        "now."
    )
    paper_reference: str | None = strawberry.field(
        default=UNSET,
        description="The reference under which the agency keeps the signed paper: 1 to 64 letters, digits or `. _ / -`. Required "
        "at a window, refused for a person's own mandate.",
    )
    acting_person: str | None = strawberry.field(
        default=UNSET,
        description="From an agency's system, which must give it: the staff id of the person who enters the mandate. Another "
        "person approves it.",
    )


@strawberry.input
class RevokeMandateInput:
    idempotency_key: IdempotencyKey
    mandate_id: strawberry.ID


@strawberry.input
class ApproveMandateInput:
    idempotency_key: IdempotencyKey = strawberry.field(
        description="Of the caller's own making: the same key with the same input has the same answer."
    )
    mandate_id: strawberry.ID = strawberry.field(description="The mandate, in state AWAITING_APPROVAL.")
    acting_person: str | None = strawberry.field(
        default=UNSET,
        description="From an agency's system, which must give it: the staff id of the person who has checked the paper. They are "
        "not the one who entered the mandate.",
    )


@strawberry.input
class ConfirmMandateInput:
    idempotency_key: IdempotencyKey = strawberry.field(
        description="Of the caller's own making: the same key with the same input has the same answer."
    )
    mandate_id: strawberry.ID = strawberry.field(
        description="A mandate that the caller has given, in state AWAITING_APPROVAL or AWAITING_START."
    )


@strawberry.type(
    description="The caller cannot give, approve or confirm this mandate; `message` says why, and what to do. Nothing else is "
    "said about the person."
)
class MandateNotAllowed(UserError):
    pass


@strawberry.type
class MandateNotFound(UserError):
    pass


@strawberry.type
class GrantMandatePayload:
    mandate: Mandate
    replayed: bool


@strawberry.type
class RevokeMandatePayload:
    mandate: Mandate
    replayed: bool


@strawberry.type(description="Approved: the mandate starts at `mandate.startsAt`.")
class ApproveMandatePayload:
    mandate: Mandate = strawberry.field(description="As it is now.")
    replayed: bool = strawberry.field(description="Whether an earlier call under the same key approved it.")


@strawberry.type(description="Confirmed: the mandate has started.")
class ConfirmMandatePayload:
    mandate: Mandate = strawberry.field(description="As it is now.")
    replayed: bool = strawberry.field(description="Whether an earlier call under the same key confirmed it.")


GrantMandateResult = Annotated[
    GrantMandatePayload | ValidationFailed | MandateNotAllowed | IdempotencyConflict | StepPending,
    strawberry.union("GrantMandateResult"),
]
RevokeMandateResult = Annotated[
    RevokeMandatePayload | ValidationFailed | MandateNotFound | IdempotencyConflict | StepPending,
    strawberry.union("RevokeMandateResult"),
]
ApproveMandateResult = Annotated[
    ApproveMandatePayload | ValidationFailed | MandateNotFound | MandateNotAllowed | IdempotencyConflict | StepPending,
    strawberry.union("ApproveMandateResult"),
]
ConfirmMandateResult = Annotated[
    ConfirmMandatePayload | ValidationFailed | MandateNotFound | MandateNotAllowed | IdempotencyConflict | StepPending,
    strawberry.union("ConfirmMandateResult"),
]
