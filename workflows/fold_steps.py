"""What events do to the steps: a round is opened, dated, done or given up, and knows the event that its clock counts from."""

from datetime import datetime
from typing import Any

from workflows import events as e
from workflows.deadlines import Deadline
from workflows.state import Step, TransferState
from workflows.vocabulary import MailItem, StepState, TransferRoute, TransferStepKind

K = TransferStepKind
Steps = tuple[Step, ...]

# Events that a clock can count from.
START_FACTS = frozenset(
    {
        e.Submitted,
        e.RegisterChecked,
        e.ApplicationAccepted,
        e.Accepted,
        e.MailRecorded,
        e.FormDelivered,
        e.CorrectionRequested,
        e.FundsOrdered,
        e.FundsCredited,
    }
)


def name_of_start(fact: e.AnyFact) -> str:
    """Under what a start is remembered: the kind of fact, and of mail the item."""
    return fact.item if isinstance(fact, e.MailRecorded) else fact.type.partition(".")[0]


def changed(steps: Steps, kind: TransferStepKind, **changes: Any) -> Steps:
    """`steps` with the latest round of `kind` changed."""
    target = next(step for step in reversed(steps) if step.kind is kind)
    return tuple(step.model_copy(update=changes) if step is target else step for step in steps)


def done(state: TransferState, event: e.TransferEvent) -> Steps:
    """The step that the event's fact does."""
    kind = e.STEP_OF_FACT[type(event.fact)]
    return changed(state.steps, kind, state=StepState.DONE, done_at=event.occurred_at)


def skipped(steps: Steps, *kinds: TransferStepKind) -> Steps:
    """Nobody waits for `kinds` any more; what is done stays done."""
    return tuple(
        step.model_copy(update={"state": StepState.SKIPPED})
        if step.kind in kinds and step.state is not StepState.DONE
        else step
        for step in steps
    )


def unfinished(state: TransferState) -> tuple[TransferStepKind, ...]:
    """The steps that wait for somebody, or for their turn."""
    return tuple(step.kind for step in state.steps if step.state in (StepState.OPEN, StepState.NOT_STARTED))


def opened(state: TransferState, fact: e.StepOpened, at: datetime) -> Steps:
    """The next round begins; a first one takes the place that the route has for it."""
    begun = Step(
        kind=fact.step,
        round=fact.round,
        region=fact.region,
        deadline=fact.deadline,
        state=StepState.OPEN,
        opened_at=at,
        started_seq=started_by(state, fact.step, fact.round) if fact.deadline else None,
    )
    if fact.round == 1:
        return tuple(begun if step.kind is fact.step else step for step in state.steps)
    return (*state.steps, begun)


def redated(state: TransferState, kind: TransferStepKind, deadline: Deadline, now: datetime) -> Steps:
    """`kind` with another date. One that lies in the future is neither missed nor near: it will be said when it comes."""
    step = state.step(kind)
    noted = {
        "due_soon_noted": step.due_soon_noted and now >= deadline.due_soon_at,
        "missed_noted": step.missed_noted and now >= deadline.due_at,
        "escalated": min(step.escalated, deadline.rungs_due(now)),
    }
    return changed(state.steps, kind, deadline=deadline, **noted)


def started_by(state: TransferState, kind: TransferStepKind, round_: int) -> int | None:
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
