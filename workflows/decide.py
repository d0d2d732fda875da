"""What a transfer may do: `objection` refuses, `decide` turns a command and what the registers say into facts.

Pure and complete: a transition that is not here does not exist. `allowed_actions`, which the API shows, is `objection`
asked for every action.
"""

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from pydantic import BaseModel

from workflows import commands as c
from workflows import events as e
from workflows.actors import Actor
from workflows.continuation import Continuation, continue_record
from workflows.contribution import ContributionPeriod, format_months
from workflows.deadlines import recount, set_deadline, shanghai_date
from workflows.findings import Finding
from workflows.law import PERIODS, Period
from workflows.state import STEPS_OF_TRANSFER_IN, TransferState, apply
from workflows.vocabulary import (
    FundsStatus,
    RefusalClass,
    RefusalCode,
    RemittanceStatus,
    ReturnReason,
    Role,
    Side,
    StepState,
    TransferAction,
    TransferStepKind,
)
from workflows.workdays import WorkingCalendar


class NotAllowed(BaseModel, frozen=True):
    """The step is another side's, or not now. `why` is a key of the words that say so."""

    why: str


class Stale(BaseModel, frozen=True):
    """The caller's revision no longer holds: something it rests on has changed since."""


class Violation(BaseModel, frozen=True):
    """`field`: the input's name in the public contract; `code`: a key of the words that say what to do."""

    field: str
    code: str
    figures: dict[str, str | int] = {}


class Invalid(BaseModel, frozen=True):
    violations: tuple[Violation, ...]


Objection = NotAllowed | Stale | Invalid
Facts = tuple[e.AnyFact, ...]


class Rule(NamedTuple):
    """Who may take an action, and when. `steps` are those whose change makes the caller's revision stale."""

    side: Side | None
    roles: tuple[Role, ...]
    steps: tuple[TransferStepKind, ...]
    now: Callable[[TransferState], bool]


K = TransferStepKind
A = TransferAction
CLERKS = (Role.CLERK, Role.AGENCY_SYSTEM)
FORM_MAKERS = (Role.CLERK, Role.CHECKER, Role.AGENCY_SYSTEM)
FINANCE = (Role.FINANCE, Role.AGENCY_SYSTEM)
APPLICANTS = (Role.INSURED_PERSON, Role.EMPLOYER)


def _open(*kinds: TransferStepKind) -> Callable[[TransferState], bool]:
    return lambda state: any(state.is_open(kind) for kind in kinds)


def _untouched(state: TransferState) -> bool:
    """No agency has done a step; the certificate is the platform's own instant act."""
    by_agencies = (step for step in state.steps if step.kind is not K.ISSUE_CERTIFICATE)
    return not any(step.state is StepState.DONE for step in by_agencies)


RULES: dict[TransferAction, Rule] = {
    A.ACCEPT_TRANSFER: Rule(Side.TRANSFER_IN, CLERKS, (K.ACCEPT_APPLICATION,), _open(K.ACCEPT_APPLICATION)),
    A.DECLINE_TRANSFER: Rule(Side.TRANSFER_IN, CLERKS, (K.ACCEPT_APPLICATION,), _open(K.ACCEPT_APPLICATION)),
    A.STOP_COVERAGE: Rule(Side.TRANSFER_OUT, CLERKS, (K.STOP_COVERAGE,), _open(K.STOP_COVERAGE)),
    A.RETURN_TRANSFER: Rule(
        Side.TRANSFER_OUT,
        FORM_MAKERS,
        (K.STOP_COVERAGE, K.DELIVER_INFORMATION_FORM),
        _open(K.STOP_COVERAGE, K.DELIVER_INFORMATION_FORM),
    ),
    # 94号 art. 4: a lost certificate is replaced, at the person's wish or O's.
    A.REISSUE_CERTIFICATE: Rule(
        Side.TRANSFER_OUT,
        (*CLERKS, Role.INSURED_PERSON),
        (K.ISSUE_CERTIFICATE,),
        lambda state: state.certificate is not None,
    ),
    A.DELIVER_INFORMATION_FORM: Rule(
        Side.TRANSFER_OUT, FORM_MAKERS, (K.DELIVER_INFORMATION_FORM,), _open(K.DELIVER_INFORMATION_FORM)
    ),
    A.REMIT_PERSONAL_ACCOUNT: Rule(
        Side.TRANSFER_OUT, FINANCE, (K.REMIT_PERSONAL_ACCOUNT,), _open(K.REMIT_PERSONAL_ACCOUNT)
    ),
    A.CONFIRM_RECEIPT: Rule(Side.TRANSFER_IN, FINANCE, (K.CONFIRM_RECEIPT,), _open(K.CONFIRM_RECEIPT)),
    A.CONFIRM_CONTINUATION: Rule(
        Side.TRANSFER_IN, FORM_MAKERS, (K.CONFIRM_CONTINUATION,), _open(K.CONFIRM_CONTINUATION)
    ),
    A.WITHDRAW_TRANSFER: Rule(None, APPLICANTS, (), _untouched),
}


