"""Facts become events, and events fold into the state: `advance` numbers them, `apply` takes in one, `fold` all."""

from collections.abc import Iterable
from datetime import datetime
from functools import reduce
from typing import Any

from workflows import events as e
from workflows import fold_money as money
from workflows import fold_steps as rounds
from workflows.actors import Actor
from workflows.coverage_gap import with_warnings_of
from workflows.deadlines import shanghai_date
from workflows.state import (
    STEPS_OF_ROUTE,
    STEPS_OF_TRANSFER_IN,
    Correction,
    InformationForm,
    Mail,
    PreparedForm,
    Step,
    Submitter,
    TransferState,
)
from workflows.vocabulary import FundsStatus, MailItem, StepState, TransferStatus, TransferStepKind

Facts = tuple[e.AnyFact, ...]
Changes = dict[str, Any]
K = TransferStepKind

# A clock's events leave every fact that a caller rests on as it was.
CLOCK_FACTS = frozenset({e.DeadlineDueSoon, e.DeadlineMissed, e.DeadlineRevised, e.Escalated, e.ClockStarted})
# Events after which nothing read before still holds for any step: the form's version, or the case's course, changed.
CASE_FACTS = frozenset(
    {
        e.Submitted,
        e.RegisterChecked,
        e.Accepted,
        e.Declined,
        e.FormDelivered,
        e.CorrectionRequested,
        e.Withdrawn,
        e.TerminationOrdered,
        e.Terminated,
        e.CompletedUnsaid,
        e.Completed,
        e.Reopened,
    }
)


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
    if event.step is not None and type(fact) not in CLOCK_FACTS:
        changes["steps"] = rounds.changed(changes.get("steps", state.steps), event.step, seq=event.seq)
    if type(fact) in CASE_FACTS:
        changes["case_seq"] = event.seq
    if type(fact) in rounds.START_FACTS:
        changes["starts"] = state.starts | {rounds.name_of_start(fact): event.seq}
    return state.model_copy(update=changes | {"revision": event.seq})


def _unneeded(fact: e.Submitted | e.RegisterChecked) -> dict[TransferStepKind, bool]:
    """Which of the steps before acceptance this application can do without."""
    return {K.ACCEPT_APPLICATION: not fact.manual, K.STOP_COVERAGE: not fact.stop_needed}


def _submitted(event: e.TransferEvent, fact: e.Submitted) -> TransferState:
    unneeded = _unneeded(fact)
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
        submitted_by=Submitter(subject=event.actor.subject, kind=event.actor.kind),
        status=TransferStatus.SUBMITTED,
        funds_status=FundsStatus.PENDING,
        steps=steps,
        submitted_at=event.occurred_at,
        revision=event.seq,
        case_seq=event.seq,
        starts={rounds.name_of_start(fact): event.seq},
    )


def _changes(state: TransferState, event: e.TransferEvent) -> Changes:  # noqa: C901, PLR0911, PLR0912 - one arm for each family
    """What `event` changes in the state, field by field."""
    fact = event.fact
    match fact:
        case e.Submitted():
            raise ValueError("a transfer is submitted once")
        case e.ArrearsNotified():
            return {}
        case e.RegisterChecked() | e.GapWarned() | e.MailRecorded():
            return _informed(state, fact)
        case e.Accepted() | e.StepOpened() | e.ApplicationAccepted() | e.CoverageStopped() | e.ContactLetterIssued():
            return _begun(state, event, fact)
        case e.CertificateIssued() | e.CertificateReissued() | e.ContinuationConfirmed():
            return _recorded(state, event, fact)
        case e.FormPrepared() | e.FormDelivered() | e.CorrectionRequested() | e.CorrectionAnswered():
            return _formed(state, event, fact)
        case e.ClockStarted() | e.DeadlineDueSoon() | e.DeadlineMissed() | e.Escalated() | e.DeadlineRevised():
            return _clocked(state, fact, event.occurred_at) | {"clock_at": event.occurred_at}
        case e.Declined() | e.Withdrawn() | e.Terminated() | e.CompletedUnsaid() | e.Completed():
            return _closed(state, event, fact)
        case e.TerminationOrdered():
            return _terminating(state)
        case e.Reopened():
            reopened = {"status": TransferStatus.AWAITING_FUNDS, "closed_at": None}
            return reopened | {"reopenings": state.reopenings + 1, "reopened_for": fact.why}
        case e.LateContribution():
            return money.followed(state, fact)
        case e.FundsNotRequired() | e.FundsRetained() | e.FundsReleased() | e.PayoutAccountProvided():
            return money.settled(state, event, fact)
        case e.RemittancePrepared() | e.RemittanceOrdered() | e.FundsOrdered() | e.ReverseProposed():
            return money.ordered(state, event, fact)
        case e.ReceiptConfirmed():
            return {"steps": rounds.done(state, event)}
        case e.FundsRemitted() | e.FundsReceived() | e.FundsMismatched() | e.FundsCredited() | e.FundsPaidOut():
            return money.moved(state, fact)
        case e.FundsReturned():
            return money.returned(state, fact)
        case e.FundsMatched():
            return money.matched(state, fact)


