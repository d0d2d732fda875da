"""What was left behind: commands recorded but not carried out, workflows that Temporal has lost, dates of an older calendar.

It runs beside the worker for as long as that does, and may run in several workers at once: all that it does is idempotent.
A schedule of Temporal would do the same, and bury the operators' list of transfers under its runs.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

import asyncpg
from pydantic import TypeAdapter, ValidationError
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from activities.bank import sending_home
from activities.database import transaction
from activities.dispatch import CaseClosedError, PendingCommand, dispatch, regrow
from activities.mandates import MandateCommand
from activities.reference import CalendarCache
from activities.steps import Steps
from activities.worklist import redate_worklist
from workflows.deadlines import shanghai_date
from workflows.messages import CertificateOrder, MandateOrder, StepOrder, UnmatchedFundsOrder, workflow_id
from workflows.recounting import Recounting
from workflows.state import Step, TransferState
from workflows.transfer import TransferWorkflow
from workflows.vocabulary import TransferAction

Row = TypeVar("Row", bound="tuple[Any, ...] | asyncpg.Record")
log = logging.getLogger(__name__)

EVERY_SECONDS = 15.0
# A new calendar is looked for with one short query, often: a date that has moved earlier must not be missed.
LOOK_EVERY_SECONDS = 1.0
# What a pass has not done by then is left for the next.
PASS_SECONDS = 60.0
# A younger command is still in the hands of the gateway that recorded it.
OLDER_THAN_SECONDS = 10.0
# A younger case may not be in Temporal's lists yet.
CASE_OLDER_THAN_SECONDS = 60.0
AT_MOST = 200
AT_ONCE = 5
# Cases that note a new date at a time: thousands at once would stand before every step that somebody waits for.
NOTING_AT_ONCE = 20
# A step that began before a new calendar was published may yet commit a date of the old one; no step takes longer.
LATE_SECONDS = 30.0
ASK_EVERY_SECONDS = 0.2
# Open cases read at a time, and how many are looked for in a pass; the next pass goes on from there.
PAGE = 100
STEPS_PAGE = 500
LOOKED_FOR = 1_000
PATIENCE = timedelta(seconds=10)

PENDING_SQL = """
select c.command_id, c.kind, c.transfer_id, c.transfer_no, t.state
  from commands c left join transfers t using (transfer_id)
 where c.outcome is null and c.received_at < now() - make_interval(secs => $1)
 order by c.received_at limit $2
"""
# A short statement for each page: no transaction stays open while Temporal is asked.
OPEN_SQL = """
select no, transfer_id from transfers
 where closed_at is null and transfer_id > $1 and submitted_at < now() - make_interval(secs => $2)
 order by transfer_id limit $3
"""
# Cases that wait for the registers, where the person's rows or a region's policy have changed since they were asked.
WAITING_SQL = """
select t.no, t.transfer_id from transfers t
 where t.closed_at is null and t.waiting
   and (exists (select from enrolments e where e.person_id = t.person_id
                   and e.changed_at > coalesce(t.checked_at, t.submitted_at))
     or exists (select from region_policies p where p.region in (t.from_region, t.to_region)
                   and p.entered_at > coalesce(t.checked_at, t.submitted_at)))
 order by t.transfer_id limit $1
"""
STEPS_SQL = """
select no, transfer_id, state->'steps' as steps from transfers where closed_at is null and transfer_id > $1
 order by transfer_id limit $2
