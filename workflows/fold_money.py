"""What events do to the money: orders and their way, and where the funds of the case stand after each."""

from typing import Any

from workflows import events as e
from workflows import fold_steps as rounds
from workflows.remittance import Remittance
from workflows.state import TransferState
from workflows.vocabulary import (
    FAULTS_OF_THE_ACCOUNT,
    BankReturnReason,
    FundsStatus,
    MatchDecision,
    RemittanceKind,
    RemittanceStatus,
    TransferStepKind,
)

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
            return {"released": state.released or not fact.surplus} | given_back(state, fact.amount_fen)
        case e.PayoutAccountProvided():
            changes: Changes = {"payout_account": fact.masked_account}
            if fact.resumed is not None:
                changes["steps"] = rounds.redated(state, K.REMIT_PERSONAL_ACCOUNT, fact.resumed, event.occurred_at)
            return changes


def ordered(
    state: TransferState,
    event: e.TransferEvent,
    fact: e.RemittancePrepared | e.RemittanceOrdered | e.FundsOrdered | e.ReverseProposed,
) -> Changes:
    """Money is to be sent, or called home."""
    match fact:
        case e.RemittanceOrdered():
            return {"steps": rounds.done(state, event)}
        case e.RemittancePrepared():
            prepared = Remittance(
                reference=fact.reference,
                amount_fen=fact.amount_fen,
                status=RemittanceStatus.AWAITING_RELEASE,
                ordered_at=event.occurred_at,
                kind=fact.kind,
                corrects=fact.corrects,
                prepared_by=fact.prepared_by,
                maker_names=tuple(sorted(event.actor.names)),
            )
            return {"remittances": (*state.remittances, prepared)}
        case e.FundsOrdered():
            order = Remittance(
                reference=fact.reference,
                amount_fen=fact.amount_fen,
                status=RemittanceStatus.ORDERED,
                ordered_at=event.occurred_at,
                kind=fact.kind,
                corrects=fact.corrects,
                by_post=fact.by_post,
                uncredited=fact.uncredited,
                prepared_by=fact.prepared_by,
                send_on=fact.send_on,
            )
            # An approved reverse remittance takes the place of its proposal, a released order that of its preparation.
            others = tuple(each for each in state.remittances if each.reference != fact.reference)
            changes: Changes = {"funds_status": FundsStatus.ORDERED, "remittances": (*others, order)}
            if not order.comes_home:
                changes |= given_back(state, fact.amount_fen)
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
                uncredited=fact.uncredited,
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


def followed(state: TransferState, fact: e.LateContribution) -> Changes:
    """What was paid late is owed like the balance was."""
    changes: Changes = {"late_fen": state.late_fen + fact.amount_fen}
    after = state.model_copy(update=changes)
    return changes | {"funds_status": FundsStatus.PENDING if after.owed_fen else state.funds_status}


def returned(state: TransferState, fact: e.FundsReturned) -> Changes:
    """All of an order came back, or a part of it; what had left is at O again, set aside until it is ordered anew.

    What was on its way home is R's again, as it was before the way home.
    """
    order = _order(state, fact.reference)
    came_back = {
        "returned_fen": order.returned_fen + fact.amount_fen,
        "return_reason": fact.reason,
        "returns": (*order.returns, name_of_return(fact)),
    }
    if order.expected_fen == fact.amount_fen:
        came_back["status"] = RemittanceStatus.RETURNED
    changes: Changes = {"remittances": _with(state, order.model_copy(update=came_back))}
    changes["remittances"] = without_needless(state.model_copy(update=changes))
    if fact.left and not order.comes_home:
        changes["returned_fen"] = state.returned_fen + fact.amount_fen
    if "status" in came_back and order.on_its_way:
        changes["steps"] = rounds.skipped(state.steps, K.CONFIRM_RECEIPT)
    if order.kind is RemittanceKind.PAYOUT and fact.reason in FAULTS_OF_THE_ACCOUNT:
        # The person is asked for another account.
        changes["payout_account"] = None
    return changes | {"funds_status": standing(state.model_copy(update=changes))}


def name_of_return(fact: e.FundsReturned) -> str:
    """What tells one return of an order from another."""
    return fact.bank_reference or f"{fact.returned_on}/{fact.amount_fen}"


