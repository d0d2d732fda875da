"""What can happen to a transfer. Events are facts: appended, numbered without holes, never edited.

They carry ids and figures, no personal data. `type` names the shape and its version; a changed shape gets a new type,
so that every event ever stored can still be read.
"""

from datetime import date, datetime
from functools import cache
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from workflows.actors import Actor
from workflows.continuation import Continuation
from workflows.contribution import ContributionPeriod
from workflows.coverage_gap import CoverageGap
from workflows.deadlines import Deadline
from workflows.findings import Finding
from workflows.free_text import free_texts
from workflows.policy import Disposition
from workflows.vocabulary import (
    BankReturnReason,
    CorrectionReason,
    FundsAtAnEnd,
    InsuranceScheme,
    MailItem,
    MatchDecision,
    RemittanceKind,
    ReopeningReason,
    ReturnReason,
    TransferRoute,
    TransferStepKind,
)


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
    # The application goes to R's clerk: for a finding, or since that is the paper route's way.
    manual: bool = False
    # It waits for what passes with time: `findings` hold the reasons.
    waiting: bool = False
    # The regions that are not connected: what they do comes by post, and the other side enters it.
    unconnected: tuple[str, ...] = ()
    # Last day of cover at O, when it had stopped before.
    stopped_on: date | None = None
    # The person's own clock, while nobody covers them.
    gap: CoverageGap | None = None
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


class RegisterChecked(Fact):
    """A waiting application was checked again and the answer is another one; `findings` are what it goes on with."""

    type: Literal["register_checked.1"] = "register_checked.1"
    findings: tuple[Finding, ...]
    waiting: bool
    manual: bool
    stop_needed: bool
    stopped_on: date | None
    gap: CoverageGap | None = None
    employer_ids: tuple[str, ...] = ()


class GapWarned(Fact):
    """The person was told that the coverage gap closes for free in `days_left` days, and how to close it."""

    type: Literal["gap_warned.1"] = "gap_warned.1"
    days_left: int
    closes_on: date
    told: tuple[str, ...]


class StepOpened(Fact):
    """A step is whose turn it is. Without a deadline its clock starts later, by `ClockStarted`."""

    type: Literal["step_opened.1"] = "step_opened.1"
    step: TransferStepKind
    round: int = 1
    region: str
    deadline: Deadline | None


class ClockStarted(Fact):
    """The clock of an open step runs from now on, or from another day than was thought: what it waited for has arrived."""

    type: Literal["clock_started.1"] = "clock_started.1"
    step: TransferStepKind
    round: int
    deadline: Deadline


class ContactLetterIssued(Documented):
    """ISSUE_CONTACT_LETTER done: on its way to O by post (94号 art. 5)."""

    type: Literal["contact_letter_issued.1"] = "contact_letter_issued.1"


class MailRecorded(Fact):
    """What was posted or has arrived, as somebody who saw it enters it."""

    type: Literal["mail_recorded.1"] = "mail_recorded.1"
    item: MailItem
    carrier: str
    tracking_no: str
    sent_on: date | None
    arrived_on: date | None


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
    disposition: Disposition = Disposition.REMIT
    # What is newly frozen with this version, in fen; negative where an earlier one froze too much. None: all of it.
    freeze_fen: int | None = None
    # What continuation would mean by R's register on this day; R fixes it when it confirms.
    outlook: Continuation


class FormPrepared(Fact):
    """The form as its maker has it; another person of O must check it before it counts."""

    type: Literal["form_prepared.1"] = "form_prepared.1"
    version: int
    periods: tuple[ContributionPeriod, ...]
    balance_fen: int
    note: str | None = None
    made_by: str


class CorrectionRequested(Documented):
    """R disputes the form; its own clock stands still from now on. `round` counts the requests."""

    type: Literal["correction_requested.1"] = "correction_requested.1"
    round: int
    reason: CorrectionReason
    note: str
    # R's clock, stopped; None where it had not started.
    paused: Deadline | None


class CorrectionAnswered(Fact):
    """O has answered with form `version`; R's clock runs again."""

    type: Literal["correction_answered.1"] = "correction_answered.1"
    round: int
    version: int
    resumed: Deadline | None


class FundsNotRequired(Fact):
    """A zero balance: no money moves."""

    type: Literal["funds_not_required.1"] = "funds_not_required.1"


class RemittancePrepared(Fact):
    """An order over the region's threshold, as one person of O's finance has it; another must release it."""

    type: Literal["remittance_prepared.1"] = "remittance_prepared.1"
    reference: str
    amount_fen: int
    kind: RemittanceKind
    corrects: str | None
    prepared_by: str