"""
STEPS_OF_SQL = "select state->'steps' from transfers where closed_at is null and transfer_id = $1"
STATES_SQL = "select no, state from transfers where closed_at is null and transfer_id = any($1)"
FIRST = UUID(int=0)


class Sweeper:
    def __init__(self, pool: asyncpg.Pool, client: Client, steps: Steps) -> None:
        self._pool = pool
        self._client = client
        self._steps = steps
        self._calendar = CalendarCache()
        self._recount = _Recount(None, 0.0)
        self._looked_until = FIRST

    async def run(self) -> None:
        """Sweep until cancelled. A pass that fails, for PostgreSQL or Temporal is away, keeps no other from its turn."""
        await asyncio.gather(self._keep_sweeping(), self._keep_recounting())

    async def _keep_sweeping(self) -> None:
        while True:
            for sweep in (self.regrow_lost, self.resend_commands):
                try:
                    async with asyncio.timeout(PASS_SECONDS):
                        await sweep()
                except Exception:
                    log.exception("%s failed; it comes again in %.0f s", sweep.__name__, EVERY_SECONDS)
            await asyncio.sleep(EVERY_SECONDS)

    async def _keep_recounting(self) -> None:
        while True:
            failed = False
            for look in (self.recount_deadlines, self.recheck_waiting):
                try:
                    await look()
                except Exception:
                    failed = True
                    log.exception("%s failed; it comes again in %.0f s", look.__name__, EVERY_SECONDS)
            await asyncio.sleep(EVERY_SECONDS if failed or self._recount.failed else LOOK_EVERY_SECONDS)

    async def resend_commands(self, *, older_than_seconds: float = OLDER_THAN_SECONDS) -> int:
        """Carry out at most `AT_MOST` commands that have waited, and return how many were."""
        rows = await self._pool.fetch(PENDING_SQL, older_than_seconds, AT_MOST)
        return (await _each(rows, self._resend, "command %s could not be carried out yet")).done

    async def recheck_waiting(self) -> int:
        """Wake at most `AT_MOST` cases that wait for a register which has changed, and return how many."""
        rows = await self._pool.fetch(WAITING_SQL, AT_MOST)
        return (await _each(rows, self._recheck, "case %s could not be woken to ask the registers again")).done

    async def regrow_lost(self, *, older_than_seconds: float = CASE_OLDER_THAN_SECONDS) -> int:
        """Start the workflows of open transfers that Temporal does not run, and return how many.

        A pass looks for `LOOKED_FOR` of them, and the next goes on from there.
        """
        regrown = 0
        for _ in range(LOOKED_FOR // PAGE):
            page = await self._pool.fetch(OPEN_SQL, self._looked_until, older_than_seconds, PAGE)
            regrown += await self._regrow_lost_of(page)
            if len(page) < PAGE:
                self._looked_until = FIRST
                break
            self._looked_until = page[-1]["transfer_id"]
        return regrown

    async def recount_deadlines(self) -> int:
        """Wake every open case whose dates a new edition, or a region's new days off, have moved; return how many.

        The worklist has the new dates at once; each case notes its revision and re-arms its clocks, the one whose date
        comes first before all others. When nothing is new this is one short query. Two passes are made for what is new,
        the second for the steps that were under way, and another after each in which a case could not be woken.
        """
        today = shanghai_date(datetime.now(UTC))
        async with self._pool.acquire() as connection:
            calendar = await self._calendar.in_force(connection, today)
        now = time.monotonic()
        if self._calendar.key != self._recount.key:
            self._recount = _Recount(self._calendar.key, late_pass_at=now + LATE_SECONDS)
        elif not self._recount.failed and (self._recount.late_pass_at is None or now < self._recount.late_pass_at):
            return 0
        recount = self._recount
        async with transaction(self._pool) as connection:
            await redate_worklist(connection, today)
        recounting = Recounting(calendar)
        moved, unreadable = await self._moved(recounting, besides=recount.woken)
        tally = await _each(
            moved,
            lambda each: self._wake(each, recounting),
            "case %s could not be woken to recount",
            at_once=NOTING_AT_ONCE,
        )
        recount.failed = bool(tally.failed or unreadable)
        if not recount.failed and recount.late_pass_at is not None and now >= recount.late_pass_at:
            recount.late_pass_at = None
        return tally.done

    async def _moved(self, recounting: Recounting, besides: set[UUID]) -> tuple[list["_Moved"], int]:
        """The open cases that `recounting` dates otherwise, the most urgent first, and how many could not be read."""
        moved: list[_Moved] = []
        last, unreadable = FIRST, 0
        while page := await self._pool.fetch(STEPS_SQL, last, STEPS_PAGE):
            last = page[-1]["transfer_id"]
            for row in page:
                try:
                    dates = _dates_moved(row["steps"], recounting)
                except ValidationError:
                    log.exception("case %s could not be read to recount", row["no"])
                    unreadable += 1
                    continue
                if dates and row["transfer_id"] not in besides:
                    moved.append(_Moved(row["no"], row["transfer_id"], min(dates)))
        return sorted(moved, key=lambda each: each.due_soon_on), unreadable

    async def _resend(self, row: asyncpg.Record) -> bool:
        try:
            if row["kind"] == "REQUEST_CERTIFICATE":
                await self._steps.issue_certificate_alone(CertificateOrder(command_id=row["command_id"]))
                return True
            if row["kind"] == sending_home.COMMAND:
                await sending_home.carry_out(self._pool, UnmatchedFundsOrder(command_id=row["command_id"]))
                return True
            if row["kind"] in set(MandateCommand):
                await self._steps.carry_out_mandate(MandateOrder(command_id=row["command_id"]))
                return True
            action = None if row["kind"] == "SUBMIT_TRANSFER" else TransferAction(row["kind"])
            state = TransferState.model_validate_json(row["state"]) if row["state"] not in (None, "{}") else None
            command = PendingCommand(row["command_id"], row["transfer_id"], row["transfer_no"], action, state)
            await dispatch(self._client, command, timeout=PATIENCE)
        except CaseClosedError:
            # Nobody runs this case any more: the step is refused, and its key released, by the same transaction as ever.
            order = StepOrder(transfer_id=row["transfer_id"], after_seq=0, command_id=row["command_id"])
            await self._steps.carry_out(order)
        return True

    async def _regrow_lost_of(self, page: list[asyncpg.Record]) -> int:
        ids = {workflow_id(row["no"]): row["transfer_id"] for row in page}
        if not ids:
            return 0
        named = ", ".join(f"'{each}'" for each in ids)
        running = self._client.list_workflows(
            f"WorkflowType = 'TransferWorkflow' and ExecutionStatus = 'Running' and WorkflowId in ({named})"
        )
        lost = ids.keys() - {each.id async for each in running}
        # Read after Temporal was asked: a case that has ended meanwhile is not among them.
        rows = await self._pool.fetch(STATES_SQL, [ids[each] for each in lost])
        if rows:
            log.warning("Temporal does not run %d open transfers: growing them again", len(rows))
        return (await _each(rows, self._regrow, "case %s could not be grown again yet")).done

    async def _regrow(self, row: asyncpg.Record) -> bool:
        await regrow(self._client, TransferState.model_validate_json(row["state"]), timeout=PATIENCE)
        return True

    async def _recheck(self, row: asyncpg.Record) -> bool:
        await self._signal(row["no"], row["transfer_id"], TransferWorkflow.recheck)
        return True

    async def _wake(self, moved: "_Moved", recounting: Recounting) -> bool:
        """Have a case note its dates, and give it some time for that."""
        await self._signal(moved.no, moved.transfer_id, TransferWorkflow.recount)
        self._recount.woken.add(moved.transfer_id)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE.total_seconds()):
                while _dates_moved(await self._pool.fetchval(STEPS_OF_SQL, moved.transfer_id) or "[]", recounting):
                    await asyncio.sleep(ASK_EVERY_SECONDS)
        return True

    async def _signal(self, no: str, transfer_id: UUID, signal: Callable[[TransferWorkflow], Awaitable[None]]) -> None:
        """Wake a case; one that Temporal has lost is grown again for it."""
        handle = self._client.get_workflow_handle(workflow_id(no))
        try:
            await handle.signal(signal, rpc_timeout=PATIENCE)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            for row in await self._pool.fetch(STATES_SQL, [transfer_id]):
                await self._regrow(row)
                await handle.signal(signal, rpc_timeout=PATIENCE)


def _dates_moved(steps: str | None, recounting: Recounting) -> list[date]:
    """The new dates, due soon, of the open steps that `recounting` dates otherwise. Raises `ValidationError`."""
    counted = [(step, recounting.step(step)) for step in _STEPS.validate_json(steps or "null")]
    return [new.deadline.due_soon_on for old, new in counted if new is not old and new.deadline]


_STEPS: TypeAdapter[tuple[Step, ...]] = TypeAdapter(tuple[Step, ...])


@dataclass
class _Recount:
    """What has been done about the calendar of `key`: the cases woken, and whether one could not be.

    `late_pass_at`, on the monotonic clock, is None once the second pass is made.
    """

    key: str | None
    late_pass_at: float | None
    woken: set[UUID] = field(default_factory=set)
    failed: bool = False


class _Moved(NamedTuple):
    no: str
    transfer_id: UUID
    due_soon_on: date


class _Tally(NamedTuple):
    """Of the rows of a pass."""

    done: int
    failed: int


async def _each(
    rows: Iterable[Row], act: Callable[[Row], Awaitable[bool]], failing: str, *, at_once: int = AT_ONCE
) -> _Tally:
    """Act on every row, a few at a time. A failure is logged with the row's first column, and stops no other row."""
    gate = asyncio.Semaphore(at_once)

    async def one(row: Row) -> bool | None:
        async with gate:
            try:
                return await act(row)
            except Exception:
                log.exception(failing, row[0])
                return None

    outcomes = await asyncio.gather(*(one(row) for row in rows))
    return _Tally(outcomes.count(True), outcomes.count(None))
