"""The ties of an agency to a person, read from the registers, the transfers, the documents, the mandates and the command log."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from activities.database import Connection
from activities.documents.verification import normalised_code
from activities.mandates import in_force
from workflows.deadlines import shanghai_date
from workflows.ties import Tie, strongest


class ConsentCommand(StrEnum):
    """The kinds of commands that concern a consent, as the command log names them. Both are done as they are recorded."""

    RECORD = "RECORD_CONSENT"
    REVOKE = "REVOKE_CONSENT"


class ShownCertificate(NamedTuple):
    """An enrolment certificate as the caller gives it: its number, and its verification code as a person types it."""

    number: str
    code: str


@dataclass(frozen=True)
class AskingAgency:
    """A clerk's or a system's agency: its region, when it asks, and the certificate that it was shown, if any."""

    region: str
    asked_at: datetime
    certificate: ShownCertificate | None = None


def consent_in_force(region: str, at: str) -> str:
    """A condition on `commands c`: a consent recorded by the agency of `region` that is in force at the instant `at`.

    Both are places of parameters, e.g. `$2`. A consent is good to the end of its last day in Asia/Shanghai, until the person
    takes it back.
    """
    return f"""c.kind = '{ConsentCommand.RECORD}' and c.input ->> 'region' = {region}
        and c.received_at <= {at}::timestamptz
        and (c.input ->> 'valid_until')::date >= ({at}::timestamptz at time zone interval '8 hours')::date
        and not exists (select from commands r where r.kind = '{ConsentCommand.REVOKE}'
                           and r.input ->> 'consent_id' = c.command_id and r.received_at <= {at}::timestamptz)"""


# The id of the person whose keyed hashes are at a place; the nil UUID for whom no register knows. It costs the same reads of
# the same indexes: the time of an answer does not say whether another register has the person.
PERSON_ID_SQL = """coalesce((select person_id from persons where person_key = any({keys}::bytea[])),
                            '00000000-0000-0000-0000-000000000000')"""
# $1: the person's keyed hashes. $2: the agency's region. $3: the instant. $4, $5: number and code of a certificate. $6: the day.
# A person whom no register knows can have a consent alone.
TIES_SQL = f"""
with asked as materialized (select {PERSON_ID_SQL.format(keys="$1")} as person_id)
select exists (select from enrolments e where e.person_id = asked.person_id and e.region = $2
                  and e.status in ('ACTIVE', 'STOPPED')) as "{Tie.ENROLMENT}",
       exists (select from transfers t where t.person_id = asked.person_id and $2 in (t.from_region, t.to_region)
                  and (t.closed_at is null or t.status = 'COMPLETED')) as "{Tie.TRANSFER}",
       exists (select from documents d where d.person_id = asked.person_id and d.kind = 'ENROLMENT_CERTIFICATE'
                  and d.number = $4::text and d.verification_code = $5::text and d.voided_at is null
                  and (d.valid_until is null or d.valid_until >= $6::date)) as "{Tie.CERTIFICATE}",
       exists (select from mandates m
                where m.person_id = asked.person_id and m.entered_in = $2 and {in_force("$3")}) as "{Tie.MANDATE}",
       exists (select from commands c
                where c.person_key = any($1::bytea[]) and {consent_in_force("$2", "$3")}) as "{Tie.CONSENT}"
  from asked
"""  # noqa: S608 - put together from constants of this system; every value is a parameter


async def tie_of(connection: Connection, person_keys: list[bytes], agency: AskingAgency) -> Tie | None:
    """The tie of the agency to the person when it asks; None without one. One statement, whether anybody knows the person or not."""
    number = code = None
    if agency.certificate is not None:
        number, code = agency.certificate.number.strip(), normalised_code(agency.certificate.code)
    today = shanghai_date(agency.asked_at)
    row = await connection.fetchrow(TIES_SQL, person_keys, agency.region, agency.asked_at, number, code, today)
    if row is None:
        raise LookupError("the ties of an agency were not read")
    return strongest([each for each in Tie if row[each]])
