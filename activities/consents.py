"""A person's consent at a window, as the command log holds it: its reason sealed, and read back for the person."""

from datetime import date, datetime
from typing import NamedTuple

import asyncpg
from pydantic import BaseModel

from activities.database import Connection
from activities.keyring import Keyring, KeyringError
from activities.people import PersonRef
from activities.ties import ConsentCommand

AT_MOST = 50
_REASON = b"consent reason"
_PURPOSE = "consent reason"


class SealedReason(NamedTuple):
    """A reason in hex. `key`: the keyring's version that sealed it; None when it is sealed under the person's data key."""

    sealed: str
    key: str | None


class ConsentGiven(BaseModel, frozen=True):
    """What a RECORD_CONSENT command asks, as the command log holds it. `region`: that of the agency whose window recorded it."""

    region: str
    valid_until: date
    reason_sealed: str
    reason_key: str | None


class ConsentRevocation(BaseModel, frozen=True):
    """What a REVOKE_CONSENT command asks. `consent_id`: the id of the command that recorded the consent."""

    consent_id: str


class Consent(NamedTuple):
    """A consent of the person. `reason` is None once the key that it was sealed under is gone."""

    consent_id: str
    region: str
    given_at: datetime
    valid_until: date
    reason: str | None
    revoked_at: datetime | None


def seal_reason(keyring: Keyring, person: PersonRef | None, reason: str) -> SealedReason:
    """The reason under the person's data key; under the keyring's for a person whom no register knows."""
    if person is not None:
        return SealedReason(person.data_key.seal(reason.encode(), _REASON).hex(), None)
    key, sealed = keyring.seal(_PURPOSE, reason.encode())
    return SealedReason(sealed.hex(), key)


# $1: the person's keyed hashes. A consent that is taken back twice has ended with the first revocation.
CONSENTS_SQL = f"""
select c.command_id, c.received_at, c.input, p.wrapped_key,
       (select min(r.received_at) from commands r
         where r.kind = '{ConsentCommand.REVOKE}' and r.input ->> 'consent_id' = c.command_id) as revoked_at
  from commands c left join persons p on p.person_key = any($1::bytea[])
 where c.person_key = any($1::bytea[]) and c.kind = '{ConsentCommand.RECORD}' and ($2::text is null or c.command_id = $2)
 order by c.received_at desc, c.command_id limit {AT_MOST}
"""  # noqa: S608 - put together from constants of this file; every value is a parameter


async def consents_of(
    connection: Connection | asyncpg.Pool, keyring: Keyring, person_keys: list[bytes]
) -> list[Consent]:
    """The consents of the person, newest first, ended ones too; 50 at most."""
    rows = await connection.fetch(CONSENTS_SQL, person_keys, None)
    return [_consent(keyring, row) for row in rows]


async def consent_of(
    connection: Connection | asyncpg.Pool, keyring: Keyring, person_keys: list[bytes], consent_id: str
) -> Consent | None:
    """The consent of that id, if it is this person's."""
    row = await connection.fetchrow(CONSENTS_SQL, person_keys, consent_id)
    return _consent(keyring, row) if row is not None else None


def _consent(keyring: Keyring, row: asyncpg.Record) -> Consent:
    given = ConsentGiven.model_validate_json(row["input"])
    reason = _reason(keyring, row["wrapped_key"], given)
    return Consent(row["command_id"], given.region, row["received_at"], given.valid_until, reason, row["revoked_at"])


def _reason(keyring: Keyring, wrapped_key: bytes | None, given: ConsentGiven) -> str | None:
    sealed = bytes.fromhex(given.reason_sealed)
    try:
        if given.reason_key is not None:
            return keyring.open(_PURPOSE, given.reason_key, sealed).decode()
        return keyring.unwrap(wrapped_key or b"").open(sealed, _REASON).decode()
    except KeyringError:
        return None
