"""The seven questions of the insured person, answered from a transfer's state."""

from datetime import datetime

from gateway.returned_money import last_returned, return_words
from gateway.telling import Telling
from gateway.types.enums import PersonAction
from gateway.types.transfer import Progress, Transfer, TransferStep
from workflows.actors import Actor, ActorKind
from workflows.deadlines import shanghai_date
from workflows.remittance import Remittance
from workflows.rules import objection
from workflows.state import Step, TransferState
from workflows.vocabulary import (
    DeadlineState,
    FundsStatus,
    RefusalCode,
    RemittanceKind,
    RemittanceStatus,
    ReopeningReason,
    Role,
    TransferAction,
    TransferStatus,
    TransferStepKind,
)
from workflows.words import day, knows, yuan

A = PersonAction
IN_ORDER = tuple(A)
# What the person does about a reason for which an application was not accepted.
MENDED_BY = {
    RefusalCode.COVERAGE_STILL_ACTIVE: A.STOP_COVERAGE,
    RefusalCode.NOT_ENROLLED_AT_DESTINATION: A.ENROL_AT_DESTINATION,
    RefusalCode.CURRENT_MONTH_UNPAID: A.ENROL_AT_DESTINATION,
    RefusalCode.RESIDENT_SAME_YEAR: A.ENROL_AT_DESTINATION,
    RefusalCode.IDENTITY_MISMATCH: A.CORRECT_DETAILS,
    RefusalCode.RESIDENT_ID_INVALID: A.CORRECT_DETAILS,
    RefusalCode.SCHEME_MISMATCH: A.CORRECT_DETAILS,
    RefusalCode.NO_RECORD_AT_ORIGIN: A.CORRECT_DETAILS,
    RefusalCode.SAME_POOLING_REGION: A.CORRECT_DETAILS,
    RefusalCode.CERTIFICATE_INVALID: A.CORRECT_DETAILS,
}
_APPLICANT = Actor(subject="", roles=(Role.INSURED_PERSON,))
_FORM = TransferStepKind.DELIVER_INFORMATION_FORM
# With no remittance the money has gone nowhere, whatever ended the case.
# Where an order for what was paid late says more than the track's own words.
_LATE_HAS_WORDS = (RemittanceStatus.ORDERED, RemittanceStatus.REMITTED)
_ENDED_EARLY = (TransferStatus.DECLINED, TransferStatus.WITHDRAWN, TransferStatus.TERMINATED)


def tell_progress(case: Transfer, held: Step | None, current: TransferStep | None) -> Progress:
    """`held` is the step that is waited for now, None when the case is closed; `current` is the same step as it is shown."""
    state, telling, limited = case.stored, case.telling, case.view.limited
    held_since = held.opened_at if held is not None else state.closed_at
    unapproved = held is not None and held.kind is TransferStepKind.APPROVE_REVERSE_REMITTANCE
    deadline = current.deadline if current is not None else None
    return Progress(
        headline=(_employer_headline if limited else _headline)(state, telling, current),
        holder=current.agency if current is not None else None,
        holder_role=Role.SUPERVISOR if unapproved else None,
        held_since=held_since or state.submitted_at,
        due_on=deadline.due_on if deadline is not None else None,
        provisional=deadline is not None and deadline.provisional,
        # No basis yet for a forecast, so none is made.
        expected_on=None,
        expected_by=None,
        money=telling.say("employer.money") if limited else _money(state, telling),
        actions=(_employer_actions(case) if limited else _actions(state, current)) or [A.NONE],
    )


def _employer_headline(state: TransferState, telling: Telling, current: TransferStep | None) -> str:
    """Where the transfer stands, without what is said of the money."""
    if state.terminating and not state.closed:
        return telling.say("employer.headline.terminating")
    if state.withdrawn_by is not None and state.withdrawn_by is not ActorKind.EMPLOYER:
        return telling.say("employer.headline.WITHDRAWN")
    return _headline(state.model_copy(update={"reopened_for": None}), telling, current)


def _employer_actions(case: Transfer) -> list[PersonAction]:
    """The one thing that an employer can do: withdraw what it submitted."""
    withdraw = objection(case.view.actual, TransferAction.WITHDRAW_TRANSFER, case.view.acting(case.telling.actor))
    return [A.WITHDRAW] if withdraw is None else []


