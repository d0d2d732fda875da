"""One transfer's state, told: every field is worked out when it is asked for, from the one row that was read."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any, Final, NamedTuple

from strawberry.utils.str_converters import to_snake_case

from gateway.access_model import hidden_fields
from gateway.caller_view import CallerView
from gateway.case_progress import tell_progress
from gateway.case_proof import proof_of
from gateway.returned_money import return_reason
from gateway.scalars import Month, TransferNo
from gateway.telling import Telling
from gateway.types.enums import FundsStatus, TransferAction
from gateway.types.reference import Money, node_id
from gateway.types.refusals import CoverageGap, Refusal
from gateway.types.transfer import (
    ContinuationStatement,
    ContributionPeriod,
    Deadline,
    Remittance,
    Transfer,
    TransferStep,
)
from workflows.deadlines import PauseReason, deadline_state, shanghai_date
from workflows.rules import allowed_actions
from workflows.state import Step
from workflows.vocabulary import StepState, TransferStepKind


class Case(Transfer):
    """The contract's `Transfer`: what `view` shows its caller, in the language of `telling`."""

    def __init__(self, view: CallerView, telling: Telling) -> None:
        state = view.state
        if view.as_of is None:
            # What the case has not noted yet is shown all the same: its open deadlines by the calendar in force.
            state = telling.reference.recounting.case(state)
        self.stored = state
        self.view = view
        self.telling = telling
        self.no = TransferNo(state.no)
        self.route = state.route
        self.from_scheme, self.to_scheme = state.from_scheme, state.to_scheme
        self.status = state.status
        self.submitted_at, self.accepted_at, self.closed_at = state.submitted_at, state.accepted_at, state.closed_at
        self.revision = state.revision

    def __getattr__(self, name: str) -> Any:
        """Python asks here for a field that is not there yet: it is worked out, and stays."""
        work_out = WORKED_OUT.get(name)
        if work_out is None:
            raise AttributeError(name)
        hidden = work_out.field in hidden_fields(self.view.relations)
        value = work_out.nothing() if hidden else work_out.value(self)
        setattr(self, name, value)
        return value


def show_case(view: CallerView, telling: Telling, operation: str) -> Case:
    """The case for an answer to the caller, whose look through the API's field `operation` is noted in the access log."""
    telling.note_case(view.actual, operation)
    return Case(view, telling)


def _now(case: Case) -> datetime:
    """A case whose clock has spoken of a later instant must not look younger than its events."""
    now, spoken = case.view.as_of or case.telling.now, case.stored.clock_at
    return max(now, spoken) if spoken is not None else now


def _steps(case: Case) -> list[TransferStep]:
    """A supervisor's approvals tell of money that comes back: an employer is shown the statutory steps alone."""
    approvals = () if case.view.limited else case.stored.approvals
    return [_step(each, case) for each in (*case.stored.steps, *approvals)]


def _held(case: Case) -> Step | None:
    held = case.stored.in_hand
    if case.view.limited and held is not None and held.kind is TransferStepKind.APPROVE_REVERSE_REMITTANCE:
        return next(iter(case.stored.open_steps), None)
    return held


def _current_step(case: Case) -> TransferStep | None:
    held = _held(case)
    return _step(held, case) if held is not None else None


def _refusals(case: Case) -> list[Refusal]:
    """To an employer those of its own side alone."""
    view = case.view
    shown = (each for each in case.stored.findings if not view.limited or each.side in view.own_sides)
    return [case.telling.refusal(each) for each in shown]


def _contribution_periods(case: Case) -> list[ContributionPeriod]:
    form = case.stored.form
    return [
        ContributionPeriod(
            first_month=Month(each.first_month),
            last_month=Month(each.last_month),
            months=each.months,
            region=case.telling.region(each.region),
            scheme=each.scheme,
            deemed=each.deemed,
        )
        for each in (form.periods if form else ())
    ]


