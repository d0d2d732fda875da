"""Facts become events, and events fold into the state: `advance` numbers them, `apply` takes in one, `fold` all."""

from collections.abc import Iterable
from datetime import datetime
from functools import reduce
from typing import Any

from workflows import events as e
from workflows.actors import Actor
from workflows.coverage_gap import CoverageGap, with_warnings
from workflows.deadlines import Deadline, shanghai_date
from workflows.state import (
    STEPS_OF_ROUTE,
    STEPS_OF_TRANSFER_IN,
    Correction,
    InformationForm,
    Mail,
    PreparedForm,
    Remittance,
    Step,
    TransferState,
)
from workflows.vocabulary import (
    FundsStatus,
    MailItem,
    RemittanceKind,
    RemittanceStatus,
    StepState,
    TransferRoute,
    TransferStatus,
    TransferStepKind,
)

Facts = tuple[e.AnyFact, ...]
Changes = dict[str, Any]
K = TransferStepKind

# A clock's events leave every fact that a caller rests on as it was.
CLOCK_FACTS = (e.DeadlineDueSoon, e.DeadlineMissed, e.DeadlineRevised, e.Escalated, e.ClockStarted)
# Events after which nothing read before still holds for any step: the form's version, or the case's course, changed.
CASE_FACTS = (
    e.Submitted,
    e.RegisterChecked,
    e.Accepted,
    e.Declined,
    e.FormDelivered,
    e.CorrectionRequested,
    e.Withdrawn,
    e.TerminationOrdered,
    e.Terminated,
    e.Completed,
)
# Events that a clock can count from.
START_FACTS = (
    e.Submitted,
    e.RegisterChecked,
    e.ApplicationAccepted,
    e.Accepted,
    e.MailRecorded,
    e.FormDelivered,
    e.CorrectionRequested,
    e.FundsOrdered,
    e.FundsCredited,
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
    if event.step is not None and not isinstance(fact, CLOCK_FACTS):
        changes["steps"] = _replaced(changes.get("steps", state.steps), event.step, seq=event.seq)
    if isinstance(fact, CASE_FACTS):
        changes["case_seq"] = event.seq
    if isinstance(fact, START_FACTS):
        changes["starts"] = state.starts | {_name(fact): event.seq}
    return state.model_copy(update=changes | {"revision": event.seq})


def _name(fact: e.AnyFact) -> str:
    """Under what a start is remembered: the kind of fact, and of mail the item."""
    return fact.item if isinstance(fact, e.MailRecorded) else fact.type.partition(".")[0]


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
        status=TransferStatus.SUBMITTED,
        funds_status=FundsStatus.PENDING,
        steps=steps,
        submitted_at=event.occurred_at,
        revision=event.seq,
        case_seq=event.seq,
        starts={_name(fact): event.seq},
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
        case e.Declined() | e.Withdrawn() | e.Terminated() | e.Completed():
            return _closed(state, event, fact)
        case e.TerminationOrdered():
            return _terminating(state)
        case e.FundsNotRequired() | e.FundsRetained() | e.FundsReleased() | e.PayoutAccountProvided():
            return _settled(state, fact)
        case e.RemittanceOrdered() | e.FundsOrdered() | e.ReverseProposed():
            return _ordered(state, event, fact)
        case e.ReceiptConfirmed():
            return {"steps": _done(state, event)}
        case e.FundsRemitted() | e.FundsReceived() | e.FundsMismatched() | e.FundsCredited() | e.FundsPaidOut():
            return _moved(state, fact)


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
            return said | {"steps": steps, "gap": _same_gap(state.gap, fact.gap)}
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


def _same_gap(before: CoverageGap | None, now: CoverageGap | None) -> CoverageGap | None:
    """The gap as the registers have it now; what the person was warned of the same gap before stays said."""
    if before is None or now is None or (before.stopped_on, before.closes_on) != (now.stopped_on, now.closes_on):
        return now
    return with_warnings(now, before.warned)


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
                "steps": _step(state, K.ISSUE_CERTIFICATE, state=StepState.OPEN, opened_at=event.occurred_at),
            }
        case e.StepOpened():
            return {"steps": _opened(state, fact, event.occurred_at)}
        case e.ApplicationAccepted() | e.ContactLetterIssued():
            return {"steps": _done(state, event)}
        case e.CoverageStopped():
            return {"steps": _done(state, event), "stopped_on": fact.stopped_on}


