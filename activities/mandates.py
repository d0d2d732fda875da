"""Mandates: given, approved, confirmed, taken back, and asked for.

At most one mandate of a person to an agent is in force: of those that have started, the one given last.
"""

# ruff: noqa: S608 - statements are put together from constants; every value is a parameter

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

import asyncpg
from pydantic import BaseModel

from activities.database import Connection
from workflows.actors import Actor
from workflows.mandate_notices import MandateNoticeKind
from workflows.mandate_terms import WAITING_TIME, WhyNot, mandate_state, refuse_approval, refuse_confirmation
from workflows.vocabulary import MandateRelation


class MandateCommand(StrEnum):
    """The kinds of commands that concern a mandate, as the command log names them."""

    GRANT = "GRANT_MANDATE"
    REVOKE = "REVOKE_MANDATE"
    APPROVE = "APPROVE_MANDATE"
    CONFIRM = "CONFIRM_MANDATE"


class MandateGrant(BaseModel, frozen=True):
    """What a GRANT_MANDATE command asks, as the command log holds it. Bytes are in hex.

    `agent_keys`: the agent's number under every version of the keyring, the one of `agent_key_version` first.
    `agent_sealed`: the number masked, sealed under the giver's data key. `entered_in`: the region of the window, and
    `paper_reference` the reference of the signed paper, if it came on paper. Commands of before have no such reference.
    """

    mandate_id: UUID
    person_id: UUID
    agent_keys: tuple[str, ...]
    agent_key_version: str
    agent_sealed: str
    relation: MandateRelation
    valid_until: date
    entered_in: str | None = None
    paper_reference: str | None = None


class MandateRevocation(BaseModel, frozen=True):
    """What a REVOKE_MANDATE command asks."""

    mandate_id: UUID


class MandateApproval(BaseModel, frozen=True):
    """What an APPROVE_MANDATE command asks."""

    mandate_id: UUID


class MandateConfirmation(BaseModel, frozen=True):
    """What a CONFIRM_MANDATE command asks."""

    mandate_id: UUID


@dataclass(frozen=True)
class Agent:
    """An insured person who asks for another: their own number's keyed hashes, and when they asked."""

    person_keys: list[bytes]
    asked_at: datetime


def in_force(place: str) -> str:
    """A condition on `mandates m`: it is in force at the instant of the parameter `place`, e.g. `$3`.

    It does not hold for one that has no start yet.
    """
    return (
        f"(m.starts_at <= {place}::timestamptz"
        f" and m.valid_until >= ({place}::timestamptz at time zone interval '8 hours')::date"
        f" and (m.revoked_at is null or m.revoked_at > {place}::timestamptz))"
    )


async def holds_mandate(connection: Connection, person_keys: list[bytes], agent: Agent) -> bool:
    """Whether a mandate of the person to the agent was in force when the agent asked; False for who is in no register."""
    held: bool = await connection.fetchval(
        f"""select exists (select from persons p join mandates m using (person_id)
                            where p.person_key = any($1::bytea[]) and m.agent_key = any($2::bytea[])
                              and {in_force("$3")})""",
        person_keys, agent.person_keys, agent.asked_at,
    )  # fmt: skip
    return held


# Commands may be carried out in another order than they came in. A mandate ends when it is taken back, or when one that was
# given later to the same agent starts: whichever is first, whatever the order.
END_SQL = """
update mandates m set revoked_at = e.ended_at, revoked_by = e.ended_by
  from (select each.mandate_id, first.ended_at, first.ended_by
          from mandates each left join lateral (
               select ended_at, ended_by
                 from (select each.taken_back_at as ended_at, each.taken_back_by as ended_by
                        where each.taken_back_at is not null
                       union all
                       select later.starts_at, coalesce(later.confirmed_by, later.approved_by, later.granted_by)
                         from mandates later
                        where later.person_id = each.person_id and later.agent_keys && each.agent_keys
                          and (later.granted_at, later.mandate_id) > (each.granted_at, each.mandate_id)
                          and (later.taken_back_at is null or later.taken_back_at > later.starts_at)
                          and later.starts_at is not null) ends
                order by ended_at, ended_by limit 1) first on true
         where each.person_id = $1) e
 where m.mandate_id = e.mandate_id and (m.revoked_at, m.revoked_by) is distinct from (e.ended_at, e.ended_by)
"""
READ_SQL = """
select m.mandate_id, m.person_id, m.valid_until, m.revoked_at, m.starts_at, m.entered_in, c.actor as entered_by
  from mandates m join commands c on c.command_id = m.granted_by
 where m.mandate_id = $1
"""
NOTICE_SQL = """
insert into mandate_notices (mandate_id, kind, recipient, region, starts_at)
select mandate_id, $2, 'person', entered_in, starts_at from mandates where mandate_id = $1 and entered_in is not null
    on conflict do nothing
"""


