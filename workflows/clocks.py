"""The clocks of a case: a step opens with its statutory limit, is due soon once, missed once, and escalated rung by rung.

Nothing ends by time. A clock that stands still says nothing.
"""

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from enum import StrEnum
from typing import NamedTuple

from workflows import events as e
from workflows.actors import PLATFORM
from workflows.coverage_gap import CoverageGap, due_warnings, next_warning
from workflows.deadlines import Deadline, PauseReason, pause, recount, set_deadline, shanghai_date, start_of
from workflows.fold import Facts, advance
from workflows.law import CORRECTION_PERIOD, ESCALATION_WORKING_DAYS, PERIODS, Period
from workflows.policy import Disposition
from workflows.state import STEPS_OF_TRANSFER_IN, Step, TransferState
from workflows.vocabulary import FundsStatus, MailItem, RemittanceKind, TransferRoute, TransferStepKind
from workflows.workdays import WorkingCalendar

K = TransferStepKind
Periods = Mapping[TransferStepKind, int]
# Steps that a correction opens again: ours is the limit, for the law knows one round only.
CORRECTED = (K.DELIVER_INFORMATION_FORM, K.REMIT_PERSONAL_ACCOUNT)
# The rungs of the escalation, and who is told at each: the supervising bureau, then the province.
LADDER = ("supervisor", "province")


def opening(
    state: TransferState,
    kind: TransferStepKind,
    starts_at: datetime | None,
    calendar: WorkingCalendar,
    *,
    region: str | None = None,
) -> e.StepOpened:
    """The opening of the next round of a step whose clock starts at `starts_at`; None: later, by `ClockStarted`.

    `region` is that of the agency whose turn it is, where it is not the one that the law gives the step to.
    """
    region = region or (state.to_region if kind in STEPS_OF_TRANSFER_IN else state.from_region)
    round_ = state.next_round(kind)
    deadline = None
    if starts_at is not None:
        deadline = set_deadline(period_of(state, kind, round_), shanghai_date(starts_at), calendar.of_region(region))
    return e.StepOpened(step=kind, round=round_, region=region, deadline=deadline)


def until_account_is_known(state: TransferState, deadline: Deadline, at: datetime) -> Deadline:
    """The clock of O's finance stands still while the person has yet to say where the balance is to be paid."""
    return pause(deadline, shanghai_date(at), PauseReason.PAYOUT_ACCOUNT) if state.awaits_account else deadline


def period_of(state: TransferState, kind: TransferStepKind, round_: int) -> Period:
    """The law's period for a step of the case's route, or the region's shorter one; ours for what a correction reopened."""
    statutory = CORRECTION_PERIOD if round_ > 1 and kind in CORRECTED else PERIODS[state.route][kind]
    shortened = state.periods.get(kind, statutory.working_days)
    return Period(working_days=min(shortened, statutory.working_days), basis=statutory.basis)


def statutory_end(
    route: TransferRoute,
    starts_on: date,
    before: tuple[TransferStepKind, ...],
    periods: Periods,
    calendar: WorkingCalendar,
) -> date:
    """The last day of a transfer asked for on `starts_on` if every step takes its whole time, one after the other.

    `before`: the steps that lead to acceptance. `periods` are the regions' shorter ones. 43号: O's form and money run
    side by side from acceptance, R's continuation follows the form. 94号: R's letter comes first, and R continues when
    form and money are there; the days that the post takes are nobody's and not counted.
    """

    def days(kind: TransferStepKind) -> int:
        limit = PERIODS[route][kind].working_days
        return min(periods.get(kind, limit), limit)

    form, money, continuation = (
        days(kind) for kind in (K.DELIVER_INFORMATION_FORM, K.REMIT_PERSONAL_ACCOUNT, K.CONFIRM_CONTINUATION)
    )
    if route is TransferRoute.PAPER:
        after = days(K.ISSUE_CONTACT_LETTER) + max(form, money) + continuation
    else:
        after = max(form + continuation, money)
    return calendar.add_working_days(starts_on, sum(map(days, before)) + after)


# ------------------------------------------------------------------ clocks that wait for the post (94号)


def start_clocks(state: TransferState, at: datetime, calendar: WorkingCalendar) -> Facts:
    """The clocks that what has arrived starts, or starts from another day than was thought."""
    if state.route is not TransferRoute.PAPER:
        return ()
    return tuple(_clock_starts(state, at, calendar))


def _clock_starts(state: TransferState, at: datetime, calendar: WorkingCalendar) -> Iterator[e.ClockStarted]:
    starts = {
        K.DELIVER_INFORMATION_FORM: state.arrived_on(MailItem.CONTACT_LETTER),
        # A form that is there answers a letter that had arrived, whether or not somebody recorded the day.
        K.REMIT_PERSONAL_ACCOUNT: state.arrived_on(MailItem.CONTACT_LETTER) or state.form_delivered_on,
        K.CONFIRM_CONTINUATION: form_and_money_arrived_on(state),
    }
    for step in state.open_steps:
        starts_on = starts.get(step.kind)
        if starts_on is None or _keeps_its_start(state, step):
            continue
        if step.deadline is None or step.deadline.starts_on != starts_on:
            pauses = step.deadline.pauses if step.deadline else ()
            period = period_of(state, step.kind, step.round)
            deadline = set_deadline(period, starts_on, calendar.of_region(step.region), pauses)
            if step.kind is K.REMIT_PERSONAL_ACCOUNT:
                deadline = until_account_is_known(state, deadline, at)
            yield e.ClockStarted(step=step.kind, round=step.round, deadline=deadline)


