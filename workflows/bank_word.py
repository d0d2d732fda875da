"""What follows from the bank's word of an order. A word that is known, or that no longer concerns the order, changes nothing."""

from datetime import datetime

from workflows import commands as c
from workflows import events as e
from workflows.actors import BANK
from workflows.conclusion import conclude
from workflows.deadlines import shanghai_date
from workflows.fold import Facts, advance
from workflows.matching import surplus
from workflows.messages import BankSaid
from workflows.money import bank_took_order, confirm_receipt
from workflows.remittance import Remittance
from workflows.rules import Invalid
from workflows.state import TransferState
from workflows.vocabulary import RemittanceKind, RemittanceStatus, ReopeningReason, TransferStatus
from workflows.workdays import WorkingCalendar

_AT_THE_BANK = (RemittanceStatus.REMITTED, RemittanceStatus.MISMATCHED)


def bank_says(state: TransferState, said: BankSaid, held_fen: int, at: datetime, calendar: WorkingCalendar) -> Facts:
    """The facts of `said` in an open case, and what follows from them. `held_fen`: what the person's account at R holds."""
    if state.closed:
        return ()
    facts = _taken(state, said) or _returned(state, said, held_fen, at)
    return conclude(state, facts, at=at, actor=BANK, calendar=calendar) if facts else ()


def bank_credits(
    state: TransferState, said: BankSaid, facts: c.ReceiptFacts, at: datetime, calendar: WorkingCalendar
) -> Facts:
    """The bank's advice confirms the receipt by itself, where R's policy says so; a known or a faulty one changes nothing."""
    order = state.on_its_way
    open_for = (RemittanceStatus.ORDERED, RemittanceStatus.REMITTED)
    if order is None or order.reference != said.reference or order.status not in open_for or not said.bank_reference:
        return ()
    advice = c.ConfirmReceipt(
        remittance_reference=said.reference,
        amount_fen=said.amount_fen,
        bank_reference=said.bank_reference,
        received_on=said.on or shanghai_date(at),
    )
    came = confirm_receipt(state, advice, facts, at)
    return () if isinstance(came, Invalid) else conclude(state, came, at=at, actor=BANK, calendar=calendar)


def bank_reopens(state: TransferState, said: BankSaid, held_fen: int, at: datetime, calendar: WorkingCalendar) -> Facts:
    """A late return of a completed case: its money is under way again, visibly, and nothing else of it changes."""
    if state.status is not TransferStatus.COMPLETED:
        return ()
    reopened = e.Reopened(why=ReopeningReason.LATE_RETURN)
    after = advance(state, (reopened,), at=at, actor=BANK)[1]
    following = bank_says(after, said, held_fen, at, calendar)
    return (reopened, *following) if following else ()


def spent(state: TransferState, said: BankSaid, held_fen: int) -> bool:
    """Whether money that was credited came back, and R no longer has as much of it: a supervisor must look.

    The person has spent it, or it is on its way home by an order of R's.
    """
    order, home = _order(state, said), state.on_its_way
    if said.said != "RETURNED" or order is None or order.status is not RemittanceStatus.CREDITED:
        return False
    came_fen = _news_fen(order, said)
    if came_fen <= 0 or order.comes_home or order.kind is RemittanceKind.PAYOUT:
        return False
    approved = home is not None and home.comes_home and home.status is not RemittanceStatus.AWAITING_RELEASE
    leaving_fen = home.expected_fen if home is not None and approved and not home.uncredited else 0
    return came_fen > min(held_fen, state.settled_fen - leaving_fen)


def _order(state: TransferState, said: BankSaid) -> Remittance | None:
    return next((each for each in state.remittances if each.reference == said.reference), None)


def _news_fen(order: Remittance, said: BankSaid) -> int:
    """What of a return the case does not know yet. A word that says all that came back needs no name to be known again."""
    if said.in_all_fen is not None:
        return said.in_all_fen - order.returned_fen
    known = (said.bank_reference or f"{said.on}/{said.amount_fen}") in order.returns
    return 0 if known else said.amount_fen


def _taken(state: TransferState, said: BankSaid) -> Facts:
    return bank_took_order(state, said.reference) if said.said == "TAKEN" else ()


def _returned(state: TransferState, said: BankSaid, held_fen: int, at: datetime) -> Facts:
    order = _order(state, said)
    if order is None or said.said != "RETURNED" or said.reason is None:
        return ()
    came_fen = _news_fen(order, said)
    if not 0 < came_fen <= order.expected_fen:
        return ()
    # An order that was split at the bank may come back in part: then the other part has left.
    refused = order.status is RemittanceStatus.ORDERED and came_fen == order.expected_fen
    taken = () if refused else bank_took_order(state, order.reference)
    returned = e.FundsReturned(
        reference=order.reference,
        amount_fen=came_fen,
        reason=said.reason,
        bank_reference=said.bank_reference,
        returned_on=said.on or shanghai_date(at),
        left=not refused,
    )
    if order.status is RemittanceStatus.CREDITED:
        # Of money that came home nothing comes back; and what the person has spent is for a supervisor.
        if order.comes_home or spent(state, said, held_fen):
            return ()
    elif not (refused or taken or order.status in _AT_THE_BANK):
        return ()
    if order.comes_home:
        return (*taken, returned)
    before = advance(state, taken, at=at, actor=BANK)[1]
    after = advance(before, (returned,), at=at, actor=BANK)[1]
    return (*taken, returned, *surplus(before, after, came_fen))
