"""Mandates: given, taken back, and asked for. At most one mandate of a person to an agent is in force: the one given last."""

# ruff: noqa: S608 - statements are put together from constants; every value is a parameter

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from pydantic import BaseModel

from activities.database import Connection
from workflows.vocabulary import MandateRelation


class MandateCommand(StrEnum):
    """The kinds of commands that concern a mandate, as the command log names them."""

    GRANT = "GRANT_MANDATE"
    REVOKE = "REVOKE_MANDATE"


class MandateGrant(BaseModel, frozen=True):
    """What a GRANT_MANDATE command asks, as the command log holds it. Bytes are in hex.

    `agent_keys`: the agent's number under every version of the keyring, the one of `agent_key_version` first.
    `agent_sealed`: the number masked, sealed under the giver's data key. `entered_in`: the region of the window, if it
    came on paper.
    """

    mandate_id: UUID
    person_id: UUID
    agent_keys: tuple[str, ...]
    agent_key_version: str
    agent_sealed: str
    relation: MandateRelation
    valid_until: date
    entered_in: str | None = None


class MandateRevocation(BaseModel, frozen=True):
    """What a REVOKE_MANDATE command asks."""

    mandate_id: UUID


@dataclass(frozen=True)
class Agent:
    """An insured person who asks for another: their own number's keyed hashes, and when they asked."""

    person_keys: list[bytes]
    asked_at: datetime


def in_force(place: str) -> str:
    """A condition on `mandates m`: it holds at the instant of the parameter `place`, e.g. `$3`."""
    return (
        f"(m.valid_until >= ({place}::timestamptz at time zone interval '8 hours')::date"
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


# Commands may be carried out in another order than they came in: the one given last stands, whatever the order.
SUPERSEDE_SQL = """
update mandates m set revoked_at = given.ended_at, revoked_by = given.ended_by
  from (select mandate_id, lead(granted_at) over next as ended_at, lead(granted_by) over next as ended_by
          from mandates where person_id = $1 and agent_key = any($2::bytea[])
        window next as (order by granted_at, mandate_id)) given
 where given.mandate_id = m.mandate_id and given.ended_at is not null and m.revoked_at is null
"""


async def grant(connection: Connection, command_id: str, asked: MandateGrant, at: datetime) -> None:
    """Write the mandate; an earlier one of the same person to the same agent ends as it begins."""
    keys = [bytes.fromhex(each) for each in asked.agent_keys]
    # Of two at once each would miss the other.
    await connection.execute("select pg_advisory_xact_lock($1)", asked.person_id.int & 0x7FFF_FFFF_FFFF_FFFF)
    await connection.execute(
        """insert into mandates (mandate_id, person_id, agent_key, agent_key_version, agent_sealed, relation, granted_at,
                                 valid_until, entered_in, granted_by)
           values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)""",
        asked.mandate_id, asked.person_id, keys[0], asked.agent_key_version, bytes.fromhex(asked.agent_sealed),
        asked.relation, at, asked.valid_until, asked.entered_in, command_id,
    )  # fmt: skip
    await connection.execute(SUPERSEDE_SQL, asked.person_id, keys)


async def revoke(connection: Connection, command_id: str, asked: MandateRevocation, at: datetime) -> None:
    """End the mandate now. One that has been taken back already stays as it ended."""
    await connection.execute(
        "update mandates set revoked_at = $2, revoked_by = $3 where mandate_id = $1 and revoked_at is null",
        asked.mandate_id, at, command_id,
    )  # fmt: skip
