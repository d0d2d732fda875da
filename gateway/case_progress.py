"""The seven questions of the insured person, answered from a transfer's state."""

from gateway.telling import Telling
from gateway.types.enums import PersonAction
from gateway.types.transfer import Progress, TransferStep
from workflows.actors import Actor
from workflows.deadlines import shanghai_date
from workflows.rules import objection
from workflows.state import TransferState
from workflows.vocabulary import (
    DeadlineState,
    FundsStatus,
    RefusalCode,
    Role,
    TransferAction,
    TransferStatus,
    TransferStepKind,
)
from workflows.words import day, yuan

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
# With no remittance the money has gone nowhere, whatever ended the case.
_ENDED_EARLY = (TransferStatus.DECLINED, TransferStatus.WITHDRAWN, TransferStatus.TERMINATED)


def tell_progress(state: TransferState, telling: Telling, current: TransferStep | None) -> Progress:
    """`current` is the open step due first, None when the case is closed."""
    opened = state.open_steps
    held_since = opened[0].opened_at if opened else state.closed_at
    deadline = current.deadline if current is not None else None
    return Progress(
        headline=_headline(state, telling, current),
        holder=current.agency if current is not None else None,
        held_since=held_since or state.submitted_at,
        due_on=deadline.due_on if deadline is not None else None,
        provisional=deadline is not None and deadline.provisional,
        # No basis yet for a forecast, so none is made.
        expected_on=None,
        expected_by=None,
        money=_money(state, telling),
        actions=_actions(state, current) or [A.NONE],
    )


def _headline(state: TransferState, telling: Telling, current: TransferStep | None) -> str:
    key = f"headline.{state.status}"
    if state.status is TransferStatus.SUBMITTED and current is not None:
        key = f"{key}.{current.kind}"
    # The status names the track of the record; the money's own track does not change who works on it.
    region = state.to_region if state.status is TransferStatus.TRANSFERRING_IN else state.from_region
    agency = telling.agency(region) if current is None or not key.endswith(current.kind) else current.agency
    headline = telling.say(key, agency=agency.name)
    return telling.say("headline.overdue", headline=headline) if _overdue(current) else headline


def _overdue(current: TransferStep | None) -> bool:
    return current is not None and current.deadline is not None and current.deadline.state is DeadlineState.OVERDUE


def _money(state: TransferState, telling: Telling) -> str:
    figures: dict[str, object] = {
        "transfer_out": telling.region(state.from_region).name,
        "transfer_in": telling.region(state.to_region).name,
    }
    status, order = state.funds_status, state.remittance
    if order is not None:
        figures["amount"] = yuan(order.amount_fen)
        figures["ordered_on"] = day(telling.language, shanghai_date(order.ordered_at))
        if order.received_fen is not None:
            figures["received"] = yuan(order.received_fen)
        credited_at = state.step(TransferStepKind.CONFIRM_RECEIPT).done_at
        if credited_at is not None:
            figures["credited_on"] = day(telling.language, shanghai_date(credited_at))
    if status is not FundsStatus.PENDING:
        return telling.say(f"money.{status}", **figures)
    if state.status in _ENDED_EARLY:
        return telling.say("money.UNTOUCHED", **figures)
    frozen_at = state.step(TransferStepKind.DELIVER_INFORMATION_FORM).done_at
    if state.form is None or frozen_at is None:
        return telling.say("money.PENDING", **figures)
    figures["amount"] = yuan(state.form.balance_fen)
    figures["frozen_on"] = day(telling.language, shanghai_date(frozen_at))
    return telling.say("money.PENDING.FROZEN", **figures)


def _actions(state: TransferState, current: TransferStep | None) -> list[PersonAction]:
    """What the person can do now, in the order of the contract's list."""
    wanted = set()
    if objection(state, TransferAction.WITHDRAW_TRANSFER, _APPLICANT) is None:
        wanted.add(A.WITHDRAW)
    if state.is_open(TransferStepKind.STOP_COVERAGE):
        wanted.add(A.STOP_COVERAGE)
    codes = {each.code for each in state.findings}
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