class RemittanceOrdered(Fact):
    """REMIT_PERSONAL_ACCOUNT done; the order is on its way to the bank."""

    type: Literal["remittance_ordered.1"] = "remittance_ordered.1"
    reference: str
    amount_fen: int


class FundsOrdered(Fact):
    """Money is ordered. `corrects`: the order that this one corrects. `by_post`: an unconnected side ordered it itself.

    `uncredited`: what goes home was never credited at R. `prepared_by`: who made the order that its actor releases.
    `send_on`: the day on which the region's cycle sends it, None at once.
    """

    type: Literal["funds_ordered.1"] = "funds_ordered.1"
    reference: str
    amount_fen: int
    kind: RemittanceKind = RemittanceKind.TRANSFER
    corrects: str | None = None
    by_post: bool = False
    uncredited: bool = False
    prepared_by: str | None = None
    send_on: date | None = None


class ReverseProposed(Fact):
    """Money that went too far must come home; a supervisor must approve it. `uncredited`: R never credited it."""

    type: Literal["reverse_proposed.1"] = "reverse_proposed.1"
    reference: str
    amount_fen: int
    corrects: str | None
    uncredited: bool = False


class PayoutAccountProvided(Fact):
    """The person said where the balance is to be paid out; the account itself lies sealed outside the events."""

    type: Literal["payout_account_provided.1"] = "payout_account_provided.1"
    masked_account: str
    sealed: str
    # O's clock, running again; None where it had not been stopped.
    resumed: Deadline | None = None


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


class FundsReturned(Fact):
    """退汇: the bank refused the order, or sent its money back, all of it or a part; also after it was credited or paid out.

    `bank_reference` is the bank's own of this return. `left`: the money had left, and has come back.
    """

    type: Literal["funds_returned.1"] = "funds_returned.1"
    reference: str
    amount_fen: int
    reason: BankReturnReason
    bank_reference: str | None
    returned_on: date
    left: bool


class FundsMatched(Fact):
    """R has decided on money that came with a wrong amount, for a reason.

    Of `received_fen`, which came, either `credited_fen` is accepted or `sent_home_fen` goes back uncredited; `excess_fen`
    belongs to nobody yet. `missing_fen` of the order never came, and is searched for.
    """

    type: Literal["funds_matched.1"] = "funds_matched.1"
    reference: str
    decision: MatchDecision
    received_fen: int
    credited_fen: int = 0
    sent_home_fen: int = 0
    missing_fen: int = 0
    excess_fen: int = 0
    reason: str


class FundsCredited(Fact):
    """`freeze_fen`: so much of what came home is set aside at once, for a later form asks for it again."""

    type: Literal["funds_credited.1"] = "funds_credited.1"
    reference: str
    amount_fen: int
    freeze_fen: int = 0


class FundsPaidOut(Fact):
    """The balance is on the person's own account."""

    type: Literal["funds_paid_out.1"] = "funds_paid_out.1"
    reference: str
    amount_fen: int


class FundsRetained(Fact):
    """By the rule of the province the balance stays where it is."""

    type: Literal["funds_retained.1"] = "funds_retained.1"
    amount_fen: int


class FundsReleased(Fact):
    """What was frozen for a transfer that ends is the person's to use again.

    `surplus`: only what came back beyond what the form in force asks for; the rest stays set aside.
    """

    type: Literal["funds_released.1"] = "funds_released.1"
    amount_fen: int
    surplus: bool = False


class ContinuationConfirmed(Documented):
    """CONFIRM_CONTINUATION done: years merged, waiting period fixed. A later one supersedes an earlier one."""

    type: Literal["continuation_confirmed.1"] = "continuation_confirmed.1"
    continuation: Continuation
    version: int = 1
    # R's own periods before O's were added: what a corrected form is added to.
    own_periods: tuple[ContributionPeriod, ...] | None = None


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


class Escalated(Fact):
    """A step is `working_days_late`: the next rung of the ladder was told. Each rung is told once."""

    type: Literal["escalated.1"] = "escalated.1"
    step: TransferStepKind
    round: int
    rung: int
    working_days_late: int
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


class TerminationOrdered(Fact):
    """A supervisor ended the case, but money is on its way: it closes when all of it is home."""

    type: Literal["termination_ordered.1"] = "termination_ordered.1"
    reason: str


class Terminated(Fact):
    """已终止, with nothing left frozen or half paid."""

    type: Literal["terminated.1"] = "terminated.1"
    reason: str


