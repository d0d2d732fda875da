"""Facts become events, and events fold into the state: `advance` numbers them, `apply` takes in one, `fold` all."""

from collections.abc import Iterable
from datetime import datetime
from functools import reduce
from typing import Any

from workflows import events as e
from workflows.actors import Actor
from workflows.state import STEPS_OF_ROUTE, STEPS_OF_TRANSFER_IN, InformationForm, Remittance, Step, TransferState
from workflows.vocabulary import FundsStatus, RemittanceStatus, StepState, TransferStatus, TransferStepKind

Facts = tuple[e.AnyFact, ...]
Changes = dict[str, Any]
K = TransferStepKind

# A clock's events leave every fact that a caller rests on as it was.
CLOCK_FACTS = (e.DeadlineDueSoon, e.DeadlineMissed, e.DeadlineRevised)
# Events after which nothing read before still holds for any step: the form's version, or the case's course, changed.
CASE_FACTS = (e.Submitted, e.Accepted, e.Declined, e.FormDelivered, e.Withdrawn, e.Completed)


def fold(events: Iterable[e.TransferEvent]) -> TransferState:
    """The state that `events`, complete and in order, add up to. Raises ValueError when one is missing."""
    state = reduce(apply, events, None)
    if state is None:
        raise ValueError("no events to fold")
    return state


def advance(
    state: TransferState | None, facts: Facts, *, at: datetime, actor: Actor
) -> tuple[tuple[e.TransferEvent, ...], TransferState]:
    """Number `facts` as the next events and fold them in. Raises ValueError when there is no state to come out."""
    events: list[e.TransferEvent] = []
    for fact in facts:
        event = e.TransferEvent(seq=(state.revision if state else 0) + 1, occurred_at=at, actor=actor, fact=fact)
        state = apply(state, event)
        events.append(event)
    if state is None:
        raise ValueError("no facts and no state")
    return tuple(events), state


def apply(state: TransferState | None, event: e.TransferEvent) -> TransferState:
    """The state after `event`. Raises ValueError when `event` is not the next one."""
    expected = 1 if state is None else state.revision + 1
    if event.seq != expected:
        raise ValueError(f"event {event.seq} does not follow: {expected} is next")
    fact = event.fact
    if state is None:
        if not isinstance(fact, e.Submitted):
            raise ValueError(f"a transfer begins with its submission, not with {fact.type}")
        return _submitted(event, fact)
    changes = _changes(state, event)
    if event.step is not None and not isinstance(fact, CLOCK_FACTS):
        changes["steps"] = _replaced(changes.get("steps", state.steps), event.step, seq=event.seq)
    if isinstance(fact, CASE_FACTS):
        changes["case_seq"] = event.seq
    return state.model_copy(update=changes | {"revision": event.seq})


