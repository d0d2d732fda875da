"""All that the gateway reads from PostgreSQL. What a caller may see is decided in the SQL, row by row."""

# ruff: noqa: S608 - statements are put together from constants of this file; every value is a parameter

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg

from activities.database import Connection
from activities.documents.verification import normalised_code
from gateway.access_model import DOCUMENT_KINDS, reads_documents
from gateway.caller_view import CallerView, caller_views, first_view, own_view
from gateway.own_cases import OwnCases
from gateway.scalars import code_in
from gateway.visibility import Scope, one_transfer, persons_of, tie_columns, visible
from workflows.events import TransferEvent
from workflows.state import TransferState
from workflows.vocabulary import DocumentKind, InsuranceScheme, TransferStatus, TransferStepKind

OWN_CASES = OwnCases()

# ------------------------------------------------------------------ transfers


async def transfer_by_no(pool: asyncpg.Pool, scope: Scope, no: str) -> CallerView | None:
    """The transfer of that number, if there is one that `scope` covers, as its caller sees it."""
    if scope.is_own:
        own = await OWN_CASES.state(pool, scope.person_keys, no)
        if own is not None:
            return own_view(TransferState.model_validate_json(own))
        # Not the person's own: by a mandate, or not at all.
    parameters: list[Any] = [no]
    sql = one_transfer(scope, "no", parameters)
    return await first_view(pool, scope, await pool.fetchrow(sql, *parameters))


async def transfer_by_id(pool: asyncpg.Pool, scope: Scope, transfer_id: UUID) -> CallerView | None:
    """The transfer of that id, if there is one that `scope` covers, as its caller sees it."""
    parameters: list[Any] = [transfer_id]
    sql = one_transfer(scope, "transfer_id", parameters)
    return await first_view(pool, scope, await pool.fetchrow(sql, *parameters))


async def transfer_with_event(
    pool: asyncpg.Pool, scope: Scope, transfer_id: UUID, seq: int
) -> tuple[CallerView, TransferEvent] | None:
    """The transfer as its caller sees it now, if `scope` covers it, and its event `seq`, which it has."""
    parameters: list[Any] = [transfer_id, seq]
    event = "(select e.event from transfer_events e where e.transfer_id = t.transfer_id and e.seq = $2) as event, "
    row = await pool.fetchrow(one_transfer(scope, "transfer_id", parameters, event), *parameters)
    view = await first_view(pool, scope, row)
    if row is None or view is None or row["event"] is None:
        return None
    return view, TransferEvent.model_validate_json(row["event"])


class OwnPerson(NamedTuple):
    """The person of a transfer: their wrapped data key, and their name as O's register spells it, sealed."""

    wrapped_key: bytes
    name_sealed: bytes


async def own_person(pool: asyncpg.Pool, scope: Scope, transfer_id: UUID) -> OwnPerson | None:
    """The transfer's person, if `scope` covers the transfer and O's register still has them."""
    parameters: list[Any] = [transfer_id]
    row = await pool.fetchrow(
        f"""select p.wrapped_key, e.name_sealed from transfers t join persons p using (person_id)
              join enrolments e on e.person_id = t.person_id and (e.region, e.scheme) = (t.from_region, t.from_scheme)
             where t.transfer_id = $1 and {visible(scope, parameters)}""",
        *parameters,
    )
    return OwnPerson(*row) if row is not None else None


async def wrapped_key_of(pool: asyncpg.Pool, person_id: UUID) -> bytes:
    """The person's data key, wrapped; empty when there is none."""
    return await pool.fetchval("select wrapped_key from persons where person_id = $1", person_id) or b""


class TransferConditions(NamedTuple):
    """What a list of transfers is narrowed to; None narrows nothing."""

    person_keys: list[bytes] | None = None
    status: Sequence[TransferStatus] | None = None
    funds_status: Sequence[str] | None = None
    counterpart_region: str | None = None
    overdue: bool | None = None
    submitted_since: datetime | None = None


# Past the end of its last day by our clock, or by the clock that has already spoken in the case.
OVERDUE = (
    """(w.due_on < greatest($1::date, (((t.state->>'clock_at')::timestamptz) at time zone interval '8 hours')::date))"""
)
DUE_TODAY = OVERDUE.replace("<", "=", 1)