class CompletedUnsaid(Fact):
    """已办结, as it was recorded before the event said where the money is. Read, and never made any more."""

    type: Literal["completed.1"] = "completed.1"


class Completed(Fact):
    """已办结: the record is continued and the money is where it belongs. Of no other funds can it be said."""

    type: Literal["completed.2"] = "completed.2"
    funds: FundsAtAnEnd


class Reopened(Fact):
    """The money of a completed case is under way again; the record stays continued."""

    type: Literal["reopened.1"] = "reopened.1"
    why: ReopeningReason


class LateContribution(Fact):
    """A month that was paid at O after the case was completed: it counts at R too, and its money follows the transfer."""

    type: Literal["late_contribution.1"] = "late_contribution.1"
    contribution_id: str
    month: str
    amount_fen: int


AnyFact = Annotated[
    Submitted
    | Accepted
    | Declined
    | RegisterChecked
    | GapWarned
    | StepOpened
    | ClockStarted
    | ContactLetterIssued
    | MailRecorded
    | ApplicationAccepted
    | CoverageStopped
    | CertificateIssued
    | CertificateReissued
    | ArrearsNotified
    | FormDelivered
    | FormPrepared
    | CorrectionRequested
    | CorrectionAnswered
    | FundsNotRequired
    | RemittancePrepared
    | RemittanceOrdered
    | FundsOrdered
    | ReverseProposed
    | PayoutAccountProvided
    | FundsRemitted
    | ReceiptConfirmed
    | FundsReceived
    | FundsMismatched
    | FundsReturned
    | FundsMatched
    | FundsCredited
    | FundsPaidOut
    | FundsRetained
    | FundsReleased
    | ContinuationConfirmed
    | DeadlineDueSoon
    | DeadlineMissed
    | Escalated
    | DeadlineRevised
    | Withdrawn
    | TerminationOrdered
    | Terminated
    | CompletedUnsaid
    | Completed
    | Reopened
    | LateContribution,
    Field(discriminator="type"),
]


@cache
def _fields(kind: type[Fact]) -> frozenset[str]:
    return frozenset(kind.model_fields)


class TransferEvent(BaseModel, frozen=True):
    """One event as stored: its place in the case, the instant it counts from, who caused it, and the fact."""

    seq: int
    occurred_at: datetime
    actor: Actor
    fact: AnyFact

    def said(self, name: str) -> Any:
        """What the fact says under `name`; None where its kind has no such field: to ask the model itself takes 20 times as long."""
        return getattr(self.fact, name) if name in _fields(type(self.fact)) else None

    def without_words(self) -> "TransferEvent":
        """The event without the free text of people, which may name a person and so stays out of Temporal."""
        blank = dict.fromkeys(free_texts(self.fact), "")
        if self.said("sealed"):
            blank["sealed"] = ""
        return self.model_copy(update={"fact": self.fact.model_copy(update=blank)}) if blank else self

    @property
    def step(self) -> TransferStepKind | None:
        """The statutory step that the event belongs to, if any."""
        own: TransferStepKind | None = self.said("step")
        return own or STEP_OF_FACT.get(type(self.fact))


STEP_OF_FACT: dict[type[Fact], TransferStepKind] = {
    ApplicationAccepted: TransferStepKind.ACCEPT_APPLICATION,
    CoverageStopped: TransferStepKind.STOP_COVERAGE,
    CertificateIssued: TransferStepKind.ISSUE_CERTIFICATE,
    CertificateReissued: TransferStepKind.ISSUE_CERTIFICATE,
    ContactLetterIssued: TransferStepKind.ISSUE_CONTACT_LETTER,
    FormDelivered: TransferStepKind.DELIVER_INFORMATION_FORM,
    FormPrepared: TransferStepKind.DELIVER_INFORMATION_FORM,
    CorrectionRequested: TransferStepKind.CONFIRM_CONTINUATION,
    PayoutAccountProvided: TransferStepKind.REMIT_PERSONAL_ACCOUNT,
    RemittancePrepared: TransferStepKind.REMIT_PERSONAL_ACCOUNT,
    RemittanceOrdered: TransferStepKind.REMIT_PERSONAL_ACCOUNT,
    ReceiptConfirmed: TransferStepKind.CONFIRM_RECEIPT,
    FundsMismatched: TransferStepKind.CONFIRM_RECEIPT,
    FundsMatched: TransferStepKind.CONFIRM_RECEIPT,
    ContinuationConfirmed: TransferStepKind.CONFIRM_CONTINUATION,
}
