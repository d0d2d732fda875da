"""Stored events, told: the public kind, the step, and a sentence in the request's language."""

from typing import TYPE_CHECKING, Final

from gateway.types.enums import TransferEventKind
from gateway.types.transfer import Transfer, TransferEvent
from workflows import events as e
from workflows.deadlines import Deadline
from workflows.state import TransferState
from workflows.vocabulary import TransferStepKind
from workflows.words import day, month, yuan

if TYPE_CHECKING:
    from gateway.telling import Telling

P = TransferEventKind
PUBLIC_KIND: Final[dict[type[e.Fact], TransferEventKind]] = {
    e.Submitted: P.SUBMITTED,
    e.Accepted: P.ACCEPTED,
    e.Declined: P.DECLINED,
    e.StepOpened: P.STEP_OPENED,
    e.ApplicationAccepted: P.STEP_DONE,
    e.CoverageStopped: P.STEP_DONE,
    e.CertificateIssued: P.STEP_DONE,
    e.CertificateReissued: P.CERTIFICATE_REISSUED,
    e.ArrearsNotified: P.ARREARS_NOTIFIED,
    e.FormDelivered: P.STEP_DONE,
    e.FundsNotRequired: P.FUNDS_NOT_REQUIRED,
    e.RemittanceOrdered: P.STEP_DONE,
    e.FundsOrdered: P.FUNDS_ORDERED,
    e.FundsRemitted: P.FUNDS_REMITTED,
    e.ReceiptConfirmed: P.STEP_DONE,
    e.FundsReceived: P.FUNDS_RECEIVED,
    e.FundsMismatched: P.FUNDS_MISMATCHED,
    e.FundsCredited: P.FUNDS_CREDITED,
    e.ContinuationConfirmed: P.STEP_DONE,
    e.DeadlineDueSoon: P.DEADLINE_DUE_SOON,
    e.DeadlineMissed: P.DEADLINE_MISSED,
    e.DeadlineRevised: P.DEADLINE_REVISED,
    e.Withdrawn: P.WITHDRAWN,
    e.Completed: P.COMPLETED,
}


def tell_event(stored: e.TransferEvent, case: Transfer, telling: "Telling") -> TransferEvent:
    """The public event of a stored one."""
    return TransferEvent(
        seq=stored.seq,
        occurred_at=stored.occurred_at,
        kind=PUBLIC_KIND[type(stored.fact)],
        step=stored.step,
        message=_message(stored, case.stored, telling),
        transfer=case,
    )


def _message(stored: e.TransferEvent, state: TransferState, telling: "Telling") -> str:
    """The sentence of the fact, and what the agency wrote beside it."""
    message = telling.say(_key(stored.fact), **_figures(stored, state, telling))
    match stored.fact:
        case e.Declined(note=note) | e.FundsReceived(note=note) | e.FundsMismatched(note=note) if note:
            return telling.say("event.noted", message=message, note=note)
        case _:
            return message


def _key(fact: e.AnyFact) -> str:
    key = f"event.{fact.type.partition('.')[0]}"
    match fact:
        case e.Declined(returned=reason) if reason is not None:
            return f"{key}.returned"
        case e.StepOpened(deadline=deadline) if deadline is not None:
            return f"{key}.due"
        case e.DeadlineRevised():
            return f"{key}{_why_revised(fact)}"
        case _:
            return key


def _why_revised(fact: e.DeadlineRevised) -> str:
    """What moved the date, as the end of the words' key: the year's table where nothing else did."""
    before, after = fact.before, fact.after
    if before.due_on == after.due_on:
        return ".firm" if before.provisional and not after.provisional else ".same"
    if before.pauses != after.pauses:
        return ".paused"
    same_table = before.editions == after.editions and before.provisional == after.provisional
    return ".regional" if same_table and before.regional_days_off != after.regional_days_off else ""


def _figures(stored: e.TransferEvent, state: TransferState, telling: "Telling") -> dict[str, object]:
    """What the sentence of a fact needs, written as people write it."""
    fact, language = stored.fact, telling.language
    figures: dict[str, object] = {
        "transfer_out": telling.region(state.from_region).name,
        "transfer_in": telling.region(state.to_region).name,
    }
    step = stored.step
    if step is not None:
        figures["step"] = telling.say(f"step.{step}")
        figures["agency"] = telling.agency(_region(fact, step, state)).name
    match fact:
        case e.Declined(returned=reason) if reason is not None:
            figures["agency"] = telling.agency(state.from_region).name
            figures["reason"] = telling.say(f"returned.{reason}")
        case e.CoverageStopped():
            figures["stopped_on"] = day(language, fact.stopped_on)
        case e.CertificateIssued() | e.CertificateReissued():
            figures["number"] = fact.number
        case e.ArrearsNotified():
            figures["amount"] = yuan(fact.arrears_fen)
            figures["first_month"] = month(language, fact.first_month)
            figures["last_month"] = month(language, fact.last_month)
        case e.FormDelivered():
            figures["months"] = sum(period.months for period in fact.periods)
            figures["amount"] = yuan(fact.balance_fen)
        case e.ContinuationConfirmed():
            figures["total_months"] = fact.continuation.total_months
            figures["waiting"] = telling.waiting(fact.continuation.waiting_period).rule
        case _:
            figures |= _clock_figures(fact, telling) | _money_figures(fact, telling)
    return figures


def _clock_figures(fact: e.AnyFact, telling: "Telling") -> dict[str, object]:
    language = telling.language
    match fact:
        case e.StepOpened(deadline=deadline) if deadline is not None:
            return {"due_on": _due(deadline, telling)}
        case e.DeadlineDueSoon() | e.DeadlineMissed():
            return {"due_on": day(language, fact.due_on), "told": _told(fact.told, telling)}
        case e.DeadlineRevised():
            before, after = day(language, fact.before.due_on), _due(fact.after, telling)
            return {"before": before, "due_on": after, "edition": fact.after.calendar_edition}
        case _:
            return {}


def _due(deadline: Deadline, telling: "Telling") -> str:
    """The last day; one that an unpublished year may move is never shown as certain."""
    due_on = day(telling.language, deadline.due_on)
    return telling.say("due.provisional", due_on=due_on) if deadline.provisional else due_on


def _money_figures(fact: e.AnyFact, telling: "Telling") -> dict[str, object]:
    match fact:
        case e.RemittanceOrdered() | e.FundsOrdered() | e.FundsRemitted() | e.ReceiptConfirmed() | e.FundsCredited():
            return {"amount": yuan(fact.amount_fen), "reference": fact.reference}
        case e.FundsReceived():
            return {"amount": yuan(fact.amount_fen), "received_on": day(telling.language, fact.received_on)}
        case e.FundsMismatched():
            return {"amount": yuan(fact.ordered_fen), "received": yuan(fact.received_fen)}
        case _:
            return {}


def _region(fact: e.AnyFact, step: TransferStepKind, state: TransferState) -> str:
    return fact.region if isinstance(fact, e.StepOpened) else state.step(step).region


def _told(recipients: tuple[str, ...], telling: "Telling") -> str:
    """`agency:110000`, `supervisor:110000` as people say it."""
    said = []
    for recipient in recipients:
        who, _, region = recipient.partition(":")
        agency = telling.agency(region)
        said.append(telling.say(f"told.{who}", agency=agency.name, region=agency.region.name))
    return telling.say("told.and").join(said)
