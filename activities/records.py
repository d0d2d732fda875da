"""The record of a transfer: its state, its events and its worklist, written together in the step's transaction."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID

import asyncpg

from activities.canonical import spelled
from activities.database import Connection
from activities.documents.store import Issued, columns_of, keep_documents
from activities.reference import CALENDAR_KEY_SQL, REGIONS_TEXT_SQL, RegionEntry, calendar_in_force, regions_of
from activities.registers import NAMED_PERSON_SQL
from workflows.deadlines import SHANGHAI
from workflows.events import TransferEvent
from workflows.messages import CommandOutcome
from workflows.notices import notices_of
from workflows.state import Step, TransferState
from workflows.vocabulary import TransferStatus, TransferStepKind
from workflows.workdays import WorkingCalendar

# Subscribers of a transfer's progress listen here; the payload is "<transfer id>:<seq>".
CHANNEL = "transfer_events"


class Locked(NamedTuple):
    """A transfer, locked for this transaction, with what a step on the day rests on.

    The hash of its last event, the calendar in force, both regions, and the row of `NAMED_PERSON_SQL`, if there is one.
    """

    state: TransferState
    last_hash: bytes
    calendar: WorkingCalendar
    regions: Mapping[str, RegionEntry]
    named: asyncpg.Record | None


_NAMED = NAMED_PERSON_SQL.format(person="t.person_id", region="t.from_region", scheme="t.from_scheme")
# $1 is the day, $2 both regions.
AS_LOCKED_SQL = f"""
select hash, ({CALENDAR_KEY_SQL}) as calendar_key, ({REGIONS_TEXT_SQL}) as regions, named.*
  from transfer_events e join transfers t using (transfer_id) left join lateral ({_NAMED}) named on true
 where e.transfer_id = $3 and e.seq = $4
"""  # noqa: S608 - our own statement


async def lock(connection: Connection, transfer_id: UUID, day: date) -> Locked:
    """The transfer as its events have it on `day`; nobody else writes until the transaction ends. LookupError if there is none."""
    row = await connection.fetchrow(
        "select state, revision from transfers where transfer_id = $1 for update", transfer_id
    )
    if row is None:
        raise LookupError(f"there is no transfer {transfer_id}")
    return await as_locked(connection, transfer_id, row, day)


async def lock_with_command(connection: Connection, transfer_id: UUID, command_id: str) -> asyncpg.Record | None:
    """The command and the `state` and `revision` of its transfer, both locked, in this order; None without either."""
    return await connection.fetchrow(
        """select c.actor, c.received_at, c.input, c.outcome, t.state, t.revision
             from commands c join transfers t on t.transfer_id = $2 where c.command_id = $1 for update""",
        command_id, transfer_id,
    )  # fmt: skip


async def as_locked(connection: Connection, transfer_id: UUID, row: asyncpg.Record, day: date) -> Locked:
    """The transfer of `row`, which was locked before this, with the calendar of `day`."""
    state = TransferState.model_validate_json(row["state"])
    # A statement of its own: the one that waited for the lock still sees the events as they were before its wait.
    sides = [state.from_region, state.to_region]
    last = await connection.fetchrow(AS_LOCKED_SQL, day, sides, transfer_id, row["revision"])
    if last is None:
        raise LookupError(f"transfer {transfer_id} has no event {row['revision']}")
    calendar = await calendar_in_force(connection, day, last["calendar_key"])
    named = last if last["person_id"] is not None else None
    return Locked(state, last["hash"], calendar, regions_of(last["regions"]), named)


async def events_after(connection: Connection, transfer_id: UUID, seq: int) -> tuple[TransferEvent, ...]:
    """The transfer's events after `seq`, in order."""
    rows = await connection.fetch(
        "select event from transfer_events where transfer_id = $1 and seq > $2 order by seq", transfer_id, seq
    )
    return tuple(TransferEvent.model_validate_json(row["event"]) for row in rows)


async def insert_transfer(connection: Connection, state: TransferState, *, closed_at: datetime | None) -> None:
    """The row of a new transfer, or of one that ends as it begins.

    Raises `asyncpg.UniqueViolationError` when the person has an open one.
    """
    await connection.execute(
        """insert into transfers (transfer_id, no, person_id, route, from_region, to_region, from_scheme, to_scheme, status,
                                  funds_status, state, revision, employer_ids, submitted_at, closed_at)
           values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, '{}', 0, $11, $12, $13)""",
        state.transfer_id, state.no, state.person_id, state.route, state.from_region, state.to_region, state.from_scheme,
        state.to_scheme, state.status, state.funds_status, list(state.employer_ids), state.submitted_at,
        closed_at,
    )  # fmt: skip