def objection(
    state: TransferState, action: TransferAction, actor: Actor, expected_revision: int | None = None
) -> NotAllowed | Stale | None:
    """Why `actor` may not take `action` now, or None. A stale revision is said before anything else."""
    if expected_revision is not None and _stale(state, RULES[action], expected_revision):
        return Stale()
    return _not_allowed(state, action, actor)


def allowed_actions(state: TransferState, actor: Actor) -> tuple[TransferAction, ...]:
    """What `actor` may do now, in the order of the contract's list."""
    return tuple(action for action in TransferAction if _not_allowed(state, action, actor) is None)


def _not_allowed(state: TransferState, action: TransferAction, actor: Actor) -> NotAllowed | None:
    rule = RULES[action]
    if not actor.has(*rule.roles):
        return NotAllowed(why="WRONG_ROLE")
    if actor.region is not None and rule.side is not None:
        side = {state.from_region: Side.TRANSFER_OUT, state.to_region: Side.TRANSFER_IN}.get(actor.region)
        if side is not rule.side:
            return NotAllowed(why="WRONG_SIDE")
    if state.closed:
        return NotAllowed(why="CLOSED")
    if not rule.now(state):
        done = any(state.is_done(kind) for kind in rule.steps)
        return NotAllowed(why="ALREADY_DONE" if done or action is A.WITHDRAW_TRANSFER else "NOT_YET")
    return None


def _stale(state: TransferState, rule: Rule, revision: int) -> bool:
    touched = [step.seq for step in state.steps if step.kind in rule.steps]
    return max(state.case_seq, *touched, 0) > revision or revision > state.revision


# ------------------------------------------------------------------ the submission


class Submission(NamedTuple):
    """An application with what the pre-check on both sides found."""

    submitted: e.Submitted
    blocking: tuple[Finding, ...]
    arrears: e.ArrearsNotified | None
    periods: dict[TransferStepKind, int]


def decide_submission(submission: Submission, at: datetime, calendar: WorkingCalendar) -> Facts:
    """The first facts of a case: accepted at once, or waiting for R's clerk or O's stop of coverage.

    `blocking` is empty but for what the registers changed between the application's receipt and its carrying out:
    then the case begins and ends here, DECLINED.
    """
    submitted = submission.submitted
    if submission.blocking:
        return (submitted, e.Declined(findings=submission.blocking))
    first = (submitted, submission.arrears) if submission.arrears else (submitted,)
    state = advance(None, (submitted,), at=at, actor=Actor(subject="", roles=()))[1]
    if submitted.manual:
        return (*first, _opening(state, K.ACCEPT_APPLICATION, at, calendar))
    return (*first, *_acceptance(state, submission.periods, at, calendar))


def _acceptance(
    state: TransferState, periods: dict[TransferStepKind, int], at: datetime, calendar: WorkingCalendar
) -> Facts:
    """受理, or first the stop of coverage that the applicant asked for."""
    if state.stop_needed and not state.is_done(K.STOP_COVERAGE):
        return (_opening(state, K.STOP_COVERAGE, at, calendar),)
    accepted = e.Accepted(periods=periods)
    state = state.model_copy(update={"periods": periods})
    return (accepted, _opening(state, K.DELIVER_INFORMATION_FORM, at, calendar))


# ------------------------------------------------------------------ the steps


