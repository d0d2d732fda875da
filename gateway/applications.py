"""Applications: a transfer, or a certificate by itself. Refused with a number, or recorded and carried out."""

from collections.abc import Awaitable, Callable
from typing import Any, Final
from uuid import uuid4

from temporalio.exceptions import TemporalError

from activities.database import Connection
from activities.dispatch import PendingCommand
from activities.sight import on_mandate
from gateway import reads
from gateway.case import show_case
from gateway.command_log import Entry, Key, KeyTakenError, Recorded, append, find_bound, key_of
from gateway.commands import ATTEMPTS, carry_out, carry_out_alone, conflict, pending
from gateway.context import RequestContext
from gateway.errors import (
    EnrolmentCertificate,
    IdempotencyConflict,
    NotEligible,
    RequestCertificatePayload,
    StepPending,
    SubmitTransferPayload,
    ValidationFailed,
)
from gateway.precheck import (
    Asked,
    asked_about,
    certificate_shown,
    employer_sides,
    read_and_assess,
    unknown_region,
    violation,
    violations_of,
)
from gateway.query_faults import NotFound
from gateway.reachability import OUT_OF_REACH
from gateway.telling import Telling, telling_of
from gateway.types.enums import UserErrorCode
from gateway.types.inputs import RequestCertificateInput, SubmitTransferInput
from gateway.validation import failed, violations_of_key
from workflows.actors import Actor, ActorKind
from workflows.certificate import CertificateWorkflow
from workflows.certificate_request import refuse_certificate
from workflows.commands import Application
from workflows.employer_findings import for_employer
from workflows.findings import Finding
from workflows.messages import CertificateOrder, CommandOutcome
from workflows.vocabulary import APPLICANTS, CLERKS, RefusalCode, Role

# Findings that show nothing of what the registers have about the person.
SAY_NOTHING: Final = (RefusalCode.AGENT_NOT_AUTHORISED, RefusalCode.RESIDENT_ID_INVALID)

SubmitAnswer = SubmitTransferPayload | ValidationFailed | NotEligible | IdempotencyConflict | StepPending
CertificateAnswer = RequestCertificatePayload | ValidationFailed | NotEligible | IdempotencyConflict | StepPending


async def submit_transfer(context: RequestContext, given: SubmitTransferInput) -> SubmitAnswer:
    """Check both registers, then record the application or its refusal, and have the case begin."""
    telling = await telling_of(context)
    violations = [
        *violations_of_key(telling, given.idempotency_key),
        *violations_of(telling, given),
    ]
    if violations:
        return failed(telling, violations)
    asked = asked_about(telling, given.resident_id or None, given.name or None, certificate_shown(given))
    key = key_of(telling, "submitTransfer", given.idempotency_key, given, number=asked.resident_id)
    try:
        recorded = await bind(
            telling,
            asked.applicant.person_keys,
            key,
            lambda connection: _application(telling, connection, asked, given),
        )
    except KeyTakenError:
        return conflict(telling)
    if recorded.refusal_no is not None:
        _spend_budget(context, asked, recorded)
        return await _not_eligible(telling, recorded, "submitTransfer", asked)
    if recorded.transfer_id is None or recorded.transfer_no is None:
        raise ValueError(f"application {recorded.command_id} has no transfer")
    try:
        if recorded.outcome is None:
            await carry_out(context, PendingCommand(recorded.command_id, recorded.transfer_id, recorded.transfer_no))
        view = await reads.transfer_by_id(context.pool, telling.scope, recorded.transfer_id)
    except (TemporalError, *OUT_OF_REACH) as error:
        return pending(telling, error)
    if view is None:
        # Asked again after the mandate, or the employment, has ended: what the caller may not see any more is not there.
        raise NotFound
    return SubmitTransferPayload(transfer=show_case(view, telling, "submitTransfer"), replayed=recorded.replayed)


