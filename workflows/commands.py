"""What can be asked of a transfer, and what each asking needs to know.

A command is what the caller said. `Facts` of a step are what its activity read in the registers inside the step's
transaction; `decide` turns state, command and facts into events.
"""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from workflows.actors import Actor
from workflows.contribution import ContributionPeriod
from workflows.policy import Disposition, WaitingPolicy
from workflows.vocabulary import (
    CorrectionReason,
    InsuranceScheme,
    MailItem,
    MatchDecision,
    RefusalCode,
    ReturnReason,
    TransferAction,
    TransferStepKind,
)


class Ask(BaseModel, frozen=True):
    """Base of what is asked; `expected_revision` is the last `seq` that the caller had seen."""

    expected_revision: int | None = None


class AcceptTransfer(Ask):
    action: Literal[TransferAction.ACCEPT_TRANSFER] = TransferAction.ACCEPT_TRANSFER


class DeclineTransfer(Ask):
    action: Literal[TransferAction.DECLINE_TRANSFER] = TransferAction.DECLINE_TRANSFER
    reasons: tuple[RefusalCode, ...]
    note: str | None = None


class StopCoverage(Ask):
    action: Literal[TransferAction.STOP_COVERAGE] = TransferAction.STOP_COVERAGE
    stopped_on: date


class ReturnTransfer(Ask):
    action: Literal[TransferAction.RETURN_TRANSFER] = TransferAction.RETURN_TRANSFER
    reason: ReturnReason
    note: str


class ReissueCertificate(Ask):
    action: Literal[TransferAction.REISSUE_CERTIFICATE] = TransferAction.REISSUE_CERTIFICATE
    reason: str


class IssueContactLetter(Ask):
    action: Literal[TransferAction.ISSUE_CONTACT_LETTER] = TransferAction.ISSUE_CONTACT_LETTER


class RecordMail(Ask):
    """What was posted, and what arrived. A later record of the same item adds to the earlier one or corrects it."""

    action: Literal[TransferAction.RECORD_MAIL] = TransferAction.RECORD_MAIL
    item: MailItem
    carrier: str
    tracking_no: str
    sent_on: date | None = None
    arrived_on: date | None = None


class FormPeriod(BaseModel, frozen=True):
    """`first_month` and `last_month` are `YYYY-MM`, inclusive."""

    first_month: str
    last_month: str
    deemed: bool = False


class DeliverInformationForm(Ask):
    """What is left out is taken from O's register; what is given must agree with it or carry a note."""

    action: Literal[TransferAction.DELIVER_INFORMATION_FORM] = TransferAction.DELIVER_INFORMATION_FORM
    periods: tuple[FormPeriod, ...] | None = None
    balance_fen: int | None = None
    note: str | None = None


class CheckInformationForm(Ask):
    action: Literal[TransferAction.CHECK_INFORMATION_FORM] = TransferAction.CHECK_INFORMATION_FORM


class RequestCorrection(Ask):
    action: Literal[TransferAction.REQUEST_CORRECTION] = TransferAction.REQUEST_CORRECTION
    reason: CorrectionReason
    note: str


class ProvidePayoutAccount(Ask):
    """The account itself is sealed in the command's input; the ask knows the last digits that people may see."""

    action: Literal[TransferAction.PROVIDE_PAYOUT_ACCOUNT] = TransferAction.PROVIDE_PAYOUT_ACCOUNT
    sealed: str
    masked_account: str


class ApproveReverseRemittance(Ask):
    action: Literal[TransferAction.APPROVE_REVERSE_REMITTANCE] = TransferAction.APPROVE_REVERSE_REMITTANCE
    remittance_reference: str


class TerminateTransfer(Ask):
    action: Literal[TransferAction.TERMINATE_TRANSFER] = TransferAction.TERMINATE_TRANSFER
    reason: str


class RemitPersonalAccount(Ask):
    action: Literal[TransferAction.REMIT_PERSONAL_ACCOUNT] = TransferAction.REMIT_PERSONAL_ACCOUNT


class ReleaseRemittance(Ask):
    """By another person of O's finance than the one who prepared the order."""

    action: Literal[TransferAction.RELEASE_REMITTANCE] = TransferAction.RELEASE_REMITTANCE
    remittance_reference: str


