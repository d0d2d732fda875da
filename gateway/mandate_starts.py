"""How a mandate from a window comes to start: approved by a second person of the agency, or confirmed by its giver."""

from collections.abc import Awaitable, Callable

from temporalio.exceptions import TemporalError

from activities.database import Connection
from activities.mandates import (
    MandateApproval,
    MandateCommand,
    MandateConfirmation,
    objection_to_approval,
    objection_to_confirmation,
    read_mandate,
)
from gateway.acting_person import acting
from gateway.applications import bind
from gateway.command_log import Entry, Key, KeyTakenError, Recorded, key_of
from gateway.commands import conflict, pending
from gateway.context import RequestContext
from gateway.errors import IdempotencyConflict, StepPending, ValidationFailed
from gateway.mandate_acts import NotSeenError, RefusedError, carried_out, named_mandate, not_allowed, not_found
from gateway.mandate_view import own_keys
from gateway.reachability import OUT_OF_REACH
from gateway.telling import Telling, telling_of
from gateway.types.mandates import (
    ApproveMandateInput,
    ApproveMandatePayload,
    ConfirmMandateInput,
    ConfirmMandatePayload,
    Mandate,
    MandateNotAllowed,
    MandateNotFound,
)
from gateway.validation import failed, violations_of_key, violations_of_person
from workflows.actors import Actor

Refused = ValidationFailed | MandateNotFound | MandateNotAllowed | IdempotencyConflict | StepPending
ApproveAnswer = ApproveMandatePayload | Refused
ConfirmAnswer = ConfirmMandatePayload | Refused


async def approve_mandate(context: RequestContext, given: ApproveMandateInput) -> ApproveAnswer:
    """Record that a second person of the agency has checked the signed paper, and have the mandate wait its day."""
    telling = await telling_of(context)
    violations = [
        *violations_of_key(telling, given.idempotency_key),
        *violations_of_person(telling, given.acting_person, required=True),
    ]
    if violations:
        return failed(telling, violations)
    actor, unfit = await acting(telling, given.acting_person or None, of_two_people=True)
    key = key_of(telling, "approveMandate", given.idempotency_key, given)
    done = await _act(
        telling,
        "approveMandate",
        key,
        lambda connection: _approval(telling, connection, actor, unfit, given.mandate_id),
    )
    if not isinstance(done, tuple):
        return done
    return ApproveMandatePayload(mandate=done[0], replayed=done[1].replayed)


async def confirm_mandate(context: RequestContext, given: ConfirmMandateInput) -> ConfirmAnswer:
    """Record that the giver stands by the mandate, and have it start now."""
    telling = await telling_of(context)
    violations = violations_of_key(telling, given.idempotency_key)
    if violations:
        return failed(telling, violations)
    key = key_of(telling, "confirmMandate", given.idempotency_key, given)
    done = await _act(
        telling, "confirmMandate", key, lambda connection: _confirmation(telling, connection, given.mandate_id)
    )
    if not isinstance(done, tuple):
        return done
    return ConfirmMandatePayload(mandate=done[0], replayed=done[1].replayed)


async def _act(
    telling: Telling, mutation: str, key: Key, make_entry: Callable[[Connection], Awaitable[Entry]]
) -> (
    tuple[Mandate, Recorded]
    | MandateNotFound
    | MandateNotAllowed
    | ValidationFailed
    | IdempotencyConflict
    | StepPending
):
    try:
        recorded = await bind(telling, [], key, make_entry)
    except KeyTakenError:
        return conflict(telling)
    except NotSeenError:
        return not_found(telling)
    except RefusedError as refused:
        return refused.answer
    try:
        return await carried_out(telling, recorded, mutation), recorded
    except RefusedError as refused:
        # Another command about this mandate was carried out between the recording and this one.
        return refused.answer
    except (TemporalError, *OUT_OF_REACH) as error:
        return pending(telling, error)


async def _approval(
    telling: Telling, connection: Connection, actor: Actor, unfit: ValidationFailed | None, node: str
) -> Entry:
    """The command. `unfit` is what is against the person who acts. Raises `NotSeenError` or `RefusedError`."""
    if unfit is not None:
        raise RefusedError(unfit)
    row = await named_mandate(telling, connection, node)
    why = objection_to_approval(await read_mandate(connection, row.mandate_id), actor, telling.now)
    if why is not None:
        raise not_allowed(telling, why)
    return Entry(
        kind=MandateCommand.APPROVE,
        actor=actor,
        input=MandateApproval(mandate_id=row.mandate_id).model_dump(mode="json"),
        received_at=telling.now,
    )


async def _confirmation(telling: Telling, connection: Connection, node: str) -> Entry:
    """The command. Raises `NotSeenError` or `RefusedError`."""
    row = await named_mandate(telling, connection, node)
    if row.person_key not in own_keys(telling):
        # The agent may know of the mandate; whether it waits for a confirmation is between the giver and the agency.
        raise NotSeenError
    why = objection_to_confirmation(await read_mandate(connection, row.mandate_id), telling.now)
    if why is not None:
        raise not_allowed(telling, why)
    return Entry(
        kind=MandateCommand.CONFIRM,
        actor=telling.actor,
        input=MandateConfirmation(mandate_id=row.mandate_id).model_dump(mode="json"),
        received_at=telling.now,
    )