def _recorded(
    state: TransferState,
    event: e.TransferEvent,
    fact: e.CertificateIssued | e.CertificateReissued | e.ContinuationConfirmed,
) -> Changes:
    match fact:
        case e.CertificateIssued():
            return {"steps": _done(state, event), "certificate": fact.number}
        case e.CertificateReissued():
            return {"certificate": fact.number}
        case e.ContinuationConfirmed():
            return {
                "status": TransferStatus.AWAITING_FUNDS,
                "continuation": fact.continuation,
                "continued": True,
                "own_periods": fact.own_periods,
                "statements": fact.version,
                "steps": _done(state, event),
            }


def _formed(
    state: TransferState,
    event: e.TransferEvent,
    fact: e.FormPrepared | e.FormDelivered | e.CorrectionRequested | e.CorrectionAnswered,
) -> Changes:
    match fact:
        case e.FormPrepared():
            return {"prepared": PreparedForm(**fact.model_dump(include=set(PreparedForm.model_fields)))}
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
                "steps": _done(state, event),
            }
            after = state.model_copy(update=delivered)
            # A corrected balance may leave money to be sent, or sent too much of it.
            unsettled = after.on_its_way is None and after.settled_fen != after.target_fen
            return delivered | {"funds_status": FundsStatus.PENDING} if unsettled else delivered
        case e.CorrectionRequested():
            asked = Correction(round=fact.round, reason=fact.reason)
            changes: Changes = {
                "status": TransferStatus.CORRECTION_REQUESTED,
                "corrections": (*state.corrections, asked),
                "continued": False,
            }
            if fact.paused is not None:
                changes["steps"] = _step(state, K.CONFIRM_CONTINUATION, deadline=fact.paused)
            return changes
        case e.CorrectionAnswered():
            answered = tuple(
                each.model_copy(update={"answered_by": fact.version}) if each.round == fact.round else each
                for each in state.corrections
            )
            if fact.resumed is None:
                return {"corrections": answered}
            steps = _redated(state, K.CONFIRM_CONTINUATION, fact.resumed, event.occurred_at)
            return {"corrections": answered, "steps": steps}


def _clocked(
    state: TransferState,
    fact: e.ClockStarted | e.DeadlineDueSoon | e.DeadlineMissed | e.Escalated | e.DeadlineRevised,
    now: datetime,
) -> Changes:
    match fact:
        case e.ClockStarted():
            steps = _redated(state, fact.step, fact.deadline, now)
            started = _started_by(state, fact.step, fact.round)
            return {"steps": _replaced(steps, fact.step, started_seq=started)}
        case e.DeadlineDueSoon():
            return {"steps": _step(state, fact.step, due_soon_noted=True)}
        case e.DeadlineMissed():
            return {"steps": _step(state, fact.step, missed_noted=True)}
        case e.Escalated():
            return {"steps": _step(state, fact.step, escalated=fact.rung)}
        case e.DeadlineRevised():
            return {"steps": _redated(state, fact.step, fact.after, now)}


def _redated(state: TransferState, kind: TransferStepKind, deadline: Deadline, now: datetime) -> tuple[Step, ...]:
    """`kind` with another date. One that lies in the future is neither missed nor near: it will be said when it comes."""
    step = state.step(kind)
    noted = {
        "due_soon_noted": step.due_soon_noted and now >= deadline.due_soon_at,
        "missed_noted": step.missed_noted and now >= deadline.due_at,
        "escalated": min(step.escalated, deadline.rungs_due(now)),
    }
    return _step(state, kind, deadline=deadline, **noted)


