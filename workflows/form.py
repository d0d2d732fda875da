"""The information form: the periods and the balance that O vouches for, and what they come to at R."""

from datetime import datetime
from itertools import pairwise

from workflows import commands as c
from workflows import events as e
from workflows.clocks import opening
from workflows.continuation import Continuation, continue_record
from workflows.contribution import ContributionPeriod, format_months, normalise
from workflows.deadlines import shanghai_date
from workflows.fold import Facts
from workflows.rules import Invalid, Violation, invalid
from workflows.state import TransferState
from workflows.vocabulary import TransferStepKind
from workflows.workdays import WorkingCalendar

PERIODS, BALANCE = "contributionPeriods", "personalAccountBalance"


def deliver_form(
    state: TransferState, ask: c.DeliverInformationForm, facts: c.FormFacts, at: datetime, calendar: WorkingCalendar
) -> Facts | Invalid:
    """The form by what is given, or else by O's register; what differs from the register must carry a note.

    The balance is frozen with it: no note lets it be more than the account holds.
    """
    faults = _faults_of_periods(ask, facts, at)
    if faults:
        return Invalid(violations=faults)
    periods = _periods(state, ask, facts)
    balance_fen = facts.balance_fen if ask.balance_fen is None else ask.balance_fen
    differing = _differing(periods, balance_fen, facts)
    if differing and not (ask.note and ask.note.strip()):
        return Invalid(violations=differing)
    if balance_fen > facts.balance_fen:
        return invalid(BALANCE, "MORE_THAN_THE_ACCOUNT_HOLDS", register=facts.balance_fen)
    form = e.FormDelivered(
        version=state.form.version + 1 if state.form else 1,
        periods=periods,
        balance_fen=balance_fen,
        note=ask.note,
        outlook=outlook(state, periods, facts.destination),
    )
    continuing = opening(state, TransferStepKind.CONFIRM_CONTINUATION, at, calendar)
    if balance_fen == 0:
        return (form, e.FundsNotRequired(), continuing)
    # 43号: the money moves inside O's ten working days, so its clock started at acceptance too.
    remitting = opening(state, TransferStepKind.REMIT_PERSONAL_ACCOUNT, state.accepted_at or at, calendar)
    return (form, remitting, continuing)


def outlook(
    state: TransferState, periods: tuple[ContributionPeriod, ...], destination: c.DestinationFacts
) -> Continuation:
    """What continuation means by R's register of the day. Raises ValueError while coverage at O has not stopped."""
    if state.stopped_on is None:
        raise ValueError("coverage at the origin has not stopped")
    return continue_record(
        destination.periods,
        periods,
        region=state.to_region,
        from_scheme=state.from_scheme,
        to_scheme=state.to_scheme,
        stopped_on=state.stopped_on,
        covered_from=destination.covered_from,
        policy=destination.waiting,
    )


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


def _differing(periods: tuple[ContributionPeriod, ...], balance_fen: int, facts: c.FormFacts) -> tuple[Violation, ...]:
    compared = (
        (PERIODS, format_months(periods), format_months(facts.periods)),
        (BALANCE, balance_fen, facts.balance_fen),
    )
    return tuple(
        Violation(field=field, code="DIFFERS_FROM_REGISTER", figures={"register": register})
        for field, said, register in compared
        if said != register
    )
