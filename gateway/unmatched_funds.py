"""Money that is nobody's yet, for the finance of the agency that has it and its supervisor: listed, and sent home."""

from datetime import date
from typing import Final
from uuid import UUID

from temporalio.exceptions import TemporalError

from activities import payout
from activities.bank import unmatched
from activities.bank.sending_home import COMMAND, SendHome
from activities.bank.unmatched import Place
from activities.database import Connection
from activities.free_text import seal_without_person
from gateway.applications import bind
from gateway.command_log import Entry, KeyTakenError, key_of
from gateway.commands import carry_out_alone, conflict, pending
from gateway.context import RequestContext
from gateway.errors import IdempotencyConflict, StepPending, ValidationFailed
from gateway.paging import check_page, cursor, cut, page_info, position
from gateway.precheck import violation
from gateway.reachability import OUT_OF_REACH
from gateway.telling import Telling, telling_of
from gateway.types.enums import UserErrorCode
from gateway.types.reference import Money, node_id, node_key
from gateway.types.unmatched_funds import (
    SendUnmatchedFundsHomeInput,
    SendUnmatchedFundsHomePayload,
    UnmatchedFunds,
    UnmatchedFundsConnection,
    UnmatchedFundsEdge,
    UnmatchedFundsNotFound,
    UnmatchedFundsProposal,
)
from gateway.validation import failed, violations_of_key, violations_of_text
from gateway.visibility import area_of
from workflows.messages import UnmatchedFundsOrder
from workflows.unmatched_funds import UnmatchedFundsWorkflow
from workflows.vocabulary import Role

SendHomeAnswer = (
    SendUnmatchedFundsHomePayload | ValidationFailed | UnmatchedFundsNotFound | IdempotencyConflict | StepPending
)
REASON_LENGTH: Final = 500
_TYPE: Final = "UnmatchedFunds"


class _RefusedError(Exception):
    """The money cannot be sent home. Nothing is recorded, and the key stays free."""

    def __init__(self, answer: ValidationFailed | UnmatchedFundsNotFound) -> None:
        super().__init__(answer.code)
        self.answer = answer


async def page_of_unmatched_funds(telling: Telling, first: int, after: str | None) -> UnmatchedFundsConnection:
    """A page of the list of the caller's agency, or of a supervisor's area, oldest first. Raises `InvalidArguments`."""
    check_page(first, telling.language)
    place = position(after, _place, telling.language)
    context = telling.context
    rows = await unmatched.unmatched_funds(
        context.pool, context.keyring, _regions(telling), limit=first + 1, after=place
    )
    page, more = cut(rows, first)
    edges = [
        UnmatchedFundsEdge(
            cursor=cursor(each.entry.booked_on, each.entry.entry_id), node=_told(telling, each, "viewer.unmatchedFunds")
        )
        for each in page
    ]
    return UnmatchedFundsConnection(
        edges=edges, page_info=page_info([edge.cursor for edge in edges], more=more, after=after)
    )


async def send_unmatched_funds_home(context: RequestContext, given: SendUnmatchedFundsHomeInput) -> SendHomeAnswer:
    """Record that the money goes home, and have it decided; the bank is then asked until it has taken it."""
    telling = await telling_of(context)
    violations = [
        *violations_of_key(telling, given.idempotency_key),
        *violations_of_text(telling, "reason", given.reason, REASON_LENGTH),
    ]
    if violations:
        return failed(telling, violations)
    key = key_of(telling, "sendUnmatchedFundsHome", given.idempotency_key, given)
    try:
        recorded = await bind(telling, [], key, lambda connection: _command(telling, connection, given))
    except KeyTakenError:
        return conflict(telling)
    except _RefusedError as refused:
        return refused.answer
    order = UnmatchedFundsOrder(command_id=recorded.command_id)
    run, name = UnmatchedFundsWorkflow.run, f"unmatched-funds-{recorded.command_id}"
    try:
        await carry_out_alone(context, recorded, run, order, name=name, summary="退回无主资金")
    except (TemporalError, *OUT_OF_REACH) as error:
        return pending(telling, error)
    asked = SendHome.model_validate(recorded.input)
    found = await unmatched.unmatched_by_id(context.pool, context.keyring, _regions(telling), asked.entry_id)
    return SendUnmatchedFundsHomePayload(
        unmatched_funds=_told(telling, found, "sendUnmatchedFundsHome") if found is not None else None,
        replayed=recorded.replayed,
    )


async def _command(telling: Telling, connection: Connection, given: SendUnmatchedFundsHomeInput) -> Entry:
    """The command. Raises `_RefusedError`."""
    named = node_key(given.entry_id)
    try:
        entry_id = UUID(named[1]) if named is not None and named[0] == _TYPE else None
    except ValueError:
        entry_id = None
    found = None
    if entry_id is not None:
        keyring, own = telling.context.keyring, [telling.context.viewer.region or ""]
        found = await unmatched.unmatched_by_id(connection, keyring, own, entry_id)
    if found is None or found.going_home:
        message = telling.say("unmatched_funds.NOT_FOUND")
        raise _RefusedError(UnmatchedFundsNotFound(code=UserErrorCode.NOT_FOUND, message=message))
    if found.entry.other_account is None:
        raise _RefusedError(failed(telling, [violation(telling, "entryId", "PAYER_UNKNOWN")]))
    return Entry(
        kind=COMMAND,
        actor=telling.actor,
        input=SendHome(
            entry_id=found.entry.entry_id, reason=seal_without_person(telling.context.keyring, given.reason)
        ).model_dump(mode="json"),
        received_at=telling.now,
    )


def _regions(telling: Telling) -> list[str]:
    """Where the caller is finance, or supervises: nobody else sees whose money it may be."""
    viewer = telling.context.viewer
    if viewer.region is None:
        return []
    own = {viewer.region} if viewer.has(Role.FINANCE, Role.AGENCY_SYSTEM) else set()
    return sorted(own | area_of(viewer, telling.reference.regions))


def _place(booked_on: str, entry_id: str) -> Place:
    return Place(date.fromisoformat(booked_on), UUID(entry_id))


def _told(telling: Telling, found: unmatched.UnmatchedFunds, operation: str) -> UnmatchedFunds:
    for proposal in found.proposals:
        telling.note_look(operation, transfer_no=proposal.candidate.transfer_no)
    entry, agency = found.entry, telling.agency(found.region)
    key = "unmatched_funds.GOING_HOME" if found.going_home else f"unmatched_funds.{found.why}"
    return UnmatchedFunds(
        id=node_id(_TYPE, entry.entry_id),
        bank_reference=entry.entry_reference,
        amount=Money.of(entry.amount_fen),
        received_on=entry.booked_on,
        value_on=entry.value_on,
        age_days=found.age_days(telling.today),
        why=found.why,
        message=telling.say(key, agency=agency.name, reference=entry.end_to_end_id or ""),
        agency=agency,
        said_reference=entry.end_to_end_id,
        payer_name=entry.other_name,
        payer_account=payout.masked(entry.other_account) if entry.other_account is not None else None,
        text=entry.text,
        going_home=found.going_home,
        proposals=[
            UnmatchedFundsProposal(
                remittance_reference=each.candidate.reference,
                transfer_no=each.candidate.transfer_no,
                amount=Money.of(each.candidate.amount_fen),
                because=list(each.because),
            )
            for each in found.proposals
        ],
    )