async def list_transfers(  # noqa: C901 - one arm for each condition
    pool: asyncpg.Pool,
    scope: Scope,
    conditions: TransferConditions,
    *,
    today: date,
    limit: int,
    after: tuple[datetime, UUID] | None,
) -> list[CallerView]:
    """At most `limit` transfers, newest first, after the keyset position `after`.

    Of those that the caller sees as an employer alone, status, money and deadlines are not narrowed here: what is stored of them
    may be more than the caller is shown.
    """
    parameters: list[Any] = [today]
    ties = tie_columns(scope, parameters)
    where = [visible(scope, parameters), "$1::date is not null"]

    def narrow(condition: str, value: object) -> None:
        parameters.append(value)
        where.append(condition.format(f"${len(parameters)}"))

    def narrow_shown(condition: str) -> None:
        others = "" if scope.employer is None else f" or not {visible(scope._replace(employer=None), parameters)}"
        where.append(f"({condition}{others})")

    if conditions.person_keys is not None:
        narrow(
            "t.person_id in (select person_id from persons where person_key = any({}::bytea[]))", conditions.person_keys
        )
    if conditions.status is not None:
        parameters.append(list(conditions.status))
        narrow_shown(f"t.status = any(${len(parameters)}::text[])")
    if conditions.funds_status is not None:
        parameters.append(list(conditions.funds_status))
        narrow_shown(f"t.funds_status = any(${len(parameters)}::text[])")
    if conditions.counterpart_region is not None:
        narrow("{} in (t.from_region, t.to_region)", conditions.counterpart_region)
        if scope.regions:
            # The side across from the caller's own regions.
            other = f"${len(parameters)}"
            parameters.append(scope.regions)
            own = f"any(${len(parameters)}::text[])"
            where.append(
                f"((t.from_region = {other} and t.to_region = {own}) or (t.to_region = {other} and t.from_region = {own}))"
            )
    if conditions.overdue is not None:
        exists = f"exists (select from work_items w where w.transfer_id = t.transfer_id and {OVERDUE})"
        narrow_shown(exists if conditions.overdue else f"not {exists}")
    if conditions.submitted_since is not None:
        narrow("t.submitted_at >= {}", conditions.submitted_since)
    if after is not None:
        parameters.extend(after)
        where.append(
            f"(t.submitted_at, t.transfer_id) < (${len(parameters) - 1}::timestamptz, ${len(parameters)}::uuid)"
        )
    parameters.append(limit)
    rows = await pool.fetch(
        f"""select t.state, {ties} from transfers t where {" and ".join(where)}
             order by t.submitted_at desc, t.transfer_id desc limit ${len(parameters)}""",
        *parameters,
    )
    return await caller_views(pool, scope, rows)


# ------------------------------------------------------------------ the worklist


class Desk(NamedTuple):
    """Whose worklist it is: the regions whose steps are on it, and those of them whose supervisor the caller is."""

    regions: list[str]
    supervised: list[str]


class WorkKey(NamedTuple):
    """The place of a work item in its list, due soonest first."""

    due_on: date
    transfer_id: UUID
    step: TransferStepKind
    round: int


class WorkConditions(NamedTuple):
    steps: Sequence[TransferStepKind] | None = None
    due_on_or_before: date | None = None
    counterpart_region: str | None = None
    overdue_only: bool = False


class WorkRow(NamedTuple):
    key: WorkKey
    state: TransferState


class WorkCounts(NamedTuple):
    open: int
    due_today: int
    overdue: int


