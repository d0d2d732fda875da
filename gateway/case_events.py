"""Stored events, told: the public kind, the step, and a sentence in the request's language."""

from typing import TYPE_CHECKING, Final

from gateway.returned_money import return_words
from gateway.types.enums import TransferEventKind
from gateway.types.transfer import Transfer, TransferEvent
from workflows import events as e
from workflows.actors import ActorKind
from workflows.deadlines import Deadline
from workflows.event_actor import event_actor
from workflows.policy import Disposition
from workflows.state import TransferState
from workflows.vocabulary import MatchDecision, RemittanceKind, ReopeningReason, TransferStepKind
from workflows.words import day, knows, month, yuan
from workflows.words.recipients import recipient_words

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
    e.RemittancePrepared: P.REMITTANCE_PREPARED,
    e.RemittanceOrdered: P.STEP_DONE,
    e.FundsOrdered: P.FUNDS_ORDERED,
    e.FundsRemitted: P.FUNDS_REMITTED,
    e.ReceiptConfirmed: P.STEP_DONE,
    e.FundsReceived: P.FUNDS_RECEIVED,
    e.FundsMismatched: P.FUNDS_MISMATCHED,
    e.FundsReturned: P.FUNDS_RETURNED,
    e.FundsMatched: P.FUNDS_MATCHED,
    e.FundsCredited: P.FUNDS_CREDITED,
    e.ContinuationConfirmed: P.STEP_DONE,
    e.DeadlineDueSoon: P.DEADLINE_DUE_SOON,
    e.DeadlineMissed: P.DEADLINE_MISSED,
    e.DeadlineRevised: P.DEADLINE_REVISED,
    e.RegisterChecked: P.REGISTER_CHECKED,
    e.GapWarned: P.NEEDS_ATTENTION,
    e.ClockStarted: P.CLOCK_STARTED,
    e.ContactLetterIssued: P.STEP_DONE,
    e.MailRecorded: P.MAIL_RECORDED,
    e.FormPrepared: P.FORM_PREPARED,
    e.CorrectionRequested: P.CORRECTION_REQUESTED,
    e.CorrectionAnswered: P.CORRECTION_ANSWERED,
    e.ReverseProposed: P.NEEDS_ATTENTION,
    e.PayoutAccountProvided: P.PAYOUT_ACCOUNT_PROVIDED,
    e.FundsPaidOut: P.FUNDS_PAID_OUT,
    e.FundsRetained: P.FUNDS_RETAINED,
    e.FundsReleased: P.FUNDS_RELEASED,
    e.Escalated: P.NEEDS_ATTENTION,
    e.TerminationOrdered: P.NEEDS_ATTENTION,
    e.Terminated: P.TERMINATED,
    e.Withdrawn: P.WITHDRAWN,
    e.CompletedUnsaid: P.COMPLETED,
    e.Completed: P.COMPLETED,
    e.Reopened: P.REOPENED,
    e.LateContribution: P.LATE_CONTRIBUTION,
}

# The sentences that say the same to an employer as to all others.
TOLD_IN_FULL: Final = (
    *(e.Submitted, e.Accepted, e.StepOpened, e.ApplicationAccepted, e.CoverageStopped, e.Completed, e.CompletedUnsaid),
    *(e.ClockStarted, e.DeadlineDueSoon, e.DeadlineMissed, e.DeadlineRevised, e.Withdrawn),
)


def tell_event(stored: e.TransferEvent, case: Transfer, telling: "Telling") -> TransferEvent:
    """The public event of a stored one."""
    message = employer_message if case.view.limited else _message
    actor = event_actor(stored)
    return TransferEvent(
        seq=stored.seq,
        occurred_at=stored.occurred_at,
        kind=public_kind(stored),
        step=stored.step,
        message=message(stored, case.stored, telling),
        transfer=case,
        actor=actor,
        actor_label=telling.say(f"actor.{actor}"),
    )


def public_kind(stored: e.TransferEvent) -> TransferEventKind:
    """The kind of the event in the contract."""
    return PUBLIC_KIND[type(stored.fact)]


def employer_message(stored: e.TransferEvent, state: TransferState, telling: "Telling") -> str:
    """The sentence for an employer: of what was done that it was done; no note, amount, month, reference or reason."""
    fact = stored.fact
    name = fact.type.partition(".")[0]
    if knows(telling.language, f"employer.event.{name}"):
        return telling.say(f"employer.event.{name}")
    if isinstance(fact, TOLD_IN_FULL):
        return telling.say(_key(stored, state), **_figures(stored, state, telling))
    step = stored.step
    if step is None:
        raise ValueError(f"an employer is not told of {name}")
    agency = telling.agency(_region(fact, step, state)).name
    return telling.say("employer.event.step_done", step=telling.say(f"step.{step}"), agency=agency)


