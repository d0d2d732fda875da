"""The state of one transfer: everything that its events have made true. `workflows.fold` makes it."""

from datetime import date, datetime
from uuid import UUID

from pydantic import BaseModel

from workflows.continuation import Continuation
from workflows.contribution import ContributionPeriod
from workflows.deadlines import Deadline
from workflows.findings import Finding
from workflows.vocabulary import (
    CLOSED_STATUSES,
    FUNDS_AT_AN_END,
    FundsStatus,
    InsuranceScheme,
    RemittanceStatus,
    ReturnReason,
    StepState,
    TransferRoute,
    TransferStatus,
    TransferStepKind,
)

STEPS_OF_ROUTE = {
    TransferRoute.PLATFORM: (
        TransferStepKind.ACCEPT_APPLICATION,
        TransferStepKind.STOP_COVERAGE,
        TransferStepKind.ISSUE_CERTIFICATE,
        TransferStepKind.DELIVER_INFORMATION_FORM,
        TransferStepKind.REMIT_PERSONAL_ACCOUNT,
        TransferStepKind.CONFIRM_CONTINUATION,
        TransferStepKind.CONFIRM_RECEIPT,
    )
}
# Steps of the transfer-in agency; all others are the transfer-out agency's.
STEPS_OF_TRANSFER_IN = frozenset(
    {
        TransferStepKind.ACCEPT_APPLICATION,
        TransferStepKind.ISSUE_CONTACT_LETTER,
        TransferStepKind.CONFIRM_CONTINUATION,
        TransferStepKind.CONFIRM_RECEIPT,
    }
)


class Step(BaseModel, frozen=True):
    """One round of a statutory step. `seq` is the last event that concerns it, clocks apart."""

    kind: TransferStepKind
    round: int = 1
    state: StepState = StepState.NOT_STARTED
    region: str
    deadline: Deadline | None = None
    opened_at: datetime | None = None
    done_at: datetime | None = None
    seq: int = 0
    due_soon_noted: bool = False
    missed_noted: bool = False


class Remittance(BaseModel, frozen=True):
    reference: str
    amount_fen: int
    status: RemittanceStatus
    ordered_at: datetime
    bank_reference: str | None = None
    received_fen: int | None = None


class InformationForm(BaseModel, frozen=True):
    version: int
    document_id: UUID | None
    periods: tuple[ContributionPeriod, ...]
    balance_fen: int


class TransferState(BaseModel, frozen=True):
    """Everything that the events of a transfer have made true. No personal data."""

    transfer_id: UUID
    no: str
    person_id: UUID
    route: TransferRoute
    from_region: str
    to_region: str
    from_scheme: InsuranceScheme
    to_scheme: InsuranceScheme
    status: TransferStatus
    funds_status: FundsStatus
    steps: tuple[Step, ...]
    findings: tuple[Finding, ...] = ()
    stop_needed: bool = False
    employer_ids: tuple[str, ...] = ()
    periods: dict[TransferStepKind, int] = {}
    stopped_on: date | None = None
    certificate: str | None = None
    form: InformationForm | None = None
    remittances: tuple[Remittance, ...] = ()
    continuation: Continuation | None = None
    continued: bool = False
    returned: ReturnReason | None = None
    submitted_at: datetime
    accepted_at: datetime | None = None
    closed_at: datetime | None = None
    # The last event, the last that changed the case itself (not a clock, not one track's step), and the last clock's instant.
    revision: int = 0
    case_seq: int = 0
    clock_at: datetime | None = None

    @property
    def closed(self) -> bool:
        return self.status in CLOSED_STATUSES

    @property
    def open_steps(self) -> tuple[Step, ...]:
        """The open steps, due soonest first; a step without a deadline is due at once."""
        opened = [step for step in self.steps if step.state is StepState.OPEN]
        return tuple(sorted(opened, key=lambda step: (step.deadline.due_on if step.deadline else date.min, step.kind)))

    def step(self, kind: TransferStepKind) -> Step:
        """The latest round of `kind`."""
        return next(step for step in reversed(self.steps) if step.kind is kind)

    def is_open(self, kind: TransferStepKind) -> bool:
        return any(step.kind is kind and step.state is StepState.OPEN for step in self.steps)

    def is_done(self, kind: TransferStepKind) -> bool:
        return any(step.kind is kind and step.state is StepState.DONE for step in self.steps)

    @property
    def remittance(self) -> Remittance | None:
        """The order of money in force."""
        return self.remittances[-1] if self.remittances else None

    @property
    def at_an_end(self) -> bool:
        """Both tracks: the record is continued and the money is where it belongs."""
        return self.continued and self.funds_status in FUNDS_AT_AN_END