async def request_certificate(context: RequestContext, given: RequestCertificateInput) -> CertificateAnswer:
    """An instant service of O (94号 art. 4): refused, or recorded and issued."""
    telling = await telling_of(context)
    violations = [
        *violations_of_key(telling, given.idempotency_key),
        *unknown_region(telling, "region", given.region),
    ]
    if not given.resident_id and not context.viewer.has(Role.INSURED_PERSON):
        violations.append(violation(telling, "residentId", "RESIDENT_ID_REQUIRED"))
    if violations:
        return failed(telling, violations)
    asked = asked_about(telling, given.resident_id or None)
    key = key_of(telling, "requestCertificate", given.idempotency_key, given, number=asked.resident_id)
    try:
        recorded = await bind(
            telling,
            asked.applicant.person_keys,
            key,
            lambda connection: _certificate(telling, connection, asked, given),
        )
    except KeyTakenError:
        return conflict(telling)
    if recorded.refusal_no is not None:
        _spend_budget(context, asked, recorded)
        return await _not_eligible(telling, recorded, "requestCertificate", asked)
    try:
        outcome = await _issued(context, recorded)
        if outcome.document_id is None:
            raise ValueError(f"certificate {recorded.command_id} was issued without a document")
        row = await reads.document_by_id(context.pool, telling.scope, outcome.document_id)
    except (TemporalError, *OUT_OF_REACH) as error:
        return pending(telling, error)
    if row is None:
        # Asked again after the mandate has ended.
        raise NotFound
    telling.note_look("requestCertificate", document_id=row.document_id)
    certificate = EnrolmentCertificate(
        number=row.number, verification_code=row.verification_code or "", document=telling.document(row)
    )
    return RequestCertificatePayload(certificate=certificate, replayed=recorded.replayed)


def _require_budget(context: RequestContext, asked: Asked) -> None:
    """Raise `TooManyRequests` for an applicant whose refusals about other people have used up the budget."""
    if context.viewer.has(*APPLICANTS) and not asked.is_self:
        context.budgets.refusals_about_others.require(context.caller.key)


def _spend_budget(context: RequestContext, asked: Asked, refusal: Recorded) -> None:
    """Count a refusal about another person that was recorded now."""
    if context.viewer.has(*APPLICANTS) and not asked.is_self and not refusal.replayed:
        context.budgets.refusals_about_others.spend(context.caller.key, 1)


async def bind(
    telling: Telling, person_keys: list[bytes], key: Key, make_entry: Callable[[Connection], Awaitable[Entry]]
) -> Recorded:
    """What the key is bound to: an earlier call's command, or the one made now, with nobody else asking for this person.

    What `make_entry` raises leaves the key free.
    """
    for _ in range(ATTEMPTS):
        async with telling.context.pool.acquire() as connection, connection.transaction():
            for person_key in person_keys[:1]:
                lock = int.from_bytes(person_key[:8], signed=True)
                await connection.execute("select pg_advisory_xact_lock($1)", lock)
            recorded = await find_bound(connection, key) or await append(connection, key, await make_entry(connection))
            if recorded is not None:
                return recorded
    raise TimeoutError("the key was bound and released at every attempt")


async def _application(telling: Telling, connection: Connection, asked: Asked, given: SubmitTransferInput) -> Entry:
    """The command of an application, or its refusal with every reason. Raises `TooManyRequests`."""
    _require_budget(telling.context, asked)
    application = Application(
        transfer_id=uuid4(),
        no="",
        from_region=given.from_region,
        to_region=given.to_region,
        from_scheme=given.from_scheme,
        to_scheme=given.to_scheme,
        request_stop=given.request_stop,
        wait_for_register=given.wait_for_register,
        certificate_number=given.certificate_number or None,
    )
    reading, assessment = await read_and_assess(connection, telling, asked, application)
    if assessment.blocking:
        said = {"application": application.model_dump(mode="json", exclude={"transfer_id", "no"})}
        sides = employer_sides(asked, reading)
        findings = assessment.findings if sides is None else for_employer(assessment.findings, sides)
        return await _refused(telling, connection, "SUBMIT_TRANSFER", given.to_region, said, findings)
    serial = await connection.fetchval("select nextval('transfer_serial')")
    application = application.model_copy(update={"no": f"ZY-{given.to_region}-{telling.today:%Y%m%d}-{serial:06d}"})
    return Entry(
        kind="SUBMIT_TRANSFER",
        actor=_acting(asked, application, reading.employer_ids),
        input=_about(asked, reading.name_key)
        | {"application": application.model_dump(mode="json"), "tie": reading.tie},
        received_at=telling.now,
        transfer_id=application.transfer_id,
        transfer_no=application.no,
        person_key=asked.applicant.person_keys[0],
    )


