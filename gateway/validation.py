"""What is wrong with the fields of a mutation, before anything is looked up: paths in the contract's names, and what to do."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Final

from gateway.errors import FieldViolation, ValidationFailed
from gateway.scalars import IdempotencyKey
from gateway.telling import Telling
from gateway.types.enums import UserErrorCode
from gateway.types.inputs import (
    ConfirmReceiptInput,
    DeclineTransferInput,
    DeliverInformationFormInput,
    MatchFundsInput,
    PayoutAccountInput,
    ReasonInput,
    RecordMailInput,
    RemittanceInput,
    RequestCorrectionInput,
    ReturnTransferInput,
    TransferInput,
)
from workflows.actors import Actor
from workflows.personal_numbers import has_personal_number
from workflows.rules import Violation
from workflows.vocabulary import Role

MAX_TEXT: Final = 500
MAX_REFERENCE: Final = 64
MAX_NAME: Final = 100
_KEY: Final = re.compile("[A-Za-z0-9_-]{16,64}")
_REFERENCE: Final = re.compile("[A-Za-z0-9._/-]+")
_ACCOUNT: Final = re.compile("[0-9]{8,32}")
# A note may have lines.
_LAYOUT: Final = "\n\r\t"

Found = Iterator[tuple[list[str], str, dict[str, object]]]


def violations_of_step(telling: Telling, given: TransferInput) -> list[FieldViolation]:
    """Every violation of a step's input."""
    found = [
        *_key(given.idempotency_key),
        *_revision(given.expected_revision),
        *_acting(telling, given),
        *_own_fields(given),
    ]
    return [_said(telling, path, code, figures) for path, code, figures in found]


def violations_of_key(telling: Telling, key: IdempotencyKey) -> list[FieldViolation]:
    return [_said(telling, path, code, figures) for path, code, figures in _key(key)]


def violations_of_text(telling: Telling, field: str, value: str | None, limit: int) -> list[FieldViolation]:
    """Of a text that may be left out."""
    return [_said(telling, path, code, figures) for path, code, figures in _text(field, value, limit)]


def violations_of_reference(telling: Telling, field: str, value: str | None) -> list[FieldViolation]:
    """Of a reference that may be left out."""
    return [_said(telling, path, code, figures) for path, code, figures in _reference(field, value)]


def violations_of_person(telling: Telling, acting_person: str | None, *, required: bool) -> list[FieldViolation]:
    """Of the person for whom an agency's system acts. `required`: of two persons this is one, so it must say who."""
    found = [*_reference("actingPerson", acting_person)]
    if acting_person and not telling.actor.has(Role.AGENCY_SYSTEM):
        found.append((["actingPerson"], "ONLY_AN_AGENCY_SYSTEM", {}))
    if required and not found and not _actor_of(telling, acting_person).names_a_person:
        found.append((["actingPerson"], "ACTING_PERSON_REQUIRED", {}))
    return [_said(telling, path, code, figures) for path, code, figures in found]


def _actor_of(telling: Telling, acting_person: str | None) -> Actor:
    """The caller, with the person for whom an agency's system acts."""
    if not acting_person or telling.actor.acting_person is not None:
        return telling.actor
    return telling.actor.model_copy(update={"acting_person": acting_person})


def failed(telling: Telling, violations: Sequence[FieldViolation]) -> ValidationFailed:
    """The answer that lists `violations`; there is at least one."""
    return ValidationFailed(
        code=UserErrorCode.VALIDATION_FAILED,
        message=telling.say("error.VALIDATION_FAILED", count=len(violations)),
        violations=list(violations),
    )


def failed_in_the_step(telling: Telling, violations: Sequence[Violation]) -> ValidationFailed:
    """What the registers had against the input, when the step was to be carried out."""
    return failed(telling, [_said(telling, [each.field], each.code, dict(each.figures)) for each in violations])


def _said(telling: Telling, path: list[str], code: str, figures: dict[str, object]) -> FieldViolation:
    return FieldViolation(path=["input", *path], code=code, message=telling.say(f"violation.{code}", **figures))


def _own_fields(given: TransferInput) -> Found:  # noqa: C901, PLR0912 - one arm for each input
    match given:
        case ReasonInput(reason=reason):
            yield from _text("reason", reason, MAX_TEXT)
        case DeclineTransferInput(reasons=reasons, note=note):
            if not reasons:
                yield ["reasons"], "EMPTY", {}
            yield from _text("note", note, MAX_TEXT)
        case ReturnTransferInput(note=note) | RequestCorrectionInput(note=note):
            yield from _text("note", note, MAX_TEXT)
        case DeliverInformationFormInput(contribution_periods=periods, note=note):
            if periods == []:
                yield ["contributionPeriods"], "EMPTY", {}
            yield from _text("note", note, MAX_TEXT)
        case RecordMailInput():
            yield from _text("carrier", given.carrier, MAX_REFERENCE)
            yield from _reference("trackingNo", given.tracking_no)
        case MatchFundsInput(remittance_reference=reference, reason=reason):
            yield from _reference("remittanceReference", reference)
            yield from _text("reason", reason, MAX_TEXT)
        case RemittanceInput(remittance_reference=reference):
            yield from _reference("remittanceReference", reference)
        case PayoutAccountInput():
            yield from _text("bankName", given.bank_name, MAX_NAME)
            yield from _text("accountName", given.account_name, MAX_NAME)
            if not _ACCOUNT.fullmatch(given.account_number):
                yield ["accountNumber"], "ACCOUNT_FORM", {}
        case ConfirmReceiptInput():
            yield from _reference("remittanceReference", given.remittance_reference)
            yield from _reference("bankReference", given.bank_reference)
            yield from _text("note", given.note, MAX_TEXT)
        case _:
            return


def _key(key: str) -> Found:
    if not _KEY.fullmatch(key):
        yield ["idempotencyKey"], "IDEMPOTENCY_KEY_FORM", {}


def _revision(revision: int | None) -> Found:
    if isinstance(revision, int) and revision < 0:
        yield ["expectedRevision"], "NEGATIVE", {}


def _acting(telling: Telling, given: TransferInput) -> Found:
    """An agency's system carries two identities; a person's token is its own."""
    yield from _reference("actingPerson", given.acting_person)
    if given.acting_person and not telling.actor.has(Role.AGENCY_SYSTEM):
        yield ["actingPerson"], "ONLY_AN_AGENCY_SYSTEM", {}


def _reference(field: str, value: str | None) -> Found:
    """One spelling alone, so that the same reference is never taken for another."""
    faults = list(_characters(field, value, MAX_REFERENCE))
    if isinstance(value, str) and not faults and not _REFERENCE.fullmatch(value):
        faults = [([field], "REFERENCE_FORM", {"limit": MAX_REFERENCE})]
    yield from faults


def _text(field: str, value: str | None, limit: int) -> Found:
    """Of free text, in which nobody's identity or phone number may stand."""
    faults = list(_characters(field, value, limit))
    if isinstance(value, str) and not faults and has_personal_number(value):
        faults = [([field], "PERSONAL_NUMBER_IN_TEXT", {})]
    yield from faults


def _characters(field: str, value: str | None, limit: int) -> Found:
    if not isinstance(value, str):
        return
    if not value.strip():
        yield [field], "EMPTY", {}
    elif len(value) > limit:
        yield [field], "TOO_LONG", {"limit": limit}
    elif any(unicodedata.category(each) == "Cc" and each not in _LAYOUT for each in value):
        yield [field], "CONTROL_CHARACTER", {}
    elif any(unicodedata.category(each) == "Cs" for each in value):
        yield [field], "NOT_A_CHARACTER", {}