def _message(stored: e.TransferEvent, state: TransferState, telling: "Telling") -> str:
    """The sentence of the fact, what the agency wrote beside it, and who entered it from what came by post."""
    fact = stored.fact
    message = telling.say(_key(stored, state), **_figures(stored, state, telling))
    note = fact.reason if isinstance(fact, e.FundsMatched) else getattr(fact, "note", None)
    if isinstance(fact, e.FundsMatched) or (
        isinstance(fact, e.Declined | e.FundsReceived | e.FundsMismatched | e.CorrectionRequested) and note
    ):
        message = telling.say("event.noted", message=message, note=note)
    if isinstance(fact, e.FundsOrdered) and fact.send_on is not None:
        message = telling.say("event.sent_on", message=message, send_on=day(telling.language, fact.send_on))
    entered_by = _entered_by(stored, state)
    if entered_by is None:
        return message
    return telling.say("event.entered", message=message, entered_by=telling.agency(entered_by).name)


def _entered_by(stored: e.TransferEvent, state: TransferState) -> str | None:
    """The agency that entered what another one, which is not connected, did by post (94号)."""
    region, actor = _doer(stored, state), stored.actor.region
    entered = region is not None and region in state.unconnected and actor not in (None, region)
    return actor if entered and actor in (state.from_region, state.to_region) else None


def _doer(stored: e.TransferEvent, state: TransferState) -> str | None:
    """The agency whose doing the fact is; None for what happens by itself, and for the post, which anyone may see arrive."""
    kind = e.STEP_OF_FACT.get(type(stored.fact))
    return _region(stored.fact, kind, state) if kind is not None else None


def _key(stored: e.TransferEvent, state: TransferState) -> str:  # noqa: C901, PLR0911, PLR0912 - one arm for each fact that has several sentences
    fact = stored.fact
    key = f"event.{fact.type.partition('.')[0]}"
    match fact:
        case e.Submitted() if stored.actor.kind is not ActorKind.PERSON:
            return f"{key}.{stored.actor.kind}"
        case e.Withdrawn():
            return f"{key}.{stored.actor.kind}"
        case e.Declined(returned=reason) if reason is not None:
            return f"{key}.returned"
        case e.StepOpened(deadline=deadline) if deadline is not None:
            return f"{key}.due"
        case e.DeadlineRevised():
            return f"{key}{_why_revised(fact)}"
        case e.RegisterChecked(waiting=False):
            return f"{key}.passed"
        case e.MailRecorded():
            return f"{key}.arrived" if fact.arrived_on else f"{key}.sent" if fact.sent_on else key
        case e.Terminated(reason=reason) if reason:
            return f"{key}.why"
        case e.FundsMatched():
            if fact.decision is MatchDecision.SEND_HOME:
                return f"{key}.SEND_HOME"
            return f"{key}.more" if fact.excess_fen else key
        case e.Reopened(why=ReopeningReason.LATE_CONTRIBUTION):
            return f"{key}.LATE_CONTRIBUTION"
        case e.LateContribution():
            retained = state.form is not None and state.form.disposition is Disposition.RETAIN
            return f"{key}.retained" if retained else key
        case e.FundsOrdered(by_post=True):
            return f"{key}.by_post"
        case e.FundsOrdered() | e.FundsReceived() | e.FundsCredited():
            kind = _kind_of_order(fact, state)
            return key if kind is RemittanceKind.TRANSFER else f"{key}.{kind}"
        case _:
            return key


def _kind_of_order(fact: e.FundsOrdered | e.FundsReceived | e.FundsCredited, state: TransferState) -> RemittanceKind:
    return _kind_of(fact.reference, state)


def _kind_of(reference: str, state: TransferState) -> RemittanceKind:
    return next((each.kind for each in state.remittances if each.reference == reference), RemittanceKind.TRANSFER)


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
        case e.CertificateIssued() | e.CertificateReissued() | e.ContactLetterIssued():
            figures["number"] = fact.number
        case e.ArrearsNotified():
            figures["amount"] = yuan(fact.arrears_fen)
            figures["first_month"] = month(language, fact.first_month)
            figures["last_month"] = month(language, fact.last_month)
        case e.ContinuationConfirmed():
            figures["total_months"] = fact.continuation.total_months
            figures["waiting"] = telling.waiting(fact.continuation.waiting_period).rule
        case e.TerminationOrdered() | e.Terminated():
            figures["reason"] = fact.reason
        case _:
            figures |= _form_figures(fact, telling) | _clock_figures(fact, telling)
            figures |= _money_figures(fact, state, telling)
    return figures


