"""The money's track: ordered by O's finance, taken by the bank, confirmed and credited by R's finance. Whole fen."""

from datetime import datetime

from workflows import commands as c
from workflows import events as e
from workflows.clocks import opening
from workflows.deadlines import shanghai_date
from workflows.fold import Facts
from workflows.rules import Invalid, invalid
from workflows.state import Remittance, TransferState
from workflows.vocabulary import FundsStatus, RemittanceStatus, TransferStepKind
from workflows.workdays import WorkingCalendar


def remit(state: TransferState, at: datetime, calendar: WorkingCalendar) -> Facts:
    """The order of the frozen balance; R's finance is asked to look for it. Raises ValueError without a form."""
    if state.form is None:
        raise ValueError("no form, no balance to remit")
    # Made by us from the transfer's number: the same order has the same reference for ever, another never has it.
    reference = f"{state.no}-{len(state.remittances) + 1:02d}"
    amount_fen = state.form.balance_fen
    return (
        e.RemittanceOrdered(reference=reference, amount_fen=amount_fen),
        e.FundsOrdered(reference=reference, amount_fen=amount_fen),
        opening(state, TransferStepKind.CONFIRM_RECEIPT, at, calendar),
    )


def bank_took_order(state: TransferState, reference: str) -> Facts:
    """The bank's word that it took the order; nothing when an advice proved it before."""
    order = state.remittance
    if order is None or order.reference != reference or state.funds_status is not FundsStatus.ORDERED:
        return ()
    return (e.FundsRemitted(reference=reference, amount_fen=order.amount_fen),)


def confirm_receipt(
    state: TransferState, ask: c.ConfirmReceipt, facts: c.ReceiptFacts, at: datetime
) -> Facts | Invalid:
    """The bank's advice against the order: the same amount is credited, another is MISMATCHED and never credited.

    An advice that differed is corrected by another with a reason. Raises ValueError without an order.
    """
    order = state.remittance
    if order is None:
        raise ValueError("no order, no receipt")
    fault = _fault(order, ask, facts, at)
    if fault is not None:
        return fault
    # The advice proves that the bank took the order, even when its own word of it is still on the way.
    remitted = bank_took_order(state, order.reference)
    if ask.amount_fen != order.amount_fen:
        mismatched = e.FundsMismatched(
            reference=order.reference,
            ordered_fen=order.amount_fen,
            received_fen=ask.amount_fen,
            bank_reference=ask.bank_reference,
            received_on=ask.received_on,
            note=ask.note,
        )
        return (*remitted, mismatched)
    received = e.FundsReceived(
        reference=order.reference,
        amount_fen=order.amount_fen,
        bank_reference=ask.bank_reference,
        received_on=ask.received_on,
        note=ask.note,
    )
    confirmed = e.ReceiptConfirmed(reference=order.reference, amount_fen=order.amount_fen)
    credited = e.FundsCredited(reference=order.reference, amount_fen=order.amount_fen)
    return (*remitted, confirmed, received, credited)


def _fault(order: Remittance, ask: c.ConfirmReceipt, facts: c.ReceiptFacts, at: datetime) -> Invalid | None:
    ordered_on = shanghai_date(order.ordered_at)
    if ask.remittance_reference not in (None, order.reference):
        return invalid("remittanceReference", "UNKNOWN_REFERENCE", reference=order.reference)
    if ask.received_on > shanghai_date(at):
        return invalid("receivedOn", "IN_THE_FUTURE")
    if ask.received_on < ordered_on:
        return invalid("receivedOn", "BEFORE_THE_ORDER", ordered_on=ordered_on.isoformat())
    if facts.paid_by_bank_reference is not None:
        return invalid("bankReference", "ALREADY_USED", reference=facts.paid_by_bank_reference)
    if order.status is RemittanceStatus.MISMATCHED and not (ask.note and ask.note.strip()):
        return invalid("note", "REASON_REQUIRED_AFTER_MISMATCH")
    return None