async def grant(connection: Connection, command_id: str, asked: MandateGrant, at: datetime) -> None:
    """Write the mandate. One that the person gives starts at once; one from a window waits, and its giver is told."""
    keys = [bytes.fromhex(each) for each in asked.agent_keys]
    await _alone(connection, asked.person_id)
    await connection.execute(
        """insert into mandates (mandate_id, person_id, agent_key, agent_key_version, agent_sealed, relation, granted_at,
                                 valid_until, entered_in, granted_by, paper_reference, starts_at, agent_keys)
           values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)""",
        asked.mandate_id, asked.person_id, keys[0], asked.agent_key_version, bytes.fromhex(asked.agent_sealed),
        asked.relation, at, asked.valid_until, asked.entered_in, command_id, asked.paper_reference,
        at if asked.entered_in is None else None, keys,
    )  # fmt: skip
    await _tell(connection, asked.mandate_id, MandateNoticeKind.ENTERED)
    await connection.execute(END_SQL, asked.person_id)


async def approve(
    connection: Connection, command_id: str, asked: MandateApproval, approver: Actor, at: datetime
) -> WhyNot | None:
    """Have the mandate start `WAITING_TIME` after `at`; or why that cannot be. Raises LookupError."""
    row = await _locked(connection, asked.mandate_id)
    why = objection_to_approval(row, approver, at)
    if why is not None:
        return why
    await connection.execute(
        "update mandates set starts_at = $2, approved_by = $3 where mandate_id = $1",
        asked.mandate_id, at + WAITING_TIME, command_id,
    )  # fmt: skip
    await _tell(connection, asked.mandate_id, MandateNoticeKind.APPROVED)
    await connection.execute(END_SQL, row["person_id"])
    return None


async def confirm(connection: Connection, command_id: str, asked: MandateConfirmation, at: datetime) -> WhyNot | None:
    """Have the mandate start now, for its giver says so; or why that cannot be. Raises LookupError."""
    row = await _locked(connection, asked.mandate_id)
    why = objection_to_confirmation(row, at)
    if why is not None:
        return why
    await connection.execute(
        "update mandates set starts_at = $2, confirmed_by = $3 where mandate_id = $1", asked.mandate_id, at, command_id
    )
    await _tell(connection, asked.mandate_id, MandateNoticeKind.CONFIRMED)
    await connection.execute(END_SQL, row["person_id"])
    return None


async def revoke(connection: Connection, command_id: str, asked: MandateRevocation, at: datetime) -> None:
    """End the mandate now, whether it has started or not. One that has been taken back already stays as it ended.

    Raises LookupError.
    """
    row = await _locked(connection, asked.mandate_id)
    taken = await connection.execute(
        """update mandates set taken_back_at = $2, taken_back_by = $3
            where mandate_id = $1 and (taken_back_at is null or taken_back_at > $2)""",
        asked.mandate_id, at, command_id,
    )  # fmt: skip
    if taken == "UPDATE 1":
        await _tell(connection, asked.mandate_id, MandateNoticeKind.REVOKED)
        await connection.execute(END_SQL, row["person_id"])


async def read_mandate(connection: Connection, mandate_id: UUID) -> asyncpg.Record:
    """What decides whether a mandate may be approved or confirmed. Raises LookupError."""
    row = await connection.fetchrow(READ_SQL, mandate_id)
    if row is None:
        raise LookupError(f"there is no mandate {mandate_id}")
    return row


def objection_to_approval(row: asyncpg.Record, approver: Actor, at: datetime) -> WhyNot | None:
    """Why `approver` cannot approve the mandate of `read_mandate` at `at`, or None."""
    state = mandate_state(row["valid_until"], row["revoked_at"], at, starts_at=row["starts_at"])
    entered_by = Actor.model_validate_json(row["entered_by"])
    return refuse_approval(state, row["valid_until"], row["entered_in"], entered_by, approver, at)


def objection_to_confirmation(row: asyncpg.Record, at: datetime) -> WhyNot | None:
    """Why the giver cannot confirm the mandate of `read_mandate` at `at`, or None."""
    return refuse_confirmation(mandate_state(row["valid_until"], row["revoked_at"], at, starts_at=row["starts_at"]))


async def _locked(connection: Connection, mandate_id: UUID) -> asyncpg.Record:
    """The mandate as it is while no other command about its giver's mandates is carried out. Raises LookupError."""
    row = await read_mandate(connection, mandate_id)
    await _alone(connection, row["person_id"])
    return await read_mandate(connection, mandate_id)


async def _alone(connection: Connection, person_id: UUID) -> None:
    """Of two commands about one person's mandates at once, each would miss the other."""
    await connection.execute("select pg_advisory_xact_lock($1)", person_id.int & 0x7FFF_FFFF_FFFF_FFFF)


async def _tell(connection: Connection, mandate_id: UUID, kind: MandateNoticeKind) -> None:
    """Write the notice to the giver, if the mandate was entered at a window."""
    await connection.execute(NOTICE_SQL, mandate_id, kind)
