"""What can happen to a transfer. Events are facts: appended, numbered without holes, never edited.

They carry ids and figures, no personal data. `type` names the shape and its version; a changed shape gets a new type,
so that every event ever stored can still be read.
"""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from workflows.actors import Actor
from workflows.continuation import Continuation
from workflows.contribution import ContributionPeriod
from workflows.deadlines import Deadline
from workflows.findings import Finding
from workflows.vocabulary import InsuranceScheme, ReturnReason, TransferRoute, TransferStepKind


class Fact(BaseModel, frozen=True):
    """Base of every event's payload."""


class Documented(Fact):
    """A fact that comes with a document. The step's activity writes it and fills in its id, number and SHA-256."""

    document_id: UUID | None = None
    number: str = ""
    digest: str = ""


class Submitted(Fact):
    type: Literal["submitted.1"] = "submitted.1"
    transfer_id: UUID
    no: str
    person_id: UUID
    route: TransferRoute
    from_region: str
    to_region: str
    from_scheme: InsuranceScheme
    to_scheme: InsuranceScheme
    # Findings that did not block: warnings, and those that R's clerk decides.
    findings: tuple[Finding, ...] = ()
    # Coverage at O is still active and the applicant asked for one-stop handling.
    stop_needed: bool = False
    # A finding sends the application to R's clerk.
    manual: bool = False
    # Last day of cover at O, when it had stopped before.
    stopped_on: date | None = None
    employer_ids: tuple[str, ...] = ()


class Accepted(Fact):
    """受理: the statutory clocks start. `periods` are working days by step where regions have shortened them."""

    type: Literal["accepted.1"] = "accepted.1"
    periods: dict[TransferStepKind, int] = {}


class Declined(Documented):
    """不予受理: by the pre-check, by R's clerk, or by O's return (`returned`); `findings` hold every reason."""

    type: Literal["declined.1"] = "declined.1"
    findings: tuple[Finding, ...]
    returned: ReturnReason | None = None
    note: str | None = None


class StepOpened(Fact):
    type: Literal["step_opened.1"] = "step_opened.1"
    step: TransferStepKind
    round: int = 1
    region: str
    deadline: Deadline | None


class ApplicationAccepted(Fact):
    """ACCEPT_APPLICATION done by R's clerk."""

    type: Literal["application_accepted.1"] = "application_accepted.1"


class CoverageStopped(Fact):
    """STOP_COVERAGE done: `stopped_on` is the last day of cover at O."""

    type: Literal["coverage_stopped.1"] = "coverage_stopped.1"
    stopped_on: date


class CertificateIssued(Documented):
    """ISSUE_CERTIFICATE done."""

    type: Literal["certificate_issued.1"] = "certificate_issued.1"


class CertificateReissued(Documented):
    """A lost certificate replaced; the codes of the earlier ones are void from now on (94号 art. 4)."""

    type: Literal["certificate_reissued.1"] = "certificate_reissued.1"
    reason: str


class ArrearsNotified(Fact):
    type: Literal["arrears_notified.1"] = "arrears_notified.1"
    arrears_fen: int
    first_month: str
    last_month: str


class FormDelivered(Documented):
    """DELIVER_INFORMATION_FORM done: the balance is frozen and the periods are fixed under `version`."""

    type: Literal["form_delivered.1"] = "form_delivered.1"
    version: int
    periods: tuple[ContributionPeriod, ...]
    balance_fen: int
    note: str | None = None
    # What continuation would mean by R's register on this day; R fixes it when it confirms.
    outlook: Continuation


class FundsNotRequired(Fact):
    """A zero balance: no money moves."""

    type: Literal["funds_not_required.1"] = "funds_not_required.1"


class RemittanceOrdered(Fact):
    """REMIT_PERSONAL_ACCOUNT done; the order is on its way to the bank."""

    type: Literal["remittance_ordered.1"] = "remittance_ordered.1"
    reference: str
    amount_fen: int


class FundsOrdered(Fact):
    type: Literal["funds_ordered.1"] = "funds_ordered.1"
    reference: str
    amount_fen: int


class FundsRemitted(Fact):
    """The bank took the order, or a credit advice proved that it had."""

    type: Literal["funds_remitted.1"] = "funds_remitted.1"
    reference: str
    amount_fen: int


