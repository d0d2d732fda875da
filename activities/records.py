"""The record of a transfer: its state, its events and its worklist, written together in the step's transaction."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple
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


# The transfer $1, locked, and what a step on `day` rests on, in one statement.
_LOCKED_SQL = """
with locked as (
    select t.transfer_id, t.person_id, t.from_region, t.to_region, t.from_scheme, t.state, t.revision, {day} as day{asked}
      from {locked} where t.transfer_id = $1 for update)
select locked.*, e.hash, ({calendar_key}) as calendar_key, ({regions}) as regions,
       named.wrapped_key, named.resident_id_sealed, named.name_sealed
  from locked left join transfer_events e on e.transfer_id = locked.transfer_id and e.seq = locked.revision
  left join lateral ({named}) named on true
"""
_RESTS_ON = {
    "calendar_key": CALENDAR_KEY_SQL.format(day="locked.day"),
    "regions": REGIONS_TEXT_SQL.format(day="locked.day", which="r.code in (locked.from_region, locked.to_region)"),
    "named": NAMED_PERSON_SQL.format(
        person="locked.person_id", region="locked.from_region", scheme="locked.from_scheme"
    ),
}
# Of a command `c`: the day on which it was received.
RECEIVED_ON = "(c.received_at at time zone 'Asia/Shanghai')::date"
LOCK_SQL = _LOCKED_SQL.format(day="$2::date", asked="", locked="transfers t", **_RESTS_ON)
# The command $2 is locked first.
LOCK_WITH_COMMAND_SQL = _LOCKED_SQL.format(
    day=RECEIVED_ON,
    asked=", c.actor, c.received_at, c.input, c.outcome",
    locked="commands c join transfers t on c.command_id = $2",
    **_RESTS_ON,
)


async def lock(connection: Connection, transfer_id: UUID, day: date) -> Locked:
    """The transfer as its events have it on `day`; nobody else writes until the transaction ends. LookupError if there is none."""
    row = await _locked_row(connection, LOCK_SQL, transfer_id, day)
    if row is None:
        raise LookupError(f"there is no transfer {transfer_id}")
    return await as_locked(connection, row)


async def lock_with_command(connection: Connection, transfer_id: UUID, command_id: str) -> asyncpg.Record | None:
    """The command and its transfer, both locked, in this order, for `as_locked`; None without either."""
    return await _locked_row(connection, LOCK_WITH_COMMAND_SQL, transfer_id, command_id)


async def _locked_row(connection: Connection, statement: str, *given: Any) -> asyncpg.Record | None:
    row = await connection.fetchrow(statement, *given)
    if row is not None and row["hash"] is None:
        # It waited for the lock, and saw all else as it was before its wait.
        row = await connection.fetchrow(statement, *given)
    return row


async def as_locked(connection: Connection, row: asyncpg.Record) -> Locked:
    """The transfer of `row`, as it was locked, with the calendar of its day."""
    state = TransferState.model_validate_json(row["state"])
    if row["hash"] is None:
        raise LookupError(f"transfer {state.transfer_id} has no event {row['revision']}")
    calendar = await calendar_in_force(connection, row["day"], row["calendar_key"])
    named = row if row["wrapped_key"] is not None else None
    return Locked(state, row["hash"], calendar, regions_of(row["regions"]), named)


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
    values = (
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
    # No array is as good as an empty one to `unnest`, and costs less to send.
    await connection.execute(RECORD_SQL, *(None if value == [] else value for value in values))


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