RECORD_SQL = f"""
with appended as (
    insert into transfer_events (transfer_id, seq, type, occurred_at, command_id, event, hash)
    select $1, seq, type, occurred_at, $2, event::jsonb, hash
      from unnest($3::int[], $4::text[], $5::timestamptz[], $6::text[], $7::bytea[]) as e (seq, type, occurred_at, event, hash)
), closed_items as (
    delete from work_items where transfer_id = $1 and (step, round) in (select * from unnest($8::text[], $9::int[]))
), opened_items as (
    insert into work_items (transfer_id, step, round, region, counterpart_region, due_on, opened_at, entering_region)
    select $1, step, round, region, case region when $16 then $17 else $16 end, due_on, opened_at,
           case when region = any($26::text[]) then case region when $16 then $17 else $16 end end
      from unnest($10::text[], $11::int[], $12::text[], $13::date[], $14::timestamptz[]) as i (step, round, region, due_on, opened_at)
    on conflict (transfer_id, step, round) do update set due_on = excluded.due_on
), told as (
    insert into notices (transfer_id, seq, recipient, kind, step, due_on)
    select $1, * from unnest($27::int[], $28::text[], $29::text[], $30::text[], $31::date[])
), issued as (
    {keep_documents(32)}
), answered as (
    update commands set outcome = $15, carried_out_at = clock_timestamp() where command_id = $2
)
update transfers set status = $18, funds_status = $19, state = $20, revision = $21, closed_at = $22, completed_at = $23
 where transfer_id = $1 returning pg_notify($24, $25)
"""  # noqa: S608 - our own statement


async def record(
    connection: Connection,
    before: TransferState | None,
    after: TransferState,
    events: tuple[TransferEvent, ...],
    *,
    last_hash: bytes,
    documents: Sequence[Issued] = (),
    command_id: str | None = None,
    outcome: CommandOutcome | None = None,
) -> None:
    """Append `events`, bring the read model and the worklist to `after`, and answer the command, in one statement.

    The `documents` that came with them are kept by the same statement. Those who are to be told of an event stand beside it.
    """
    gone, came = _changed_items(before, after)
    texts = [canonical(event) for event in events]
    told = notices_of(after, events)
    await connection.execute(
        RECORD_SQL,
        after.transfer_id,
        command_id,
        [event.seq for event in events],
        [event.fact.type for event in events],
        [event.occurred_at for event in events],
        texts,
        chain(last_hash, texts),
        [step.kind for step in gone],
        [step.round for step in gone],
        [step.kind for step in came],
        [step.round for step in came],
        [step.region for step in came],
        [step.deadline.due_on for step in came if step.deadline],
        [step.opened_at for step in came],
        outcome.model_dump_json(exclude_defaults=True) if outcome else None,
        after.from_region,
        after.to_region,
        after.status,
        after.funds_status,
        after.model_dump_json(),
        after.revision,
        after.closed_at,
        after.closed_at if after.status is TransferStatus.COMPLETED else None,
        CHANNEL,
        f"{after.transfer_id}:{after.revision}",
        list(after.unconnected),
        [notice.seq for notice in told],
        [notice.recipient for notice in told],
        [notice.kind for notice in told],
        [notice.step for notice in told],
        [notice.due_on for notice in told],
        *columns_of(documents),
    )


def canonical(event: TransferEvent) -> str:
    """The one spelling of an event that its hash runs over."""
    document = event.model_copy(update={"occurred_at": in_shanghai(event.occurred_at)}).model_dump(mode="json")
    return spelled(document).decode()


def chain(last_hash: bytes, documents: list[str]) -> list[bytes]:
    """The hash of each event: SHA-256 over the hash before it and its canonical text."""
    hashes = []
    for document in documents:
        last_hash = hashlib.sha256(last_hash + document.encode()).digest()
        hashes.append(last_hash)
    return hashes


def in_shanghai(instant: datetime) -> datetime:
    """The same instant, written with China's offset."""
    return instant.astimezone(SHANGHAI)


def _changed_items(before: TransferState | None, after: TransferState) -> tuple[list[Step], list[Step]]:
    """Steps that left the worklist, and those that came or were re-dated."""
    old, new = (_work_of(before) if before else {}), _work_of(after)
    gone = [step for key, step in old.items() if key not in new]
    came = [step for key, step in new.items() if key not in old or old[key].deadline != step.deadline]
    return gone, came


def _work_of(state: TransferState) -> dict[tuple[TransferStepKind, int], Step]:
    """Open steps whose clock runs: nobody is asked for one that waits for the post or for the other side's answer."""
    return {
        (step.kind, step.round): step
        for step in state.open_steps
        if step.deadline is not None and step.deadline.paused_since is None
    }