def decide(
    state: TransferState, command: c.Command, facts: c.StepFacts | None, calendar: WorkingCalendar
) -> Facts | Objection:
    """What `command` makes true, given what the registers say, or why it may not."""
    refused = objection(state, command.ask.action, command.actor, command.ask.expected_revision)
    if refused is not None:
        return refused
    outcome = _carry_out(state, command.ask, facts, command.received_at, calendar)
    if isinstance(outcome, Invalid):
        return outcome
    return _complete(state, outcome, command.received_at)


def _carry_out(
    state: TransferState, ask: c.AnyAsk, facts: c.StepFacts | None, at: datetime, calendar: WorkingCalendar
) -> Facts | Invalid:
    match ask, facts:
        case c.AcceptTransfer(), c.AcceptanceFacts():
            return (e.ApplicationAccepted(), *_acceptance(state, facts.periods, at, calendar))
        case c.DeclineTransfer(), None:
            return (e.Declined(findings=_reasons(state, ask.reasons, Side.TRANSFER_IN), note=ask.note),)
        case c.ReturnTransfer(), None:
            reasons = _reasons(state, (RETURNED_AS[ask.reason],), Side.TRANSFER_OUT)
            return (e.Declined(findings=reasons, returned=ask.reason, note=ask.note),)
        case c.StopCoverage(), c.StopFacts():
            return _stop_coverage(state, ask, facts, at, calendar)
        case c.ReissueCertificate(), None:
            return (e.CertificateReissued(reason=ask.reason),)
        case c.DeliverInformationForm(), c.FormFacts():
            return _deliver_form(state, ask, facts, at, calendar)
        case c.RemitPersonalAccount(), None:
            return _remit(state, at, calendar)
        case c.ConfirmReceipt(), c.ReceiptFacts():
            return _confirm_receipt(state, ask, facts, at)
        case c.ConfirmContinuation(), c.DestinationFacts():
            return (e.ContinuationConfirmed(continuation=_outlook(state, _form(state), facts)),)
        case c.WithdrawTransfer(), None:
            return (e.Withdrawn(reason=ask.reason),)
        case _:
            raise TypeError(f"{type(ask).__name__} cannot be decided on {type(facts).__name__}")


# O's reasons for sending a case back, as the closed list of refusals names them for the person.
RETURNED_AS = {
    ReturnReason.EMPLOYER_HAS_NOT_STOPPED: RefusalCode.COVERAGE_STILL_ACTIVE,
    ReturnReason.IDENTITY_DOUBT: RefusalCode.IDENTITY_MISMATCH,
    ReturnReason.WRONG_REGION: RefusalCode.NO_RECORD_AT_ORIGIN,
    ReturnReason.NO_RECORD: RefusalCode.NO_RECORD_AT_ORIGIN,
    ReturnReason.ACCOUNT_FROZEN: RefusalCode.ACCOUNT_FROZEN,
    ReturnReason.DECEASED: RefusalCode.DECEASED,
}


def _reasons(state: TransferState, codes: tuple[RefusalCode, ...], side: Side) -> tuple[Finding, ...]:
    """An agency's reasons: with the pre-check's figures where it had found the same."""
    found = {each.code: each.model_copy(update={"cls": RefusalClass.BLOCKS}) for each in state.findings}
    region = state.to_region if side is Side.TRANSFER_IN else state.from_region
    return tuple(
        found.get(code) or Finding(code=code, cls=RefusalClass.BLOCKS, side=side, region=region, basis="43号")
        for code in dict.fromkeys(codes)
    )


def _stop_coverage(
    state: TransferState, ask: c.StopCoverage, facts: c.StopFacts, at: datetime, calendar: WorkingCalendar
) -> Facts | Invalid:
    if ask.stopped_on > shanghai_date(at):
        return _invalid("stoppedOn", "IN_THE_FUTURE")
    if facts.covered_from is not None and ask.stopped_on < facts.covered_from:
        return _invalid("stoppedOn", "BEFORE_COVERAGE", covered_from=facts.covered_from.isoformat())
    stopped = e.CoverageStopped(stopped_on=ask.stopped_on)
    after = advance(state, (stopped,), at=at, actor=Actor(subject="", roles=()))[1]
    return (stopped, *_acceptance(after, facts.periods, at, calendar))