def _form_figures(fact: e.AnyFact, telling: "Telling") -> dict[str, object]:
    match fact:
        case e.FormDelivered():
            return {"months": sum(period.months for period in fact.periods), "amount": yuan(fact.balance_fen)}
        case e.FormPrepared() | e.CorrectionAnswered():
            return {"version": fact.version}
        case e.CorrectionRequested():
            return {"reason": telling.say(f"correction.{fact.reason}")}
        case e.MailRecorded():
            days = {"sent_on": fact.sent_on, "arrived_on": fact.arrived_on}
            said = {name: day(telling.language, value) for name, value in days.items() if value is not None}
            return {
                "item": telling.say(f"item.{fact.item}"),
                "carrier": fact.carrier,
                "tracking_no": fact.tracking_no,
                **said,
            }
        case _:
            return {}


def _clock_figures(fact: e.AnyFact, telling: "Telling") -> dict[str, object]:  # noqa: PLR0911 - one arm for each fact
    language = telling.language
    match fact:
        case e.StepOpened(deadline=deadline) if deadline is not None:
            return {"due_on": _due(deadline, telling)}
        case e.ClockStarted(deadline=deadline):
            return {"starts_on": day(language, deadline.starts_on), "due_on": _due(deadline, telling)}
        case e.DeadlineDueSoon() | e.DeadlineMissed():
            return {"due_on": day(language, fact.due_on), "told": _told(fact.told, telling)}
        case e.Escalated():
            return {"days": fact.working_days_late, "told": _told(fact.told, telling)}
        case e.GapWarned():
            return {"closes_on": day(language, fact.closes_on)}
        case e.DeadlineRevised():
            before, after = day(language, fact.before.due_on), _due(fact.after, telling)
            return {"before": before, "due_on": after, "edition": fact.after.calendar_edition}
        case _:
            return {}


def _due(deadline: Deadline, telling: "Telling") -> str:
    """The last day; one that an unpublished year may move is never shown as certain."""
    due_on = day(telling.language, deadline.due_on)
    return telling.say("due.provisional", due_on=due_on) if deadline.provisional else due_on


def _money_figures(fact: e.AnyFact, state: TransferState, telling: "Telling") -> dict[str, object]:  # noqa: PLR0911 - one arm for each fact
    match fact:
        case e.FundsReturned():
            order = next(each for each in state.remittances if each.reference == fact.reference)
            words = return_words(order, fact.reason, state, telling)
            figures = {"amount": yuan(fact.amount_fen), "reference": fact.reference}
            return {**figures, "reason": words.reason, "fix": words.fix}
        case e.FundsMatched():
            amounts = ("credited", "sent_home", "missing", "excess")
            return {name: yuan(getattr(fact, f"{name}_fen")) for name in amounts}
        case e.FundsReceived():
            return {"amount": yuan(fact.amount_fen), "received_on": day(telling.language, fact.received_on)}
        case e.FundsMismatched():
            return {"amount": yuan(fact.ordered_fen), "received": yuan(fact.received_fen)}
        case e.LateContribution():
            return {"amount": yuan(fact.amount_fen), "month": month(telling.language, fact.month)}
        case e.PayoutAccountProvided():
            return {"account": fact.masked_account}
        case e.FundsRetained() | e.FundsReleased():
            return {"amount": yuan(fact.amount_fen)}
        case _:
            amount = getattr(fact, "amount_fen", None)
            return {} if amount is None else {"amount": yuan(amount), "reference": getattr(fact, "reference", "")}


def _region(fact: e.AnyFact, step: TransferStepKind, state: TransferState) -> str:
    """The agency whose step it was: a later round of the same step may be the other's, as when money comes home."""
    match fact:
        case e.StepOpened():
            return fact.region
        case e.ReceiptConfirmed() | e.FundsMismatched() | e.FundsMatched():
            home = _kind_of(fact.reference, state) is RemittanceKind.REVERSE
            return state.from_region if home else state.to_region
        case e.ClockStarted() | e.DeadlineDueSoon() | e.DeadlineMissed() | e.DeadlineRevised() | e.Escalated():
            rounds = {each.round: each.region for each in state.steps if each.kind is step}
            return rounds.get(fact.round, state.step(step).region)
        case _:
            return state.step(step).region


def _told(recipients: tuple[str, ...], telling: "Telling") -> str:
    """`agency:110000`, `supervisor:110000` as people say it."""
    regions = telling.reference.regions
    return telling.say("told.and").join(recipient_words(each, regions, telling.language) for each in recipients)