def _informed(state: TransferState, fact: e.RegisterChecked | e.GapWarned | e.MailRecorded) -> Changes:
    match fact:
        case e.RegisterChecked():
            unneeded = _unneeded(fact)
            steps = tuple(
                step.model_copy(update={"state": StepState.SKIPPED if unneeded[step.kind] else StepState.NOT_STARTED})
                if step.kind in unneeded
                else step
                for step in state.steps
            )
            said = {name: getattr(fact, name) for name in type(fact).model_fields if name not in ("type", "manual")}
            return said | {"steps": steps, "gap": fact.gap and with_warnings_of(fact.gap, state.gap)}
        case e.GapWarned():
            return {"gap": state.gap and state.gap.model_copy(update={"warned": (*state.gap.warned, fact.days_left)})}
        case e.MailRecorded():
            earlier = next((each for each in state.mail if each.item is fact.item), None)
            others = tuple(each for each in state.mail if each is not earlier)
            mail = Mail(
                item=fact.item,
                sent_on=fact.sent_on or (earlier.sent_on if earlier else None),
                arrived_on=fact.arrived_on or (earlier.arrived_on if earlier else None),
            )
            return {"mail": (*others, mail)}


def _begun(
    state: TransferState,
    event: e.TransferEvent,
    fact: e.Accepted | e.StepOpened | e.ApplicationAccepted | e.CoverageStopped | e.ContactLetterIssued,
) -> Changes:
    match fact:
        case e.Accepted():
            return {
                "status": TransferStatus.TRANSFERRING_OUT,
                "accepted_at": event.occurred_at,
                "periods": fact.periods,
                "steps": rounds.changed(
                    state.steps, K.ISSUE_CERTIFICATE, state=StepState.OPEN, opened_at=event.occurred_at
                ),
            }
        case e.StepOpened():
            return {"steps": rounds.opened(state, fact, event.occurred_at)}
        case e.ApplicationAccepted() | e.ContactLetterIssued():
            return {"steps": rounds.done(state, event)}
        case e.CoverageStopped():
            return {"steps": rounds.done(state, event), "stopped_on": fact.stopped_on}


def _recorded(
    state: TransferState,
    event: e.TransferEvent,
    fact: e.CertificateIssued | e.CertificateReissued | e.ContinuationConfirmed,
) -> Changes:
    match fact:
        case e.CertificateIssued():
            return {"steps": rounds.done(state, event), "certificate": fact.number}
        case e.CertificateReissued():
            return {"certificate": fact.number}
        case e.ContinuationConfirmed():
            return {
                "status": TransferStatus.AWAITING_FUNDS,
                "continuation": fact.continuation,
                "continued": True,
                "own_periods": fact.own_periods,
                "statements": fact.version,
                "steps": rounds.done(state, event),
            }


