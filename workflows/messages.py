"""What crosses Temporal: ids and figures, no personal data. The rest is read by activities, from PostgreSQL."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel

from workflows.actors import Actor
from workflows.decide import Violation
from workflows.events import TransferEvent
from workflows.state import TransferState
from workflows.vocabulary import TransferAction

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


class StepOrder(BaseModel, frozen=True):
    """A recorded command to be carried out; the activity reads what was said from the command log."""

    transfer_id: UUID
    command_id: str
    action: TransferAction
    actor: Actor


class ClockOrder(BaseModel, frozen=True):
    """Note what the clocks say at `now`, the workflow's time."""

    transfer_id: UUID
    now: datetime


class BankOrder(BaseModel, frozen=True):
    """The remittance to carry to the bank, or the bank's word about it to record."""

    transfer_id: UUID
    reference: str
    now: datetime | None = None


class CommandOutcome(BaseModel, frozen=True):
    """What came of a command, as recorded with it. Only DONE binds the caller's key.

    `seq` is the event that records the step; `why` a key of words for NOT_ALLOWED.
    """

    kind: Literal["DONE", "NOT_ALLOWED", "STALE", "INVALID"]
    seq: int | None = None
    why: str | None = None
    violations: tuple[Violation, ...] = ()


class StepResult(BaseModel, frozen=True):
    """The outcome, and the events that the step's transaction appended, without their free text."""

    outcome: CommandOutcome
    events: tuple[TransferEvent, ...] = ()


class CertificateOrder(BaseModel, frozen=True):
    """A certificate by itself, without a transfer."""

    command_id: str


class CertificateResult(BaseModel, frozen=True):
    """`document_id` of the certificate; None when O's register has no such enrolment any more."""

    document_id: UUID | None
