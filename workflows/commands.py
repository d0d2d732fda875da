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
from workflows.policy import WaitingPolicy
from workflows.vocabulary import InsuranceScheme, RefusalCode, ReturnReason, TransferAction, TransferStepKind


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


class RemitPersonalAccount(Ask):
    action: Literal[TransferAction.REMIT_PERSONAL_ACCOUNT] = TransferAction.REMIT_PERSONAL_ACCOUNT


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
    | DeliverInformationForm
    | RemitPersonalAccount
    | ConfirmReceipt
    | ConfirmContinuation
    | WithdrawTransfer,
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


# ------------------------------------------------------------------ what a step's activity found in the registers


class AcceptanceFacts(BaseModel, frozen=True):
    """`periods`: working days by step, where the regions' policies of the day shorten the law's."""

    periods: dict[TransferStepKind, int]


class StopFacts(AcceptanceFacts, frozen=True):
    """`covered_from`: the first day of cover at O, None when the register does not say.

    `already_stopped_on`: the last day of cover, where O's register has a stop already.
    """

    covered_from: date | None
    already_stopped_on: date | None


class DestinationFacts(BaseModel, frozen=True):
    """R's register: its own periods, the first day of its cover, and its rule for waiting periods."""

    periods: tuple[ContributionPeriod, ...]
    covered_from: date
    waiting: WaitingPolicy


class FormFacts(BaseModel, frozen=True):
    """O's register: every contribution period, and the balance that can be frozen, in fen."""

    periods: tuple[ContributionPeriod, ...]
    balance_fen: int
    destination: DestinationFacts


class ReceiptFacts(BaseModel, frozen=True):
    """`paid_by_bank_reference`: the remittance that the bank's reference has credited already, if any."""

    paid_by_bank_reference: str | None


StepFacts = AcceptanceFacts | StopFacts | DestinationFacts | FormFacts | ReceiptFacts