def _formed(
    state: TransferState,
    event: e.TransferEvent,
    fact: e.FormPrepared | e.FormDelivered | e.CorrectionRequested | e.CorrectionAnswered,
) -> Changes:
    match fact:
        case e.FormPrepared():
            prepared = PreparedForm(
                version=fact.version,
                periods=fact.periods,
                balance_fen=fact.balance_fen,
                made_by=fact.made_by,
                maker_names=tuple(sorted(event.actor.names)),
            )
            return {"prepared": prepared}
        case e.FormDelivered():
            form = InformationForm(
                version=fact.version,
                document_id=fact.document_id,
                periods=fact.periods,
                balance_fen=fact.balance_fen,
                disposition=fact.disposition,
            )
            delivered: Changes = {
                "status": TransferStatus.TRANSFERRING_IN,
                "prepared": None,
                "form": form,
                "form_delivered_on": shanghai_date(event.occurred_at),
                "continuation": fact.outlook,
                "steps": rounds.done(state, event),
            }
            if fact.freeze_fen is not None and fact.freeze_fen < 0:
                delivered |= money.given_back(state, -fact.freeze_fen)
            return delivered | money.by_another_form(state.model_copy(update=delivered))
        case e.CorrectionRequested():
            asked = Correction(round=fact.round, reason=fact.reason)
            changes: Changes = {
                "status": TransferStatus.CORRECTION_REQUESTED,
                "corrections": (*state.corrections, asked),
                "continued": False,
                # Another form will be posted: when the disputed one arrived says nothing of it.
                "mail": tuple(each for each in state.mail if each.item is not MailItem.INFORMATION_FORM),
            }
            if fact.paused is not None:
                changes["steps"] = rounds.changed(state.steps, K.CONFIRM_CONTINUATION, deadline=fact.paused)
            return changes
        case e.CorrectionAnswered():
            answered = tuple(
                each.model_copy(update={"answered_by": fact.version}) if each.round == fact.round else each
                for each in state.corrections
            )
            if fact.resumed is None:
                return {"corrections": answered}
            steps = rounds.redated(state, K.CONFIRM_CONTINUATION, fact.resumed, event.occurred_at)
            return {"corrections": answered, "steps": steps}


def _clocked(
    state: TransferState,
    fact: e.ClockStarted | e.DeadlineDueSoon | e.DeadlineMissed | e.Escalated | e.DeadlineRevised,
    now: datetime,
) -> Changes:
    match fact:
        case e.ClockStarted():
            steps = rounds.redated(state, fact.step, fact.deadline, now)
            started = rounds.started_by(state, fact.step, fact.round)
            return {"steps": rounds.changed(steps, fact.step, started_seq=started)}
        case e.DeadlineDueSoon():
            return {"steps": rounds.changed(state.steps, fact.step, due_soon_noted=True)}
        case e.DeadlineMissed():
            return {"steps": rounds.changed(state.steps, fact.step, missed_noted=True)}
        case e.Escalated():
            return {"steps": rounds.changed(state.steps, fact.step, escalated=fact.rung)}
        case e.DeadlineRevised():
            return {"steps": rounds.redated(state, fact.step, fact.after, now)}


def _closed(
    state: TransferState,
    event: e.TransferEvent,
    fact: e.Declined | e.Withdrawn | e.Terminated | e.CompletedUnsaid | e.Completed,
) -> Changes:
    """Nothing stays open in a closed case."""
    changes: Changes = {
        "closed_at": event.occurred_at,
        "steps": rounds.skipped(state.steps, *rounds.unfinished(state)),
        "waiting": False,
        "gap": None,
        "prepared": None,
    }
    match fact:
        case e.Declined():
            declined = {"findings": fact.findings, "returned": fact.returned}
            return changes | declined | {"status": TransferStatus.DECLINED}
        case e.Withdrawn():
            return changes | {"status": TransferStatus.WITHDRAWN, "withdrawn_by": event.actor.kind}
        case e.Terminated():
            ended = state.model_copy(update={"terminating": True, "remittances": money.without_prepared(state)})
            money_at = {"remittances": ended.remittances, "funds_status": money.standing(ended)}
            return changes | money_at | {"status": TransferStatus.TERMINATED}
        case e.CompletedUnsaid() | e.Completed():
            return changes | {"status": TransferStatus.COMPLETED}


def _terminating(state: TransferState) -> Changes:
    """Only the money that is on its way is still waited for."""
    awaited = K.CONFIRM_RECEIPT if state.on_its_way is not None else None
    given_up = (kind for kind in rounds.unfinished(state) if kind is not awaited)
    return {
        "terminating": True,
        "prepared": None,
        "status": TransferStatus.TRANSFERRING_IN,
        "steps": rounds.skipped(state.steps, *given_up),
        "remittances": money.without_prepared(state),
    }
