"""An application as its command has it, read together with what both registers say of the person."""

import json
from datetime import date, datetime
from typing import Any

import asyncpg

from activities import registers
from activities.database import Connection
from activities.keyring import Keyring
from activities.mandates import Agent
from activities.registers import Reading
from activities.sight import Applicant
from workflows import commands as c
from workflows import events as e
from workflows.actors import Actor
from workflows.decide import Recheck, Submission
from workflows.eligibility import Assessment
from workflows.vocabulary import RefusalCode


async def read_application(
    connection: Connection, keyring: Keyring, row: asyncpg.Record, actor: Actor, today: date
) -> tuple[Reading, c.Application]:
    """The application of the command `row`, and what both registers say of it on `today`."""
    said = json.loads(row["input"])
    application = c.Application.model_validate(said["application"])
    applicant = Applicant(
        actor=actor,
        person_keys=[bytes.fromhex(each) for each in said["person_keys"]],
        name_key=bytes.fromhex(said["name_key"]) if said.get("name_key") else None,
        is_self=said["is_self"],
        agent=_agent(said, row["received_at"]),
        taken=True,
    )
    reading = await registers.read_precheck(
        connection, keyring, applicant, application, today=today, command_id=row["command_id"]
    )
    return reading, application


def submission(application: c.Application, reading: Reading, assessment: Assessment) -> Submission:
    """The case as it begins. Raises LookupError when no register knows the person any more."""
    if reading.person is None:
        raise LookupError(f"no register knows the person of application {application.no} any more")
    submitted = e.Submitted(
        **application.model_dump(exclude={"request_stop", "wait_for_register", "certificate_number"}),
        person_id=reading.person.person_id,
        route=assessment.route,
        unconnected=tuple(code for code, entry in reading.regions.items() if not entry.policy.connected),
        **_found(reading, assessment),
    )
    return Submission(submitted, assessment.blocking, _arrears(assessment), assessment.periods)


def rechecked(reading: Reading, assessment: Assessment) -> Recheck:
    """What the registers say now of a case that waits for them."""
    checked = e.RegisterChecked(**_found(reading, assessment))
    return Recheck(checked, assessment.blocking, _arrears(assessment), assessment.periods)


def _found(reading: Reading, assessment: Assessment) -> dict[str, Any]:
    """What the first look and every later one say of the case, field by field."""
    return {
        "findings": assessment.remaining,
        "waiting": assessment.waiting,
        "manual": assessment.manual,
        "stop_needed": assessment.stop_needed,
        "stopped_on": assessment.stopped_on,
        "gap": assessment.gap,
        "employer_ids": reading.employer_ids,
    }


def _agent(said: dict[str, Any], at: datetime) -> Agent | None:
    """Who asked on another's mandate. It counts as of the receipt: one that ends meanwhile undoes nothing."""
    keys = [bytes.fromhex(each) for each in said.get("agent_keys", ())]
    return Agent(keys, at) if keys else None


def _arrears(assessment: Assessment) -> e.ArrearsNotified | None:
    arrears = next((each for each in assessment.remaining if each.code is RefusalCode.ARREARS_OUTSTANDING), None)
    return e.ArrearsNotified.model_validate(arrears.figures) if arrears else None
