"""The state of one transfer: everything that its events have made true. `workflows.fold` makes it."""

from datetime import date, datetime
from uuid import UUID

from pydantic import BaseModel, Field

from workflows.actors import ActorKind
from workflows.continuation import Continuation
from workflows.contribution import ContributionPeriod
from workflows.coverage_gap import CoverageGap
from workflows.deadlines import Deadline
from workflows.findings import Finding
from workflows.policy import Disposition
from workflows.remittance import Remittance
from workflows.vocabulary import (
    CLOSED_STATUSES,
    CorrectionReason,
    FundsStatus,
    InsuranceScheme,
    MailItem,
    RemittanceStatus,
    ReopeningReason,
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
    ),
    TransferRoute.PAPER: (
        TransferStepKind.ACCEPT_APPLICATION,
        TransferStepKind.STOP_COVERAGE,
        TransferStepKind.ISSUE_CERTIFICATE,
        TransferStepKind.ISSUE_CONTACT_LETTER,
        TransferStepKind.DELIVER_INFORMATION_FORM,
        TransferStepKind.REMIT_PERSONAL_ACCOUNT,
        TransferStepKind.CONFIRM_CONTINUATION,
        TransferStepKind.CONFIRM_RECEIPT,
    ),
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
    """One round of a statutory step.

    `seq` is the last event that concerns it, clocks apart; `started_seq` the event that its clock counts from; `escalated`
    how many rungs of the ladder were told that it is late.
    """

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
    escalated: int = 0
    started_seq: int | None = None

    @property
    def waits(self) -> bool:
        """Whether its clock does not run: nobody is asked for it now. The certificate, which has none, is due at once."""
        if self.deadline is None:
            return self.kind is not TransferStepKind.ISSUE_CERTIFICATE
        return self.deadline.paused_since is not None


class InformationForm(BaseModel, frozen=True):
    version: int
    document_id: UUID | None
    periods: tuple[ContributionPeriod, ...]
    balance_fen: int
    disposition: Disposition = Disposition.REMIT


class PreparedForm(BaseModel, frozen=True):
    """A form that its maker has finished and that another person of O must check.

    `maker_names`: the canonical names by which the maker was known; empty in a state of before these were kept.
    """

    version: int
    periods: tuple[ContributionPeriod, ...]
    balance_fen: int
    made_by: str
    maker_names: tuple[str, ...] = Field(default=(), exclude_if=lambda value: not value)


class Correction(BaseModel, frozen=True):
    """What R disputes in a form; `answered_by` is the version that answers it, None while it is open."""

    round: int
    reason: CorrectionReason
    answered_by: int | None = None


class Mail(BaseModel, frozen=True):
    item: MailItem
    sent_on: date | None
    arrived_on: date | None


