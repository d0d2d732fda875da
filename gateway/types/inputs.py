"""What callers send. Unset and null mean the same everywhere: not given."""

from datetime import date

import strawberry
from strawberry import UNSET

from gateway.scalars import Fen, IdempotencyKey, Month, PoolingRegionCode, ResidentId
from gateway.types.enums import FundsStatus
from workflows.vocabulary import (
    CorrectionReason,
    InsuranceScheme,
    MailItem,
    MatchDecision,
    RefusalCode,
    ReturnReason,
    TransferStatus,
    TransferStepKind,
)


@strawberry.input
class WorklistFilter:
    steps: list[TransferStepKind] | None = UNSET
    due_on_or_before: date | None = UNSET
    counterpart_region: PoolingRegionCode | None = UNSET
    overdue_only: bool | None = UNSET


@strawberry.input
class TransferFilter:
    resident_id: ResidentId | None = UNSET
    status: list[TransferStatus] | None = UNSET
    funds_status: list[FundsStatus] | None = UNSET
    counterpart_region: PoolingRegionCode | None = UNSET
    overdue: bool | None = UNSET
    submitted_on_or_after: date | None = UNSET


@strawberry.input
class EligibilityInput:
    resident_id: ResidentId | None = strawberry.field(
        default=UNSET, description="From the token for an insured person; required from everyone else."
    )
    name: str | None = UNSET
    from_region: PoolingRegionCode
    to_region: PoolingRegionCode
    from_scheme: InsuranceScheme
    to_scheme: InsuranceScheme
    request_stop: bool = False
    certificate_number: str | None = strawberry.field(
        default=UNSET, description="The enrolment certificate that the person holds, as `submitTransfer` takes it."
    )
    certificate_code: str | None = strawberry.field(
        default=UNSET,
        description="The certificate's verification code. With it an agency that has no other tie to the person is shown the "
        "whole pre-check. Only together with `certificateNumber`; spaces, hyphens and case do not matter.",
    )


@strawberry.input
class SubmitTransferInput:
    idempotency_key: IdempotencyKey
    resident_id: ResidentId | None = UNSET
    name: str | None = UNSET
    from_region: PoolingRegionCode
    to_region: PoolingRegionCode
    from_scheme: InsuranceScheme
    to_scheme: InsuranceScheme
    request_stop: bool = strawberry.field(
        default=False,
        description="One-stop handling: if coverage at the origin is still active, ask O to stop it first.",
    )
    wait_for_register: bool = strawberry.field(
        default=False,
        description="If the only blocking reasons pass with time (not stopped, not enrolled, unpaid, unsettled): wait as "
        "SUBMITTED and go on by itself.",
    )
    certificate_number: str | None = strawberry.field(
        default=UNSET, description="Paper route: the certificate the person holds."
    )
    certificate_code: str | None = strawberry.field(
        default=UNSET,
        description="The certificate's verification code. With it an agency that has no other tie to the person may apply for "
        "them. Only together with `certificateNumber`; spaces, hyphens and case do not matter.",
    )


@strawberry.input
class TransferInput:
    idempotency_key: IdempotencyKey
    transfer_id: strawberry.ID
    expected_revision: int | None = UNSET
    acting_person: str | None = strawberry.field(
        default=UNSET,
        description="From an agency's system: the staff id of the person it acts for, who is not the one that checks or "
        "releases what they made. Required for the steps that take two people, unless the token's `act` claim names the "
        "person; both must name the same one. Case and spelling do not make another person. A region may accept only "
        "persons of its directory of staff, or only the claim.",
    )


@strawberry.input
class ReasonInput(TransferInput):
    reason: str


@strawberry.input
class DeclineTransferInput(TransferInput):
    reasons: list[RefusalCode]
    note: str | None = UNSET


@strawberry.input
class StopCoverageInput(TransferInput):
    stopped_on: date


@strawberry.input
class RecordMailInput(TransferInput):
    item: MailItem
    carrier: str
    tracking_no: str
    sent_on: date | None = UNSET
    arrived_on: date | None = UNSET


@strawberry.input
class ContributionPeriodInput:
    first_month: Month
    last_month: Month
    deemed: bool = False


@strawberry.input(
    description="Left out, periods and balance are taken from the origin's register; given, they must agree with it or "
    "carry a `note`."
)
class DeliverInformationFormInput(TransferInput):
    contribution_periods: list[ContributionPeriodInput] | None = UNSET
    personal_account_balance: Fen | None = UNSET
    note: str | None = UNSET


@strawberry.input
class ReturnTransferInput(TransferInput):
    reason: ReturnReason
    note: str


@strawberry.input
class RequestCorrectionInput(TransferInput):
    reason: CorrectionReason
    note: str


@strawberry.input
class RemittanceInput(TransferInput):
    remittance_reference: str


@strawberry.input
class MatchFundsInput(TransferInput):
    remittance_reference: str
    decision: MatchDecision
    reason: str


@strawberry.input
class PayoutAccountInput(TransferInput):
    bank_name: str
    account_name: str
    account_number: str


@strawberry.input(
    description="`remittanceReference` as the bank's advice shows it; left out, the one order that is open."
)
class ConfirmReceiptInput(TransferInput):
    remittance_reference: str | None = UNSET
    amount: Fen
    bank_reference: str
    received_on: date
    note: str | None = UNSET


@strawberry.input(description="A certificate by itself, without a transfer: an instant service of O.")
class RequestCertificateInput:
    idempotency_key: IdempotencyKey
    resident_id: ResidentId | None = UNSET
    region: PoolingRegionCode
    scheme: InsuranceScheme