def matched(state: TransferState, fact: e.FundsMatched) -> Changes:
    """What never came is searched for and owed again; what is not accepted has to go home."""
    order = _order(state, fact.reference)
    decided: Changes = {
        "missing_fen": order.missing_fen + fact.missing_fen,
        "sent_home_fen": order.sent_home_fen + fact.sent_home_fen,
    }
    changes: Changes = {}
    if fact.decision is MatchDecision.SEND_HOME:
        decided |= {"status": RemittanceStatus.RETURNED, "return_reason": BankReturnReason.AMOUNT_MISMATCH}
        changes["steps"] = rounds.skipped(state.steps, K.CONFIRM_RECEIPT)
    changes["remittances"] = _with(state, order.model_copy(update=decided))
    if not order.comes_home:
        changes["missing_fen"] = state.missing_fen + fact.missing_fen
    return changes | {"funds_status": standing(state.model_copy(update=changes))}


def standing(state: TransferState) -> FundsStatus:
    """Where the funds stand by the form and the orders. More must follow, or come home, before they are at an end."""
    on_its_way = state.on_its_way
    if on_its_way is not None:
        waits = on_its_way.status is RemittanceStatus.AWAITING_RELEASE
        return FundsStatus.PENDING if waits else FundsStatus(on_its_way.status)
    sent = [each for each in state.remittances if not (each.given_up or each.awaits_release)]
    if state.owed_fen:
        refused = bool(sent) and sent[-1].returned_fen > 0 and not sent[-1].comes_home
        return FundsStatus.RETURNED if state.returned_fen or refused else FundsStatus.PENDING
    if sent and state.terminating:
        # Of a case that came to nothing the money is home.
        return FundsStatus.RETURNED
    if not sent:
        # That nothing moves, or stays in the province, is said by an event of its own.
        return state.funds_status
    return FundsStatus.PAID_OUT_TO_PERSON if state.pays_out else FundsStatus.CREDITED


def without_needless(state: TransferState) -> tuple[Remittance, ...]:
    """The orders: what nobody has approved or released yet is given up where another amount is owed now."""

    def needless(order: Remittance) -> bool:
        waits = order.status is RemittanceStatus.AWAITING_RELEASE and not order.uncredited
        return waits and order.amount_fen != (-state.owed_fen if order.comes_home else state.owed_fen)

    return tuple(_given_up(order) if needless(order) else order for order in state.remittances)


def without_prepared(state: TransferState) -> tuple[Remittance, ...]:
    """The orders, where nobody releases any more what was prepared."""
    return tuple(_given_up(each) if each.awaits_release else each for each in state.remittances)


def given_back(state: TransferState, amount_fen: int) -> Changes:
    """What of `amount_fen`, that is ordered or given back, had come back from the bank or is missing."""
    returned, missing, _ = state.set_aside(amount_fen)
    return {"returned_fen": state.returned_fen - returned, "missing_fen": state.missing_fen - missing}


def by_another_form(state: TransferState) -> Changes:
    """The money's track once the form in `state` counts: a corrected balance may leave more to be sent, or less.

    What was still to be sent is not, once enough has been sent.
    """
    remittances = without_needless(state)
    changes: Changes = {"remittances": remittances}
    if state.owed_fen <= 0 and remittances:
        changes["steps"] = rounds.skipped(state.steps, K.REMIT_PERSONAL_ACCOUNT)
    return changes | {"funds_status": standing(state.model_copy(update=changes))}


def _at(state: TransferState, reference: str, status: FundsStatus, **advice: Any) -> Changes:
    """The funds and the order of `reference`, which both stand at `status` now; the bank's advice where there is one."""
    order = _order(state, reference).model_copy(update={"status": RemittanceStatus(status)} | advice)
    return {"funds_status": status, "remittances": _with(state, order)}


def _order(state: TransferState, reference: str) -> Remittance:
    return next(each for each in state.remittances if each.reference == reference)


def _with(state: TransferState, order: Remittance) -> tuple[Remittance, ...]:
    """The orders, of which `order` is as it is now."""
    return tuple(order if each.reference == order.reference else each for each in state.remittances)


def _given_up(order: Remittance) -> Remittance:
    return order.model_copy(update={"status": RemittanceStatus.RETURNED})