def _closed(
    state: TransferState, event: e.TransferEvent, fact: e.Declined | e.Withdrawn | e.Terminated | e.Completed
) -> Changes:
    """Nothing stays open in a closed case."""
    unfinished = [step.kind for step in state.steps if step.state in (StepState.OPEN, StepState.NOT_STARTED)]
    changes: Changes = {
        "closed_at": event.occurred_at,
        "steps": _skipped(state, *unfinished),
        "waiting": False,
        "gap": None,
        "prepared": None,
    }
    match fact:
        case e.Declined():
            declined = {"findings": fact.findings, "returned": fact.returned}
            return changes | declined | {"status": TransferStatus.DECLINED}
        case e.Withdrawn():
            return changes | {"status": TransferStatus.WITHDRAWN}
        case e.Terminated():
            return changes | {"status": TransferStatus.TERMINATED}
        case e.Completed():
            return changes | {"status": TransferStatus.COMPLETED}


def _terminating(state: TransferState) -> Changes:
    """Only the money that is on its way is still waited for."""
    given_up = {step.kind for step in state.steps if step.state in (StepState.OPEN, StepState.NOT_STARTED)}
    if state.on_its_way is not None:
        given_up.discard(K.CONFIRM_RECEIPT)
    return {
        "terminating": True,
        "prepared": None,
        "status": TransferStatus.TRANSFERRING_IN,
        "steps": _skipped(state, *given_up),
    }


def _settled(
    state: TransferState, fact: e.FundsNotRequired | e.FundsRetained | e.FundsReleased | e.PayoutAccountProvided
) -> Changes:
    no_money_steps = _skipped(state, K.REMIT_PERSONAL_ACCOUNT, K.CONFIRM_RECEIPT)
    match fact:
        case e.FundsNotRequired():
            return {"funds_status": FundsStatus.NOT_REQUIRED, "steps": no_money_steps}
        case e.FundsRetained():
            return {"funds_status": FundsStatus.RETAINED_IN_PROVINCE, "steps": no_money_steps}
        case e.FundsReleased():
            return {"released": True}
        case e.PayoutAccountProvided():
            changes: Changes = {"payout_account": fact.masked_account}
            if fact.resumed is not None:
                changes["steps"] = _step(state, K.REMIT_PERSONAL_ACCOUNT, deadline=fact.resumed)
            return changes


def _ordered(
    state: TransferState, event: e.TransferEvent, fact: e.RemittanceOrdered | e.FundsOrdered | e.ReverseProposed
) -> Changes:
    match fact:
        case e.RemittanceOrdered():
            return {"steps": _done(state, event)}
        case e.FundsOrdered():
            order = Remittance(
                reference=fact.reference,
                amount_fen=fact.amount_fen,
                status=RemittanceStatus.ORDERED,
                ordered_at=event.occurred_at,
                kind=fact.kind,
                corrects=fact.corrects,
                by_post=fact.by_post,
            )
            # An approved reverse remittance takes the place of its proposal.
            others = tuple(each for each in state.remittances if each.reference != fact.reference)
            changes: Changes = {"funds_status": FundsStatus.ORDERED, "remittances": (*others, order)}
            if fact.kind is RemittanceKind.PAYOUT:
                changes["steps"] = _skipped(state, K.CONFIRM_RECEIPT)
            return changes
        case e.ReverseProposed():
            proposal = Remittance(
                reference=fact.reference,
                amount_fen=fact.amount_fen,
                status=RemittanceStatus.AWAITING_RELEASE,
                ordered_at=event.occurred_at,
                kind=RemittanceKind.REVERSE,
                corrects=fact.corrects,
            )
            return {"funds_status": FundsStatus.PENDING, "remittances": (*state.remittances, proposal)}


