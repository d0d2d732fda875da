"""Persons: found by the keyed hash of their number; their personal data sealed and opened, here and nowhere else."""

from dataclasses import dataclass
from uuid import UUID

import asyncpg

from activities.database import Connection
from activities.keyring import DataKey, Keyring
from workflows.identity import comparable_name

_RESIDENT_ID = b"resident_id"
_NAME = b"name"
_AGENT = b"mandate agent"


@dataclass(frozen=True)
class PersonRef:
    """A person of the registers: the random id, the key of what is stored about them, and their number, sealed."""

    person_id: UUID
    data_key: DataKey
    resident_id_sealed: bytes


async def find_person(connection: Connection, keyring: Keyring, resident_id: str) -> PersonRef | None:
    """The person of this number, or None. Raises `KeyringError` when the keyring cannot open their data key."""
    row = await connection.fetchrow(
        "select person_id, wrapped_key, resident_id_sealed from persons where person_key = any($1)",
        keyring.person_keys(resident_id),
    )
    return _person(keyring, row) if row else None


async def person_by_id(connection: Connection, keyring: Keyring, person_id: UUID) -> PersonRef | None:
    """The person of this id, or None. Raises `KeyringError` when the keyring cannot open their data key."""
    row = await connection.fetchrow(
        "select person_id, wrapped_key, resident_id_sealed from persons where person_id = $1", person_id
    )
    return _person(keyring, row) if row else None


def open_identity(person: PersonRef) -> str:
    """The resident identity number. Raises `BrokenSealError`."""
    return person.data_key.open(person.resident_id_sealed, _RESIDENT_ID).decode()


def open_name(data_key: DataKey, name_sealed: bytes) -> str:
    """The name of an enrolment, as its region's register spells it. Raises `BrokenSealError`."""
    return data_key.open(name_sealed, _NAME).decode()


def seal_identity(data_key: DataKey, resident_id: str) -> bytes:
    """What `persons.resident_id_sealed` holds."""
    return data_key.seal(resident_id.encode(), _RESIDENT_ID)


def seal_name(data_key: DataKey, name: str) -> bytes:
    """What `enrolments.name_sealed` holds."""
    return data_key.seal(name.encode(), _NAME)


def seal_agent(data_key: DataKey, masked_number: str) -> bytes:
    """What `mandates.agent_sealed` holds, under the data key of the person who gave the mandate."""
    return data_key.seal(masked_number.encode(), _AGENT)


def open_agent(data_key: DataKey, agent_sealed: bytes) -> str:
    """The masked number of a mandate's agent. Raises `BrokenSealError`."""
    return data_key.open(agent_sealed, _AGENT).decode()


def name_key(data_key: DataKey, name: str) -> bytes:
    """What `enrolments.name_key` holds: equal when two spellings are the person's one name."""
    return data_key.name_key(comparable_name(name))


def _person(keyring: Keyring, row: asyncpg.Record) -> PersonRef:
    return PersonRef(row["person_id"], keyring.unwrap(row["wrapped_key"]), row["resident_id_sealed"])