def _continuation(case: Case) -> ContinuationStatement | None:
    outlook = case.stored.continuation
    if outlook is None:
        return None
    return ContinuationStatement(
        actual_months=outlook.actual_months,
        deemed_months=outlook.deemed_months,
        total_months=outlook.total_months,
        overlapping_months=len(outlook.overlaps),
        waiting_period=case.telling.waiting(outlook.waiting_period),
    )


def _remittances(case: Case) -> list[Remittance]:
    return [
        Remittance(
            reference=each.reference,
            kind=each.kind,
            amount=Money.of(each.amount_fen),
            status=each.status,
            ordered_at=each.ordered_at,
            bank_reference=each.bank_reference,
            return_reason=return_reason(each, case.stored, case.telling),
            corrects=each.corrects,
        )
        for each in case.stored.remittances
    ]


def _coverage_gap(case: Case) -> CoverageGap | None:
    gap = case.stored.gap
    return CoverageGap.of(gap, shanghai_date(_now(case))) if gap is not None else None


def step_of(step: Step, case: Case) -> TransferStep:
    """One step of a case, for a list of steps of many cases."""
    return _step(step, case)


def _step(step: Step, case: Case) -> TransferStep:
    return TransferStep(
        kind=step.kind,
        round=step.round,
        state=step.state,
        agency=case.telling.agency(step.region),
        deadline=_deadline(step, case),
        done_at=step.done_at,
        label=case.telling.say(f"step.{step.kind}"),
    )


def _deadline(step: Step, case: Case) -> Deadline | None:
    deadline = step.deadline
    # No clock runs for a step that the end of the case made needless.
    if deadline is None or step.state is StepState.SKIPPED:
        return None
    if case.view.limited and any(each.reason is PauseReason.PAYOUT_ACCOUNT for each in deadline.pauses):
        # Why this clock stands still tells an employer to whom the balance goes.
        return None
    now = _now(case)
    remaining = case.telling.remaining_working_days(deadline, now, step.region) if step.done_at is None else None
    return Deadline(
        proving=partial(proof_of, deadline, getattr(step, "started_seq", None), case.telling),
        starts_on=deadline.starts_on,
        due_on=deadline.due_on,
        working_days=deadline.working_days,
        remaining_working_days=remaining,
        state=deadline_state(deadline, done_at=step.done_at, now=now),
        legal_basis=case.telling.legal_basis(deadline.basis),
        provisional=deadline.provisional,
        calendar_edition=deadline.calendar_edition,
    )


class _Field(NamedTuple):
    """How a field is worked out, and what stands in its place for who may not see it."""

    field: str
    value: Callable[[Case], Any]
    nothing: Callable[[], Any] = lambda: None


WORKED_OUT: Final[dict[str, _Field]] = {
    to_snake_case(each.field): each
    for each in (
        _Field("id", lambda case: node_id("Transfer", case.stored.transfer_id)),
        _Field(
            "fundsStatus",
            lambda case: FundsStatus(case.stored.funds_status.value),
            lambda: FundsStatus.NOT_SHOWN,
        ),
        _Field("transferOut", lambda case: case.telling.agency(case.stored.from_region)),
        _Field("transferIn", lambda case: case.telling.agency(case.stored.to_region)),
        _Field("steps", _steps),
        _Field("currentStep", _current_step),
        _Field("progress", lambda case: tell_progress(case, _held(case), case.current_step)),
        _Field("refusals", _refusals),
        _Field("contributionPeriods", _contribution_periods, list),
        _Field("continuation", _continuation),
        _Field(
            "personalAccountBalance",
            lambda case: Money.of(case.stored.form.balance_fen) if case.stored.form else None,
        ),
        _Field("remittances", _remittances, list),
        _Field("coverageGap", _coverage_gap),
        _Field(
            "allowedActions",
            lambda case: [
                TransferAction(each.value)
                for each in allowed_actions(case.view.actual, case.view.acting(case.telling.actor))
            ],
        ),
    )
}
