"""The pre-check as the API asks it: the same for the dry run and the submission."""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from activities.database import Connection
from activities.mandates import Agent
from activities.registers import Applicant, Reading, read_precheck
from gateway.errors import FieldViolation
from gateway.query_faults import InvalidArguments
from gateway.scalars import PoolingRegionCode
from gateway.telling import Telling
from gateway.types.inputs import EligibilityInput, SubmitTransferInput
from gateway.types.refusals import CoverageGap, Eligibility
from workflows.clocks import statutory_end
from workflows.commands import Application
from workflows.eligibility import Assessment, assess
from workflows.identity import name_fault, resident_id_fault
from workflows.vocabulary import Role, TransferStepKind

_NO_TRANSFER = UUID(int=0)


@dataclass(frozen=True)
class Asked:
    """Who an application is about. `resident_id` is theirs; `person_keys` are empty when it is not a valid number."""

    resident_id: str
    fault: str | None
    is_self: bool
    applicant: Applicant


def violations_of(telling: Telling, given: EligibilityInput | SubmitTransferInput) -> list[FieldViolation]:
    """What is wrong with the fields themselves, before any register is asked."""
    found = [
        *unknown_region(telling, "fromRegion", given.from_region),
        *unknown_region(telling, "toRegion", given.to_region),
    ]
    if not given.resident_id and not _speaks_for_self(telling):
        found.append(violation(telling, "residentId", "RESIDENT_ID_REQUIRED"))
    if given.name:
        fault = name_fault(given.name)
        if fault is not None:
            found.append(violation(telling, "name", fault, limit=100))
    elif isinstance(given.name, str):
        found.append(violation(telling, "name", "EMPTY"))
    return found


def unknown_region(telling: Telling, field: str, code: PoolingRegionCode) -> list[FieldViolation]:
    """The violation of a region that the directory lacks."""
    if code in telling.reference.regions:
        return []
    return [violation(telling, field, "UNKNOWN_REGION", value=code[:12])]


def violation(telling: Telling, field: str, code: str, **figures: object) -> FieldViolation:
    """A violation of one field of `input`."""
    return FieldViolation(path=["input", field], code=code, message=telling.say(f"violation.{code}", **figures))


def asked_about(telling: Telling, resident_id: str | None, name: str | None = None) -> Asked:
    """Whom the caller asks about: the person of the token unless another number is given.

    Without either the number is empty: `violations_of` refuses that first.
    """
    viewer = telling.context.viewer
    number = resident_id or viewer.resident_id or ""
    fault = resident_id_fault(number, today=telling.today)
    is_self = viewer.has(Role.INSURED_PERSON) and number == viewer.resident_id
    keys = telling.context.keyring.person_keys(number) if fault is None else []
    agent = None
    if viewer.resident_id is not None and viewer.has(Role.INSURED_PERSON) and not is_self:
        agent = Agent(telling.context.keyring.person_keys(viewer.resident_id), telling.now)
    applicant = Applicant(viewer.actor, keys, name=name or None, is_self=is_self, agent=agent)
    return Asked(number, fault, is_self, applicant)


async def read_and_assess(
    connection: Connection, telling: Telling, asked: Asked, application: Application, *, command_id: str = ""
) -> tuple[Reading, Assessment]:
    """Read both registers and give every reason. The regions of `application` are in the directory."""
    reading = await read_precheck(
        connection,
        telling.context.keyring,
        asked.applicant,
        application,
        today=telling.today,
        resident_id_fault=asked.fault,
        command_id=command_id,
    )
    return reading, assess(reading.check, today=telling.today, calendar=telling.reference.calendar)


async def tell_eligibility(telling: Telling, given: EligibilityInput) -> Eligibility:
    """The dry run. Raises `InvalidArguments`."""
    found = violations_of(telling, given)
    if found:
        raise InvalidArguments(found)
    asked = asked_about(telling, given.resident_id or None, given.name or None)
    application = Application(
        transfer_id=_NO_TRANSFER,
        no="",
        from_region=given.from_region,
        to_region=given.to_region,
        from_scheme=given.from_scheme,
        to_scheme=given.to_scheme,
        request_stop=given.request_stop,
    )
    async with telling.context.pool.acquire() as connection, connection.transaction(readonly=True):
        reading, assessment = await read_and_assess(connection, telling, asked, application)
    if reading.check.authorised and reading.person is not None:
        telling.note_look("eligibility", person_id=reading.person.person_id)
    eligible = not assessment.blocking
    # What the registers say is not for a caller who may not act for this person.
    wait, gap = (assessment.waiting_period, assessment.gap) if reading.check.authorised else (None, None)
    due_on = _due_on(telling, assessment) if eligible else None
    return Eligibility(
        eligible=eligible,
        findings=[telling.refusal(each) for each in assessment.findings],
        route=assessment.route,
        waiting_period=telling.waiting(wait) if wait is not None else None,
        due_on=due_on,
        coverage_gap=CoverageGap.of(gap, telling.today) if gap is not None else None,
        provisional=due_on is not None and not telling.reference.calendar.published(due_on),
    )


def _due_on(telling: Telling, assessment: Assessment) -> date:
    """The last day by law if applied for today; R's clerk and O's stop of coverage come before the law's clock starts."""
    before = (
        *((TransferStepKind.ACCEPT_APPLICATION,) if assessment.manual else ()),
        *((TransferStepKind.STOP_COVERAGE,) if assessment.stop_needed else ()),
    )
    return statutory_end(assessment.route, telling.today, before, assessment.periods, telling.reference.calendar)


def _speaks_for_self(telling: Telling) -> bool:
    return telling.context.viewer.has(Role.INSURED_PERSON)
