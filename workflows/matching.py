"""Money that came with another amount than its order's: R's finance accepts it, or sends it home, and says why."""

from datetime import datetime

from workflows import commands as c
from workflows import events as e
from workflows.actors import PLATFORM
from workflows.fold import Facts, advance
from workflows.money import Advice, credited
from workflows.remittance import Remittance
from workflows.rules import Invalid, invalid
from workflows.state import TransferState
from workflows.vocabulary import MatchDecision


def match_funds(state: TransferState, ask: c.MatchFunds, facts: c.ReceiptFacts, at: datetime) -> Facts | Invalid:
    """What came is credited, up to what the order should bring, or goes home uncredited; what did not come is owed again.

    What came beyond the order belongs to nobody yet. Raises ValueError without an advice that differs.
    """
    order = state.on_its_way
    if order is None or order.received_fen is None or order.bank_reference is None or order.received_on is None:
        raise ValueError("no advice, nothing to match")
    fault = _fault(order, ask, facts)
    if fault is not None:
        return fault
    came_fen = min(order.received_fen, order.expected_fen)
    accepted = ask.decision is MatchDecision.ACCEPT_AMOUNT
    matched = e.FundsMatched(
        reference=order.reference,
        decision=ask.decision,
        received_fen=order.received_fen,
        credited_fen=came_fen if accepted else 0,
        sent_home_fen=0 if accepted else came_fen,
        missing_fen=order.expected_fen - came_fen,
        excess_fen=order.received_fen - came_fen,
        reason=ask.reason,
    )
    after = advance(state, (matched,), at=at, actor=PLATFORM)[1]
    given_back = () if order.comes_home else surplus(state, after, matched.missing_fen)
    if not accepted:
        return (matched, *given_back)
    advice = Advice(order.bank_reference, order.received_on, ask.reason)
    now = next(each for each in after.remittances if each.reference == order.reference)
    return (matched, *given_back, *credited(after, now, came_fen, advice))


def surplus(before: TransferState, after: TransferState, amount_fen: int) -> Facts:
    """Of `amount_fen`, which is set aside at O again, what neither the form in force nor an open case asks for any more."""
    needless_fen = amount_fen - (after.frozen_fen - before.frozen_fen)
    return (e.FundsReleased(amount_fen=needless_fen, surplus=True),) if needless_fen else ()


def _fault(order: Remittance, ask: c.MatchFunds, facts: c.ReceiptFacts) -> Invalid | None:
    if ask.remittance_reference != order.reference:
        return invalid("remittanceReference", "UNKNOWN_REFERENCE", reference=order.reference)
    if not ask.reason.strip():
        return invalid("reason", "EMPTY")
    if facts.paid_by_bank_reference is not None:
        return invalid("remittanceReference", "ALREADY_USED", reference=facts.paid_by_bank_reference)
    if ask.decision is MatchDecision.ACCEPT_AMOUNT and not order.received_fen:
        return invalid("decision", "NOTHING_CAME")
    if ask.decision is MatchDecision.SEND_HOME and order.comes_home:
        return invalid("decision", "IS_HOME")
    return None