class MatchFunds(Ask):
    """What R makes of money that came with another amount than its order's, and why."""

    action: Literal[TransferAction.MATCH_FUNDS] = TransferAction.MATCH_FUNDS
    remittance_reference: str
    decision: MatchDecision
    reason: str


class ConfirmReceipt(Ask):
    action: Literal[TransferAction.CONFIRM_RECEIPT] = TransferAction.CONFIRM_RECEIPT
    remittance_reference: str | None = None
    amount_fen: int
    bank_reference: str
    received_on: date
    note: str | None = None


class ConfirmContinuation(Ask):
    action: Literal[TransferAction.CONFIRM_CONTINUATION] = TransferAction.CONFIRM_CONTINUATION


class WithdrawTransfer(Ask):
    action: Literal[TransferAction.WITHDRAW_TRANSFER] = TransferAction.WITHDRAW_TRANSFER
    reason: str


AnyAsk = Annotated[
    AcceptTransfer
    | DeclineTransfer
    | StopCoverage
    | ReturnTransfer
    | ReissueCertificate
    | IssueContactLetter
    | RecordMail
    | DeliverInformationForm
    | CheckInformationForm
    | RequestCorrection
    | RemitPersonalAccount
    | ReleaseRemittance
    | ProvidePayoutAccount
    | ConfirmReceipt
    | MatchFunds
    | ConfirmContinuation
    | ApproveReverseRemittance
    | WithdrawTransfer
    | TerminateTransfer,
    Field(discriminator="action"),
]


class Command(BaseModel, frozen=True):
    """An ask, by whom and when. A step counts as taken at `received_at`, even if an outage delays it."""

    command_id: str
    actor: Actor
    received_at: datetime
    ask: AnyAsk


class Application(BaseModel, frozen=True):
    """What an applicant asked for; who it is about is a matter of the registers."""

    transfer_id: UUID
    no: str
    from_region: str
    to_region: str
    from_scheme: InsuranceScheme
    to_scheme: InsuranceScheme
    request_stop: bool = False
    wait_for_register: bool = False
    certificate_number: str | None = None


# ------------------------------------------------------------------ what a step's activity found in the registers


class AcceptanceFacts(BaseModel, frozen=True):
    """`periods`: working days by step, where the regions' policies of the day shorten the law's."""

    periods: dict[TransferStepKind, int]


class StopFacts(AcceptanceFacts, frozen=True):
    """`covered_from`: the first day of cover at O, None when the register does not say.

    `already_stopped_on`: the last day of cover, where O's register has a stop already. `covered_elsewhere`: R's register
    has the person's cover.
    """

    covered_from: date | None
    already_stopped_on: date | None
    covered_elsewhere: bool = True


class DestinationFacts(BaseModel, frozen=True):
    """R's register: its own periods, the first day of its cover, and its rule for waiting periods."""

    periods: tuple[ContributionPeriod, ...]
    covered_from: date
    waiting: WaitingPolicy


class FormFacts(BaseModel, frozen=True):
    """O's register: every contribution period, and the balance that can be frozen, in fen; and O's policy of the day."""

    periods: tuple[ContributionPeriod, ...]
    balance_fen: int
    destination: DestinationFacts
    needs_checker: bool = False
    disposition: Disposition = Disposition.REMIT


class RemitFacts(BaseModel, frozen=True):
    """O's policy of the day: over how many fen an order needs another person's release, None for never.

    `send_on`: the day on which the region's cycle sends what is ordered now, None at once.
    """

    release_threshold_fen: int | None = None
    send_on: date | None = None


class ReceiptFacts(BaseModel, frozen=True):
    """`paid_by_bank_reference`: the remittance that the bank's reference has credited already, if any."""

    paid_by_bank_reference: str | None


class ReverseFacts(BaseModel, frozen=True):
    """R's register: what the person's account holds there, in fen. It also says whether a late return can be taken off.

    `send_on`: the day on which R's cycle sends what is ordered now, None at once.
    """

    balance_fen: int
    send_on: date | None = None


StepFacts = AcceptanceFacts | StopFacts | DestinationFacts | FormFacts | RemitFacts | ReceiptFacts | ReverseFacts