def _acting(asked: Asked, application: Application, employers: tuple[str, ...]) -> Actor:
    """The applicant, with what they are to the person: an office's roles say it, an insured person's and an employer's do not."""
    actor = asked.applicant.actor
    of_a_side = actor.region in (application.from_region, application.to_region)
    if asked.is_self:
        kind = ActorKind.PERSON
    elif actor.has(*CLERKS) and of_a_side:
        return actor
    elif actor.has(Role.EMPLOYER) and actor.subject in employers:
        kind = ActorKind.EMPLOYER
    else:
        kind = ActorKind.AGENT
    return actor.acting_as(kind)


async def _certificate(telling: Telling, connection: Connection, asked: Asked, given: RequestCertificateInput) -> Entry:
    """The command of a certificate, or its refusal. Raises `TooManyRequests`."""
    _require_budget(telling.context, asked)
    own_region = telling.actor.has(Role.CLERK, Role.AGENCY_SYSTEM) and telling.actor.region == given.region
    speaks_for = asked.is_self or await on_mandate(connection, asked.applicant)
    # Where else a person is enrolled is not an agency's to know.
    only_region = None if speaks_for else given.region
    finding = refuse_certificate(
        region=given.region,
        scheme=given.scheme,
        resident_id_fault=asked.fault,
        authorised=speaks_for or own_region,
        enrolled=await reads.enrolments_of(connection, asked.applicant.person_keys, only_region),
    )
    said: dict[str, Any] = {"region": given.region, "scheme": given.scheme}
    if finding is not None:
        return await _refused(telling, connection, "REQUEST_CERTIFICATE", given.region, said, (finding,))
    return Entry(
        kind="REQUEST_CERTIFICATE",
        actor=telling.actor,
        input=_about(asked, None) | said,
        received_at=telling.now,
        person_key=asked.applicant.person_keys[0],
    )


def _about(asked: Asked, name_key: bytes | None) -> dict[str, Any]:
    """Who it is about, in keyed hashes alone: enough to read the registers again when it is carried out."""
    agent = asked.applicant.agent
    return {
        "person_keys": [each.hex() for each in asked.applicant.person_keys],
        "agent_keys": [each.hex() for each in agent.person_keys] if agent is not None else [],
        "name_key": name_key.hex() if name_key is not None else None,
        "is_self": asked.is_self,
    }


async def _refused(
    telling: Telling,
    connection: Connection,
    kind: str,
    region: str,
    said: dict[str, Any],
    findings: tuple[Finding, ...],
) -> Entry:
    serial = await connection.fetchval("select nextval('refusal_serial')")
    return Entry(
        kind=kind,
        actor=telling.actor,
        input=said,
        received_at=telling.now,
        outcome={"kind": "NOT_ELIGIBLE", "findings": [each.model_dump(mode="json") for each in findings]},
        refusal_no=f"BY-{region}-{telling.today:%Y%m%d}-{serial:06d}",
    )


async def _not_eligible(telling: Telling, recorded: Recorded, mutation: str, asked: Asked) -> NotEligible:
    """A recorded refusal, the same at every call."""
    findings = [Finding.model_validate(each) for each in (recorded.outcome or {})["findings"]]
    in_progress = next((each for each in findings if each.code is RefusalCode.TRANSFER_IN_PROGRESS), None)
    view = None
    if in_progress is not None:
        no = str(in_progress.figures["transfer_no"])
        view = await reads.transfer_by_no(telling.context.pool, telling.scope, no)
    if view is None and any(
        each.code not in SAY_NOTHING or each.figures.get("needs") == "EMPLOYEE" for each in findings
    ):
        telling.note_look(mutation, person_keys=asked.applicant.person_keys)
    return NotEligible(
        code=UserErrorCode.NOT_ELIGIBLE,
        message=telling.say("error.NOT_ELIGIBLE", refusal_no=recorded.refusal_no),
        refusal_no=recorded.refusal_no or "",
        findings=[telling.refusal(each) for each in findings],
        existing=show_case(view, telling, mutation) if view is not None else None,
    )


async def _issued(context: RequestContext, recorded: Recorded) -> CommandOutcome:
    """What came of a certificate's command. Asked again, it is the same certificate."""
    order = CertificateOrder(command_id=recorded.command_id)
    run, name = CertificateWorkflow.run, f"certificate-{recorded.command_id}"
    return await carry_out_alone(context, recorded, run, order, name=name, summary="即时开具参保凭证")