def _deliver_form(
    state: TransferState, ask: c.DeliverInformationForm, facts: c.FormFacts, at: datetime, calendar: WorkingCalendar
) -> Facts | Invalid:
    periods = _given_periods(state, ask) or facts.periods
    balance_fen = facts.balance_fen if ask.balance_fen is None else ask.balance_fen
    differing = [
        Violation(field=field, code="DIFFERS_FROM_REGISTER", figures={"register": register})
        for field, register, differs in (
            (
                "contributionPeriods",
                format_months(facts.periods),
                format_months(periods) != format_months(facts.periods),
            ),
            ("personalAccountBalance", facts.balance_fen, balance_fen != facts.balance_fen),
        )
        if differs
    ]
    if differing and not (ask.note and ask.note.strip()):
        return Invalid(violations=tuple(differing))
    if balance_fen > facts.balance_fen:
        return _invalid("personalAccountBalance", "MORE_THAN_THE_ACCOUNT_HOLDS", register=facts.balance_fen)
    form = e.FormDelivered(
        version=state.form.version + 1 if state.form else 1,
        periods=periods,
        balance_fen=balance_fen,
        note=ask.note,
        outlook=_outlook(state, periods, facts.destination),
    )
    continuing = _opening(state, K.CONFIRM_CONTINUATION, at, calendar)
    if balance_fen == 0:
        return (form, e.FundsNotRequired(), continuing)
    # 43号: the money moves inside O's ten working days, so its clock started at acceptance too.
    return (form, _opening(state, K.REMIT_PERSONAL_ACCOUNT, state.accepted_at or at, calendar), continuing)


def _given_periods(state: TransferState, ask: c.DeliverInformationForm) -> tuple[ContributionPeriod, ...]:
    return tuple(
        ContributionPeriod(
            first_month=period.first_month,
            last_month=period.last_month,
            deemed=period.deemed,
            region=state.from_region,
            scheme=state.from_scheme,
        )
        for period in ask.periods or ()
    )


def _remit(state: TransferState, at: datetime, calendar: WorkingCalendar) -> Facts:
    if state.form is None:
        raise ValueError("no form, no balance to remit")
    # Made by us from the transfer's number: the same order has the same reference for ever, another never has it.
    reference = f"{state.no}-{len(state.remittances) + 1:02d}"
    amount_fen = state.form.balance_fen
    return (
        e.RemittanceOrdered(reference=reference, amount_fen=amount_fen),
        e.FundsOrdered(reference=reference, amount_fen=amount_fen),
        _opening(state, K.CONFIRM_RECEIPT, at, calendar),
    )


def _confirm_receipt(
    state: TransferState, ask: c.ConfirmReceipt, facts: c.ReceiptFacts, at: datetime
) -> Facts | Invalid:
    order = state.remittance
    if order is None:
        raise ValueError("no order, no receipt")
    if ask.remittance_reference not in (None, order.reference):
        return _invalid("remittanceReference", "UNKNOWN_REFERENCE", reference=order.reference)
    if ask.received_on > shanghai_date(at):
        return _invalid("receivedOn", "IN_THE_FUTURE")
    if ask.received_on < shanghai_date(order.ordered_at):
        return _invalid("receivedOn", "BEFORE_THE_ORDER", ordered_on=shanghai_date(order.ordered_at).isoformat())
    if facts.paid_by_bank_reference is not None:
        return _invalid("bankReference", "ALREADY_USED", reference=facts.paid_by_bank_reference)
    if order.status is RemittanceStatus.MISMATCHED and not (ask.note and ask.note.strip()):
        return _invalid("note", "REASON_REQUIRED_AFTER_MISMATCH")
    if ask.amount_fen != order.amount_fen:
        return (
            e.FundsMismatched(
                reference=order.reference,
                ordered_fen=order.amount_fen,
                received_fen=ask.amount_fen,
                bank_reference=ask.bank_reference,
                received_on=ask.received_on,
            ),
        )
    # The credit proves that the bank took the order, even when its own word of it is still on the way.
    remitted = e.FundsRemitted(reference=order.reference, amount_fen=order.amount_fen)
    received = e.FundsReceived(
        reference=order.reference,
        amount_fen=order.amount_fen,
        bank_reference=ask.bank_reference,
        received_on=ask.received_on,
    )
    credited = e.FundsCredited(reference=order.reference, amount_fen=order.amount_fen)
    first = (remitted,) if order.status is RemittanceStatus.ORDERED else ()
    return (*first, received, credited)


