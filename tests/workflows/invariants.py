"""What must hold of a case at every moment, and at each of its ends. The money is counted beside the state, by the events alone."""

from collections.abc import Iterator
from dataclasses import dataclass

from workflows import events as e
from workflows.fold import fold
from workflows.policy import Disposition
from workflows.state import InformationForm, TransferState
from workflows.vocabulary import (
    FUNDS_AT_AN_END,
    FundsStatus,
    RemittanceKind,
    RemittanceStatus,
    StepState,
    TransferStatus,
)
from workflows.vocabulary import TransferStepKind as K

ENDED_EARLY = (TransferStatus.DECLINED, TransferStatus.WITHDRAWN, TransferStatus.TERMINATED)


@dataclass
class Purse:
    """Where the person's money is, in fen: usable and set aside at O and at R, with a bank, or on their own account."""

    at_o: int
    frozen_at_o: int = 0
    at_r: int = 0
    frozen_at_r: int = 0
    with_bank: int = 0
    paid_out: int = 0

    @property
    def parts(self) -> tuple[int, ...]:
        return (self.at_o, self.frozen_at_o, self.at_r, self.frozen_at_r, self.with_bank, self.paid_out)


def purse_after(events: tuple[e.TransferEvent, ...], held_fen: int) -> Purse:
    """The purse after `events`. Nothing is ever taken from where it is not, and nothing is lost."""
    purse = Purse(at_o=held_fen)
    orders = [event.fact for event in events if isinstance(event.fact, e.FundsOrdered)]
    home = {order.reference for order in orders if order.kind is RemittanceKind.REVERSE}
    for event in events:
        for taken_from, put_into, amount_fen in _movements(event.fact, home):
            setattr(purse, taken_from, getattr(purse, taken_from) - amount_fen)
            setattr(purse, put_into, getattr(purse, put_into) + amount_fen)
        assert min(purse.parts) >= 0, (event.fact, purse)
    return purse


def _movements(fact: e.AnyFact, home: set[str]) -> Iterator[tuple[str, str, int]]:
    """From where to where a fact moves how much. `home`: the references of the orders that send money back."""
    match fact:
        case e.FormDelivered():
            yield "at_o", "frozen_at_o", fact.balance_fen if fact.freeze_fen is None else fact.freeze_fen
        case e.FundsReleased():
            yield "frozen_at_o", "at_o", fact.amount_fen
        case e.FundsOrdered() if fact.reference in home:
            yield "at_r", "frozen_at_r", fact.amount_fen
        case e.FundsRemitted():
            yield "frozen_at_r" if fact.reference in home else "frozen_at_o", "with_bank", fact.amount_fen
        case e.FundsPaidOut():
            yield "with_bank", "paid_out", fact.amount_fen
        case e.FundsCredited():
            yield "with_bank", "at_o" if fact.reference in home else "at_r", fact.amount_fen
            yield "at_o", "frozen_at_o", fact.freeze_fen


def check_case(events: tuple[e.TransferEvent, ...], state: TransferState, held_fen: int) -> None:
    """What holds in every state. Raises AssertionError."""
    assert [event.seq for event in events] == list(range(1, state.revision + 1))
    assert fold(events) == state
    on_their_way = [order for order in state.remittances if order.on_its_way]
    assert len(on_their_way) <= 1
    assert len({order.reference for order in state.remittances}) == len(state.remittances)
    assert all(order.amount_fen > 0 for order in state.remittances)
    assert state.funds_status is _standing(state), (state.funds_status, state.remittances, state.form)
    purse = purse_after(events, held_fen)
    # An order that the bank has not taken yet is set aside still, and spoken for.
    ordered = [order for order in on_their_way if order.status is RemittanceStatus.ORDERED]
    spoken_for_fen = sum(order.amount_fen for order in ordered if order.kind is not RemittanceKind.REVERSE)
    assert state.frozen_fen == purse.frozen_at_o - spoken_for_fen
    assert sum(step.state is StepState.OPEN for step in state.steps) == len({step.kind for step in state.open_steps})
    if state.is_open(K.REMIT_PERSONAL_ACCOUNT):
        assert not on_their_way
        assert state.target_fen > state.settled_fen
    if state.correction is not None and not (state.terminating or state.closed):
        assert state.is_open(K.DELIVER_INFORMATION_FORM)
        assert state.status is TransferStatus.CORRECTION_REQUESTED
    if state.closed:
        check_end(state, purse, held_fen)
    else:
        assert state.closed_at is None
        assert not (state.continued and state.funds_status in FUNDS_AT_AN_END)


def check_end(state: TransferState, purse: Purse, held_fen: int) -> None:
    """What holds of a closed case. Raises AssertionError."""
    assert state.closed_at is not None
    assert (state.open_steps, state.waiting, state.gap, state.prepared) == ((), False, None, None)
    assert {step.state for step in state.steps} <= {StepState.DONE, StepState.SKIPPED}
    assert (state.on_its_way, state.frozen_fen, purse.frozen_at_o, purse.frozen_at_r, purse.with_bank) == (
        None,
        0,
        0,
        0,
        0,
    )
    if state.status is TransferStatus.COMPLETED:
        assert state.continued
        assert state.correction is None
        assert state.funds_status in FUNDS_AT_AN_END
        assert state.settled_fen == state.target_fen == purse.at_r + purse.paid_out
    else:
        assert state.status in ENDED_EARLY
        assert (state.settled_fen, purse.at_o, purse.at_r, purse.paid_out) == (0, held_fen, 0, 0)
        # R's register holds no months of a case that came to nothing.
        assert not state.statements
    if state.status is TransferStatus.WITHDRAWN:
        agencies_steps = [step for step in state.steps if step.kind is not K.ISSUE_CERTIFICATE]
        assert {step.state for step in agencies_steps} == {StepState.SKIPPED}


def _standing(state: TransferState) -> FundsStatus:
    """Where the funds stand by the orders and the form, said anew and not by `workflows.fold_money`."""
    order, form = state.on_its_way, state.form
    if order is not None:
        return FundsStatus.PENDING if order.status is RemittanceStatus.AWAITING_RELEASE else FundsStatus(order.status)
    moved = [each for each in state.remittances if each.status is RemittanceStatus.CREDITED]
    if form is None or not moved:
        return _untouched(form)
    sent_fen = sum(-each.amount_fen if each.kind is RemittanceKind.REVERSE else each.amount_fen for each in moved)
    if sent_fen != (0 if state.terminating else form.balance_fen):
        return FundsStatus.PENDING
    return FundsStatus.PAID_OUT_TO_PERSON if form.disposition is Disposition.PAY_OUT else FundsStatus.CREDITED


def _untouched(form: InformationForm | None) -> FundsStatus:
    """Where the funds stand while no money has moved."""
    if form is None or (form.balance_fen and form.disposition is not Disposition.RETAIN):
        return FundsStatus.PENDING
    return FundsStatus.RETAINED_IN_PROVINCE if form.balance_fen else FundsStatus.NOT_REQUIRED
