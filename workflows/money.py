"""The money's track: ordered by O's finance, taken by the bank, confirmed and credited by R's finance. Whole fen.

Money that went too far comes home the same way, from R to O, once a supervisor approves.
"""

from datetime import date, datetime
from typing import NamedTuple

from workflows import commands as c
from workflows import events as e
from workflows.actors import Actor
from workflows.clocks import opening
from workflows.conclusion import next_reference
from workflows.deadlines import resume, shanghai_date, start_of
from workflows.fold import Facts
from workflows.remittance import Remittance
from workflows.rules import Invalid, NotAllowed, invalid, person_required
from workflows.state import TransferState
from workflows.vocabulary import RemittanceKind, RemittanceStatus, TransferStepKind
from workflows.workdays import WorkingCalendar


def remit(
    state: TransferState, facts: c.RemitFacts, at: datetime, calendar: WorkingCalendar, maker: Actor
) -> Facts | Invalid:
    """The order of what is owed; R's finance is asked to look for it, or the person is paid.

    Over the region's threshold it is prepared, for another person to release. An unconnected side gives its order by itself
    and tells by post (94号): no bank of ours is asked.
    """
    ordered = _next_order(state, facts)
    if ordered.by_post or not over_threshold(facts, ordered.amount_fen):
        return _given(state, ordered, at, calendar)
    unnamed = person_required(maker)
    if unnamed is not None:
        return unnamed
    prepared = ordered.model_dump(include={"reference", "amount_fen", "kind", "corrects"})
    return (e.RemittancePrepared(**prepared, prepared_by=maker.identity),)


def order_by_itself(state: TransferState, facts: c.RemitFacts, at: datetime, calendar: WorkingCalendar) -> Facts:
    """The order of what is owed, by the platform: nobody at O is asked, and so no step of O's is done by it."""
    return _given(state, _next_order(state, facts), at, calendar)[1:]


def over_threshold(facts: c.RemitFacts, amount_fen: int) -> bool:
    """Whether an order of so much needs another person's release."""
    return facts.release_threshold_fen is not None and amount_fen > facts.release_threshold_fen


def _next_order(state: TransferState, facts: c.RemitFacts) -> e.FundsOrdered:
    by_post = state.from_region in state.unconnected
    return e.FundsOrdered(
        reference=next_reference(state),
        amount_fen=state.owed_fen,
        kind=_kind(state),
        corrects=_corrected(state),
        by_post=by_post,
        # What an unconnected side sends by itself waits for no cycle of ours.
        send_on=None if by_post else facts.send_on,
    )


def release(
    state: TransferState,
    ask: c.ReleaseRemittance,
    facts: c.RemitFacts,
    at: datetime,
    calendar: WorkingCalendar,
    releaser: Actor,
) -> Facts | Invalid:
    """The prepared order is given. Raises ValueError when nothing is prepared."""
    order = state.to_release
    if order is None:
        raise ValueError("nothing is prepared, nothing to release")
    unnamed = person_required(releaser)
    if unnamed is not None:
        return unnamed
    if ask.remittance_reference != order.reference:
        return invalid("remittanceReference", "UNKNOWN_REFERENCE", reference=order.reference)
    ordered = e.FundsOrdered(
        reference=order.reference,
        amount_fen=order.amount_fen,
        kind=order.kind,
        corrects=order.corrects,
        prepared_by=order.prepared_by,
        send_on=facts.send_on,
    )
    return _given(state, ordered, at, calendar)


def _given(state: TransferState, ordered: e.FundsOrdered, at: datetime, calendar: WorkingCalendar) -> Facts:
    told = {"reference": ordered.reference, "amount_fen": ordered.amount_fen}
    facts = (e.RemittanceOrdered(**told), ordered)
    if ordered.kind is not RemittanceKind.PAYOUT:
        return (*facts, opening(state, TransferStepKind.CONFIRM_RECEIPT, _sent_at(ordered, at), calendar))
    if not ordered.by_post:
        return facts
    return (*facts, e.FundsRemitted(**told), e.FundsPaidOut(**told))


def _sent_at(ordered: e.FundsOrdered, at: datetime) -> datetime:
    """When the money leaves at the earliest: nobody looks for it before."""
    return at if ordered.send_on is None else start_of(ordered.send_on)


def _kind(state: TransferState) -> RemittanceKind:
    if state.pays_out:
        return RemittanceKind.PAYOUT
    return RemittanceKind.RESIDUAL if state.reopenings else RemittanceKind.TRANSFER


def _corrected(state: TransferState) -> str | None:
    """The order that the next one makes good: the last that did not bring all it should, or the first."""
    given = [each for each in state.remittances if not (each.given_up or each.comes_home)]
    short = [each for each in given if each.returned_fen or each.missing_fen or each.sent_home_fen]
    return next((each.reference for each in (*reversed(short), *given)), None)


def bank_took_order(state: TransferState, reference: str) -> Facts:
    """The bank's word that it took the order; nothing when an advice proved it before."""
    order = state.on_its_way
    if order is None or order.reference != reference or order.status is not RemittanceStatus.ORDERED:
        return ()
    told = {"reference": reference, "amount_fen": order.expected_fen}
    if order.kind is RemittanceKind.PAYOUT:
        return (e.FundsRemitted(**told), e.FundsPaidOut(**told))
    return (e.FundsRemitted(**told),)


