"""The tie of an agency to a person on real PostgreSQL: each kind of tie, and what comes close to it and is none."""

import json
import os
from collections.abc import AsyncIterator
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from activities.keyring import Keyring
from activities.mandates import MandateGrant, grant, revoke
from activities.mandates import MandateRevocation as Revocation
from activities.people import find_person
from activities.registers import Reading, read_precheck
from activities.sight import Applicant
from activities.ties import AskingAgency, ShownCertificate, tie_of
from tests.activities.desk import MONDAY
from tests.activities.register_extracts import LI, WANG
from tests.cases import Cases, open_cases
from tests.conftest import Database
from workflows.actors import Actor
from workflows.commands import Application
from workflows.ties import Tie
from workflows.vocabulary import InsuranceScheme, MandateRelation, Role, Side

ELSEWHERE, OWN, ANOTHER = "440100", "330100", "440300"
NOBODY = "110101195001010033"
SUNDAY = MONDAY - timedelta(days=1)
CODE = "7K3M-0QXZ-9V2C"
OLD_KEY, NEW_KEY = os.urandom(32), os.urandom(32)
OLD, ROTATED = Keyring("1", {"1": OLD_KEY}), Keyring("2", {"1": OLD_KEY, "2": NEW_KEY})


@pytest.fixture
async def cases(database: Database) -> AsyncIterator[Cases]:
    """Two persons whom another region's register knows, under the first version of the keyring."""
    async with open_cases(database, OLD) as each:
        await each.registers({"region": ELSEWHERE}, {"region": ELSEWHERE, "resident_id": LI})
        yield each


async def tie(
    cases: Cases,
    *,
    at: datetime = MONDAY,
    number: str = WANG,
    region: str = OWN,
    certificate: tuple[str, str] | None = None,
    keyring: Keyring = ROTATED,
) -> Tie | None:
    """The tie as the gateway reads it, the keyring rotated since everything was written."""
    shown = ShownCertificate(*certificate) if certificate is not None else None
    async with cases.gateway_pool.acquire() as connection, connection.transaction(readonly=True):
        return await tie_of(connection, keyring.person_keys(number), AskingAgency(region, at, shown))


async def person_id(cases: Cases, number: str = WANG) -> UUID:
    person = await find_person(cases.owner, OLD, number)
    assert person is not None
    return person.person_id


async def test_a_person_known_elsewhere_is_as_little_known_as_one_whom_no_register_has(cases: Cases) -> None:
    for number in (WANG, LI, NOBODY):
        assert await tie(cases, number=number) is None
        assert await tie(cases, number=number, certificate=("浙2026000001", CODE)) is None


@pytest.mark.parametrize(
    ("status", "stopped_on", "held"),
    [("ACTIVE", None, Tie.ENROLMENT), ("STOPPED", SUNDAY.date(), Tie.ENROLMENT), ("TERMINATED", SUNDAY.date(), None)],
)
@pytest.mark.parametrize("scheme", ["EMPLOYEE", "RESIDENT"])
async def test_an_enrolment_in_the_own_region_ties_until_it_is_terminated(
    cases: Cases, status: str, stopped_on: date | None, scheme: str, held: Tie | None
) -> None:
    await cases.registers({"region": OWN, "scheme": scheme})
    await cases.owner.execute(
        "update enrolments set status = $1, stopped_on = $2 where region = $3", status, stopped_on, OWN
    )
    assert await tie(cases) is held
    assert await tie(cases, keyring=OLD) is held
    assert await tie(cases, number=LI) is None
    assert await tie(cases, region=ANOTHER) is None


async def transfer(cases: Cases, number: str, between: tuple[str, str], status: str, closed: bool) -> None:
    await cases.owner.execute(
        """insert into transfers (transfer_id, no, person_id, route, from_region, to_region, from_scheme, to_scheme, status,
                                  funds_status, state, revision, submitted_at, closed_at)
           values ($1, $1::uuid::text, $2, 'PLATFORM', $3, $4, 'EMPLOYEE', 'EMPLOYEE', $5, 'NOT_REQUIRED', '{}', 1, $6, $7)""",
        uuid4(), await person_id(cases, number), *between, status, SUNDAY, SUNDAY if closed else None,
    )  # fmt: skip


