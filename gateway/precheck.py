"""The pre-check as the API asks it: the same for the dry run and the submission."""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from activities.database import Connection
from activities.mandates import Agent
from activities.registers import Reading, read_precheck
from activities.sight import Applicant
from activities.ties import AskingAgency, ShownCertificate
from gateway.errors import FieldViolation
from gateway.query_faults import InvalidArguments
from gateway.scalars import PoolingRegionCode
from gateway.telling import Telling
from gateway.types.inputs import EligibilityInput, SubmitTransferInput
from gateway.types.refusals import CoverageGap, Eligibility
from gateway.validation import MAX_REFERENCE, violations_of_text
from workflows.clocks import statutory_end
from workflows.commands import Application
from workflows.eligibility import Assessment, assess
from workflows.employer_findings import employing_sides, for_employer
from workflows.identity import name_fault, resident_id_fault
from workflows.vocabulary import CLERKS, Role, Side, TransferStepKind

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
    number, code = given.certificate_number or None, given.certificate_code or None
    found.extend(violations_of_text(telling, "certificateNumber", number, MAX_REFERENCE))
    found.extend(violations_of_text(telling, "certificateCode", code, MAX_REFERENCE))
    if code is not None and number is None:
        found.append(violation(telling, "certificateNumber", "EMPTY"))
    return found


def unknown_region(telling: Telling, field: str, code: PoolingRegionCode) -> list[FieldViolation]:
    """The violation of a region that the directory lacks."""
    if code in telling.reference.regions:
        return []
    return [violation(telling, field, "UNKNOWN_REGION", value=code[:12])]


def violation(telling: Telling, field: str, code: str, **figures: object) -> FieldViolation:
    """A violation of one field of `input`."""
    return FieldViolation(path=["input", field], code=code, message=telling.say(f"violation.{code}", **figures))


def asked_about(
    telling: Telling, resident_id: str | None, name: str | None = None, certificate: ShownCertificate | None = None
) -> Asked:
    """Whom the caller asks about: the person of the token unless another number is given.

    `certificate`: what an agency was shown of the person. Without either the number is empty: `violations_of` refuses that first.
    """
    viewer = telling.context.viewer
    number = resident_id or viewer.resident_id or ""
    fault = resident_id_fault(number, today=telling.today)
    is_self = viewer.has(Role.INSURED_PERSON) and number == viewer.resident_id
    keys = telling.context.keyring.person_keys(number) if fault is None else []
    agent = None
    if viewer.resident_id is not None and viewer.has(Role.INSURED_PERSON) and not is_self:
        agent = Agent(telling.context.keyring.person_keys(viewer.resident_id), telling.now)
    agency = None
    if viewer.region is not None and viewer.has(*CLERKS):
        agency = AskingAgency(viewer.region, telling.now, certificate)
    applicant = Applicant(viewer.actor, keys, name=name or None, is_self=is_self, agent=agent, agency=agency)
    return Asked(number, fault, is_self, applicant)


def certificate_shown(given: EligibilityInput | SubmitTransferInput) -> ShownCertificate | None:
    """The certificate that the input gives in full: number and verification code."""
    if not given.certificate_number or not given.certificate_code:
        return None
    return ShownCertificate(given.certificate_number, given.certificate_code)


async def read_and_assess(
    connection: Connection, telling: Telling, asked: Asked, application: Application, *, command_id: str = ""
) -> tuple[Reading, Assessment]:
    """Read what the caller may know of the person, and give every reason. The regions of `application` are in the directory.

    `tie` of the reading says by which tie an agency knows more than its own register; None for one without.
    """
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


def employer_sides(asked: Asked, reading: Reading) -> frozenset[Side] | None:
    """The sides of an employer that asks for its employee; None for every other caller."""
    actor = asked.applicant.actor
    if not actor.has(Role.EMPLOYER) or actor.has(Role.INSURED_PERSON, *CLERKS) or not reading.check.authorised:
        return None
    return employing_sides(reading.check, actor.subject)


async def tell_eligibility(telling: Telling, given: EligibilityInput) -> Eligibility:
    """The dry run. Raises `InvalidArguments`."""
    found = violations_of(telling, given)
    if found:
        raise InvalidArguments(found)
    asked = asked_about(telling, given.resident_id or None, given.name or None, certificate_shown(given))
    application = Application(
        transfer_id=_NO_TRANSFER,
        no="",
        from_region=given.from_region,
        to_region=given.to_region,
        from_scheme=given.from_scheme,
        to_scheme=given.to_scheme,
        request_stop=given.request_stop,
        certificate_number=given.certificate_number or None,
    )
    async with telling.context.pool.acquire() as connection, connection.transaction(readonly=True):
        reading, assessment = await read_and_assess(connection, telling, asked, application)
    if reading.check.authorised:
        # By the number: an agency without a tie has asked about the person too, whichever register knows them.
        telling.note_look("eligibility", person_keys=asked.applicant.person_keys)
    eligible = not assessment.blocking
    # What the registers say is not for a caller who may not act for this person.
    sides = employer_sides(asked, reading)
    knows_the_person = reading.check.authorised and sides is None
    wait, gap = (assessment.waiting_period, assessment.gap) if knows_the_person else (None, None)
    findings = assessment.findings if sides is None else for_employer(assessment.findings, sides)
    due_on = _due_on(telling, assessment) if eligible else None
    return Eligibility(
        eligible=eligible,
        findings=[telling.refusal(each) for each in findings],
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