def _submitted(event: e.TransferEvent, fact: e.Submitted) -> TransferState:
    unneeded = {K.ACCEPT_APPLICATION: not fact.manual, K.STOP_COVERAGE: not fact.stop_needed}
    steps = tuple(
        Step(
            kind=kind,
            region=fact.to_region if kind in STEPS_OF_TRANSFER_IN else fact.from_region,
            state=StepState.SKIPPED if unneeded.get(kind) else StepState.NOT_STARTED,
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


def _changes(state: TransferState, event: e.TransferEvent) -> Changes:  # noqa: PLR0911 - one arm for each family
    """What `event` changes in the state, field by field."""
    fact = event.fact
    match fact:
        case e.Submitted():
            raise ValueError("a transfer is submitted once")
        case e.ArrearsNotified():
            return {}
        case e.Accepted() | e.StepOpened() | e.ApplicationAccepted() | e.CoverageStopped():
            return _begun(state, event, fact)
        case e.CertificateIssued() | e.CertificateReissued() | e.FormDelivered() | e.ContinuationConfirmed():
            return _recorded(state, event, fact)
        case e.DeadlineDueSoon() | e.DeadlineMissed() | e.DeadlineRevised():
            return _clocked(state, fact, event.occurred_at) | {"clock_at": event.occurred_at}
        case e.Declined() | e.Withdrawn() | e.Completed():
            return _closed(state, event, fact)
        case e.FundsNotRequired() | e.RemittanceOrdered() | e.FundsOrdered():
            return _ordered(state, event, fact)
        case e.ReceiptConfirmed():
            return {"steps": _done(state, event)}
        case e.FundsRemitted() | e.FundsReceived() | e.FundsMismatched() | e.FundsCredited():
            return _moved(state, fact)


def _begun(
    state: TransferState,
    event: e.TransferEvent,
    fact: e.Accepted | e.StepOpened | e.ApplicationAccepted | e.CoverageStopped,
) -> Changes:
    match fact:
        case e.Accepted():
            return {
                "status": TransferStatus.TRANSFERRING_OUT,
                "accepted_at": event.occurred_at,
                "periods": fact.periods,
                "steps": _step(state, K.ISSUE_CERTIFICATE, state=StepState.OPEN, opened_at=event.occurred_at),
            }
        case e.StepOpened():
            return {"steps": _opened(state, fact, event.occurred_at)}
        case e.ApplicationAccepted():
            return {"steps": _done(state, event)}
        case e.CoverageStopped():
            return {"steps": _done(state, event), "stopped_on": fact.stopped_on}


def _recorded(
    state: TransferState,
    event: e.TransferEvent,
    fact: e.CertificateIssued | e.CertificateReissued | e.FormDelivered | e.ContinuationConfirmed,
) -> Changes:
    match fact:
        case e.CertificateIssued():
            return {"steps": _done(state, event), "certificate": fact.number}
        case e.CertificateReissued():
            return {"certificate": fact.number}
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


def _clocked(
    state: TransferState, fact: e.DeadlineDueSoon | e.DeadlineMissed | e.DeadlineRevised, now: datetime
) -> Changes:
    match fact:
        case e.DeadlineDueSoon():
            return {"steps": _step(state, fact.step, due_soon_noted=True)}
        case e.DeadlineMissed():
            return {"steps": _step(state, fact.step, missed_noted=True)}
        case e.DeadlineRevised():
            # A date that has moved into the future is neither missed nor near: it will be said when it comes.
            step, after = state.step(fact.step), fact.after
            noted = {
                "due_soon_noted": step.due_soon_noted and now >= after.due_soon_at,
                "missed_noted": step.missed_noted and now >= after.due_at,
            }
            return {"steps": _step(state, fact.step, deadline=after, **noted)}


def _closed(state: TransferState, event: e.TransferEvent, fact: e.Declined | e.Withdrawn | e.Completed) -> Changes:
    """Nothing stays open in a closed case."""
    unfinished = [step.kind for step in state.steps if step.state in (StepState.OPEN, StepState.NOT_STARTED)]
    changes: Changes = {"closed_at": event.occurred_at, "steps": _skipped(state, *unfinished)}
    match fact:
        case e.Declined():
            declined = {"findings": fact.findings, "returned": fact.returned}
            return changes | declined | {"status": TransferStatus.DECLINED}
        case e.Withdrawn():
            return changes | {"status": TransferStatus.WITHDRAWN}
        case e.Completed():
            return changes | {"status": TransferStatus.COMPLETED}


def _ordered(
    state: TransferState, event: e.TransferEvent, fact: e.FundsNotRequired | e.RemittanceOrdered | e.FundsOrdered
) -> Changes:
    match fact:
        case e.FundsNotRequired():
            skipped = _skipped(state, K.REMIT_PERSONAL_ACCOUNT, K.CONFIRM_RECEIPT)
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


def _moved(
    state: TransferState,
    fact: e.FundsRemitted | e.FundsReceived | e.FundsMismatched | e.FundsCredited,
) -> Changes:
    match fact:
        case e.FundsRemitted():
            return _money(state, fact.reference, FundsStatus.REMITTED)
        case e.FundsReceived():
            return _money(state, fact.reference, FundsStatus.RECEIVED, fact.bank_reference, fact.amount_fen)
        case e.FundsMismatched():
            return _money(state, fact.reference, FundsStatus.MISMATCHED, fact.bank_reference, fact.received_fen)
        case e.FundsCredited():
            return _money(state, fact.reference, FundsStatus.CREDITED)


def _money(
    state: TransferState,
    reference: str,
    status: FundsStatus,
    bank_reference: str | None = None,
    received_fen: int | None = None,
) -> Changes:
    """The funds and the order of `reference`, which both stand at `status` now; the bank's advice where there is one."""
    changes: Changes = {"status": RemittanceStatus(status)}
    if bank_reference is not None:
        changes |= {"bank_reference": bank_reference, "received_fen": received_fen}
    remittances = tuple(
        order.model_copy(update=changes) if order.reference == reference else order for order in state.remittances
    )
    return {"funds_status": status, "remittances": remittances}


def _step(of: TransferState, kind: TransferStepKind, **changes: Any) -> tuple[Step, ...]:
    return _replaced(of.steps, kind, **changes)


def _replaced(steps: tuple[Step, ...], kind: TransferStepKind, **changes: Any) -> tuple[Step, ...]:
    """`steps` with the latest round of `kind` changed."""
    target = next(step for step in reversed(steps) if step.kind is kind)
    return tuple(step.model_copy(update=changes) if step is target else step for step in steps)


def _done(state: TransferState, event: e.TransferEvent) -> tuple[Step, ...]:
    kind = e.STEP_OF_FACT[type(event.fact)]
    return _step(state, kind, state=StepState.DONE, done_at=event.occurred_at)


def _skipped(state: TransferState, *kinds: TransferStepKind) -> tuple[Step, ...]:
    return tuple(
        step.model_copy(update={"state": StepState.SKIPPED})
        if step.kind in kinds and step.state is not StepState.DONE
        else step
        for step in state.steps
    )


def _opened(state: TransferState, fact: e.StepOpened, at: datetime) -> tuple[Step, ...]:
    opened = Step(
        kind=fact.step, round=fact.round, region=fact.region, deadline=fact.deadline, state=StepState.OPEN, opened_at=at
    )
    if fact.round == 1:
        return tuple(opened if step.kind is fact.step else step for step in state.steps)
    return (*state.steps, opened)