async def list_work(
    pool: asyncpg.Pool,
    desk: Desk,
    conditions: WorkConditions,
    *,
    today: date,
    limit: int,
    after: WorkKey | None,
) -> list[WorkRow]:
    """At most `limit` open steps of `desk`, due soonest first, after the keyset position `after`."""
    parameters: list[Any] = [today, desk.regions]
    items = _work_items(desk, parameters)
    where = _work_conditions(conditions, parameters)
    if after is not None:
        parameters.extend(after)
        last = len(parameters)
        where += f" and (w.due_on, w.transfer_id, w.step, w.round) > (${last - 3}::date, ${last - 2}::uuid, ${last - 1}::text, ${last}::int)"
    parameters.append(limit)
    rows = await pool.fetch(
        f"""select w.due_on, w.transfer_id, w.step, w.round, t.state from {items} w join transfers t using (transfer_id)
             where {where} order by w.due_on, w.transfer_id, w.step, w.round limit ${len(parameters)}""",
        *parameters,
    )
    return [
        WorkRow(
            WorkKey(row["due_on"], row["transfer_id"], TransferStepKind(row["step"]), row["round"]),
            TransferState.model_validate_json(row["state"]),
        )
        for row in rows
    ]


async def count_work(pool: asyncpg.Pool, desk: Desk, conditions: WorkConditions, *, today: date) -> WorkCounts:
    """All open steps of `desk` under the same conditions, those due today, and those overdue."""
    parameters: list[Any] = [today, desk.regions]
    items = _work_items(desk, parameters)
    row = await pool.fetchrow(
        f"""select count(*), count(*) filter (where {HAS_PERIOD} and {DUE_TODAY}), count(*) filter (where {HAS_PERIOD} and {OVERDUE})
              from {items} w join transfers t using (transfer_id) where {_work_conditions(conditions, parameters)}""",
        *parameters,
    )
    return WorkCounts(*(row or (0, 0, 0)))


async def work_item(pool: asyncpg.Pool, desk: Desk, transfer_id: UUID, step: str, round_: int) -> WorkRow | None:
    """One open step of `desk`."""
    parameters: list[Any] = [transfer_id, desk.regions, step, round_]
    row = await pool.fetchrow(
        f"""select w.due_on, t.state from {_work_items(desk, parameters)} w join transfers t using (transfer_id)
            where (w.region = any($2::text[]) or w.entering_region = any($2::text[])) and w.transfer_id = $1 and w.step = $3 and w.round = $4""",
        *parameters,
    )
    if row is None:
        return None
    state = TransferState.model_validate_json(row["state"])
    return WorkRow(WorkKey(row["due_on"], transfer_id, TransferStepKind(step), round_), state)


# A supervisor approves a way home of either side. The law sets no period for it: it stands where it began to wait.
APPROVALS = """
select r.transfer_id, '{step}', (select count(*)::int from remittances o where o.transfer_id = r.transfer_id and o.kind = 'REVERSE'),
       t.to_region, case when t.to_region = any({area}) then t.from_region else t.to_region end,
       ((r.ordered_at at time zone interval '8 hours')::date), t.from_region
  from remittances r join transfers t using (transfer_id)
 where r.kind = 'REVERSE' and r.status = 'AWAITING_RELEASE' and (t.to_region = any({area}) or t.from_region = any({area}))
"""
HAS_PERIOD = f"w.step <> '{TransferStepKind.APPROVE_REVERSE_REMITTANCE}'"


def _work_items(desk: Desk, parameters: list[Any]) -> str:
    """The open steps as a table; on a supervisor's list, what has yet to be approved is among them."""
    if not desk.supervised:
        return "work_items"
    parameters.append(desk.supervised)
    approvals = APPROVALS.format(step=TransferStepKind.APPROVE_REVERSE_REMITTANCE, area=f"${len(parameters)}::text[]")
    columns = "transfer_id, step, round, region, counterpart_region, due_on, entering_region"
    return f"(select {columns} from work_items union all {approvals})"


def _work_conditions(conditions: WorkConditions, parameters: list[Any]) -> str:
    # What an unconnected agency does by post, the other side enters: it is on both lists.
    where = ["(w.region = any($2::text[]) or w.entering_region = any($2::text[]))", "$1::date is not null"]
    if conditions.steps is not None:
        parameters.append(list(conditions.steps))
        where.append(f"w.step = any(${len(parameters)}::text[])")
    if conditions.due_on_or_before is not None:
        parameters.append(conditions.due_on_or_before)
        where.append(f"w.due_on <= ${len(parameters)}")
    if conditions.counterpart_region is not None:
        parameters.append(conditions.counterpart_region)
        where.append(f"w.counterpart_region = ${len(parameters)}")
    if conditions.overdue_only:
        where.append(f"{HAS_PERIOD} and {OVERDUE}")
    return " and ".join(where)


