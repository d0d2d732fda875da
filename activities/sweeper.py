"""What was left behind: commands recorded but not carried out, workflows that Temporal has lost, dates of an older calendar.

It runs beside the worker for as long as that does, and may run in several workers at once: all that it does is idempotent.
A schedule of Temporal would do the same, and bury the operators' list of transfers under its runs.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

import asyncpg
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from activities.dispatch import CaseClosedError, PendingCommand, dispatch, regrow
from activities.mandates import MandateCommand
from activities.reference import CalendarCache
from activities.steps import Steps
from workflows.clocks import is_out_of_date
from workflows.messages import CertificateOrder, MandateOrder, StepOrder, workflow_id
from workflows.state import TransferState
from workflows.transfer import TransferWorkflow
from workflows.vocabulary import TransferAction
from workflows.workdays import WorkingCalendar

log = logging.getLogger(__name__)

EVERY_SECONDS = 15.0
# What a pass has not done by then is left for the next.
PASS_SECONDS = 60.0
# A younger command is still in the hands of the gateway that recorded it.
OLDER_THAN_SECONDS = 10.0
# A younger case may not be in Temporal's lists yet.
CASE_OLDER_THAN_SECONDS = 60.0
AT_MOST = 200
AT_ONCE = 5
# Open cases read at a time, and how many are looked for in a pass; the next pass goes on from there.
PAGE = 100
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
# Cases that wait for the registers, and whose person's rows have changed since they were asked.
WAITING_SQL = """
select t.no, t.state from transfers t
 where t.closed_at is null and t.state ->> 'waiting' = 'true'
   and exists (select from enrolments e where e.person_id = t.person_id
                  and e.changed_at > coalesce(t.checked_at, t.submitted_at))
 order by t.transfer_id limit $1
"""
STATES_SQL = "select no, state from transfers where closed_at is null and transfer_id = any($1)"
FIRST = UUID(int=0)


class Sweeper:
    def __init__(self, pool: asyncpg.Pool, client: Client, steps: Steps) -> None:
        self._pool = pool
        self._client = client
        self._steps = steps
        self._calendar = CalendarCache()
        self._recounted_by: str | None = None
        self._looked_until = FIRST

    async def run(self) -> None:
        """Sweep until cancelled. A pass that fails, for PostgreSQL or Temporal is away, keeps no other from its turn."""
        while True:
            for sweep in (self.regrow_lost, self.resend_commands, self.recheck_waiting, self.recount_deadlines):
                try:
                    async with asyncio.timeout(PASS_SECONDS):
                        await sweep()
                except Exception:
                    log.exception("%s failed; it comes again in %.0f s", sweep.__name__, EVERY_SECONDS)
            await asyncio.sleep(EVERY_SECONDS)

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
        """Wake every open case whose deadlines an edition published since the last pass has moved; return how many.

        The case notes the revision and re-arms its clocks. Without a new edition this is one short query. After a case
        that could not be woken the next pass goes through all of them again.
        """
        async with self._pool.acquire() as connection:
            calendar = await self._calendar.in_force(connection)
        edition = self._calendar.key
        if edition == self._recounted_by:
            return 0
        woken, failed, last = 0, 0, FIRST
        while page := await self._pool.fetch(OPEN_SQL, last, 0.0, PAGE):
            last = page[-1]["transfer_id"]
            rows = await self._pool.fetch(STATES_SQL, [row["transfer_id"] for row in page])
            tally = await _each(rows, lambda row: self._recount(row, calendar), "case %s could not be woken to recount")
            woken, failed = woken + tally.done, failed + tally.failed
        if not failed:
            self._recounted_by = edition
        return woken

    async def _resend(self, row: asyncpg.Record) -> bool:
        try:
            if row["kind"] == "REQUEST_CERTIFICATE":
                await self._steps.issue_certificate_alone(CertificateOrder(command_id=row["command_id"]))
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

    async def _recount(self, row: asyncpg.Record, calendar: WorkingCalendar) -> bool:
        """Wake a case whose dates have moved; False when they have not."""
        state = TransferState.model_validate_json(row["state"])
        if not is_out_of_date(state, calendar):
            return False
        await self._signal(state, TransferWorkflow.recount)
        return True

    async def _recheck(self, row: asyncpg.Record) -> bool:
        await self._signal(TransferState.model_validate_json(row["state"]), TransferWorkflow.recheck)
        return True

    async def _signal(self, state: TransferState, signal: Callable[[TransferWorkflow], Awaitable[None]]) -> None:
        """Wake a case, grown again first should Temporal have lost it."""
        handle = self._client.get_workflow_handle(workflow_id(state.no))
        try:
            await handle.signal(signal, rpc_timeout=PATIENCE)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            await regrow(self._client, state, timeout=PATIENCE)
            await handle.signal(signal, rpc_timeout=PATIENCE)


class _Tally(NamedTuple):
    """Of the rows of a pass."""

    done: int
    failed: int


async def _each(
    rows: Iterable[asyncpg.Record], act: Callable[[asyncpg.Record], Awaitable[bool]], failing: str
) -> _Tally:
    """Act on every row, a few at a time. A failure is logged with the row's first column, and stops no other row."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(row: asyncpg.Record) -> bool | None:
        async with gate:
            try:
                return await act(row)
            except Exception:
                log.exception(failing, row[0])
                return None

    outcomes = await asyncio.gather(*(one(row) for row in rows))
    return _Tally(outcomes.count(True), outcomes.count(None))