def _keeps_its_start(state: TransferState, step: Step) -> bool:
    """A reopened step counts from its reopening, and a clock that stands still is not touched.

    R's does not start while the form is corrected; and one that a correction has stopped goes on from where it stood.
    """
    pauses = step.deadline.pauses if step.deadline else ()
    stands_still = step.deadline is not None and step.deadline.paused_since is not None
    corrected = step.kind is K.CONFIRM_CONTINUATION and (
        state.correction is not None or any(each.reason is PauseReason.CORRECTION for each in pauses)
    )
    return step.round > 1 or stands_still or corrected


def form_arrived_on(state: TransferState) -> date | None:
    """The day on which R had the form: as recorded, or that of its entry where R reads it on the platform."""
    recorded = state.arrived_on(MailItem.INFORMATION_FORM)
    read_at_once = state.to_region not in state.unconnected
    return recorded or (state.form_delivered_on if read_at_once else None)


def form_and_money_arrived_on(state: TransferState) -> date | None:
    """The day on which R had both (94号), None while one is missing. Of a balance that is not remitted no money comes to R."""
    form, arrived_on = state.form, form_arrived_on(state)
    if form is None or arrived_on is None:
        return None
    if form.disposition is not Disposition.REMIT or state.funds_status is FundsStatus.NOT_REQUIRED:
        return arrived_on
    if state.funds_status is not FundsStatus.CREDITED:
        return None
    sent = (each for each in state.remittances if each.kind is RemittanceKind.TRANSFER)
    return max([arrived_on, *(each.received_on for each in sent if each.received_on is not None)])


# ------------------------------------------------------------------ what the clocks say


def tick(state: TransferState, now: datetime, calendar: WorkingCalendar) -> Facts:
    """What the clocks say at `now`, by the calendar in force: each date and each rung is said once."""
    of_steps = (fact for step in state.open_steps for fact in _tick_step(state, step.kind, now, calendar))
    return (*_warn(state.gap, now), *of_steps)


def _warn(gap: CoverageGap | None, now: datetime) -> Facts:
    """The most urgent warning about the coverage gap that is due; less urgent ones count as given with it."""
    warnings = due_warnings(gap, now) if gap is not None else ()
    if gap is None or not warnings:
        return ()
    return (e.GapWarned(days_left=warnings[-1], closes_on=gap.closes_on, told=("person",)),)


def _tick_step(state: TransferState, kind: TransferStepKind, now: datetime, calendar: WorkingCalendar) -> Facts:
    step = state.step(kind)
    if step.deadline is None or step.deadline.paused_since is not None:
        return ()
    recounted = recount(step.deadline, calendar.of_region(step.region))
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
    return (*facts, *_escalate(step, deadline, now))


def _escalate(step: Step, deadline: Deadline, now: datetime) -> Iterator[e.Escalated]:
    for rung in range(step.escalated, deadline.rungs_due(now)):
        yield e.Escalated(
            step=step.kind,
            round=step.round,
            rung=rung + 1,
            working_days_late=ESCALATION_WORKING_DAYS[rung],
            due_on=deadline.due_on,
            told=(f"{LADDER[rung]}:{step.region}",),
        )


class AlarmKind(StrEnum):
    """What a clock says next: a step is due soon, due, or late by another rung; or the coverage gap is about to close."""

    DUE_SOON = "DUE_SOON"
    DUE = "DUE"
    LATE = "LATE"
    GAP = "GAP"


class Alarm(NamedTuple):
    """The instant at which a clock will have something to say. `step` is None for the person's own clock."""

    at: datetime
    kind: AlarmKind
    step: TransferStepKind | None = None


def next_alarm(state: TransferState) -> Alarm | None:
    """The earliest instant at which `tick` has something to say."""
    alarms = [alarm for step in state.open_steps if (alarm := _next_of_step(step))]
    warning = next_warning(state.gap) if state.gap is not None else None
    if warning is not None:
        alarms.append(Alarm(warning, AlarmKind.GAP))
    return min(alarms, key=lambda alarm: (alarm.at, alarm.step or ""), default=None)


def _next_of_step(step: Step) -> Alarm | None:
    deadline = step.deadline
    if deadline is None or deadline.paused_since is not None:
        return None
    if step.missed_noted:
        rungs = deadline.escalate_on[step.escalated :]
        return Alarm(start_of(rungs[0]), AlarmKind.LATE, step.kind) if rungs else None
    if step.due_soon_noted:
        return Alarm(deadline.due_at, AlarmKind.DUE, step.kind)
    return Alarm(deadline.due_soon_at, AlarmKind.DUE_SOON, step.kind)