@pytest.mark.parametrize("between", [(ELSEWHERE, OWN), (OWN, ELSEWHERE)])
@pytest.mark.parametrize(
    ("status", "closed", "held"),
    [
        ("SUBMITTED", False, Tie.TRANSFER),
        ("AWAITING_FUNDS", False, Tie.TRANSFER),
        ("COMPLETED", True, Tie.TRANSFER),
        ("COMPLETED", False, Tie.TRANSFER),
        ("WITHDRAWN", True, None),
        ("DECLINED", True, None),
        ("TERMINATED", True, None),
    ],
)
async def test_an_open_or_completed_transfer_with_the_own_region_ties(
    cases: Cases, between: tuple[str, str], status: str, closed: bool, held: Tie | None
) -> None:
    await transfer(cases, WANG, between, status, closed)
    assert await tie(cases) is held
    assert await tie(cases, number=LI) is None
    assert await tie(cases, region=ANOTHER) is None


async def test_a_certificate_ties_with_its_own_code_while_it_is_in_force(cases: Cases) -> None:
    number = "粤2026000001"
    await cases.owner.execute(
        """insert into documents (document_id, person_id, kind, number, issued_at, issued_by, sha256, content_sealed,
                                  verification_code, valid_until)
           values ($1, $2, 'ENROLMENT_CERTIFICATE', $3, $4, $5, '', '', $6, $7)""",
        uuid4(), await person_id(cases), number, SUNDAY, ELSEWHERE, CODE, MONDAY.date(),
    )  # fmt: skip
    for shown in ((number, CODE), (f" {number} ", "7k3m 0qxz 9v2c"), (number, "7K3MOQXZ9V2C")):
        assert await tie(cases, certificate=shown) is Tie.CERTIFICATE, shown
    for wrong in ((number, "7K3M-0QXZ-9V2D"), (number, ""), (number, "7K3M"), ("粤2026000002", CODE), ("", CODE)):
        assert await tie(cases, certificate=wrong) is None, wrong
    assert await tie(cases) is None
    assert await tie(cases, certificate=(number, CODE), number=LI) is None
    assert await tie(cases, certificate=(number, CODE), at=MONDAY + timedelta(days=1)) is None
    await cases.owner.execute("update documents set valid_until = null")
    assert await tie(cases, certificate=(number, CODE), at=MONDAY + timedelta(days=1)) is Tie.CERTIFICATE
    await cases.owner.execute("update documents set voided_at = $1", SUNDAY)
    assert await tie(cases, certificate=(number, CODE)) is None
    # A document of another kind is no certificate.
    await cases.owner.execute("update documents set voided_at = null, kind = 'COMPLETION_NOTICE'")
    assert await tie(cases, certificate=(number, CODE)) is None


async def command(cases: Cases, kind: str, given: dict[str, Any], at: datetime, number: str = WANG) -> str:
    """A command of the log that is done as it is recorded, under the old keyring."""
    command_id = uuid4().hex
    await cases.gateway_pool.execute(
        """insert into commands (command_id, key_hash, input_hash, kind, person_key, actor, input, received_at, outcome)
           values ($1, $1, '', $2, $3, '{}', $4, $5, '{"kind": "DONE"}')""",
        command_id, kind, OLD.person_key(number)[0], json.dumps(given), at,
    )  # fmt: skip
    return command_id


async def test_a_mandate_that_the_own_window_entered_ties_while_it_is_in_force(cases: Cases) -> None:
    given_at = MONDAY - timedelta(days=3)
    command_id = await command(cases, "GRANT_MANDATE", {}, given_at)
    asked = MandateGrant(
        mandate_id=uuid4(),
        person_id=await person_id(cases),
        agent_keys=(OLD.person_key(LI)[0].hex(),),
        agent_key_version="1",
        agent_sealed="00",
        relation=MandateRelation.CHILD,
        valid_until=MONDAY.date(),
        entered_in=OWN,
    )
    await grant(cases.owner, command_id, asked, given_at)
    # Until it starts it ties nobody.
    assert await tie(cases) is None
    await cases.owner.execute(
        "update mandates set starts_at = granted_at + interval '1 day', approved_by = $1", command_id
    )
    assert await tie(cases) is Tie.MANDATE
    assert await tie(cases, region=ANOTHER) is None
    # The agent of a mandate is not the person who gave it.
    assert await tie(cases, number=LI) is None
    assert await tie(cases, at=MONDAY + timedelta(days=1)) is None
    await revoke(cases.owner, command_id, Revocation(mandate_id=asked.mandate_id), SUNDAY)
    assert await tie(cases) is None
    await cases.owner.execute("update mandates set revoked_at = null, revoked_by = null, entered_in = null")
    assert await tie(cases) is None