class Submitter(BaseModel, frozen=True):
    """Who submitted a transfer: the subject of their token, and what they were to the person."""

    subject: str
    kind: ActorKind


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
    # None in a state that was stored before it was noted: then it counts as the person's.
    submitted_by: Submitter | None = None
    withdrawn_by: ActorKind | None = None
    periods: dict[TransferStepKind, int] = {}
    stopped_on: date | None = None
    # The application waits for the registers, and the person's own clock runs while nobody covers them.
    waiting: bool = False
    gap: CoverageGap | None = None
    unconnected: tuple[str, ...] = ()
    certificate: str | None = None
    mail: tuple[Mail, ...] = ()
    prepared: PreparedForm | None = None
    form: InformationForm | None = None
    form_delivered_on: date | None = None
    corrections: tuple[Correction, ...] = ()
    remittances: tuple[Remittance, ...] = ()
    # What was paid at O after the case was completed, and follows it.
    late_fen: int = 0
    # At O, set aside still, until it is ordered again or given back: what came back from the bank, and what is missing.
    returned_fen: int = 0
    missing_fen: int = 0
    payout_account: str | None = None
    released: bool = False
    continuation: Continuation | None = None
    continued: bool = False
    # R's own periods before O's were added, and how many statements of continuation there have been.
    own_periods: tuple[ContributionPeriod, ...] | None = None
    statements: int = 0
    returned: ReturnReason | None = None
    # A supervisor has ended the case; it closes when all money is home.
    terminating: bool = False
    submitted_at: datetime
    accepted_at: datetime | None = None
    closed_at: datetime | None = None
    # How often the money of a completed case came under way again, and why the last time.
    reopenings: int = 0
    reopened_for: ReopeningReason | None = None
    # The last event, the last that changed the case itself (not a clock, not one track's step), and the last clock's instant.
    revision: int = 0
    case_seq: int = 0
    clock_at: datetime | None = None
    # The last event of each kind that starts a clock.
    starts: dict[str, int] = {}

    @property
    def closed(self) -> bool:
        return self.status in CLOSED_STATUSES

    @property
    def open_steps(self) -> tuple[Step, ...]:
        """The open steps, due soonest first; those that wait for the post, for the other side or for the person come last."""
        opened = [step for step in self.steps if step.state is StepState.OPEN]

        def turn(step: Step) -> tuple[bool, date, TransferStepKind]:
            return step.waits, step.deadline.due_on if step.deadline else date.min, step.kind

        return tuple(sorted(opened, key=turn))

    @property
    def approvals(self) -> tuple[Step, ...]:
        """A supervisor's approval of each way home, oldest first, as the orders tell it: no law sets it a period.

        It stands at R's region, where the money lies; a supervisor of either side may take it.
        """
        homeward = (each for each in self.remittances if each.comes_home)
        return tuple(_approval(order, round_, self.to_region) for round_, order in enumerate(homeward, 1))

    @property
    def in_hand(self) -> Step | None:
        """The step that is waited for now: an open one whose clock runs, due soonest first, or else a supervisor's approval."""
        opened = self.open_steps
        approval = next((each for each in self.approvals if each.state is StepState.OPEN), None)
        if approval is not None and (not opened or opened[0].waits):
            return approval
        return opened[0] if opened else None

    def step(self, kind: TransferStepKind) -> Step:
        """The latest round of `kind`."""
        return next(step for step in reversed(self.steps) if step.kind is kind)

    def is_open(self, kind: TransferStepKind) -> bool:
        return any(step.kind is kind and step.state is StepState.OPEN for step in self.steps)

    def is_done(self, kind: TransferStepKind) -> bool:
        return any(step.kind is kind and step.state is StepState.DONE for step in self.steps)

    @property
    def remittance(self) -> Remittance | None:
        """The order of money in force, or the last one. One that was given up before it was released is none."""
        return next((each for each in reversed(self.remittances) if not each.given_up), None)

    @property
    def on_its_way(self) -> Remittance | None:
        """The one order that has not come to its end."""
        return next((each for each in self.remittances if each.on_its_way), None)

    @property
    def to_release(self) -> Remittance | None:
        """The order that one person of O's finance has prepared, and that another has to release."""
        return next((each for each in self.remittances if each.awaits_release), None)

    @property
    def settled_fen(self) -> int:
        """What has left O for good, by orders at their end: what came home is taken off again."""
        return sum(each.settled_fen for each in self.remittances)

    @property
    def uncredited_fen(self) -> int:
        """What came to R with a wrong amount, was not credited, and is not home yet."""
        home = (each for each in self.remittances if each.uncredited and each.status is RemittanceStatus.CREDITED)
        return sum(each.sent_home_fen for each in self.remittances) - sum(each.expected_fen for each in home)

    @property
    def moved_fen(self) -> int:
        """What orders have taken out of O's account and not brought back."""
        out = (each for each in self.remittances if not (each.comes_home or each.awaits_release))
        gone = sum(each.expected_fen for each in out if each.status is not RemittanceStatus.RETURNED)
        home = (each for each in self.remittances if each.comes_home)
        return gone + self.uncredited_fen + sum(each.settled_fen for each in home)

    @property
    def owed_fen(self) -> int:
        """What has yet to leave O; negative where too much has."""
        return self.target_fen - self.settled_fen

    @property
    def frozen_fen(self) -> int:
        """What is frozen at O and not yet ordered away."""
        given_back = self.released or self.terminating
        if self.form is None or given_back or self.form.disposition is Disposition.RETAIN:
            return 0
        return max(0, self.form.balance_fen + self.late_fen - self.moved_fen)

    @property
    def target_fen(self) -> int:
        """What must have left O in the end."""
        if self.form is None or self.terminating or self.form.disposition is Disposition.RETAIN:
            return 0
        return self.form.balance_fen + self.late_fen

    @property
    def pays_out(self) -> bool:
        """The balance goes to the person's own account."""
        return self.form is not None and self.form.disposition is Disposition.PAY_OUT

    @property
    def awaits_account(self) -> bool:
        """The balance goes to the person, who has not said yet to which account."""
        return self.pays_out and self.payout_account is None

    @property
    def correction(self) -> Correction | None:
        """The correction that O has yet to answer."""
        return next((each for each in self.corrections if each.answered_by is None), None)

    def set_aside(self, amount_fen: int) -> tuple[int, int, int]:
        """From where `amount_fen` of what is set aside at O comes: what was returned first, what is missing, what is frozen."""
        returned = min(amount_fen, self.returned_fen)
        missing = min(amount_fen - returned, self.missing_fen)
        return returned, missing, amount_fen - returned - missing

    def next_round(self, kind: TransferStepKind) -> int:
        """The round that an opening of `kind` begins."""
        latest = self.step(kind)
        return latest.round if latest.state is StepState.NOT_STARTED else latest.round + 1

    def arrived_on(self, item: MailItem) -> date | None:
        """The day on which `item` came by post, where that was recorded."""
        return next((each.arrived_on for each in self.mail if each.item is item), None)

    def side_of(self, region: str) -> tuple[str, ...]:
        """The regions whose people may take a step of `region`: its own, or for an unconnected one the other side's too."""
        if region not in self.unconnected:
            return (region,)
        return (region, self.to_region if region == self.from_region else self.from_region)

    @property
    def all_home(self) -> bool:
        """No money of the case is anywhere but at O."""
        return self.on_its_way is None and not (self.settled_fen or self.uncredited_fen)


def _approval(order: Remittance, round_: int, region: str) -> Step:
    kind = TransferStepKind.APPROVE_REVERSE_REMITTANCE
    if order.status is RemittanceStatus.AWAITING_RELEASE:
        return Step(kind=kind, round=round_, state=StepState.OPEN, region=region, opened_at=order.ordered_at)
    if order.given_up:
        return Step(kind=kind, round=round_, state=StepState.SKIPPED, region=region)
    # What was approved was ordered with it.
    return Step(kind=kind, round=round_, state=StepState.DONE, region=region, done_at=order.ordered_at)
