"""What events do to the money: orders and their way, and where the funds of the case stand after each."""

from typing import Any

from workflows import events as e
from workflows import fold_steps as rounds
from workflows.state import Remittance, TransferState
from workflows.vocabulary import FundsStatus, RemittanceKind, RemittanceStatus, TransferStepKind

K = TransferStepKind
Changes = dict[str, Any]
MONEY_STEPS = (K.REMIT_PERSONAL_ACCOUNT, K.CONFIRM_RECEIPT)


def settled(
    state: TransferState,
    event: e.TransferEvent,
    fact: e.FundsNotRequired | e.FundsRetained | e.FundsReleased | e.PayoutAccountProvided,
) -> Changes:
    """What is settled without an order, or before one."""
    no_money_steps = rounds.skipped(state.steps, *MONEY_STEPS)
    match fact:
        case e.FundsNotRequired():
            return {"funds_status": FundsStatus.NOT_REQUIRED, "steps": no_money_steps}
        case e.FundsRetained():
            return {"funds_status": FundsStatus.RETAINED_IN_PROVINCE, "steps": no_money_steps}
        case e.FundsReleased():
            return {"released": True}
        case e.PayoutAccountProvided():
            changes: Changes = {"payout_account": fact.masked_account}
            if fact.resumed is not None:
                changes["steps"] = rounds.redated(state, K.REMIT_PERSONAL_ACCOUNT, fact.resumed, event.occurred_at)
            return changes


def ordered(
    state: TransferState, event: e.TransferEvent, fact: e.RemittanceOrdered | e.FundsOrdered | e.ReverseProposed
) -> Changes:
    """Money is to be sent, or called home."""
    match fact:
        case e.RemittanceOrdered():
            return {"steps": rounds.done(state, event)}
        case e.FundsOrdered():
            order = Remittance(
                reference=fact.reference,
                amount_fen=fact.amount_fen,
                status=RemittanceStatus.ORDERED,
                ordered_at=event.occurred_at,
                kind=fact.kind,
                corrects=fact.corrects,
                by_post=fact.by_post,
            )
            # An approved reverse remittance takes the place of its proposal.
            others = tuple(each for each in state.remittances if each.reference != fact.reference)
            changes: Changes = {"funds_status": FundsStatus.ORDERED, "remittances": (*others, order)}
            if fact.kind is RemittanceKind.PAYOUT:
                changes["steps"] = rounds.skipped(state.steps, K.CONFIRM_RECEIPT)
            return changes
        case e.ReverseProposed():
            proposal = Remittance(
                reference=fact.reference,
                amount_fen=fact.amount_fen,
                status=RemittanceStatus.AWAITING_RELEASE,
                ordered_at=event.occurred_at,
                kind=RemittanceKind.REVERSE,
                corrects=fact.corrects,
            )
            return {"funds_status": FundsStatus.PENDING, "remittances": (*state.remittances, proposal)}


def moved(
    state: TransferState,
    fact: e.FundsRemitted | e.FundsReceived | e.FundsMismatched | e.FundsCredited | e.FundsPaidOut,
) -> Changes:
    """An order goes its way, or comes to its end."""
    match fact:
        case e.FundsRemitted():
            return _at(state, fact.reference, FundsStatus.REMITTED)
        case e.FundsReceived():
            advice = {"received_fen": fact.amount_fen, "received_on": fact.received_on}
            return _at(state, fact.reference, FundsStatus.RECEIVED, bank_reference=fact.bank_reference, **advice)
        case e.FundsMismatched():
            advice = {"received_fen": fact.received_fen, "received_on": fact.received_on}
            return _at(state, fact.reference, FundsStatus.MISMATCHED, bank_reference=fact.bank_reference, **advice)
        case e.FundsCredited() | e.FundsPaidOut():
            credited = _at(state, fact.reference, FundsStatus.CREDITED)
            return credited | {"funds_status": standing(state.model_copy(update=credited))}


def standing(state: TransferState) -> FundsStatus:
    """Where the funds stand by the form and the orders. More must follow, or come home, before they are at an end."""
    on_its_way = state.on_its_way
    if on_its_way is not None:
        waits = on_its_way.status is RemittanceStatus.AWAITING_RELEASE
        return FundsStatus.PENDING if waits else FundsStatus(on_its_way.status)
    if state.settled_fen != state.target_fen:
        return FundsStatus.PENDING
    if not state.remittances:
        # That nothing moves, or stays in the province, is said by an event of its own.
        return state.funds_status
    return FundsStatus.PAID_OUT_TO_PERSON if state.pays_out else FundsStatus.CREDITED


def by_another_form(state: TransferState) -> Changes:
    """The money's track once the form in `state` counts: a corrected balance may leave more to be sent, or less.

    A way home that nobody has approved yet is given up where the form asks for another amount, and what was still to be
    sent is not, once enough has been sent.
    """
    too_much_fen = state.settled_fen - state.target_fen
    remittances = tuple(
        order.model_copy(update={"status": RemittanceStatus.RETURNED})
        if order.status is RemittanceStatus.AWAITING_RELEASE and order.amount_fen != too_much_fen
        else order
        for order in state.remittances
    )
    changes: Changes = {"remittances": remittances}
    if too_much_fen >= 0 and remittances:
        changes["steps"] = rounds.skipped(state.steps, K.REMIT_PERSONAL_ACCOUNT)
    return changes | {"funds_status": standing(state.model_copy(update=changes))}


def _at(state: TransferState, reference: str, status: FundsStatus, **advice: Any) -> Changes:
    """The funds and the order of `reference`, which both stand at `status` now; the bank's advice where there is one."""
    changes: Changes = {"status": RemittanceStatus(status)} | advice
    remittances = tuple(
        order.model_copy(update=changes) if order.reference == reference else order for order in state.remittances
    )
    return {"funds_status": status, "remittances": remittances}