def _headline(state: TransferState, telling: Telling, current: TransferStep | None) -> str:
    # The status names the track of the record; the money's own track does not change who works on it.
    region = state.to_region if state.status is TransferStatus.TRANSFERRING_IN else state.from_region
    key = f"headline.{state.status}"
    if state.terminating and not state.closed:
        key = "headline.terminating"
    elif state.waiting:
        key = f"{key}.waiting"
    elif current is not None and knows(telling.language, f"{key}.{current.kind}"):
        key, region = f"{key}.{current.kind}", current.agency.region.code
    elif state.status is TransferStatus.AWAITING_FUNDS and state.reopened_for is not None:
        key = f"{key}.{state.reopened_for}"
    elif _in_the_post(state):
        key = f"{key}.on_its_way"
    elif state.withdrawn_by is not None and knows(telling.language, f"{key}.{state.withdrawn_by}"):
        key = f"{key}.{state.withdrawn_by}"
    headline = telling.say(key, agency=telling.agency(region).name)
    if current is not None and current.kind is TransferStepKind.APPROVE_REVERSE_REMITTANCE:
        return telling.say("headline.unapproved", headline=headline, region=current.agency.region.name)
    return telling.say("headline.overdue", headline=headline) if _overdue(current) else headline


def _in_the_post(state: TransferState) -> bool:
    """R's letter is on its way: the clock of O's form starts when it arrives."""
    kind = TransferStepKind.DELIVER_INFORMATION_FORM
    return state.status is TransferStatus.TRANSFERRING_OUT and state.is_open(kind) and state.step(kind).deadline is None


def _overdue(current: TransferStep | None) -> bool:
    return current is not None and current.deadline is not None and current.deadline.state is DeadlineState.OVERDUE


def _money(state: TransferState, telling: Telling) -> str:
    figures: dict[str, object] = {
        "transfer_out": telling.region(state.from_region).name,
        "transfer_in": telling.region(state.to_region).name,
        "account": state.payout_account or "",
    }
    status, order = state.funds_status, state.remittance
    if order is not None:
        figures["amount"] = yuan(order.expected_fen if order.on_its_way else order.amount_fen)
        figures["ordered_on"] = day(telling.language, shanghai_date(order.ordered_at))
        if order.received_fen is not None:
            figures["received"] = yuan(order.received_fen)
        credited_at = _credited_at(state)
        if credited_at is not None:
            figures["credited_on"] = day(telling.language, shanghai_date(credited_at))
        if order.send_on is not None:
            figures["send_on"] = day(telling.language, order.send_on)
        special = _special_order(state, order)
        if special is not None:
            return telling.say(special, **figures)
    if status is FundsStatus.CREDITED:
        # All that has come, whatever the last order corrected.
        figures["amount"] = yuan(state.settled_fen)
    if status is FundsStatus.RETURNED:
        return _returned(state, telling, figures)
    if status is not FundsStatus.PENDING:
        return telling.say(f"money.{status}", **figures)
    if state.status in _ENDED_EARLY:
        return telling.say("money.UNTOUCHED", **figures)
    return _pending(state, telling, figures)


def _credited_at(state: TransferState) -> datetime | None:
    """When R last credited money; money that came home was received by O."""
    kind = TransferStepKind.CONFIRM_RECEIPT
    done = (each.done_at for each in state.steps if each.kind is kind and each.region == state.to_region)
    return max((each for each in done if each is not None), default=None)


def _special_order(state: TransferState, order: Remittance) -> str | None:
    """The words of an order that does not go from O to R, or of one whose status says it better than the track's."""
    at_an_end = order.status is RemittanceStatus.CREDITED
    if order.waits_for_cycle:
        kind = RemittanceKind.TRANSFER if order.kind is RemittanceKind.RESIDUAL else order.kind
        return f"money.{'LATE' if _follows(state, order) else kind}.SEND_ON"
    match order.kind:
        case RemittanceKind.RESIDUAL if _follows(state, order) and order.status in _LATE_HAS_WORDS:
            return f"money.LATE.{order.status}"
        case RemittanceKind.REVERSE if order.on_its_way:
            way_home = "money.REVERSE.UNCREDITED" if order.uncredited else "money.REVERSE"
            unapproved = order.status is RemittanceStatus.AWAITING_RELEASE
            return f"{way_home}.AWAITING_RELEASE" if unapproved else f"{way_home}.ON_ITS_WAY"
        case RemittanceKind.REVERSE if at_an_end and state.settled_fen == state.target_fen == 0:
            return "money.REVERSE.HOME"
        case RemittanceKind.PAYOUT if order.on_its_way:
            return "money.PAYOUT.ON_ITS_WAY"
        case _:
            return None


