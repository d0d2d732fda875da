"""`decide` turns a command, and what the registers say, into facts. Who may give it, and when, is `workflows.rules`.

Pure and complete: what happens to a case happens here, or by its clocks (`workflows.clocks`).
"""

from datetime import datetime
from typing import NamedTuple

from workflows import commands as c
from workflows import events as e
from workflows.actors import PLATFORM
from workflows.clocks import opening
from workflows.conclusion import conclude
from workflows.coverage_gap import CoverageGap
from workflows.deadlines import shanghai_date
from workflows.findings import Finding, finding
from workflows.fold import Facts, advance
from workflows.form import check_form, deliver_form, outlook, own_periods, request_correction
from workflows.law import REFUSALS
from workflows.mail import record_mail
from workflows.matching import match_funds
from workflows.money import approve_reverse, confirm_receipt, provide_account, release, remit
from workflows.rules import Invalid, NotAllowed, Objection, Stale, invalid, objection
from workflows.state import TransferState
from workflows.vocabulary import RefusalClass, RefusalCode, ReturnReason, Side, TransferRoute, TransferStepKind
from workflows.workdays import WorkingCalendar

K = TransferStepKind


# ------------------------------------------------------------------ the submission


class Submission(NamedTuple):
    """An application with what the pre-check on both sides found."""

    submitted: e.Submitted
    blocking: tuple[Finding, ...]
    arrears: e.ArrearsNotified | None
    periods: dict[TransferStepKind, int]


class Recheck(NamedTuple):
    """A waiting application checked again."""

    checked: e.RegisterChecked
    blocking: tuple[Finding, ...]
    arrears: e.ArrearsNotified | None
    periods: dict[TransferStepKind, int]


def decide_submission(submission: Submission, at: datetime, calendar: WorkingCalendar) -> Facts:
    """The first facts of a case: accepted at once, or waiting for R's clerk, O's stop of coverage, or the registers.

    `blocking` is empty but for what the registers changed between the application's receipt and its carrying out:
    then the case begins and ends here, DECLINED.
    """
    submitted = submission.submitted
    if submission.blocking:
        return (submitted, e.Declined(findings=submission.blocking))
    if submitted.waiting:
        return (submitted,)
    state = advance(None, (submitted,), at=at, actor=PLATFORM)[1]
    return (submitted, *_going_on(state, submitted, submission, at, calendar))


def recheck(state: TransferState, again: Recheck, at: datetime, calendar: WorkingCalendar) -> Facts:
    """What a waiting application does when the registers were asked again; nothing when they say what they said."""
    if not state.waiting:
        return ()
    if again.blocking:
        return (e.Declined(findings=again.blocking),)
    checked = _as_the_case_has_it(state, again.checked)
    if checked.waiting:
        return (checked,) if _says_another_thing(state, checked) else ()
    after = advance(state, (checked,), at=at, actor=PLATFORM)[1]
    return (checked, *_going_on(after, checked, again, at, calendar))


def _as_the_case_has_it(state: TransferState, checked: e.RegisterChecked) -> e.RegisterChecked:
    """What a register that is out of service would say of the person's gap is what it said last; the route stays."""
    silent = any(each.code is RefusalCode.REGISTER_UNAVAILABLE for each in checked.findings)
    # 94号: on the paper route R accepts, whatever has been connected since.
    manual = checked.manual or state.route is TransferRoute.PAPER
    return checked.model_copy(update={"manual": manual, "gap": state.gap if silent else checked.gap})


def _says_another_thing(state: TransferState, checked: e.RegisterChecked) -> bool:
    """Whether the reasons, or the person's own clock, have changed. The day to try again moves on by itself."""

    def reasons(findings: tuple[Finding, ...]) -> list[Finding]:
        return [each.model_copy(update={"retry_on": None}) for each in findings]

    def since(gap: CoverageGap | None) -> CoverageGap | None:
        return gap and gap.model_copy(update={"warned": ()})

    return (reasons(checked.findings), since(checked.gap)) != (reasons(state.findings), since(state.gap))


def _going_on(
    state: TransferState,
    said: e.Submitted | e.RegisterChecked,
    application: Submission | Recheck,
    at: datetime,
    calendar: WorkingCalendar,
) -> Facts:
    """Nothing stands in the way any more: to R's clerk, to O's stop of coverage, or accepted."""
    first = (application.arrears,) if application.arrears else ()
    if said.manual:
        return (*first, opening(_shortened(state, application.periods), K.ACCEPT_APPLICATION, at, calendar))
    return (*first, *_acceptance(state, application.periods, at, calendar))


def _acceptance(
    state: TransferState, periods: dict[TransferStepKind, int], at: datetime, calendar: WorkingCalendar
) -> Facts:
    """受理, or first the stop of coverage that the applicant asked for."""
    state = _shortened(state, periods)
    if state.stop_needed and not state.is_done(K.STOP_COVERAGE):
        return (opening(state, K.STOP_COVERAGE, at, calendar),)
    # 94号 art. 5: on the paper route R's letter comes before O's form.
    first = K.ISSUE_CONTACT_LETTER if state.route is TransferRoute.PAPER else K.DELIVER_INFORMATION_FORM
    return (e.Accepted(periods=periods), opening(state, first, at, calendar))


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
    outcome = _carry_out(state, command, facts, calendar)
    if isinstance(outcome, NotAllowed | Stale | Invalid):
        return outcome
    return conclude(state, outcome, at=command.received_at, actor=command.actor, calendar=calendar)


