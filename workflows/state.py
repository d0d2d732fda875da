"""The state of one transfer, and `apply`, which folds its events into it."""

from datetime import date, datetime
from functools import reduce
from typing import Any
from uuid import UUID

from pydantic import BaseModel

from workflows import events as e
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


def fold(events: tuple[e.TransferEvent, ...] | list[e.TransferEvent]) -> TransferState:
    """The state that `events`, complete and in order, add up to. Raises ValueError when one is missing."""
    state = reduce(apply, events, None)
    if state is None:
        raise ValueError("no events to fold")
    return state


def apply(state: TransferState | None, event: e.TransferEvent) -> TransferState:
    """The state after `event`. Raises ValueError when `event` is not the next one."""
    expected = 1 if state is None else state.revision + 1
    if event.seq != expected:
        raise ValueError(f"event {event.seq} does not follow: {expected} is next")
    if state is None:
        if not isinstance(event.fact, e.Submitted):
            raise ValueError(f"a transfer begins with its submission, not with {event.fact.type}")
        return _submitted(event, event.fact)
    changes = _changes(state, event)
    if event.step is not None and not isinstance(event.fact, CLOCK_FACTS):
        changes["steps"] = _replaced(changes.get("steps", state.steps), event.step, seq=event.seq)
    if isinstance(event.fact, CASE_FACTS):
        changes["case_seq"] = event.seq
    return state.model_copy(update=changes | {"revision": event.seq})


# A clock's events leave every fact that a caller rests on as it was.
CLOCK_FACTS = (e.DeadlineDueSoon, e.DeadlineMissed, e.DeadlineRevised)
# Events after which nothing read before still holds for any step: the form's version, or the case's course, changed.
CASE_FACTS = (e.Submitted, e.Accepted, e.Declined, e.FormDelivered, e.Withdrawn, e.Completed)


def _submitted(event: e.TransferEvent, fact: e.Submitted) -> TransferState:
    steps = tuple(
        Step(
            kind=kind,
            region=fact.to_region if kind in STEPS_OF_TRANSFER_IN else fact.from_region,
            state=_at_submission(kind, fact),
        )
        for kind in STEPS_OF_ROUTE[fact.route]
    )
    return TransferState(
        **fact.model_dump(exclude={"type", "manual", "findings"}),
        findings=fact.findings,
        status=TransferStatus.SUBMITTED,
        funds_status=FundsStatus.PENDING,
        steps=steps,
        submitted_at=event.occurred_at,
        revision=event.seq,
        case_seq=event.seq,
    )


def _at_submission(kind: TransferStepKind, fact: e.Submitted) -> StepState:
    unneeded = {
        TransferStepKind.ACCEPT_APPLICATION: not fact.manual,
        TransferStepKind.STOP_COVERAGE: not fact.stop_needed,
    }
    return StepState.SKIPPED if unneeded.get(kind) else StepState.NOT_STARTED


def _changes(state: TransferState, event: e.TransferEvent) -> dict[str, Any]:
    """What `event` changes in the state, field by field."""
    fact = event.fact
    match fact:
        case e.Accepted():
            opened = _step(state, TransferStepKind.ISSUE_CERTIFICATE, state=StepState.OPEN, opened_at=event.occurred_at)
            return {
                "status": TransferStatus.TRANSFERRING_OUT,
                "accepted_at": event.occurred_at,
                "periods": fact.periods,
                "steps": opened,
            }
        case e.StepOpened():
            return {"steps": _opened(state, fact, event.occurred_at)}
        case e.ApplicationAccepted() | e.CertificateIssued() | e.CertificateReissued() | e.CoverageStopped():
            changes: dict[str, Any] = {}
            if not isinstance(fact, e.CertificateReissued):
                changes["steps"] = _done(state, event)
            if isinstance(fact, e.CoverageStopped):
                changes["stopped_on"] = fact.stopped_on
            if isinstance(fact, e.CertificateIssued | e.CertificateReissued):
                changes["certificate"] = fact.number
            return changes
        case e.FormDelivered():
            form = InformationForm(
                version=fact.version, document_id=fact.document_id, periods=fact.periods, balance_fen=fact.balance_fen
            )
            return {
                "status": TransferStatus.TRANSFERRING_IN,
                "form": form,
                "continuation": fact.outlook,
                "steps": _done(state, event),
            }
        case e.ContinuationConfirmed():
            return {
                "status": TransferStatus.AWAITING_FUNDS,
                "continuation": fact.continuation,
                "continued": True,
                "steps": _done(state, event),
            }
        case e.DeadlineDueSoon():
            return {"steps": _step(state, fact.step, due_soon_noted=True), "clock_at": event.occurred_at}
        case e.DeadlineMissed():
            return {"steps": _step(state, fact.step, missed_noted=True), "clock_at": event.occurred_at}
        case e.DeadlineRevised():
            return {"steps": _step(state, fact.step, deadline=fact.after), "clock_at": event.occurred_at}
        case e.Declined():
            return _closed(state, TransferStatus.DECLINED, event) | {
                "findings": fact.findings,
                "returned": fact.returned,
            }
        case e.Withdrawn():
            return _closed(state, TransferStatus.WITHDRAWN, event)
        case e.Completed():
            return _closed(state, TransferStatus.COMPLETED, event)
        case _:
            return _money(state, event)


