"""The clocks of a case: a step opens with its statutory limit, is due soon once, and is missed once; nothing ends by time."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import NamedTuple

from workflows import events as e
from workflows.actors import PLATFORM
from workflows.deadlines import recount, set_deadline, shanghai_date
from workflows.fold import Facts, advance
from workflows.law import PERIODS, PLATFORM_PERIODS, Period
from workflows.state import STEPS_OF_TRANSFER_IN, TransferState
from workflows.vocabulary import TransferStepKind
from workflows.workdays import WorkingCalendar

Periods = Mapping[TransferStepKind, int]


def opening(
    state: TransferState, kind: TransferStepKind, starts_at: datetime, calendar: WorkingCalendar
) -> e.StepOpened:
    """The opening of a step whose clock starts at `starts_at`, by the law's period or the region's shorter one."""
    statutory = PERIODS[state.route][kind]
    # A region's figure may be between the two routes' limits: it shortens the longer and never lengthens the shorter.
    days = min(state.periods.get(kind, statutory.working_days), statutory.working_days)
    period = Period(working_days=days, basis=statutory.basis)
    region = state.to_region if kind in STEPS_OF_TRANSFER_IN else state.from_region
    return e.StepOpened(step=kind, region=region, deadline=set_deadline(period, shanghai_date(starts_at), calendar))


def statutory_end(
    starts_on: date, before: tuple[TransferStepKind, ...], periods: Periods, calendar: WorkingCalendar
) -> date:
    """The last day of a transfer asked for on `starts_on` if every step takes its whole time, one after the other.

    `before`: the steps that lead to acceptance. `periods` are the regions' shorter ones. 43号: O's form and money run
    side by side from acceptance, R's continuation follows the form.
    """

    def days(kind: TransferStepKind) -> int:
        statutory = PLATFORM_PERIODS[kind].working_days
        return min(periods.get(kind, statutory), statutory)

    record = days(TransferStepKind.DELIVER_INFORMATION_FORM) + days(TransferStepKind.CONFIRM_CONTINUATION)
    after = max(record, days(TransferStepKind.REMIT_PERSONAL_ACCOUNT))
    return calendar.add_working_days(starts_on, sum(map(days, before)) + after)


def tick(state: TransferState, now: datetime, calendar: WorkingCalendar) -> Facts:
    """What the clocks say at `now`, by the calendar in force: each date is due soon once, and missed once."""
    return tuple(fact for step in state.open_steps for fact in _tick_step(state, step.kind, now, calendar))


def _tick_step(state: TransferState, kind: TransferStepKind, now: datetime, calendar: WorkingCalendar) -> Facts:
    step = state.step(kind)
    if step.deadline is None:
        return ()
    recounted = recount(step.deadline, calendar)
    if recounted != step.deadline:
        revised = e.DeadlineRevised(step=kind, round=step.round, before=step.deadline, after=recounted)
        after = advance(state, (revised,), at=now, actor=PLATFORM)[1]
        return (revised, *_tick_step(after, kind, now, calendar))
    deadline, agency = step.deadline, f"agency:{step.region}"
    facts: list[e.AnyFact] = []
    # 43号 puts form and money under one clock: with a late form the money's step opens overdue, and was never due soon.
    opened_overdue = step.opened_at is not None and step.opened_at >= deadline.due_at
    if now >= deadline.due_soon_at and not (step.due_soon_noted or step.missed_noted or opened_overdue):
        facts.append(e.DeadlineDueSoon(step=kind, round=step.round, due_on=deadline.due_on, told=(agency,)))
    if now >= deadline.due_at and not step.missed_noted:
        told = (agency, f"supervisor:{step.region}")
        facts.append(e.DeadlineMissed(step=kind, round=step.round, due_on=deadline.due_on, told=told))
    return tuple(facts)


def is_out_of_date(state: TransferState, calendar: WorkingCalendar) -> bool:
    """Whether `calendar` dates an open step otherwise than the case has it."""
    return any(step.deadline and recount(step.deadline, calendar) != step.deadline for step in state.open_steps)


class Alarm(NamedTuple):
    """The instant at which a clock will have something to say: due soon, or due."""

    at: datetime
    step: TransferStepKind
    due: bool


def next_alarm(state: TransferState) -> Alarm | None:
    """The earliest instant at which `tick` has something to say."""
    alarms = [
        Alarm(deadline.due_at if step.due_soon_noted else deadline.due_soon_at, step.kind, step.due_soon_noted)
        for step in state.open_steps
        if (deadline := step.deadline) and not step.missed_noted
    ]
    return min(alarms, default=None)
