"""The command log, the gateway's one write: who asked what, under which key, once for ever."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
import orjson
from strawberry import UNSET

from activities.database import Connection
from activities.free_text import SealedText
from activities.keyring import DataKey, Keyring
from gateway.telling import Telling
from workflows.actors import Actor
from workflows.free_text import FREE_TEXT


class KeyTakenError(Exception):
    """The idempotency key is bound to other input."""


class Key(NamedTuple):
    """A caller's idempotency key. `input_hashes`: what it is bound to, under every version of the keyring, newest first."""

    key_hash: str
    input_hashes: list[str]


@dataclass(frozen=True)
class Entry:
    """What a command asks. `person_key` says who an application or a certificate is about; steps leave it out.

    `texts`: what `input` refers to, sealed.
    """

    kind: str
    actor: Actor
    input: dict[str, Any]
    received_at: datetime
    transfer_id: UUID | None = None
    transfer_no: str | None = None
    person_key: bytes | None = None
    outcome: dict[str, Any] | None = None
    refusal_no: str | None = None
    texts: tuple[SealedText, ...] = ()


@dataclass(frozen=True)
class Recorded:
    """A command of the log. `replayed`: an earlier call recorded it."""

    command_id: str
    transfer_id: UUID | None
    transfer_no: str | None
    input: dict[str, Any]
    outcome: dict[str, Any] | None
    refusal_no: str | None
    replayed: bool


# The key itself, and what is hashed with the keyring's key.
_KEYED = {"idempotency_key", "resident_id", "agent_resident_id", "account_number"}


def key_of(
    telling: Telling,
    mutation: str,
    idempotency_key: str,
    given: object,
    *,
    number: str | None = None,
    agent_number: str | None = None,
    data_key: DataKey | None = None,
) -> Key:
    """The key of a call. The `number`, of a person or of their bank account, goes into the hash of the input as a keyed hash.

    A plain hash of so few digits could be tried out. `agent_number` is that of the person's agent, hashed as well. So could
    that of a short free text: it goes in as a keyed hash under the person's `data_key`, or without one under the keyring.
    """
    said = {name: value for name, value in vars(given).items() if value is not None and value is not UNSET}
    said = {name: value for name, value in said.items() if name not in _KEYED}
    viewer, keyring = telling.context.viewer, telling.context.keyring
    if viewer.acting_person is not None:
        # Under one key a system asks for one person.
        said["act"] = viewer.acting_person
    keyed = keyring.person_keys(number) if number is not None else [b""]
    if agent_number is not None:
        # Each pair under one version of the keyring.
        keyed = [person + agent for person, agent in zip(keyed, keyring.person_keys(agent_number), strict=True)]
    texts = {name: value for name, value in said.items() if name in FREE_TEXT and type(value) is str}
    inputs = [said | hidden for hidden in _hidden(texts, keyring, data_key)]
    if texts:
        # Keys that were bound before texts were hashed under a key. This form is compared with, and never stored.
        inputs.append(said)
    return Key(
        key_hash=_hash(f"{viewer.identity}\n{idempotency_key}".encode()),
        input_hashes=[
            _hash(_canonical({"mutation": mutation, "input": each, "person": person.hex()}))
            for each in inputs
            for person in keyed
        ],
    )


def _hidden(texts: dict[str, str], keyring: Keyring, data_key: DataKey | None) -> list[dict[str, str]]:
    """The keyed hash of every text by field: one under the person's key, or one for each version of the keyring, newest first."""
    if data_key is not None:
        return [{name: data_key.text_key(text).hex() for name, text in texts.items()}]
    if not texts:
        return [{}]
    hashes = [keyring.text_keys(text) for text in texts.values()]
    return [dict(zip(texts, (each.hex() for each in version), strict=True)) for version in zip(*hashes, strict=True)]


BOUND_SQL = """
select command_id, input_hash, transfer_id, transfer_no, input, outcome, refusal_no
  from commands where key_hash = $1 and not released
"""


async def find_bound(connection: Connection | asyncpg.Pool, key: Key) -> Recorded | None:
    """The command that the key is bound to. Raises `KeyTakenError` when that asked something else."""
    row = await connection.fetchrow(BOUND_SQL, key.key_hash)
    if row is None:
        return None
    if row["input_hash"] not in key.input_hashes:
        raise KeyTakenError
    return Recorded(
        command_id=row["command_id"],
        transfer_id=row["transfer_id"],
        transfer_no=row["transfer_no"],
        input=orjson.loads(row["input"]),
        outcome=orjson.loads(row["outcome"]) if row["outcome"] is not None else None,
        refusal_no=row["refusal_no"],
        replayed=True,
    )


# A released attempt keeps its id, so the next one under the same key takes another. What two calls at once may both
# insert, the unique indexes leave to one of them.
_APPEND_SQL = """
insert into commands (command_id, key_hash, input_hash, kind, transfer_id, transfer_no, person_key, actor, input, received_at,
                      outcome, carried_out_at, refusal_no)
select case when exists (select from commands where command_id = $1) then $1 || '.' || $2 else $1 end,
       $1, $3, $4, $5, $6, $7, $8, $9, $10, $11::jsonb, case when $11::jsonb is not null then $10::timestamptz end, $12
    on conflict do nothing
returning command_id
"""
# The texts that it refers to, kept by the same statement: neither is ever there without the other.
_APPEND_WITH_TEXTS_SQL = f"""
with appended as ({_APPEND_SQL}), kept as (
    insert into sealed_texts (transfer_id, digest, sealed)
    select $5, digest, sealed from unnest($13::bytea[], $14::bytea[]) as t (digest, sealed) where exists (select from appended))
select command_id from appended
"""  # noqa: S608 - our own statement


async def append(connection: Connection | asyncpg.Pool, key: Key, entry: Entry) -> Recorded | None:
    """Record a command; None when another call has bound the key in this instant."""
    kept = ([text.digest for text in entry.texts], [text.sealed for text in entry.texts]) if entry.texts else ()
    command_id = await connection.fetchval(
        _APPEND_WITH_TEXTS_SQL if kept else _APPEND_SQL,
        key.key_hash,
        secrets.token_hex(8),
        key.input_hashes[0],
        entry.kind,
        entry.transfer_id,
        entry.transfer_no,
        entry.person_key,
        entry.actor.model_dump_json(),
        _canonical(entry.input).decode(),
        entry.received_at,
        _canonical(entry.outcome).decode() if entry.outcome is not None else None,
        entry.refusal_no,
        *kept,
    )
    if command_id is None:
        return None
    return Recorded(
        command_id, entry.transfer_id, entry.transfer_no, entry.input, entry.outcome, entry.refusal_no, replayed=False
    )


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _canonical(value: object) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS, default=_plain)


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, date | datetime):
        return value.isoformat()
    if hasattr(value, "__dict__"):
        return vars(value)
    raise TypeError(type(value).__name__)