def _money(state: TransferState, event: e.TransferEvent) -> dict[str, Any]:
    fact = event.fact
    match fact:
        case e.FundsNotRequired():
            skipped = _skip(state, TransferStepKind.REMIT_PERSONAL_ACCOUNT, TransferStepKind.CONFIRM_RECEIPT)
            return {"funds_status": FundsStatus.NOT_REQUIRED, "steps": skipped}
        case e.RemittanceOrdered():
            return {"steps": _done(state, event)}
        case e.FundsOrdered():
            order = Remittance(
                reference=fact.reference,
                amount_fen=fact.amount_fen,
                status=RemittanceStatus.ORDERED,
                ordered_at=event.occurred_at,
            )
            return {"funds_status": FundsStatus.ORDERED, "remittances": (*state.remittances, order)}
        case e.FundsRemitted():
            return {
                "funds_status": FundsStatus.REMITTED,
                "remittances": _remittance(state, fact.reference, status=RemittanceStatus.REMITTED),
            }
        case e.FundsReceived():
            received = _remittance(
                state,
                fact.reference,
                status=RemittanceStatus.RECEIVED,
                bank_reference=fact.bank_reference,
                received_fen=fact.amount_fen,
            )
            return {"funds_status": FundsStatus.RECEIVED, "remittances": received, "steps": _done(state, event)}
        case e.FundsMismatched():
            mismatched = _remittance(
                state,
                fact.reference,
                status=RemittanceStatus.MISMATCHED,
                bank_reference=fact.bank_reference,
                received_fen=fact.received_fen,
            )
            return {"funds_status": FundsStatus.MISMATCHED, "remittances": mismatched}
        case e.FundsCredited():
            return {
                "funds_status": FundsStatus.CREDITED,
                "remittances": _remittance(state, fact.reference, status=RemittanceStatus.CREDITED),
            }
        case _:
            return {}


def _step(of: TransferState, kind: TransferStepKind, **changes: Any) -> tuple[Step, ...]:
    return _replaced(of.steps, kind, **changes)


def _replaced(steps: tuple[Step, ...], kind: TransferStepKind, **changes: Any) -> tuple[Step, ...]:
    """`steps` with the latest round of `kind` changed."""
    target = next(step for step in reversed(steps) if step.kind is kind)
    return tuple(step.model_copy(update=changes) if step is target else step for step in steps)


def _done(state: TransferState, event: e.TransferEvent) -> tuple[Step, ...]:
    kind = e.STEP_OF_FACT[type(event.fact)]
    return _step(state, kind, state=StepState.DONE, done_at=event.occurred_at)


def _skip(state: TransferState, *kinds: TransferStepKind) -> tuple[Step, ...]:
    return tuple(
        step.model_copy(update={"state": StepState.SKIPPED}) if step.kind in kinds else step for step in state.steps
    )


def _opened(state: TransferState, fact: e.StepOpened, at: datetime) -> tuple[Step, ...]:
    opened = Step(
        kind=fact.step, round=fact.round, region=fact.region, deadline=fact.deadline, state=StepState.OPEN, opened_at=at
    )
    if fact.round == 1:
        return tuple(opened if step.kind is fact.step else step for step in state.steps)
    return (*state.steps, opened)


def _closed(state: TransferState, status: TransferStatus, event: e.TransferEvent) -> dict[str, Any]:
    """Nothing stays open in a closed case."""
    ended = (StepState.OPEN, StepState.NOT_STARTED)
    steps = tuple(
        step.model_copy(update={"state": StepState.SKIPPED}) if step.state in ended else step for step in state.steps
    )
    return {"status": status, "closed_at": event.occurred_at, "steps": steps}


def _remittance(state: TransferState, reference: str, **changes: Any) -> tuple[Remittance, ...]:
    return tuple(
        order.model_copy(update=changes) if order.reference == reference else order for order in state.remittances
    )
