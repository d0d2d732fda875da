"""What must hold of a case at every moment, and at each of its ends. The money is counted beside the state, by the events alone."""

from collections.abc import Iterator
from dataclasses import dataclass

from workflows import events as e
from workflows.fold import fold
from workflows.policy import Disposition
from workflows.remittance import Remittance
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
    """Where the person's money is, in fen: usable and set aside at O and at R, with a bank, or on their own account.

    At O, come back from the bank or missing; at R, come and not credited. What came beyond an order is nobody's yet.
    """

    at_o: int
    frozen_at_o: int = 0
    at_r: int = 0
    frozen_at_r: int = 0
    with_bank: int = 0
    paid_out: int = 0
    returned: int = 0
    missing: int = 0
    uncredited: int = 0
    # What came late from outside, and stays where it is where O keeps balances.
    from_outside: int = 0
    retains: bool = False

    @property
    def parts(self) -> tuple[int, ...]:
        return (
            self.at_o,
            self.frozen_at_o,
            self.at_r,
            self.frozen_at_r,
            self.with_bank,
            self.paid_out,
            self.returned,
            self.missing,
            self.uncredited,
        )


def purse_after(events: tuple[e.TransferEvent, ...], held_fen: int) -> Purse:
    """The purse after `events`. Nothing is ever taken from where it is not, and nothing is lost."""
    purse = Purse(at_o=held_fen)
    orders = {event.fact.reference: event.fact for event in events if isinstance(event.fact, e.FundsOrdered)}
    arrived: set[str] = set()
    for event in events:
        for taken_from, put_into, amount_fen in _movements(event.fact, orders, purse, arrived):
            setattr(purse, taken_from, getattr(purse, taken_from) - amount_fen)
            setattr(purse, put_into, getattr(purse, put_into) + amount_fen)
        assert min(purse.parts) >= 0, (event.fact, purse)
    return purse


Movement = tuple[str, str, int]


def _movements(  # noqa: C901 - one arm for each fact that moves money
    fact: e.AnyFact, orders: dict[str, e.FundsOrdered], purse: Purse, arrived: set[str]
) -> Iterator[Movement]:
    """From where to where a fact moves how much. `arrived`: the references of the orders whose money is where it was to go."""
    order = orders.get(getattr(fact, "reference", ""))
    home = order is not None and order.kind is RemittanceKind.REVERSE
    uncredited = order is not None and order.uncredited
    match fact:
        case e.LateContribution():
            yield "from_outside", "at_o", fact.amount_fen
            yield "at_o", "frozen_at_o", 0 if purse.retains else fact.amount_fen
        case e.FormDelivered():
            purse.retains = fact.disposition is Disposition.RETAIN
            frozen_fen = fact.balance_fen if fact.freeze_fen is None else fact.freeze_fen
            if frozen_fen < 0:
                yield from _taken_from_aside(purse, "at_o", -frozen_fen)
            else:
                yield "at_o", "frozen_at_o", frozen_fen
        case e.FundsReleased():
            yield from _taken_from_aside(purse, "at_o", fact.amount_fen)
        case e.FundsOrdered() if home:
            yield "at_r", "frozen_at_r", 0 if uncredited else fact.amount_fen
        case e.FundsOrdered():
            yield from _taken_from_aside(purse, "frozen_at_o", fact.amount_fen)
        case e.FundsRemitted():
            yield "uncredited" if uncredited else "frozen_at_r" if home else "frozen_at_o", "with_bank", fact.amount_fen
        case e.FundsPaidOut():
            arrived.add(fact.reference)
            yield "with_bank", "paid_out", fact.amount_fen
        case e.FundsCredited():
            arrived.add(fact.reference)
            yield "with_bank", "at_o" if home else "at_r", fact.amount_fen
            yield "at_o", "frozen_at_o", fact.freeze_fen
        case e.FundsReturned():
            yield from _returned(fact, orders[fact.reference], arrived)
        case e.FundsMatched():
            yield "with_bank", "uncredited", fact.sent_home_fen
            yield "with_bank", "uncredited" if uncredited else "at_r" if home else "missing", fact.missing_fen


def _taken_from_aside(purse: Purse, put_into: str, amount_fen: int) -> Iterator[Movement]:
    """What came back goes first, then what is missing, then what is frozen."""
    for taken_from in ("returned", "missing", "frozen_at_o"):
        part_fen = min(amount_fen, getattr(purse, taken_from))
        amount_fen -= part_fen
        yield taken_from, put_into, part_fen
    yield "frozen_at_o", put_into, amount_fen


def _returned(fact: e.FundsReturned, order: e.FundsOrdered, arrived: set[str]) -> Iterator[Movement]:
    if order.kind is RemittanceKind.REVERSE:
        source = "with_bank" if fact.left else "uncredited" if order.uncredited else "frozen_at_r"
        yield source, "uncredited" if order.uncredited else "at_r", fact.amount_fen
    elif fact.left:
        paid_out = order.kind is RemittanceKind.PAYOUT
        there = "paid_out" if paid_out else "at_r"
        yield there if fact.reference in arrived else "with_bank", "returned", fact.amount_fen


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
    assert (state.returned_fen, state.missing_fen) == (purse.returned, purse.missing)
    assert state.uncredited_fen == purse.uncredited + _uncredited_with_bank(on_their_way)
    assert state.frozen_fen == purse.frozen_at_o + purse.returned + purse.missing - spoken_for_fen
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
    assert (state.on_its_way, state.to_release, state.frozen_fen, state.uncredited_fen) == (None, None, 0, 0)
    assert purse == Purse(
        at_o=purse.at_o,
        at_r=purse.at_r,
        paid_out=purse.paid_out,
        from_outside=-state.late_fen,
        retains=purse.retains,
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
    sent = [each for each in state.remittances if each.return_reason or each.status is RemittanceStatus.CREDITED]
    if form is None or not sent:
        return _untouched(form, state.late_fen)
    settled = [each for each in sent if each.status is RemittanceStatus.CREDITED and not each.uncredited]
    sent_fen = sum(
        (each.amount_fen - each.returned_fen - each.missing_fen) * (-1 if each.kind is RemittanceKind.REVERSE else 1)
        for each in settled
    )
    ended = state.terminating or state.status is TransferStatus.TERMINATED
    if sent_fen != (0 if ended else form.balance_fen + state.late_fen):
        forth = sent[-1].kind is not RemittanceKind.REVERSE and sent[-1].returned_fen
        return FundsStatus.RETURNED if state.returned_fen or forth else FundsStatus.PENDING
    if ended:
        return FundsStatus.RETURNED
    return FundsStatus.PAID_OUT_TO_PERSON if form.disposition is Disposition.PAY_OUT else FundsStatus.CREDITED


def _uncredited_with_bank(on_their_way: list[Remittance]) -> int:
    at_the_bank = (RemittanceStatus.REMITTED, RemittanceStatus.MISMATCHED)
    return sum(each.expected_fen for each in on_their_way if each.uncredited and each.status in at_the_bank)


def _untouched(form: InformationForm | None, late_fen: int) -> FundsStatus:
    """Where the funds stand while no money has moved."""
    to_move_fen = form.balance_fen + late_fen if form else 0
    if form is None or (to_move_fen and form.disposition is not Disposition.RETAIN):
        return FundsStatus.PENDING
    return FundsStatus.RETAINED_IN_PROVINCE if to_move_fen else FundsStatus.NOT_REQUIRED
