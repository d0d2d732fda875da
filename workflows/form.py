"""The information form: the periods and the balance that O vouches for, what they come to at R, and R's disputes of it."""

from datetime import datetime
from itertools import pairwise

from workflows import commands as c
from workflows import events as e
from workflows.actors import PLATFORM, Actor
from workflows.clocks import opening
from workflows.conclusion import settle
from workflows.continuation import Continuation, continue_record
from workflows.contribution import ContributionPeriod, format_months, merge, normalise
from workflows.deadlines import PauseReason, pause, resume, shanghai_date
from workflows.fold import Facts, advance
from workflows.policy import Disposition
from workflows.rules import Invalid, Violation, invalid, person_required
from workflows.state import TransferState
from workflows.vocabulary import RemittanceKind, TransferRoute, TransferStepKind
from workflows.workdays import WorkingCalendar

PERIODS, BALANCE = "contributionPeriods", "personalAccountBalance"


def deliver_form(
    state: TransferState,
    ask: c.DeliverInformationForm,
    facts: c.FormFacts,
    at: datetime,
    calendar: WorkingCalendar,
    maker: Actor,
) -> Facts | Invalid:
    """The form by what is given, or else by O's register; what differs from the register must carry a note.

    Where O's region asks for it, another person must check the form before it counts.
    """
    unnamed = person_required(maker) if facts.needs_checker else None
    if unnamed is not None:
        return unnamed
    faults = _faults_of_periods(ask, facts, at)
    if faults:
        return Invalid(violations=faults)
    periods = _periods(state, ask, facts)
    held_fen = _held(state, facts)
    balance_fen = held_fen if ask.balance_fen is None else ask.balance_fen
    differing = _differing(periods, balance_fen, facts.periods, held_fen)
    if differing and not (ask.note and ask.note.strip()):
        return Invalid(violations=differing)
    fault = _fault_of_balance(state, balance_fen, held_fen)
    if fault is not None:
        return fault
    if facts.needs_checker:
        version = _next_version(state)
        figures = {"version": version, "periods": periods, "balance_fen": balance_fen}
        return (e.FormPrepared(**figures, note=ask.note, made_by=maker.identity),)
    return _delivered(state, periods, balance_fen, ask.note, facts, at, calendar)


def check_form(
    state: TransferState, facts: c.FormFacts, at: datetime, calendar: WorkingCalendar, checker: Actor
) -> Facts | Invalid:
    """The prepared form counts from now on. Raises ValueError without a prepared form."""
    prepared = state.prepared
    if prepared is None:
        raise ValueError("no prepared form, nothing to check")
    unnamed = person_required(checker)
    if unnamed is not None:
        return unnamed
    fault = _fault_of_balance(state, prepared.balance_fen, _held(state, facts))
    return fault or _delivered(state, prepared.periods, prepared.balance_fen, None, facts, at, calendar)


def request_correction(
    state: TransferState, ask: c.RequestCorrection, at: datetime, calendar: WorkingCalendar
) -> Facts:
    """R disputes the form: its own clock stands still, and O is asked for another version."""
    continuing = state.step(TransferStepKind.CONFIRM_CONTINUATION)
    stopped = None
    if state.is_open(TransferStepKind.CONFIRM_CONTINUATION) and continuing.deadline is not None:
        stopped = pause(continuing.deadline, shanghai_date(at), PauseReason.CORRECTION)
    requested = e.CorrectionRequested(
        round=len(state.corrections) + 1, reason=ask.reason, note=ask.note, paused=stopped
    )
    return (requested, opening(state, TransferStepKind.DELIVER_INFORMATION_FORM, at, calendar))


def _delivered(
    state: TransferState,
    periods: tuple[ContributionPeriod, ...],
    balance_fen: int,
    note: str | None,
    facts: c.FormFacts,
    at: datetime,
    calendar: WorkingCalendar,
) -> Facts:
    """The form counts: the balance is frozen with it, the money is asked for, and R's clock runs."""
    # What becomes of the balance is the policy of the first form's day, and stays with the case: money may have moved by it.
    disposition = state.form.disposition if state.form else facts.disposition
    # A balance that is kept in the province stays where it is, and usable; so does one that was already sent.
    stays = disposition is Disposition.RETAIN
    to_freeze_fen = 0 if stays else max(0, balance_fen - state.moved_fen)
    form = e.FormDelivered(
        version=_next_version(state),
        periods=periods,
        balance_fen=balance_fen,
        note=note,
        disposition=disposition,
        freeze_fen=to_freeze_fen - state.frozen_fen,
        outlook=outlook(state, periods, facts.destination),
    )
    after = advance(state, (form,), at=at, actor=PLATFORM)[1]
    money = settle(after, at, calendar)
    if state.correction is not None:
        return (form, *_answered(state, at, calendar), *money)
    # 94号: on the paper route R's clock starts when form and money are there.
    starts_at = None if state.route is TransferRoute.PAPER else at
    return (form, *money, opening(state, TransferStepKind.CONFIRM_CONTINUATION, starts_at, calendar))


