"""Consents: recorded at a window while the person is there, listed for the person, and taken back by them."""

from activities.consents import Consent as Stored
from activities.consents import ConsentGiven, ConsentRevocation, consent_of, consents_of, seal_reason
from activities.database import Connection
from activities.people import find_person
from activities.ties import ConsentCommand
from gateway.applications import bind
from gateway.command_log import Entry, KeyTakenError, Recorded, key_of
from gateway.commands import conflict
from gateway.context import RequestContext
from gateway.errors import FieldViolation, IdempotencyConflict, ValidationFailed
from gateway.faults import Forbidden
from gateway.precheck import Asked, asked_about, violation
from gateway.telling import Telling, telling_of
from gateway.types.consents import (
    Consent,
    ConsentNotFound,
    RecordConsentInput,
    RecordConsentPayload,
    RevokeConsentInput,
    RevokeConsentPayload,
)
from gateway.types.enums import UserErrorCode
from gateway.types.reference import node_id, node_key
from gateway.validation import MAX_TEXT, failed, failed_in_the_step, violations_of_key, violations_of_text
from workflows.consent_terms import refuse_consent
from workflows.vocabulary import CLERKS

RecordAnswer = RecordConsentPayload | ValidationFailed | IdempotencyConflict
RevokeAnswer = RevokeConsentPayload | ValidationFailed | ConsentNotFound | IdempotencyConflict
# The command log is all that is written: both commands are done as they are recorded.
DONE = {"kind": "DONE"}


class _RefusedError(Exception):
    """The consent cannot be recorded for these days. Nothing is recorded, and the key stays free."""

    def __init__(self, answer: ValidationFailed) -> None:
        super().__init__(answer.code)
        self.answer = answer


class _NotFoundError(Exception):
    """The person has no such consent."""


async def record_consent(context: RequestContext, given: RecordConsentInput) -> RecordAnswer:
    """Record that the person at the window consents. The answer is the same whether any register knows them or not."""
    telling = await telling_of(context)
    asked = asked_about(telling, given.resident_id)
    violations = [*violations_of_key(telling, given.idempotency_key), *_violations(telling, given, asked)]
    if violations:
        return failed(telling, violations)
    key = key_of(telling, "recordConsent", given.idempotency_key, given, number=asked.resident_id)
    person_keys = asked.applicant.person_keys
    try:
        recorded = await bind(telling, person_keys, key, lambda connection: _record(telling, connection, asked, given))
    except KeyTakenError:
        return conflict(telling)
    except _RefusedError as refused:
        return refused.answer
    consent = await _stored(telling, person_keys, recorded.command_id)
    return RecordConsentPayload(consent=consent, replayed=recorded.replayed)


async def revoke_consent(context: RequestContext, given: RevokeConsentInput) -> RevokeAnswer:
    """Record that the person takes a consent of theirs back (《个人信息保护法》 art. 15); it ends now."""
    telling = await telling_of(context)
    violations = violations_of_key(telling, given.idempotency_key)
    if violations:
        return failed(telling, violations)
    person_keys = _own_keys(telling)
    key = key_of(telling, "revokeConsent", given.idempotency_key, given)
    try:
        recorded = await bind(
            telling, person_keys, key, lambda connection: _revocation(telling, connection, given.consent_id)
        )
    except KeyTakenError:
        return conflict(telling)
    except _NotFoundError:
        return ConsentNotFound(code=UserErrorCode.NOT_FOUND, message=telling.say("consent.NOT_FOUND"))
    consent = await _stored(telling, person_keys, _consent_id(recorded))
    return RevokeConsentPayload(consent=consent, replayed=recorded.replayed)


async def own_consents(telling: Telling) -> list[Consent]:
    """Every consent that a window has recorded of the caller, newest first."""
    own_keys = _own_keys(telling)
    telling.note_look("viewer.consents", person_keys=own_keys)
    rows = await consents_of(telling.context.pool, telling.context.keyring, own_keys)
    return [_shown(telling, each) for each in rows]


def _violations(telling: Telling, given: RecordConsentInput, asked: Asked) -> list[FieldViolation]:
    found = []
    if not asked.resident_id:
        found.append(violation(telling, "residentId", "RESIDENT_ID_REQUIRED"))
    elif asked.fault is not None:
        fault = telling.say(f"fault.{asked.fault}")
        found.append(violation(telling, "residentId", "RESIDENT_ID_INVALID", fault=fault))
    found.extend(violations_of_text(telling, "reason", given.reason, MAX_TEXT))
    return found


async def _record(telling: Telling, connection: Connection, asked: Asked, given: RecordConsentInput) -> Entry:
    """The command. Raises `_RefusedError`: the days are looked at here, for a call repeated later is answered as it was."""
    valid_until = given.valid_until or telling.today
    out_of_bounds = refuse_consent(valid_until, telling.today)
    if out_of_bounds is not None:
        raise _RefusedError(failed_in_the_step(telling, out_of_bounds.violations))
    person = await find_person(connection, telling.context.keyring, asked.resident_id)
    sealed, key = seal_reason(telling.context.keyring, person, given.reason)
    consent = ConsentGiven(region=_window(telling), valid_until=valid_until, reason_sealed=sealed, reason_key=key)
    return Entry(
        kind=ConsentCommand.RECORD,
        actor=telling.actor,
        input=consent.model_dump(mode="json"),
        received_at=telling.now,
        person_key=asked.applicant.person_keys[0],
        outcome=DONE,
    )


async def _revocation(telling: Telling, connection: Connection, node: str) -> Entry:
    """The command. Raises `_NotFoundError`."""
    named, person_keys = node_key(node), _own_keys(telling)
    if named is None or named[0] != "Consent":
        raise _NotFoundError
    if await consent_of(connection, telling.context.keyring, person_keys, named[1]) is None:
        raise _NotFoundError
    return Entry(
        kind=ConsentCommand.REVOKE,
        actor=telling.actor,
        input=ConsentRevocation(consent_id=named[1]).model_dump(mode="json"),
        received_at=telling.now,
        person_key=person_keys[0],
        outcome=DONE,
    )


async def _stored(telling: Telling, person_keys: list[bytes], consent_id: str) -> Consent:
    stored = await consent_of(telling.context.pool, telling.context.keyring, person_keys, consent_id)
    if stored is None:
        raise LookupError(f"there is no consent {consent_id}")
    return _shown(telling, stored)


def _consent_id(recorded: Recorded) -> str:
    return ConsentRevocation.model_validate(recorded.input).consent_id


def _own_keys(telling: Telling) -> list[bytes]:
    """The keyed hashes of the caller's own number. Raises `Forbidden` for who is no insured person."""
    number = telling.context.viewer.resident_id
    if number is None:
        raise Forbidden
    return telling.context.keyring.person_keys(number)


def _window(telling: Telling) -> str:
    """The region of the agency whose window the caller is at. Raises `Forbidden` for who is at none."""
    viewer = telling.context.viewer
    if viewer.region is None or not viewer.has(*CLERKS):
        raise Forbidden
    return viewer.region


def _shown(telling: Telling, stored: Stored) -> Consent:
    return Consent(
        id=node_id("Consent", stored.consent_id),
        agency=telling.agency(stored.region),
        given_at=stored.given_at,
        valid_until=stored.valid_until,
        reason=stored.reason,
        revoked_at=stored.revoked_at,
    )
