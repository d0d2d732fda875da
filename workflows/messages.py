"""What crosses Temporal: ids and figures, no personal data. The rest is read by activities, from PostgreSQL."""

from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, model_validator

from workflows.events import TransferEvent
from workflows.rules import Violation
from workflows.state import TransferState
from workflows.vocabulary import BankReturnReason, TransferAction

TASK_QUEUE = "transfers"


def workflow_id(no: str) -> str:
    """The one workflow of the transfer numbered `no`."""
    return f"transfer-{no}"


class TransferCase(BaseModel, frozen=True):
    """What a transfer's workflow starts from: its submission, or a state to go on with after a lost Temporal."""

    transfer_id: UUID
    no: str
    command_id: str
    state: TransferState | None = None
    # Bookkeeping is done in local activities. Cases that began without it go on as they began.
    local_bookkeeping: bool = False


class Order(BaseModel, frozen=True):
    """Base of what the workflow asks of an activity. `after_seq`: the last event that the workflow has folded in."""

    transfer_id: UUID
    after_seq: int


class StepRequest(BaseModel, frozen=True):
    """The update: a recorded command, to be carried out. What was said stays in the command log."""

    command_id: str
    action: TransferAction


class StepOrder(Order, frozen=True):
    """Carry out a recorded command."""

    command_id: str


class ClockOrder(Order, frozen=True):
    """Note what the clocks say, or what the platform does by itself, at `now`, the workflow's time."""

    now: datetime


class BankSaid(BaseModel, frozen=True):
    """The bank's word of the order of `reference`.

    TAKEN: the money has left. RETURNED: `amount_fen` of it did not leave, or came back, for `reason`. CREDITED: `amount_fen`
    is on the payee's account. `bank_reference` is the bank's own of the return or the credit, `on` its day; `told_fen` what the
    case was told of the same order before. `in_all_fen` is all that came back of the order by now, where the word says it: the
    case then takes what it does not know yet, whatever was told twice, or in another order.
    """

    reference: str
    said: Literal["TAKEN", "RETURNED", "CREDITED"]
    amount_fen: int = 0
    reason: BankReturnReason | None = None
    bank_reference: str | None = None
    on: date | None = None
    told_fen: int = 0
    in_all_fen: int | None = None

    @model_validator(mode="before")
    @classmethod
    def _as_it_was_said_before(cls, given: Any) -> Any:
        """Histories from before a bank could refuse hold the bank's status alone."""
        return {"reference": "", "said": given} if isinstance(given, str) else given


class BankOrder(BaseModel, frozen=True):
    """Carry a remittance to the bank and wait for its word."""

    transfer_id: UUID
    reference: str


class BankWord(Order, frozen=True):
    """Note that the bank has taken the order of `reference`."""

    reference: str
    now: datetime


class BankNote(Order, frozen=True):
    """Note what the bank has said of an order."""

    said: BankSaid
    now: datetime


class CommandOutcome(BaseModel, frozen=True):
    """What came of a command, as recorded with it. Only DONE binds the caller's key.

    `seq` is the event that records the step; `why` a key of words for NOT_ALLOWED; `document_id` the certificate issued
    by itself.
    """

    kind: Literal["DONE", "NOT_ALLOWED", "STALE", "INVALID"]
    seq: int | None = None
    why: str | None = None
    document_id: UUID | None = None
    violations: tuple[Violation, ...] = ()


class StepResult(BaseModel, frozen=True):
    """The outcome, and every event after the order's `after_seq`, without the free text of people."""

    outcome: CommandOutcome
    events: tuple[TransferEvent, ...] = ()


class CertificateOrder(BaseModel, frozen=True):
    """A certificate by itself, without a transfer, as its recorded command asks."""

    command_id: str


class UnmatchedFundsOrder(BaseModel, frozen=True):
    """Money that belongs to no case goes home, as its recorded command asks."""

    command_id: str


class MandateOrder(BaseModel, frozen=True):
    """A mandate given, approved, confirmed or taken back, as its recorded command asks."""

    command_id: str