CONSENT = {"region": OWN, "valid_until": "2026-03-02", "reason_sealed": "00", "reason_key": None}


async def test_a_consent_at_the_own_window_ties_from_its_record_to_the_end_of_its_last_day(cases: Cases) -> None:
    consent = await command(cases, "RECORD_CONSENT", CONSENT, MONDAY)
    assert await tie(cases) is Tie.CONSENT
    assert await tie(cases, keyring=OLD) is Tie.CONSENT
    assert await tie(cases, keyring=Keyring("2", {"2": NEW_KEY})) is None
    assert await tie(cases, number=LI) is None
    assert await tie(cases, region=ANOTHER) is None
    assert await tie(cases, at=MONDAY - timedelta(microseconds=1)) is None
    midnight = MONDAY.replace(hour=0) + timedelta(days=1)
    assert await tie(cases, at=midnight - timedelta(microseconds=1)) is Tie.CONSENT
    assert await tie(cases, at=midnight) is None
    revoked_at = MONDAY + timedelta(hours=1)
    await command(cases, "REVOKE_CONSENT", {"consent_id": "another"}, MONDAY)
    assert await tie(cases) is Tie.CONSENT
    await command(cases, "REVOKE_CONSENT", {"consent_id": consent}, revoked_at)
    assert await tie(cases) is Tie.CONSENT
    assert await tie(cases, at=revoked_at) is None


async def test_a_person_whom_no_register_knows_can_consent_too(cases: Cases) -> None:
    await command(cases, "RECORD_CONSENT", CONSENT, MONDAY, NOBODY)
    assert await tie(cases, number=NOBODY) is Tie.CONSENT


async def test_both_look_ups_of_consents_use_their_indexes(cases: Cases) -> None:
    async with cases.owner.transaction():
        await cases.owner.execute("set local enable_seqscan = off")
        for index, condition in (
            ("commands_consents", f"kind = 'RECORD_CONSENT' and person_key = '\\x{'00' * 32}'"),
            ("commands_consents_revoked", "kind = 'REVOKE_CONSENT' and input ->> 'consent_id' = 'x'"),
        ):
            plan = await cases.owner.fetch(f"explain select from commands where {condition}")
            assert index in "".join(row[0] for row in plan)


async def test_the_reading_of_an_agency_without_a_tie_holds_nothing_that_its_own_register_does_not(
    cases: Cases,
) -> None:
    actor = Actor(subject="clerk-1", roles=(Role.CLERK,), region=OWN)
    application = Application(
        transfer_id=uuid4(),
        no="",
        from_region=ELSEWHERE,
        to_region=OWN,
        from_scheme=InsuranceScheme.EMPLOYEE,
        to_scheme=InsuranceScheme.EMPLOYEE,
    )

    async def reading() -> Reading:
        applicant = Applicant(actor, OLD.person_keys(WANG), name="王思琪", agency=AskingAgency(OWN, MONDAY))
        async with cases.gateway_pool.acquire() as connection, connection.transaction(readonly=True):
            return await read_precheck(connection, OLD, applicant, application, today=MONDAY.date())

    untied = await reading()
    assert (untied.person, untied.name_key, untied.tie, untied.check.enrolments) == (None, None, None, ())
    assert (untied.check.authorised, untied.check.only_side, untied.employer_ids) == (True, Side.TRANSFER_IN, ())
    await command(cases, "RECORD_CONSENT", CONSENT, MONDAY)
    tied = await reading()
    assert (tied.tie, tied.check.only_side, [each.region for each in tied.check.enrolments]) == (
        Tie.CONSENT,
        None,
        [ELSEWHERE],
    )