def provide_account(
    state: TransferState, ask: c.ProvidePayoutAccount, at: datetime, calendar: WorkingCalendar
) -> Facts | NotAllowed:
    """The person says where the balance is to be paid; O's clock, which waited for that, runs again.

    Nothing is sealed for anybody else: who acts for the person does not say where their money goes.
    """
    if not ask.sealed:
        return NotAllowed(why="PERSON_ONLY")
    step = state.step(TransferStepKind.REMIT_PERSONAL_ACCOUNT)
    resumed = None
    if step.deadline is not None and step.deadline.paused_since is not None:
        resumed = resume(step.deadline, shanghai_date(at), calendar.of_region(step.region))
    return (e.PayoutAccountProvided(masked_account=ask.masked_account, sealed=ask.sealed, resumed=resumed),)


def approve_reverse(
    state: TransferState,
    ask: c.ApproveReverseRemittance,
    facts: c.ReverseFacts,
    at: datetime,
    calendar: WorkingCalendar,
) -> Facts | Invalid:
    """The money comes home: R's side sends it, O's finance is asked to look for it. Raises ValueError without a proposal."""
    order = state.on_its_way
    if order is None:
        raise ValueError("no proposal, nothing to approve")
    if ask.remittance_reference != order.reference:
        return invalid("remittanceReference", "UNKNOWN_REFERENCE", reference=order.reference)
    if not order.uncredited and facts.balance_fen < order.amount_fen:
        return invalid("remittanceReference", "ACCOUNT_HOLDS_LESS", register=facts.balance_fen, amount=order.amount_fen)
    ordered = e.FundsOrdered(
        reference=order.reference,
        amount_fen=order.amount_fen,
        kind=RemittanceKind.REVERSE,
        corrects=order.corrects,
        by_post=state.to_region in state.unconnected,
        uncredited=order.uncredited,
        send_on=None if state.to_region in state.unconnected else facts.send_on,
    )
    sent_at = _sent_at(ordered, at)
    receiving = opening(state, TransferStepKind.CONFIRM_RECEIPT, sent_at, calendar, region=state.from_region)
    return (ordered, receiving)


def confirm_receipt(
    state: TransferState, ask: c.ConfirmReceipt, facts: c.ReceiptFacts, at: datetime
) -> Facts | Invalid:
    """The bank's advice against the order: the same amount is credited, another is MISMATCHED and never credited.

    An advice that differed is corrected by another with a reason. Raises ValueError without an order.
    """
    order = state.on_its_way
    if order is None:
        raise ValueError("no order, no receipt")
    fault = _fault(state, order, ask, facts, at)
    if fault is not None:
        return fault
    # The advice proves that the bank took the order, even when its own word of it is still on the way.
    remitted = bank_took_order(state, order.reference)
    if ask.amount_fen != order.expected_fen:
        mismatched = e.FundsMismatched(
            reference=order.reference,
            ordered_fen=order.expected_fen,
            received_fen=ask.amount_fen,
            bank_reference=ask.bank_reference,
            received_on=ask.received_on,
            note=ask.note,
        )
        return (*remitted, mismatched)
    advice = Advice(ask.bank_reference, ask.received_on, ask.note)
    return (*remitted, *credited(state, order, order.expected_fen, advice))


class Advice(NamedTuple):
    """The bank's word of a credit. `note`: why it is believed, when an earlier one had differed."""

    bank_reference: str
    received_on: date
    note: str | None = None


def credited(state: TransferState, order: Remittance, amount_fen: int, advice: Advice) -> Facts:
    """What came is confirmed, received and credited."""
    told = {"reference": order.reference, "amount_fen": amount_fen}
    received = e.FundsReceived(**told, **advice._asdict())
    return (
        e.ReceiptConfirmed(**told),
        received,
        e.FundsCredited(**told, freeze_fen=_frozen_by_coming_home(state, order)),
    )


def _frozen_by_coming_home(state: TransferState, order: Remittance) -> int:
    """What O must set aside again of money that comes home: a form that came after the way home was approved needs it."""
    if order.kind is not RemittanceKind.REVERSE:
        return 0
    home = order.model_copy(update={"status": RemittanceStatus.CREDITED})
    orders = tuple(home if each is order else each for each in state.remittances)
    return state.model_copy(update={"remittances": orders}).frozen_fen - state.frozen_fen


def _fault(
    state: TransferState, order: Remittance, ask: c.ConfirmReceipt, facts: c.ReceiptFacts, at: datetime
) -> Invalid | None:
    if ask.remittance_reference not in (None, order.reference):
        return invalid("remittanceReference", "UNKNOWN_REFERENCE", reference=order.reference)
    if ask.amount_fen < 0:
        return invalid("amount", "NEGATIVE")
    misdated = _misdated(state, order, ask.received_on, shanghai_date(at))
    if misdated is not None:
        return misdated
    if facts.paid_by_bank_reference is not None:
        return invalid("bankReference", "ALREADY_USED", reference=facts.paid_by_bank_reference)
    if order.status is RemittanceStatus.MISMATCHED and not (ask.note and ask.note.strip()):
        return invalid("note", "REASON_REQUIRED_AFTER_MISMATCH")
    return None


def _misdated(state: TransferState, order: Remittance, received_on: date, today: date) -> Invalid | None:
    """Money follows its order. One that is told by post (94号) is entered after it was given, and maybe after the money came."""
    ordered_on, submitted_on = shanghai_date(order.ordered_at), shanghai_date(state.submitted_at)
    if received_on > today:
        return invalid("receivedOn", "IN_THE_FUTURE")
    if order.send_on is not None and received_on < order.send_on:
        return invalid("receivedOn", "BEFORE_THE_BATCH", send_on=order.send_on.isoformat())
    told_late = order.by_post and order.kind is not RemittanceKind.REVERSE
    if not told_late and received_on < ordered_on:
        return invalid("receivedOn", "BEFORE_THE_ORDER", ordered_on=ordered_on.isoformat())
    if received_on < submitted_on:
        return invalid("receivedOn", "BEFORE_THE_APPLICATION", submitted_on=submitted_on.isoformat())
    return None
