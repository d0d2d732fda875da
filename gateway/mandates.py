"""Mandates: given and taken back by a person, or entered from paper at a window of their region; and listed, masked."""

from uuid import UUID, uuid4

import asyncpg
from temporalio.exceptions import TemporalError

from activities.database import Connection
from activities.keyring import KeyringError
from activities.mandates import MandateCommand, MandateGrant, MandateRevocation
from activities.people import find_person, open_agent, seal_agent
from gateway import mandate_reads, reads
from gateway.applications import bind
from gateway.command_log import Entry, KeyTakenError, Recorded, key_of
from gateway.commands import carry_out_alone, conflict, pending
from gateway.context import RequestContext
from gateway.errors import FieldViolation, IdempotencyConflict, StepPending, ValidationFailed
from gateway.mandate_reads import MandateRow
from gateway.paging import invalid
from gateway.precheck import Asked, asked_about, violation
from gateway.reachability import OUT_OF_REACH
from gateway.telling import NO_NUMBER, Telling, telling_of
from gateway.types.enums import UserErrorCode
from gateway.types.mandates import (
    GrantMandateInput,
    GrantMandatePayload,
    Mandate,
    MandateNotAllowed,
    MandateNotFound,
    Mandates,
    RevokeMandateInput,
    RevokeMandatePayload,
)
from gateway.types.reference import node_id, node_key
from gateway.validation import failed, failed_in_the_step, violations_of_key
from workflows.identity import mask_resident_id, resident_id_fault
from workflows.mandate import MandateWorkflow
from workflows.mandate_terms import mandate_state, refuse_validity
from workflows.messages import MandateOrder
from workflows.vocabulary import CLERKS, Role

GrantAnswer = GrantMandatePayload | ValidationFailed | MandateNotAllowed | IdempotencyConflict | StepPending
RevokeAnswer = RevokeMandatePayload | ValidationFailed | MandateNotFound | IdempotencyConflict | StepPending


class _RefusedError(Exception):
    """The mandate cannot be given now. Nothing is recorded, and the key stays free."""

    def __init__(self, answer: ValidationFailed | MandateNotAllowed) -> None:
        super().__init__(answer.code)
        self.answer = answer


class _NotSeenError(Exception):
    """There is no such mandate that the caller may see."""


async def grant_mandate(context: RequestContext, given: GrantMandateInput) -> GrantAnswer:
    """Record that the person lets the agent act for them, and have it written."""
    telling = await telling_of(context)
    asked = asked_about(telling, given.resident_id or None)
    violations = [*violations_of_key(telling, given.idempotency_key), *_violations_of_numbers(telling, given, asked)]
    if violations:
        return failed(telling, violations)
    key = key_of(
        telling,
        "grantMandate",
        given.idempotency_key,
        given,
        number=asked.resident_id,
        agent_number=given.agent_resident_id,
    )
    person_keys = asked.applicant.person_keys
    try:
        recorded = await bind(telling, person_keys, key, lambda connection: _grant(telling, connection, asked, given))
    except KeyTakenError:
        return conflict(telling)
    except _RefusedError as refused:
        return refused.answer
    try:
        mandate = await _carried_out(telling, recorded, "grantMandate")
    except (TemporalError, *OUT_OF_REACH) as error:
        return pending(telling, error)
    return GrantMandatePayload(mandate=mandate, replayed=recorded.replayed)


async def revoke_mandate(context: RequestContext, given: RevokeMandateInput) -> RevokeAnswer:
    """Record that the person takes the mandate back, or the agent lays it down (民法典 art. 173), and have it ended."""
    telling = await telling_of(context)
    violations = violations_of_key(telling, given.idempotency_key)
    if violations:
        return failed(telling, violations)
    key = key_of(telling, "revokeMandate", given.idempotency_key, given)
    try:
        recorded = await bind(telling, [], key, lambda connection: _revocation(telling, connection, given.mandate_id))
    except KeyTakenError:
        return conflict(telling)
    except _NotSeenError:
        return MandateNotFound(code=UserErrorCode.NOT_FOUND, message=telling.say("mandate.NOT_FOUND"))
    try:
        mandate = await _carried_out(telling, recorded, "revokeMandate")
    except (TemporalError, *OUT_OF_REACH) as error:
        return pending(telling, error)
    return RevokeMandatePayload(mandate=mandate, replayed=recorded.replayed)


async def mandates_of(telling: Telling, resident_id: str | None) -> Mandates:
    """Those that a person has given, and those that the caller holds. Raises `InvalidArguments`."""
    viewer, keyring = telling.context.viewer, telling.context.keyring
    asked = asked_about(telling, resident_id)
    if not asked.resident_id:
        raise invalid(telling.language, ["residentId"], "RESIDENT_ID_REQUIRED")
    if asked.fault is not None:
        said = telling.say(f"fault.{asked.fault}")
        raise invalid(telling.language, ["residentId"], "RESIDENT_ID_INVALID", fault=said)
    given: list[MandateRow] = []
    region = _window(telling)
    if asked.is_self or region is not None:
        person_keys = asked.applicant.person_keys
        given = await mandate_reads.mandates_given(telling.context.pool, person_keys, None if asked.is_self else region)
    held: list[MandateRow] = []
    if viewer.resident_id is not None:
        agent_keys = keyring.person_keys(viewer.resident_id)
        held = await mandate_reads.mandates_held(telling.context.pool, agent_keys, telling.now)
    operation = "viewer.mandates"
    return Mandates(
        given=[_told(telling, row, operation) for row in given], held=[_told(telling, row, operation) for row in held]
    )


