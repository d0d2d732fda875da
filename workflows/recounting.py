"""A case by the calendar in force: what its open deadlines say from now on, before the case itself has noted it."""

from workflows.deadlines import recount
from workflows.state import Step, TransferState
from workflows.vocabulary import StepState
from workflows.workdays import WorkingCalendar


def recounted_step(step: Step, calendar: WorkingCalendar) -> Step:
    """`step` with its deadline by `calendar` as its agency counts by it; `step` itself when that says the same."""
    if step.deadline is None or step.state is not StepState.OPEN:
        return step
    deadline = recount(step.deadline, calendar.of_region(step.region))
    return step if deadline is step.deadline else step.model_copy(update={"deadline": deadline})


def recounted(state: TransferState, calendar: WorkingCalendar) -> TransferState:
    """The case with its open steps recounted; `state` itself when no date moved."""
    steps = tuple(recounted_step(step, calendar) for step in state.steps)
    moved = any(new is not old for new, old in zip(steps, state.steps, strict=True))
    return state.model_copy(update={"steps": steps}) if moved else state
