"""What follows by itself from what has just happened: the money is settled, clocks start, the case comes to its end."""

from datetime import datetime

from workflows import events as e
from workflows.actors import Actor
from workflows.clocks import opening, start_clocks, until_account_is_known
from workflows.fold import Facts, advance
from workflows.policy import Disposition
from workflows.state import TransferState
from workflows.vocabulary import FundsAtAnEnd, FundsStatus, TransferRoute, TransferStepKind
from workflows.workdays import WorkingCalendar


def conclude(state: TransferState, facts: Facts, *, at: datetime, actor: Actor, calendar: WorkingCalendar) -> Facts:
    """`facts` and what follows from them. 已办结 follows when both tracks are at an end, and never otherwise."""
    after, latest = state, facts
    for following in (settle, start_clocks, _end):
        _, after = advance(after, latest, at=at, actor=actor)
        if after.closed:
            break
        latest = following(after, at, calendar)
        facts = (*facts, *latest)
    return facts


def settle(state: TransferState, at: datetime, calendar: WorkingCalendar) -> Facts:
    """What is still owed by O is asked for, and what went too far is called home; one order at a time.

    What a bank sent back, or what is missing of an order, is owed again. What R would not credit goes home first. A balance that is corrected after its order is never edited: a linked order makes up the difference.
    """
    form = state.form
    if form is None or state.on_its_way is not None:
        return ()
    if not state.terminating and form.disposition is Disposition.RETAIN and form.balance_fen + state.late_fen:
        retained = state.funds_status is FundsStatus.RETAINED_IN_PROVINCE
        return () if retained else (e.FundsRetained(amount_fen=form.balance_fen + state.late_fen),)
    if state.uncredited_fen or state.owed_fen < 0:
        return (_reverse(state),)
    if state.owed_fen > 0 and not state.is_open(TransferStepKind.REMIT_PERSONAL_ACCOUNT):
        return (_asked_for(state, at, calendar),)
    given = any(not each.given_up for each in state.remittances)
    nothing_to_move = not (form.balance_fen or state.late_fen or given or state.terminating)
    if nothing_to_move and state.funds_status is not FundsStatus.NOT_REQUIRED:
        return (e.FundsNotRequired(),)
    return ()


def _reverse(state: TransferState) -> e.ReverseProposed:
    """The way home of what R would not credit, or of what was too much."""
    uncredited = state.uncredited_fen > 0
    sent = [each for each in state.remittances if not (each.comes_home or each.given_up)]
    corrected = [each for each in sent if each.sent_home_fen] if uncredited else sent
    return e.ReverseProposed(
        reference=next_reference(state),
        amount_fen=state.uncredited_fen or -state.owed_fen,
        corrects=corrected[-1].reference if corrected else None,
        uncredited=uncredited,
    )


def _asked_for(state: TransferState, at: datetime, calendar: WorkingCalendar) -> e.StepOpened:
    """The step of O's finance. In its first round it has the clock of the form; money for the person waits for an account."""
    kind = TransferStepKind.REMIT_PERSONAL_ACCOUNT
    if state.next_round(kind) > 1:
        starts_at: datetime | None = at
    elif state.route is TransferRoute.PAPER:
        # The letter's arrival starts it, as it starts the form's.
        starts_at = None
    else:
        # 43号: the money moves inside O's ten working days, so its clock started at acceptance too.
        starts_at = state.accepted_at or at
    opened = opening(state, kind, starts_at, calendar)
    if opened.deadline is None:
        return opened
    return opened.model_copy(update={"deadline": until_account_is_known(state, opened.deadline, at)})


def next_reference(state: TransferState) -> str:
    """Made by us from the transfer's number: the same order has the same reference for ever, another never has it."""
    return f"{state.no}-{len(state.remittances) + 1:02d}"


def _end(state: TransferState, _: datetime, __: WorkingCalendar) -> Facts:
    if state.terminating:
        return (e.Terminated(reason=""),) if state.all_home else ()
    funds = at_an_end(state.funds_status)
    return (e.Completed(funds=funds),) if state.continued and funds is not None else ()


def at_an_end(status: FundsStatus) -> FundsAtAnEnd | None:
    """`status`, where the money is where it belongs."""
    match status:
        case (
            FundsStatus.NOT_REQUIRED
            | FundsStatus.CREDITED
            | FundsStatus.PAID_OUT_TO_PERSON
            | FundsStatus.RETAINED_IN_PROVINCE
        ):
            return status
        case _:
            return None
