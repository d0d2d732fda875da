"""A case by the calendar in force: what its open deadlines say from now on, before the case itself has noted it."""

from workflows.deadlines import Deadline, recount
from workflows.state import Step, TransferState
from workflows.vocabulary import StepState
from workflows.workdays import WorkingCalendar


class Recounting:
    """Recounts the open deadlines of many cases by one calendar: few differ, and each is counted once."""

    def __init__(self, calendar: WorkingCalendar) -> None:
        self._calendar = calendar
        self._known: dict[tuple[str, Deadline], Deadline] = {}

    def deadline(self, deadline: Deadline, region: str) -> Deadline:
        """The deadline of an open step as the agency of `region` counts now; equal when none of its dates moved.

        One that rests on an edition newer than ours stays as it is: the case has seen what we have not yet.
        """
        key = region, deadline
        known = self._known.get(key)
        if known is None:
            ahead = self._calendar.is_behind(deadline.editions)
            known = deadline if ahead else recount(deadline, self._calendar.of_region(region))
            self._known[key] = known
        return known

    def step(self, step: Step) -> Step:
        """`step` with its deadline recounted; `step` itself when that says the same, or is no open one's."""
        if step.deadline is None or step.state is not StepState.OPEN:
            return step
        deadline = self.deadline(step.deadline, step.region)
        return step if deadline == step.deadline else step.model_copy(update={"deadline": deadline})

    def case(self, state: TransferState) -> TransferState:
        """The case with its open steps recounted; `state` itself when no date moved."""
        steps = tuple(map(self.step, state.steps))
        moved = any(new is not old for new, old in zip(steps, state.steps, strict=True))
        return state.model_copy(update={"steps": steps}) if moved else state