def _carry_out(
    state: TransferState, command: c.Command, facts: c.StepFacts | None, calendar: WorkingCalendar
) -> Facts | Objection:
    ask, at = command.ask, command.received_at
    match ask:
        case c.AcceptTransfer() | c.DeclineTransfer() | c.StopCoverage() | c.ReturnTransfer() | c.WithdrawTransfer():
            return _about_the_application(state, ask, facts, at, calendar)
        case (
            c.RemitPersonalAccount()
            | c.ReleaseRemittance()
            | c.ProvidePayoutAccount()
            | c.ConfirmReceipt()
            | c.MatchFunds()
            | c.ApproveReverseRemittance()
        ):
            return _about_the_money(state, command, facts, calendar)
        case c.TerminateTransfer():
            return _terminate(state, ask)
        case _:
            return _about_the_record(state, command, facts, calendar)


def _about_the_application(
    state: TransferState, ask: c.AnyAsk, facts: c.StepFacts | None, at: datetime, calendar: WorkingCalendar
) -> Facts | Objection:
    match ask, facts:
        case c.AcceptTransfer(), c.AcceptanceFacts():
            return (e.ApplicationAccepted(), *_acceptance(state, facts.periods, at, calendar))
        case c.DeclineTransfer(), None:
            return _decline(state, ask)
        case c.StopCoverage(), c.StopFacts():
            return _stop_coverage(state, ask, facts, at, calendar)
        case c.ReturnTransfer(), None:
            reasons = (_reason(state, RETURNED_AS[ask.reason], Side.TRANSFER_OUT),)
            return (*_released(state), e.Declined(findings=reasons, returned=ask.reason, note=ask.note))
        case c.WithdrawTransfer(), None:
            return (e.Withdrawn(reason=ask.reason),)
        case _:
            raise _unfit(ask, facts)


def _about_the_money(
    state: TransferState, command: c.Command, facts: c.StepFacts | None, calendar: WorkingCalendar
) -> Facts | Objection:
    ask, at = command.ask, command.received_at
    match ask, facts:
        case c.RemitPersonalAccount(), c.RemitFacts() | None:
            return remit(state, facts or c.RemitFacts(), at, calendar, command.actor)
        case c.ReleaseRemittance(), c.RemitFacts() | None:
            return release(state, ask, facts or c.RemitFacts(), at, calendar, command.actor)
        case c.ProvidePayoutAccount(), None:
            return provide_account(state, ask, at, calendar)
        case c.ConfirmReceipt(), c.ReceiptFacts():
            return confirm_receipt(state, ask, facts, at)
        case c.MatchFunds(), c.ReceiptFacts():
            return match_funds(state, ask, facts, at)
        case c.ApproveReverseRemittance(), c.ReverseFacts():
            return approve_reverse(state, ask, facts, at, calendar)
        case _:
            raise _unfit(ask, facts)


def _about_the_record(  # noqa: PLR0911 - one arm for each command
    state: TransferState, command: c.Command, facts: c.StepFacts | None, calendar: WorkingCalendar
) -> Facts | Objection:
    ask, at, who = command.ask, command.received_at, command.actor
    match ask, facts:
        case c.ReissueCertificate(), None:
            return (e.CertificateReissued(reason=ask.reason),)
        case c.IssueContactLetter(), None:
            # The clock of O's form starts when the letter arrives.
            return (e.ContactLetterIssued(), opening(state, K.DELIVER_INFORMATION_FORM, None, calendar))
        case c.RecordMail(), None:
            return record_mail(state, ask, at)
        case c.DeliverInformationForm(), c.FormFacts():
            return deliver_form(state, ask, facts, at, calendar, who)
        case c.CheckInformationForm(), c.FormFacts():
            return check_form(state, facts, at, calendar, who)
        case c.RequestCorrection(), None:
            return request_correction(state, ask, at, calendar)
        case c.ConfirmContinuation(), c.DestinationFacts():
            return _confirm_continuation(state, facts)
        case _:
            raise _unfit(ask, facts)


def _unfit(ask: c.AnyAsk, facts: c.StepFacts | None) -> TypeError:
    return TypeError(f"{type(ask).__name__} cannot be decided on {type(facts).__name__}")


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


def _released(state: TransferState) -> Facts:
    """Nothing stays frozen for a case that ends."""
    return (e.FundsReleased(amount_fen=state.frozen_fen),) if state.frozen_fen else ()


def _terminate(state: TransferState, ask: c.TerminateTransfer) -> Facts:
    """What is frozen is released at once; what has left comes home first, and only then does the case close."""
    released = _released(state)
    if state.all_home:
        return (*released, e.Terminated(reason=ask.reason))
    return (*released, e.TerminationOrdered(reason=ask.reason))


def _stop_coverage(
    state: TransferState, ask: c.StopCoverage, facts: c.StopFacts, at: datetime, calendar: WorkingCalendar
) -> Facts | Invalid:
    if facts.already_stopped_on is not None:
        # One stop has one date: the register's, wherever it came from.
        if ask.stopped_on != facts.already_stopped_on:
            return invalid("stoppedOn", "STOPPED_ALREADY", stopped_on=facts.already_stopped_on.isoformat())
    elif not facts.covered_elsewhere:
        # 社会保险法: we stop the cover of nobody whom R does not cover already.
        return invalid("stoppedOn", "NOT_COVERED_AT_DESTINATION")
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
    # A corrected form is added to what R had before the first one: a continuation supersedes, nothing is edited.
    continuation, own = outlook(state, state.form.periods, facts), own_periods(state, facts.periods)
    return (e.ContinuationConfirmed(continuation=continuation, version=state.statements + 1, own_periods=own),)


def issue_certificate(state: TransferState) -> Facts:
    """The enrolment certificate, at once after acceptance (94号 art. 4); nothing when it is issued already."""
    return (e.CertificateIssued(),) if state.is_open(K.ISSUE_CERTIFICATE) else ()
