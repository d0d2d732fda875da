"""Mandates: given and taken back by a person, or entered from paper at a window of their region; and listed, masked.

How one that a window has entered comes to start is in `mandate_starts`.
"""

from uuid import UUID, uuid4

from temporalio.exceptions import TemporalError

from activities.database import Connection
from activities.mandates import MandateCommand, MandateGrant, MandateRevocation
from activities.people import find_person, seal_agent
from gateway import mandate_reads
from gateway.acting_person import acting
from gateway.applications import bind
from gateway.command_log import Entry, KeyTakenError, key_of
from gateway.commands import conflict, pending
from gateway.context import RequestContext
from gateway.errors import FieldViolation, IdempotencyConflict, StepPending, ValidationFailed
from gateway.mandate_acts import NotSeenError, RefusedError, carried_out, named_mandate, not_allowed, not_found
from gateway.mandate_reads import MandateRow
from gateway.mandate_view import approving_region, seen, shown, window
from gateway.paging import invalid
from gateway.precheck import Asked, asked_about, violation
from gateway.reachability import OUT_OF_REACH
from gateway.telling import Telling, telling_of
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
from gateway.validation import (
    failed,
    failed_in_the_step,
    violations_of_key,
    violations_of_person,
    violations_of_reference,
)
from workflows.actors import Actor
from workflows.identity import holds_resident_id, mask_resident_id, resident_id_fault
from workflows.mandate_terms import refuse_entry, refuse_validity

GrantAnswer = GrantMandatePayload | ValidationFailed | MandateNotAllowed | IdempotencyConflict | StepPending
RevokeAnswer = RevokeMandatePayload | ValidationFailed | MandateNotFound | IdempotencyConflict | StepPending


async def grant_mandate(context: RequestContext, given: GrantMandateInput) -> GrantAnswer:
    """Record that the person lets the agent act for them, and have it written."""
    telling = await telling_of(context)
    asked = asked_about(telling, given.resident_id or None)
    violations = [
        *violations_of_key(telling, given.idempotency_key),
        *_violations_of_numbers(telling, given, asked),
        *_violations_of_paper(telling, given, asked),
    ]
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
    at_window = window(telling) is not None and not asked.is_self
    actor, unfit = await acting(telling, given.acting_person or None, of_two_people=at_window)
    person_keys = asked.applicant.person_keys
    try:
        recorded = await bind(
            telling, person_keys, key, lambda connection: _grant(telling, connection, asked, given, actor, unfit)
        )
    except KeyTakenError:
        return conflict(telling)
    except RefusedError as refused:
        return refused.answer
    try:
        mandate = await carried_out(telling, recorded, "grantMandate")
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
    except NotSeenError:
        return not_found(telling)
    try:
        mandate = await carried_out(telling, recorded, "revokeMandate")
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
    region = approving_region(telling)
    if asked.is_self or region is not None:
        person_keys = asked.applicant.person_keys
        given = await mandate_reads.mandates_given(telling.context.pool, person_keys, None if asked.is_self else region)
    held: list[MandateRow] = []
    if viewer.resident_id is not None:
        agent_keys = keyring.person_keys(viewer.resident_id)
        held = await mandate_reads.mandates_held(telling.context.pool, agent_keys, telling.now)
    operation = "viewer.mandates"
    return Mandates(
        given=[shown(telling, row, operation) for row in given], held=[shown(telling, row, operation) for row in held]
    )


async def mandate_node(telling: Telling, mandate_id: UUID) -> Mandate | None:
    """The mandate of that id, if the caller may see it."""
    row = await seen(telling, telling.context.pool, mandate_id)
    return shown(telling, row, "node") if row is not None else None


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


def _violations_of_paper(telling: Telling, given: GrantMandateInput, asked: Asked) -> list[FieldViolation]:
    """What a window must say of the paper and of who enters it; a person's own mandate has no paper."""
    paper = given.paper_reference if isinstance(given.paper_reference, str) else None
    at_window = window(telling) is not None and not asked.is_self
    found = violations_of_person(telling, given.acting_person, required=at_window)
    if at_window and paper is None:
        return [*found, violation(telling, "paperReference", "PAPER_REFERENCE_REQUIRED")]
    if not at_window and paper is not None:
        return [*found, violation(telling, "paperReference", "ONLY_AT_A_WINDOW")]
    if paper is not None and holds_resident_id(paper, today=telling.today):
        return [*found, violation(telling, "paperReference", "PERSONAL_NUMBER_IN_REFERENCE")]
    return [*found, *violations_of_reference(telling, "paperReference", paper)]


def _not_a_number(telling: Telling, field: str, fault: str) -> FieldViolation:
    return violation(telling, field, "RESIDENT_ID_INVALID", fault=telling.say(f"fault.{fault}"))


async def _grant(
    telling: Telling,
    connection: Connection,
    asked: Asked,
    given: GrantMandateInput,
    actor: Actor,
    unfit: ValidationFailed | None,
) -> Entry:
    """The command. `unfit` is what is against the person who acts. Raises `RefusedError`.

    The days are looked at here, for a call repeated later is answered as it was.
    """
    if unfit is not None:
        raise RefusedError(unfit)
    out_of_bounds = refuse_validity(given.valid_until, telling.today)
    if out_of_bounds is not None:
        raise RefusedError(failed_in_the_step(telling, out_of_bounds.violations))
    region = window(telling)
    keyring, person_keys = telling.context.keyring, asked.applicant.person_keys
    if not asked.is_self:
        if region is None:
            raise not_allowed(telling, "NOT_YOURS")
        if not await mandate_reads.is_insured_in(connection, person_keys, region):
            raise not_allowed(telling, "NOT_OF_YOUR_REGION")
        too_short = refuse_entry(given.valid_until, telling.now)
        if too_short is not None:
            raise RefusedError(failed_in_the_step(telling, too_short.violations))
    person = await find_person(connection, keyring, asked.resident_id)
    if person is None:
        raise not_allowed(telling, "NOT_IN_A_REGISTER")
    grant = MandateGrant(
        mandate_id=uuid4(),
        person_id=person.person_id,
        agent_keys=tuple(each.hex() for each in keyring.person_keys(given.agent_resident_id)),
        agent_key_version=keyring.current,
        agent_sealed=seal_agent(person.data_key, mask_resident_id(given.agent_resident_id)).hex(),
        relation=given.relation,
        valid_until=given.valid_until,
        entered_in=None if asked.is_self else region,
        paper_reference=None if asked.is_self else given.paper_reference,
    )
    return Entry(
        kind=MandateCommand.GRANT,
        actor=actor,
        input=grant.model_dump(mode="json"),
        received_at=telling.now,
        person_key=person_keys[0],
    )


async def _revocation(telling: Telling, connection: Connection, node: str) -> Entry:
    """The command. Raises `NotSeenError`."""
    row = await named_mandate(telling, connection, node)
    return Entry(
        kind=MandateCommand.REVOKE,
        actor=telling.actor,
        input=MandateRevocation(mandate_id=row.mandate_id).model_dump(mode="json"),
        received_at=telling.now,
    )