async def mandate_node(telling: Telling, mandate_id: UUID) -> Mandate | None:
    """The mandate of that id, if the caller may see it."""
    row = await _seen(telling, telling.context.pool, mandate_id)
    return _told(telling, row, "node") if row is not None else None


def _violations_of_numbers(telling: Telling, given: GrantMandateInput, asked: Asked) -> list[FieldViolation]:
    """What is wrong with the two numbers themselves: of a person, of another person."""
    found = []
    if not asked.resident_id:
        found.append(violation(telling, "residentId", "RESIDENT_ID_REQUIRED"))
    elif asked.fault is not None:
        found.append(_not_a_number(telling, "residentId", asked.fault))
    fault = resident_id_fault(given.agent_resident_id, today=telling.today)
    if fault is not None:
        found.append(_not_a_number(telling, "agentResidentId", fault))
    elif given.agent_resident_id == asked.resident_id:
        found.append(violation(telling, "agentResidentId", "AGENT_IS_THE_PERSON"))
    return found


def _not_a_number(telling: Telling, field: str, fault: str) -> FieldViolation:
    return violation(telling, field, "RESIDENT_ID_INVALID", fault=telling.say(f"fault.{fault}"))


async def _grant(telling: Telling, connection: Connection, asked: Asked, given: GrantMandateInput) -> Entry:
    """The command. Raises `_RefusedError`.

    The days are looked at here, for a call repeated later is answered as it was.
    """
    out_of_bounds = refuse_validity(given.valid_until, telling.today)
    if out_of_bounds is not None:
        raise _RefusedError(failed_in_the_step(telling, out_of_bounds.violations))
    region = _window(telling)
    keyring, person_keys = telling.context.keyring, asked.applicant.person_keys
    if not asked.is_self:
        if region is None:
            raise _not_allowed(telling, "NOT_YOURS")
        if region not in {code for code, _ in await reads.enrolments_of(connection, person_keys)}:
            raise _not_allowed(telling, "NOT_OF_YOUR_REGION")
    person = await find_person(connection, keyring, asked.resident_id)
    if person is None:
        raise _not_allowed(telling, "NOT_IN_A_REGISTER")
    grant = MandateGrant(
        mandate_id=uuid4(),
        person_id=person.person_id,
        agent_keys=tuple(each.hex() for each in keyring.person_keys(given.agent_resident_id)),
        agent_key_version=keyring.current,
        agent_sealed=seal_agent(person.data_key, mask_resident_id(given.agent_resident_id)).hex(),
        relation=given.relation,
        valid_until=given.valid_until,
        entered_in=None if asked.is_self else region,
    )
    return Entry(
        kind=MandateCommand.GRANT,
        actor=telling.actor,
        input=grant.model_dump(mode="json"),
        received_at=telling.now,
        person_key=person_keys[0],
    )


async def _revocation(telling: Telling, connection: Connection, node: str) -> Entry:
    """The command. Raises `_NotSeenError`."""
    named = node_key(node)
    try:
        mandate_id = UUID(named[1]) if named is not None and named[0] == "Mandate" else None
    except ValueError:
        mandate_id = None
    if mandate_id is None or await _seen(telling, connection, mandate_id) is None:
        raise _NotSeenError
    return Entry(
        kind=MandateCommand.REVOKE,
        actor=telling.actor,
        input=MandateRevocation(mandate_id=mandate_id).model_dump(mode="json"),
        received_at=telling.now,
    )


async def _carried_out(telling: Telling, recorded: Recorded, mutation: str) -> Mandate:
    """The mandate after the command. Raises `TemporalError` or what is out of reach."""
    order = MandateOrder(command_id=recorded.command_id)
    run, name = MandateWorkflow.run, f"mandate-{recorded.command_id}"
    await carry_out_alone(telling.context, recorded, run, order, name=name, summary="登记或撤销代办授权")
    mandate_id = UUID(recorded.input["mandate_id"])
    return _told(telling, await mandate_reads.mandate_by_id(telling.context.pool, mandate_id), mutation)


async def _seen(telling: Telling, connection: Connection | asyncpg.Pool, mandate_id: UUID) -> MandateRow | None:
    viewer = telling.context.viewer
    own = viewer.resident_id if viewer.has(Role.INSURED_PERSON) else None
    keys = telling.context.keyring.person_keys(own) if own is not None else []
    return await mandate_reads.mandate_seen(connection, mandate_id, keys, _window(telling), telling.now)


def _window(telling: Telling) -> str | None:
    """The region for which the caller enters what persons have signed on paper."""
    viewer = telling.context.viewer
    return viewer.region if viewer.has(*CLERKS) else None


def _not_allowed(telling: Telling, why: str) -> _RefusedError:
    message = telling.say(f"mandate.{why}")
    return _RefusedError(MandateNotAllowed(code=UserErrorCode.MANDATE_NOT_ALLOWED, message=message))


def _told(telling: Telling, row: MandateRow, operation: str) -> Mandate:
    telling.note_look(operation, person_id=row.person_id)
    return Mandate(
        id=node_id("Mandate", row.mandate_id),
        person=telling.masked(row.person_id, row.giver),
        agent_masked_resident_id=_agent_number(telling, row),
        relation=row.relation,
        granted_at=row.granted_at,
        valid_until=row.valid_until,
        revoked_at=row.revoked_at,
        state=mandate_state(row.valid_until, row.revoked_at, telling.now),
        entered_by=telling.agency(row.entered_in) if row.entered_in is not None else None,
    )


def _agent_number(telling: Telling, row: MandateRow) -> str:
    """The agent's number, masked; nothing of it once the giver's key is shredded."""
    try:
        return open_agent(telling.context.keyring.unwrap(row.giver.wrapped_key), row.agent_sealed)
    except KeyringError:
        return NO_NUMBER
