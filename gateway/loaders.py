"""One operation's loaders: what the items of a list need is read in one query for all of them."""

# ruff: noqa: S608 - statements are put together from constants; every value is a parameter

from collections import defaultdict
from datetime import datetime
from functools import cached_property
from typing import NamedTuple
from uuid import UUID

import asyncpg
from strawberry.dataloader import DataLoader

from activities.free_text import StoredText, TextKey, stored_texts
from gateway.reads import DOCUMENT_COLUMNS, DocumentRow, document_row
from workflows.events import TransferEvent
from workflows.vocabulary import InsuranceScheme, TransferStepKind


class IdentityKey(NamedTuple):
    """A person, and the enrolment whose register spells the name."""

    person_id: UUID
    region: str
    scheme: InsuranceScheme


class SealedIdentity(NamedTuple):
    wrapped_key: bytes
    resident_id_sealed: bytes
    name_sealed: bytes | None


class EventsKey(NamedTuple):
    transfer_id: UUID
    after_seq: int
    limit: int


class NoticeRow(NamedTuple):
    """Who was told of which event; `kind` is the event's name."""

    seq: int
    kind: str
    step: TransferStepKind | None
    recipient: str
    created_at: datetime
    delivered_at: datetime | None


class Loaders:
    """Batches, within one operation, what the items of a list need: one query for all of them."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    @cached_property
    def identities(self) -> DataLoader[IdentityKey, SealedIdentity | None]:
        return DataLoader(self._load_identities)

    @cached_property
    def documents(self) -> DataLoader[UUID, list[DocumentRow]]:
        return DataLoader(self._load_documents)

    @cached_property
    def events(self) -> DataLoader[EventsKey, list[TransferEvent]]:
        return DataLoader(self._load_events)

    @cached_property
    def notices(self) -> DataLoader[UUID, list[NoticeRow]]:
        return DataLoader(self._load_notices)

    @cached_property
    def texts(self) -> DataLoader[TextKey, StoredText | None]:
        return DataLoader(self._load_texts)

    async def _load_texts(self, keys: list[TextKey]) -> list[StoredText | None]:
        return await stored_texts(self._pool, keys)

    async def _load_identities(self, keys: list[IdentityKey]) -> list[SealedIdentity | None]:
        persons, regions, schemes = zip(*keys, strict=True)
        rows = await self._pool.fetch(
            """select wanted.position, p.wrapped_key, p.resident_id_sealed, e.name_sealed
                 from unnest($1::uuid[], $2::text[], $3::text[]) with ordinality as wanted (person_id, region, scheme, position)
                 join persons p using (person_id)
                 left join enrolments e using (person_id, region, scheme)""",
            persons, regions, schemes,
        )  # fmt: skip
        found = {row["position"]: SealedIdentity(*row[1:]) for row in rows}
        return [found.get(position) for position in range(1, len(keys) + 1)]

    async def _load_documents(self, transfer_ids: list[UUID]) -> list[list[DocumentRow]]:
        rows = await self._pool.fetch(
            f"""select {DOCUMENT_COLUMNS} from documents d where d.transfer_id = any($1::uuid[])
                 order by d.issued_at, d.kind = 'COMPLETION_NOTICE', d.kind, d.number, d.version""",
            transfer_ids,
        )
        by_transfer: dict[UUID | None, list[DocumentRow]] = defaultdict(list)
        for row in rows:
            by_transfer[row["transfer_id"]].append(document_row(row))
        return [by_transfer[transfer_id] for transfer_id in transfer_ids]

    async def _load_notices(self, transfer_ids: list[UUID]) -> list[list[NoticeRow]]:
        rows = await self._pool.fetch(
            f"""select transfer_id, {", ".join(NoticeRow._fields)} from notices where transfer_id = any($1::uuid[])
                 order by seq, recipient""",
            transfer_ids,
        )
        by_transfer: dict[UUID, list[NoticeRow]] = defaultdict(list)
        for row in rows:
            step = TransferStepKind(row["step"]) if row["step"] is not None else None
            by_transfer[row["transfer_id"]].append(NoticeRow(*row[1:])._replace(step=step))
        return [by_transfer[transfer_id] for transfer_id in transfer_ids]

    async def _load_events(self, keys: list[EventsKey]) -> list[list[TransferEvent]]:
        transfers, seqs, limits = zip(*keys, strict=True)
        rows = await self._pool.fetch(
            """select wanted.position, page.event
                 from unnest($1::uuid[], $2::int[], $3::int[]) with ordinality as wanted (transfer_id, after_seq, size, position)
                cross join lateral (select e.seq, e.event from transfer_events e
                                     where e.transfer_id = wanted.transfer_id and e.seq > wanted.after_seq
                                     order by e.seq limit wanted.size) page
                order by wanted.position, page.seq""",
            transfers, seqs, limits,
        )  # fmt: skip
        pages: list[list[TransferEvent]] = [[] for _ in keys]
        for row in rows:
            pages[row["position"] - 1].append(TransferEvent.model_validate_json(row["event"]))
        return pages