def _answered(state: TransferState, at: datetime, calendar: WorkingCalendar) -> Facts:
    """R's clock runs again; a record that was continued already is to be continued anew."""
    kind = TransferStepKind.CONFIRM_CONTINUATION
    step, correction = state.step(kind), state.correction
    if correction is None:
        return ()
    answer = {"round": correction.round, "version": _next_version(state)}
    if not state.is_open(kind):
        return (e.CorrectionAnswered(**answer, resumed=None), opening(state, kind, at, calendar))
    resumed = None
    if step.deadline is not None:
        resumed = resume(step.deadline, shanghai_date(at), calendar.of_region(step.region))
    return (e.CorrectionAnswered(**answer, resumed=resumed),)


def _next_version(state: TransferState) -> int:
    return state.form.version + 1 if state.form else 1


def _held(state: TransferState, facts: c.FormFacts) -> int:
    """What the person's account came to before the transfer touched it, in fen: what it can use, is frozen, or was sent."""
    return facts.balance_fen + state.frozen_fen + state.moved_fen


def _fault_of_balance(state: TransferState, balance_fen: int, held_fen: int) -> Invalid | None:
    """The balance is frozen with the form: no note lets it be more than the account holds, or less than was paid out."""
    if balance_fen < 0:
        return invalid(BALANCE, "NEGATIVE")
    if balance_fen > held_fen:
        return invalid(BALANCE, "MORE_THAN_THE_ACCOUNT_HOLDS", register=held_fen)
    if balance_fen < state.moved_fen and any(each.kind is RemittanceKind.PAYOUT for each in state.remittances):
        return invalid(BALANCE, "LESS_THAN_PAID_OUT", paid=state.moved_fen)
    return None


def outlook(
    state: TransferState, periods: tuple[ContributionPeriod, ...], destination: c.DestinationFacts
) -> Continuation:
    """What continuation means by R's register of the day. Raises ValueError while coverage at O has not stopped."""
    if state.stopped_on is None:
        raise ValueError("coverage at the origin has not stopped")
    return continue_record(
        own_periods(state, destination.periods),
        periods,
        region=state.to_region,
        from_scheme=state.from_scheme,
        to_scheme=state.to_scheme,
        stopped_on=state.stopped_on,
        covered_from=destination.covered_from,
        policy=destination.waiting,
    )


def own_periods(state: TransferState, held: tuple[ContributionPeriod, ...]) -> tuple[ContributionPeriod, ...]:
    """R's own periods of those that its register holds: what it took over from an earlier form is O's, and superseded."""
    if state.own_periods is None:
        return held
    since = (each for each in held if each.region == state.to_region)
    return merge(state.own_periods, since, home=state.to_region)


def _faults_of_periods(ask: c.DeliverInformationForm, facts: c.FormFacts, at: datetime) -> tuple[Violation, ...]:
    """What no note can excuse. Months past this one are the register's to hold, not the form's to invent."""
    given = sorted(ask.periods or (), key=lambda each: each.first_month)
    latest = max([f"{shanghai_date(at):%Y-%m}", *(each.last_month for each in facts.periods)])
    found = {
        "MONTHS_RUN_BACKWARDS": any(each.last_month < each.first_month for each in given),
        "MONTHS_OVERLAP": any(after.first_month <= before.last_month for before, after in pairwise(given)),
        "MONTHS_IN_THE_FUTURE": any(each.last_month > latest for each in given),
    }
    return tuple(Violation(field=PERIODS, code=code) for code, wrong in found.items() if wrong)


def _periods(state: TransferState, ask: c.DeliverInformationForm, facts: c.FormFacts) -> tuple[ContributionPeriod, ...]:
    """The register's own rows where what is given comes to the same: they know the regions of earlier transfers."""
    if ask.periods is None:
        return facts.periods
    given = normalise(
        ContributionPeriod(
            first_month=period.first_month,
            last_month=period.last_month,
            deemed=period.deemed,
            region=state.from_region,
            scheme=state.from_scheme,
        )
        for period in ask.periods
    )
    return facts.periods if format_months(given) == format_months(facts.periods) else given


def _differing(
    periods: tuple[ContributionPeriod, ...],
    balance_fen: int,
    held_periods: tuple[ContributionPeriod, ...],
    held_fen: int,
) -> tuple[Violation, ...]:
    compared = (
        (PERIODS, format_months(periods), format_months(held_periods)),
        (BALANCE, balance_fen, held_fen),
    )
    return tuple(
        Violation(field=field, code="DIFFERS_FROM_REGISTER", figures={"register": register})
        for field, said, register in compared
        if said != register
    )