def _outlook(
    state: TransferState, periods: tuple[ContributionPeriod, ...], destination: c.DestinationFacts
) -> Continuation:
    stopped_on = state.stopped_on
    if stopped_on is None:
        raise ValueError("coverage at the origin has not stopped")
    return continue_record(
        destination.periods,
        periods,
        stopped_on=stopped_on,
        covered_from=destination.covered_from,
        policy=destination.waiting,
    )


def _form(state: TransferState) -> tuple[ContributionPeriod, ...]:
    if state.form is None:
        raise ValueError("no form, nothing to continue")
    return state.form.periods


# ------------------------------------------------------------------ what happens by itself


def issue_certificate(state: TransferState) -> Facts:
    """The enrolment certificate, at once after acceptance (94号 art. 4); nothing when it is issued already."""
    return (e.CertificateIssued(),) if state.is_open(K.ISSUE_CERTIFICATE) else ()


def bank_took_order(state: TransferState, reference: str) -> Facts:
    """The bank's word that it took the order; nothing when a credit proved it before."""
    order = state.remittance
    if order is None or order.reference != reference or state.funds_status is not FundsStatus.ORDERED:
        return ()
    return (e.FundsRemitted(reference=reference, amount_fen=order.amount_fen),)


def tick(state: TransferState, now: datetime, calendar: WorkingCalendar) -> Facts:
    """What the clocks say at `now`, by the calendar in force: each date is due soon once, and missed once."""
    return tuple(
        fact for step in state.open_steps if step.deadline for fact in _tick_step(state, step.kind, now, calendar)
    )


def _tick_step(
    state: TransferState, kind: TransferStepKind, now: datetime, calendar: WorkingCalendar
) -> list[e.AnyFact]:
    step = state.step(kind)
    if step.deadline is None:
        return []
    deadline = recount(step.deadline, calendar)
    facts: list[e.AnyFact] = []
    if deadline != step.deadline:
        facts.append(e.DeadlineRevised(step=kind, round=step.round, before=step.deadline, after=deadline))
    agency, bureau = f"agency:{step.region}", f"supervisor:{step.region}"
    missed = now >= deadline.due_at
    if now >= deadline.due_soon_at and not step.due_soon_noted and not step.missed_noted:
        facts.append(e.DeadlineDueSoon(step=kind, round=step.round, due_on=deadline.due_on, told=(agency,)))
    if missed and not step.missed_noted:
        facts.append(e.DeadlineMissed(step=kind, round=step.round, due_on=deadline.due_on, told=(agency, bureau)))
    return facts


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


# ------------------------------------------------------------------ facts into events


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


def _complete(state: TransferState, facts: Facts, at: datetime) -> Facts:
    """已办结 follows by itself when both tracks are at an end, and never otherwise."""
    after = advance(state, facts, at=at, actor=Actor(subject="", roles=()))[1]
    return (*facts, e.Completed()) if after.at_an_end and not after.closed else facts


def _opening(
    state: TransferState, kind: TransferStepKind, starts_at: datetime, calendar: WorkingCalendar
) -> e.StepOpened:
    statutory = PERIODS[state.route][kind]
    period = Period(working_days=state.periods.get(kind, statutory.working_days), basis=statutory.basis)
    region = state.to_region if kind in STEPS_OF_TRANSFER_IN else state.from_region
    return e.StepOpened(step=kind, region=region, deadline=set_deadline(period, shanghai_date(starts_at), calendar))


def _invalid(field: str, code: str, **figures: str | int) -> Invalid:
    return Invalid(violations=(Violation(field=field, code=code, figures=figures),))


def needs_clerk(findings: tuple[Finding, ...]) -> bool:
    return any(finding.cls is RefusalClass.MANUAL for finding in findings)