# ------------------------------------------------------------------ documents


class DocumentRow(NamedTuple):
    document_id: UUID
    transfer_id: UUID | None
    kind: DocumentKind
    number: str
    version: int
    issued_at: datetime
    issued_by: str | None
    sha256: str
    verification_code: str | None
    voided_at: datetime | None
    valid_until: date | None


DOCUMENT_COLUMNS = """d.document_id, d.transfer_id, d.kind, d.number, d.version, d.issued_at, d.issued_by, d.sha256,
       d.verification_code, d.voided_at, d.valid_until"""


async def document_by_id(pool: asyncpg.Pool, scope: Scope, document_id: UUID) -> DocumentRow | None:
    """A document of a transfer that `scope` covers, or a certificate by itself of its own persons or its own agency."""
    parameters: list[Any] = [document_id]
    sees_case = _reads_kind(scope, parameters)
    own = scope.only(reads_documents())
    speaks_for = persons_of(own, parameters)
    parameters.append(own.regions)
    row = await pool.fetchrow(
        f"""select {DOCUMENT_COLUMNS} from documents d
             where d.document_id = $1
               and case when d.transfer_id is not null
                        then exists (select from transfers t where t.transfer_id = d.transfer_id and {sees_case})
                        else d.issued_by = any(${len(parameters)}::text[])
                          or d.person_id in ({speaks_for})
                   end""",
        *parameters,
    )
    return document_row(row) if row else None


def _reads_kind(scope: Scope, parameters: list[Any]) -> str:
    """A condition on a document `d` of a transfer `t`: the caller has a relation that reads documents of its kind."""
    conditions = []
    for relations in dict.fromkeys(DOCUMENT_KINDS.values()):
        parameters.append([kind for kind, readers in DOCUMENT_KINDS.items() if readers == relations])
        kinds = f"any(${len(parameters)}::text[])"
        conditions.append(f"(d.kind = {kinds} and {visible(scope.only(relations), parameters)})")
    return f"({' or '.join(conditions)})"


async def genuine_certificate(pool: asyncpg.Pool, number: str, code: str) -> DocumentRow | None:
    """The enrolment certificate of that number and verification code. A wrong code is as good as an unknown number."""
    issued_code, number = normalised_code(code), code_in(number.strip())
    if issued_code is None or not number:
        return None
    row = await pool.fetchrow(
        f"""select {DOCUMENT_COLUMNS} from documents d
             where d.kind = 'ENROLMENT_CERTIFICATE' and d.number = $1 and d.verification_code = $2""",
        number, issued_code,
    )  # fmt: skip
    return document_row(row) if row else None


def document_row(row: asyncpg.Record) -> DocumentRow:
    return DocumentRow(**dict(row) | {"kind": DocumentKind(row["kind"])})


async def enrolments_of(
    connection: Connection, person_keys: list[bytes], region: str | None = None
) -> set[tuple[str, InsuranceScheme]]:
    """Region and scheme of every enrolment of the person whose keyed hash is one of `person_keys`; of `region` alone if named."""
    rows = await connection.fetch(
        """select e.region, e.scheme from persons p join enrolments e using (person_id)
            where p.person_key = any($1::bytea[]) and ($2::text is null or e.region = $2)""",
        person_keys, region,
    )  # fmt: skip
    return {(row["region"], InsuranceScheme(row["scheme"])) for row in rows}


# ------------------------------------------------------------------ events


async def events_after(pool: asyncpg.Pool, transfer_id: UUID, after_seq: int, limit: int = 100) -> list[TransferEvent]:
    """The first `limit` events of a transfer after `after_seq`, in order."""
    rows = await pool.fetch(
        "select event from transfer_events where transfer_id = $1 and seq > $2 order by seq limit $3",
        transfer_id, after_seq, limit,
    )  # fmt: skip
    return [TransferEvent.model_validate_json(row["event"]) for row in rows]