def _follows(state: TransferState, order: Remittance) -> bool:
    """Whether the order is under way for what was paid late, and not for money that came back."""
    late = state.reopened_for is ReopeningReason.LATE_CONTRIBUTION
    return late and order.kind is RemittanceKind.RESIDUAL and last_returned(state) is None


def _returned(state: TransferState, telling: Telling, figures: dict[str, object]) -> str:
    """What came back, why, what mends it and what happens now."""
    order = last_returned(state)
    if order is None or order.return_reason is None or not state.owed_fen:
        return telling.say("money.RETURNED.HOME", **figures)
    if state.to_release is not None:
        return _pending(state, telling, figures)
    words = return_words(order, order.return_reason, state, telling)
    figures |= {"amount": yuan(state.owed_fen), "reason": words.reason, "fix": words.fix}
    key = "money.RETURNED.LATE" if state.reopenings else "money.RETURNED"
    if state.pays_out:
        key = "money.RETURNED.ACCOUNT" if state.awaits_account else "money.RETURNED.PAYOUT"
    return telling.say(key, **figures)


def _pending(state: TransferState, telling: Telling, figures: dict[str, object]) -> str:
    """Nothing is ordered yet, or not all of it."""
    frozen_at = next((step.done_at for step in state.steps if step.kind is _FORM and step.done_at), None)
    if state.form is None or frozen_at is None:
        return telling.say("money.PENDING", **figures)
    figures |= {"amount": yuan(state.owed_fen), "missing": yuan(state.missing_fen)}
    figures["frozen_on"] = day(telling.language, shanghai_date(frozen_at))
    return telling.say(f"money.PENDING.{_why_pending(state)}", **figures)


def _why_pending(state: TransferState) -> str:
    """What has to happen before the rest is ordered; the end of the words' key."""
    whys = (
        (state.to_release is not None, "RELEASE"),
        (_is_home_uncredited(state), "AGAIN"),
        (0 < state.missing_fen != state.owed_fen, "MISSING_AND_MORE"),
        (state.missing_fen > 0, "MISSING"),
        (state.awaits_account, "ACCOUNT"),
        (state.pays_out, "PAYOUT"),
        (state.reopened_for is ReopeningReason.LATE_CONTRIBUTION, "LATE"),
        (state.settled_fen > 0, "MORE"),
    )
    return next((why for holds, why in whys if holds), "FROZEN")


def _is_home_uncredited(state: TransferState) -> bool:
    """Whether the last order brought a wrong amount that R sent home: nothing of it was credited, whatever is missing of it."""
    sent = [each for each in state.remittances if not (each.comes_home or each.given_up or each.awaits_release)]
    return bool(sent) and sent[-1].sent_home_fen > 0


def _actions(state: TransferState, current: TransferStep | None) -> list[PersonAction]:
    """What the person can do now, in the order of the contract's list."""
    wanted = set()
    if objection(state, TransferAction.WITHDRAW_TRANSFER, _APPLICANT) is None:
        wanted.add(A.WITHDRAW)
    if state.is_open(TransferStepKind.STOP_COVERAGE):
        wanted.add(A.STOP_COVERAGE)
    if state.awaits_account and state.is_open(TransferStepKind.REMIT_PERSONAL_ACCOUNT):
        wanted.add(A.PROVIDE_PAYOUT_ACCOUNT)
    codes = {each.code for each in state.findings}
    if state.waiting:
        wanted |= {MENDED_BY[code] for code in codes & MENDED_BY.keys()}
    if RefusalCode.ARREARS_OUTSTANDING in codes and state.status is not TransferStatus.WITHDRAWN:
        wanted.add(A.PAY_ARREARS)
    if state.status is TransferStatus.DECLINED:
        wanted |= {MENDED_BY[code] for code in codes & MENDED_BY.keys()}
        wanted.add(A.CONTACT_AGENCY)
    if state.certificate is not None or state.status is TransferStatus.DECLINED:
        wanted.add(A.DOWNLOAD_DOCUMENTS)
    if _overdue(current) or state.funds_status is FundsStatus.MISMATCHED:
        wanted.add(A.CONTACT_AGENCY)
    return [each for each in IN_ORDER if each in wanted]
