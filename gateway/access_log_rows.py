"""From looks that were noted to rows of `access_log`: everything that is too dear for the answer itself."""

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple
from uuid import UUID

import asyncpg
import orjson

from activities.keyring import Keyring, KeyringError
from gateway.access_looks import (
    PURPOSE,
    Entry,
    LinkHolder,
    Look,
    looker_key,
    own_key,
    purpose_of,
    role_of,
    seal_context,
)
from workflows.deadlines import shanghai_date
from workflows.vocabulary import REGIONAL_ROLES, Role

# Sealing 500 looks takes some milliseconds: answers have their turn in between.
ROWS_IN_A_TURN: Final = 50
# One parameter: as arrays, fourteen columns cost the driver as much as sealing does.
INSERT_SQL: Final = """
insert into access_log (at, entry_id, person_id, transfer_id, transfer_no, document_id, region, role, purpose, operation,
                        looker_key, looker_sealed, own, looks)
select r.* from json_to_recordset($1::json) as r (
    at timestamptz, entry_id uuid, person_id uuid, transfer_id uuid, transfer_no text, document_id uuid, region text, role text,
    purpose text, operation text, looker_key text, looker_sealed bytea, own boolean, looks int)
    on conflict do nothing
"""
LOOKER_SQL: Final = """
insert into access_lookers (looker_key, region, keyring_version, looker_sealed) values ($1, $2, $3, $4) on conflict do nothing
"""
DOCUMENTS_SQL: Final = """
select d.document_id, d.person_id, d.transfer_id, t.no from documents d left join transfers t using (transfer_id)
 where d.document_id = any($1::uuid[])
"""
TRANSFERS_SQL: Final = "select no, person_id, transfer_id from transfers where no = any($1::text[])"
KEYS_SQL: Final = "select person_key, person_id from persons where person_key = any($1::bytea[])"
PERSONS_SQL: Final = "select person_id, person_key, wrapped_key from persons where person_id = any($1::uuid[])"
# What a value of one row can be refused for; everything else is no row's fault, and is tried again.
UNUSABLE: Final = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, asyncpg.exceptions.DataError)


class Row(NamedTuple):
    """A row of `access_log` as JSON, and its instant."""

    at: datetime
    json: bytes


class _Person(NamedTuple):
    person_key: bytes
    wrapped_key: bytes