def _moved(
    state: TransferState,
    fact: e.FundsRemitted | e.FundsReceived | e.FundsMismatched | e.FundsCredited | e.FundsPaidOut,
) -> Changes:
    match fact:
        case e.FundsRemitted():
            return _money(state, fact.reference, FundsStatus.REMITTED)
        case e.FundsReceived():
            advice = {"received_fen": fact.amount_fen, "received_on": fact.received_on}
            return _money(state, fact.reference, FundsStatus.RECEIVED, bank_reference=fact.bank_reference, **advice)
        case e.FundsMismatched():
            advice = {"received_fen": fact.received_fen, "received_on": fact.received_on}
            return _money(state, fact.reference, FundsStatus.MISMATCHED, bank_reference=fact.bank_reference, **advice)
        case e.FundsCredited():
            credited = _money(state, fact.reference, FundsStatus.CREDITED)
            after = state.model_copy(update=credited)
            # More must follow, or come home, before the money is where it belongs.
            settled = after.settled_fen == after.target_fen
            return credited if settled else credited | {"funds_status": FundsStatus.PENDING}
        case e.FundsPaidOut():
            paid = _money(state, fact.reference, FundsStatus.CREDITED)
            return paid | {"funds_status": FundsStatus.PAID_OUT_TO_PERSON}


def _money(state: TransferState, reference: str, status: FundsStatus, **advice: Any) -> Changes:
    """The funds and the order of `reference`, which both stand at `status` now; the bank's advice where there is one."""
    changes: Changes = {"status": RemittanceStatus(status)} | advice
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
        kind=fact.step,
        round=fact.round,
        region=fact.region,
        deadline=fact.deadline,
        state=StepState.OPEN,
        opened_at=at,
        started_seq=_started_by(state, fact.step, fact.round) if fact.deadline else None,
    )
    if fact.round == 1:
        return tuple(opened if step.kind is fact.step else step for step in state.steps)
    return (*state.steps, opened)


def _started_by(state: TransferState, kind: TransferStepKind, round_: int) -> int | None:
    """The event that the clock of a step counts from, as far as the case knows it."""
    named = _CORRECTED if round_ > 1 and kind in _CORRECTED else _STARTED[state.route]
    known = [seq for name in named.get(kind, ()) if (seq := state.starts.get(name)) is not None]
    return max(known, default=None)


# The events that start a step's clock, by name; the last one that happened counts.
_BEFORE_ACCEPTANCE = {
    K.ACCEPT_APPLICATION: ("submitted", "register_checked"),
    K.STOP_COVERAGE: ("submitted", "register_checked", "application_accepted"),
}
_STARTED: dict[TransferRoute, dict[TransferStepKind, tuple[str, ...]]] = {
    TransferRoute.PLATFORM: _BEFORE_ACCEPTANCE
    | {
        K.DELIVER_INFORMATION_FORM: ("accepted",),
        K.REMIT_PERSONAL_ACCOUNT: ("accepted",),
        K.CONFIRM_CONTINUATION: ("form_delivered",),
        K.CONFIRM_RECEIPT: ("funds_ordered",),
    },
    TransferRoute.PAPER: _BEFORE_ACCEPTANCE
    | {
        K.ISSUE_CONTACT_LETTER: ("accepted",),
        K.DELIVER_INFORMATION_FORM: (MailItem.CONTACT_LETTER,),
        K.REMIT_PERSONAL_ACCOUNT: (MailItem.CONTACT_LETTER,),
        K.CONFIRM_CONTINUATION: ("form_delivered", MailItem.INFORMATION_FORM, "funds_credited"),
        K.CONFIRM_RECEIPT: ("funds_ordered",),
    },
}
_CORRECTED: dict[TransferStepKind, tuple[str, ...]] = {
    K.DELIVER_INFORMATION_FORM: ("correction_requested",),
    K.REMIT_PERSONAL_ACCOUNT: ("form_delivered", "funds_credited"),
    K.CONFIRM_CONTINUATION: ("form_delivered",),
}