class ReceiptConfirmed(Fact):
    """CONFIRM_RECEIPT done: R's finance entered the bank's advice, and the amount is the order's."""

    type: Literal["receipt_confirmed.1"] = "receipt_confirmed.1"
    reference: str
    amount_fen: int


class FundsReceived(Fact):
    """The money is with R, as the bank's advice says. `note`: why, when an earlier advice had differed."""

    type: Literal["funds_received.1"] = "funds_received.1"
    reference: str
    amount_fen: int
    bank_reference: str
    received_on: date
    note: str | None = None


class FundsMismatched(Fact):
    """The advice shows another amount than the order: nothing is credited."""

    type: Literal["funds_mismatched.1"] = "funds_mismatched.1"
    reference: str
    ordered_fen: int
    received_fen: int
    bank_reference: str
    received_on: date
    note: str | None = None


class FundsCredited(Fact):
    type: Literal["funds_credited.1"] = "funds_credited.1"
    reference: str
    amount_fen: int


class ContinuationConfirmed(Documented):
    """CONFIRM_CONTINUATION done: years merged, waiting period fixed."""

    type: Literal["continuation_confirmed.1"] = "continuation_confirmed.1"
    continuation: Continuation


class DeadlineDueSoon(Fact):
    type: Literal["deadline_due_soon.1"] = "deadline_due_soon.1"
    step: TransferStepKind
    round: int
    due_on: date
    # Who was told: "agency:110000", "supervisor:110000".
    told: tuple[str, ...]


class DeadlineMissed(Fact):
    type: Literal["deadline_missed.1"] = "deadline_missed.1"
    step: TransferStepKind
    round: int
    due_on: date
    told: tuple[str, ...]


class DeadlineRevised(Fact):
    """A newer working-day table moved the date, or made a provisional one firm."""

    type: Literal["deadline_revised.1"] = "deadline_revised.1"
    step: TransferStepKind
    round: int
    before: Deadline
    after: Deadline


class Withdrawn(Fact):
    type: Literal["withdrawn.1"] = "withdrawn.1"
    reason: str


class Completed(Fact):
    """已办结: the record is continued and the money is where it belongs."""

    type: Literal["completed.1"] = "completed.1"


AnyFact = Annotated[
    Submitted
    | Accepted
    | Declined
    | StepOpened
    | ApplicationAccepted
    | CoverageStopped
    | CertificateIssued
    | CertificateReissued
    | ArrearsNotified
    | FormDelivered
    | FundsNotRequired
    | RemittanceOrdered
    | FundsOrdered
    | FundsRemitted
    | ReceiptConfirmed
    | FundsReceived
    | FundsMismatched
    | FundsCredited
    | ContinuationConfirmed
    | DeadlineDueSoon
    | DeadlineMissed
    | DeadlineRevised
    | Withdrawn
    | Completed,
    Field(discriminator="type"),
]


class TransferEvent(BaseModel, frozen=True):
    """One event as stored: its place in the case, the instant it counts from, who caused it, and the fact."""

    seq: int
    occurred_at: datetime
    actor: Actor
    fact: AnyFact

    def without_words(self) -> "TransferEvent":
        """The event without the free text of people, which may name a person and so stays out of Temporal."""
        blank = {name: "" for name in ("note", "reason") if getattr(self.fact, name, None)}
        return self.model_copy(update={"fact": self.fact.model_copy(update=blank)}) if blank else self

    @property
    def step(self) -> TransferStepKind | None:
        """The statutory step that the event belongs to, if any."""
        own: TransferStepKind | None = getattr(self.fact, "step", None)
        return own or STEP_OF_FACT.get(type(self.fact))


STEP_OF_FACT: dict[type[Fact], TransferStepKind] = {
    ApplicationAccepted: TransferStepKind.ACCEPT_APPLICATION,
    CoverageStopped: TransferStepKind.STOP_COVERAGE,
    CertificateIssued: TransferStepKind.ISSUE_CERTIFICATE,
    CertificateReissued: TransferStepKind.ISSUE_CERTIFICATE,
    FormDelivered: TransferStepKind.DELIVER_INFORMATION_FORM,
    RemittanceOrdered: TransferStepKind.REMIT_PERSONAL_ACCOUNT,
    ReceiptConfirmed: TransferStepKind.CONFIRM_RECEIPT,
    FundsMismatched: TransferStepKind.CONFIRM_RECEIPT,
    ContinuationConfirmed: TransferStepKind.CONFIRM_CONTINUATION,
}