class AccessLogWriter:
    """Writes entries, each once. One gateway role's pool serves it."""

    def __init__(self, pool: asyncpg.Pool, keyring: Keyring) -> None:
        self._pool = pool
        self._keyring = keyring
        self._months: set[tuple[int, int]] = set()
        self._known_lookers: set[str] = set()

    async def write(self, entries: Sequence[Entry]) -> int:
        """Write the entries in one statement, and return how many rows are unusable.

        Looks at nobody of the registers leave no row. Raises what PostgreSQL raises; writing the same entries again is safe.
        """
        found = await self._found(entries)
        persons = await self._persons({look.person_id for look in found if look.person_id is not None})
        rows: list[Row] = []
        lookers: dict[str, tuple[str, str, bytes]] = {}
        unusable = 0
        for place, (entry, look) in enumerate(zip(entries, found, strict=True)):
            if place % ROWS_IN_A_TURN == ROWS_IN_A_TURN - 1:
                await asyncio.sleep(0)
            person = persons.get(look.person_id) if look.person_id is not None else None
            if person is None:
                continue
            try:
                rows.append(self._row(entry, look, person, lookers))
            except (UnicodeError, TypeError, ValueError, IndexError):
                # A text that is no Unicode, or a viewer without a role.
                unusable += 1
        await self._ensure_partitions(rows)
        for key, said in lookers.items():
            # A member of staff is seen for the first time by this process: seldom.
            with contextlib.suppress(*UNUSABLE):
                await self._pool.execute(LOOKER_SQL, key, *said)
            self._known_lookers.add(key)
        return unusable + await self._insert(rows)

    async def _found(self, entries: Sequence[Entry]) -> list[Look]:
        """The looks with their person, transfer and number where those are known."""
        looks = [entry.look for entry in entries]
        unknown = [each for each in looks if each.person_id is None]
        if not unknown:
            return looks
        documents = await self._rows(DOCUMENTS_SQL, {each.document_id for each in unknown} - {None})
        transfers = await self._rows(TRANSFERS_SQL, {each.transfer_no for each in unknown} - {None})
        keys = await self._rows(KEYS_SQL, {key for each in unknown for key in each.person_keys})
        return [_found(each, documents, transfers, keys) for each in looks]

    async def _rows(self, sql: str, wanted: set[Any]) -> dict[Any, asyncpg.Record]:
        """By their first column; no statement when nothing is wanted."""
        return {row[0]: row for row in await self._pool.fetch(sql, list(wanted))} if wanted else {}

    async def _persons(self, ids: set[UUID]) -> dict[UUID, _Person]:
        return {key: _Person(*row[1:]) for key, row in (await self._rows(PERSONS_SQL, ids)).items()}

    def _row(self, entry: Entry, look: Look, person: _Person, lookers: dict[str, tuple[str, str, bytes]]) -> Row:
        looker, sealed = look.looker, None
        region: str | None
        if isinstance(looker, LinkHolder):
            role, region, key = looker
            own = role is Role.INSURED_PERSON and key == own_key(self._keyring, person.person_key)
        else:
            key = _looker_key(self._keyring, looker, look.acting_person)
            own = looker.resident_id is not None and person.person_key in _person_keys(
                self._keyring, looker.resident_id
            )
            role = role_of(looker, own=own, regions=look.regions)
            region = looker.region if role in REGIONAL_ROLES else None
            said = orjson.dumps(
                {"subject": looker.subject, "issuer": looker.issuer, "acting_person": look.acting_person}
            )
            sealed = self._sealed(person, entry.entry_id, said)
            if region is not None and key not in self._known_lookers and key not in lookers:
                lookers[key] = (region, *self._keyring.seal(PURPOSE, said))
        row = {
            "at": look.at,
            "entry_id": entry.entry_id,
            "person_id": look.person_id,
            "transfer_id": look.transfer_id,
            "transfer_no": look.transfer_no,
            "document_id": look.document_id,
            "region": region,
            "role": role,
            "purpose": purpose_of(role, look.operation),
            "operation": look.operation,
            "looker_key": key,
            "looker_sealed": sealed,
            "own": own,
            "looks": entry.looks,
        }
        return Row(look.at, orjson.dumps(row, default=str))

    def _sealed(self, person: _Person, entry_id: str, said: bytes) -> str | None:
        """In the form in which PostgreSQL reads bytes."""
        try:
            return "\\x" + self._keyring.unwrap(person.wrapped_key).seal(said, seal_context(entry_id)).hex()
        except KeyringError:
            # The person's key is shredded: what was sealed under it is gone, and nothing new is.
            return None

    async def _ensure_partitions(self, rows: Sequence[Row]) -> None:
        days = {(day.year, day.month): day for day in (shanghai_date(row.at) for row in rows)}
        for month in days.keys() - self._months:
            # An instant outside the centuries that a partition is made for is refused with its row.
            with contextlib.suppress(asyncpg.DataError):
                await self._pool.execute("select ensure_access_log_partition($1)", days[month])
                self._months.add(month)

    async def _insert(self, rows: Sequence[Row], *, partitions_are_new: bool = False) -> int:
        """Insert the rows; how many are refused. A refused statement is halved until the row at fault stands alone."""
        if not rows:
            return 0
        try:
            await self._pool.execute(INSERT_SQL, f"[{b','.join(row.json for row in rows).decode()}]")
        except UNUSABLE as error:
            if isinstance(error, asyncpg.CheckViolationError) and not partitions_are_new:
                # A partition that this process knows has been removed since.
                self._months.clear()
                await self._ensure_partitions(rows)
                return await self._insert(rows, partitions_are_new=True)
            if len(rows) == 1:
                return 1
            middle = len(rows) // 2
            return await self._insert(rows[:middle], partitions_are_new=True) + await self._insert(
                rows[middle:], partitions_are_new=True
            )
        return 0


def _found(look: Look, documents: dict[Any, Any], transfers: dict[Any, Any], keys: dict[Any, Any]) -> Look:
    if look.person_id is not None:
        return look
    document = documents.get(look.document_id)
    if document is not None:
        return look._replace(person_id=document[1], transfer_id=document[2], transfer_no=document[3])
    transfer = transfers.get(look.transfer_no)
    if transfer is not None:
        return look._replace(person_id=transfer[1], transfer_id=transfer[2])
    person = next((keys[key] for key in look.person_keys if key in keys), None)
    return look._replace(person_id=person[1]) if person is not None else look


# Who follows a transfer looks again and again; verified tokens are kept in the same number.
_person_keys = lru_cache(maxsize=10_000)(Keyring.person_keys)
_looker_key = lru_cache(maxsize=10_000)(looker_key)
