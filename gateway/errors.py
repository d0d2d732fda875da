"""Errors as data: what a mutation answers when the caller can act on it, and what it answers when all is well."""

# ruff: noqa: N818 - the contract's names; none of these is an exception

from typing import Annotated

import strawberry

from gateway.types.enums import TransferAction, UserErrorCode
from gateway.types.refusals import Refusal
from gateway.types.transfer import Transfer, TransferDocument, TransferEvent


@strawberry.interface
class UserError:
    code: UserErrorCode
    message: str


@strawberry.type
class FieldViolation:
    path: list[str]
    code: str
    message: str


@strawberry.type
class ValidationFailed(UserError):
    violations: list[FieldViolation]


@strawberry.type
class TransferNotFound(UserError):
    pass


@strawberry.type(
    description="不予受理: every reason, and the number of the recorded refusal. A duplicate carries the open transfer."
)
class NotEligible(UserError):
    refusal_no: str
    findings: list[Refusal]
    existing: Transfer | None


@strawberry.type
class StepNotAllowed(UserError):
    transfer: Transfer
    allowed_actions: list[TransferAction]


@strawberry.type
class StaleRevision(UserError):
    transfer: Transfer


@strawberry.type
class IdempotencyConflict(UserError):
    pass


@strawberry.type(description="Durably recorded, not finished: ask again with the same key after `retryAfterSeconds`.")
class StepPending(UserError):
    retry_after_seconds: int


@strawberry.type
class SubmitTransferPayload:
    transfer: Transfer
    replayed: bool = strawberry.field(description="True when this answers an earlier call with the same key.")


@strawberry.type(
    description="Every step answers with the transfer as it is now, and the event that records the step; a replay gives "
    "the same event."
)
class StepPayload:
    transfer: Transfer
    event: TransferEvent
    replayed: bool


@strawberry.type
class EnrolmentCertificate:
    number: str
    verification_code: str
    document: TransferDocument


@strawberry.type
class RequestCertificatePayload:
    certificate: EnrolmentCertificate
    replayed: bool


SubmitTransferResult = Annotated[
    SubmitTransferPayload | ValidationFailed | NotEligible | IdempotencyConflict | StepPending,
    strawberry.union("SubmitTransferResult"),
]
StepResult = Annotated[
    StepPayload
    | ValidationFailed
    | TransferNotFound
    | StepNotAllowed
    | StaleRevision
    | IdempotencyConflict
    | StepPending,
    strawberry.union("StepResult"),
]
# StepPending is not in version 1 of the contract: with Temporal away, a recorded request must not look like a failure.
RequestCertificateResult = Annotated[
    RequestCertificatePayload | ValidationFailed | NotEligible | IdempotencyConflict | StepPending,
    strawberry.union("RequestCertificateResult"),
]
