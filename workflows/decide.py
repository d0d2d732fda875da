"""`decide` turns a command, and what the registers say, into facts. Who may give it, and when, is `workflows.rules`.

Pure and complete: what happens to a case happens here, or by its clocks (`workflows.clocks`).
"""

from datetime import datetime
from typing import NamedTuple

from workflows import commands as c
from workflows import events as e
from workflows.actors import PLATFORM
from workflows.clocks import opening
from workflows.deadlines import shanghai_date
from workflows.findings import Finding, finding
from workflows.fold import Facts, advance
from workflows.form import deliver_form, outlook
from workflows.law import REFUSALS
from workflows.money import confirm_receipt, remit
from workflows.rules import Invalid, Objection, invalid, objection
from workflows.state import TransferState
from workflows.vocabulary import RefusalClass, RefusalCode, ReturnReason, Side, TransferStepKind
from workflows.workdays import WorkingCalendar

K = TransferStepKind


# ------------------------------------------------------------------ the submission


class Submission(NamedTuple):
    """An application with what the pre-check on both sides found."""

    submitted: e.Submitted
    blocking: tuple[Finding, ...]
    arrears: e.ArrearsNotified | None
    periods: dict[TransferStepKind, int]


def needs_clerk(findings: tuple[Finding, ...]) -> bool:
    """Whether a finding sends the application to R's clerk."""
    return any(each.cls is RefusalClass.MANUAL for each in findings)


def decide_submission(submission: Submission, at: datetime, calendar: WorkingCalendar) -> Facts:
    """The first facts of a case: accepted at once, or waiting for R's clerk or O's stop of coverage.

    `blocking` is empty but for what the registers changed between the application's receipt and its carrying out:
    then the case begins and ends here, DECLINED.
    """
    submitted = submission.submitted
    if submission.blocking:
        return (submitted, e.Declined(findings=submission.blocking))
    first = (submitted, submission.arrears) if submission.arrears else (submitted,)
    state = advance(None, (submitted,), at=at, actor=PLATFORM)[1]
    if submitted.manual:
        return (*first, opening(_shortened(state, submission.periods), K.ACCEPT_APPLICATION, at, calendar))
    return (*first, *_acceptance(state, submission.periods, at, calendar))


def _acceptance(
    state: TransferState, periods: dict[TransferStepKind, int], at: datetime, calendar: WorkingCalendar
) -> Facts:
    """受理, or first the stop of coverage that the applicant asked for."""
    state = _shortened(state, periods)
    if state.stop_needed and not state.is_done(K.STOP_COVERAGE):
        return (opening(state, K.STOP_COVERAGE, at, calendar),)
    return (e.Accepted(periods=periods), opening(state, K.DELIVER_INFORMATION_FORM, at, calendar))


def _shortened(state: TransferState, periods: dict[TransferStepKind, int]) -> TransferState:
    """`state` with the regions' periods of the day: before acceptance fixes them, they hold for the steps that lead to it."""
    return state.model_copy(update={"periods": periods})


# ------------------------------------------------------------------ the steps


def decide(
    state: TransferState, command: c.Command, facts: c.StepFacts | None, calendar: WorkingCalendar
) -> Facts | Objection:
    """What `command` makes true, given what the registers say, or why it may not.

    Raises TypeError when `facts` are not those of the command.
    """
    refused = objection(state, command.ask.action, command.actor, command.ask.expected_revision)
    if refused is not None:
        return refused
    outcome = _carry_out(state, command.ask, facts, command.received_at, calendar)
    if isinstance(outcome, Invalid):
        return outcome
    # 已办结 follows by itself when both tracks are at an end, and never otherwise.
    after = advance(state, outcome, at=command.received_at, actor=command.actor)[1]
    return (*outcome, e.Completed()) if after.at_an_end and not after.closed else outcome


def _carry_out(  # noqa: C901, PLR0911 - one arm for each command
    state: TransferState, ask: c.AnyAsk, facts: c.StepFacts | None, at: datetime, calendar: WorkingCalendar
) -> Facts | Invalid:
    match ask, facts:
        case c.AcceptTransfer(), c.AcceptanceFacts():
            return (e.ApplicationAccepted(), *_acceptance(state, facts.periods, at, calendar))
        case c.DeclineTransfer(), None:
            return _decline(state, ask)
        case c.ReturnTransfer(), None:
            reasons = (_reason(state, RETURNED_AS[ask.reason], Side.TRANSFER_OUT),)
            return (e.Declined(findings=reasons, returned=ask.reason, note=ask.note),)
        case c.StopCoverage(), c.StopFacts():
            return _stop_coverage(state, ask, facts, at, calendar)
        case c.ReissueCertificate(), None:
            return (e.CertificateReissued(reason=ask.reason),)
        case c.DeliverInformationForm(), c.FormFacts():
            return deliver_form(state, ask, facts, at, calendar)
        case c.RemitPersonalAccount(), None:
            return remit(state, at, calendar)
        case c.ConfirmReceipt(), c.ReceiptFacts():
            return confirm_receipt(state, ask, facts, at)
        case c.ConfirmContinuation(), c.DestinationFacts():
            return _confirm_continuation(state, facts)
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


def _decline(state: TransferState, ask: c.DeclineTransfer) -> Facts | Invalid:
    if not ask.reasons:
        return invalid("reasons", "EMPTY")
    reasons = tuple(_reason(state, code, Side.TRANSFER_IN) for code in dict.fromkeys(ask.reasons))
    return (e.Declined(findings=reasons, note=ask.note),)


def _reason(state: TransferState, code: RefusalCode, decided_by: Side) -> Finding:
    """An agency's reason: with the pre-check's figures where it had found the same, and mended where the law says."""
    sides = REFUSALS[code].sides
    side = decided_by if decided_by in sides else sides[0]
    for found in state.findings:
        if (found.code, found.side) == (code, side):
            return found.model_copy(update={"cls": RefusalClass.BLOCKS})
    region = {Side.TRANSFER_OUT: state.from_region, Side.TRANSFER_IN: state.to_region}.get(side)
    return finding(code, side=side, region=region)


def _stop_coverage(
    state: TransferState, ask: c.StopCoverage, facts: c.StopFacts, at: datetime, calendar: WorkingCalendar
) -> Facts | Invalid:
    if facts.already_stopped_on is not None:
        # One stop has one date: the register's, wherever it came from.
        if ask.stopped_on != facts.already_stopped_on:
            return invalid("stoppedOn", "STOPPED_ALREADY", stopped_on=facts.already_stopped_on.isoformat())
    elif ask.stopped_on > shanghai_date(at):
        return invalid("stoppedOn", "IN_THE_FUTURE")
    elif facts.covered_from is not None and ask.stopped_on < facts.covered_from:
        return invalid("stoppedOn", "BEFORE_COVERAGE", covered_from=facts.covered_from.isoformat())
    stopped = e.CoverageStopped(stopped_on=ask.stopped_on)
    after = advance(state, (stopped,), at=at, actor=PLATFORM)[1]
    return (stopped, *_acceptance(after, facts.periods, at, calendar))


def _confirm_continuation(state: TransferState, facts: c.DestinationFacts) -> Facts:
    if state.form is None:
        raise ValueError("no form, nothing to continue")
    return (e.ContinuationConfirmed(continuation=outlook(state, state.form.periods, facts)),)


def issue_certificate(state: TransferState) -> Facts:
    """The enrolment certificate, at once after acceptance (94号 art. 4); nothing when it is issued already."""
    return (e.CertificateIssued(),) if state.is_open(K.ISSUE_CERTIFICATE) else ()
