"""What was left behind: commands recorded but not carried out, workflows that Temporal has lost, dates of an older calendar.

It runs beside the worker for as long as that does, and may run in several workers at once: all that it does is idempotent.
A schedule of Temporal would do the same, and bury the operators' list of transfers under its runs.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import asyncpg
from temporalio.client import Client

from activities.database import Connection
from activities.dispatch import CaseClosedError, PendingCommand, dispatch, regrow
from activities.reference import CalendarCache
from activities.steps import Steps
from workflows.clocks import is_out_of_date
from workflows.messages import CertificateOrder, StepOrder, workflow_id
from workflows.state import TransferState
from workflows.transfer import TransferWorkflow
from workflows.vocabulary import TransferAction

log = logging.getLogger(__name__)

EVERY_SECONDS = 15.0
# A younger command is still in the hands of the gateway that recorded it.
OLDER_THAN_SECONDS = 10.0
AT_MOST = 200
AT_ONCE = 5
PATIENCE = timedelta(seconds=10)

PENDING_SQL = """
select c.command_id, c.kind, c.transfer_id, c.transfer_no, t.state
  from commands c left join transfers t using (transfer_id)
 where c.outcome is null and c.received_at < now() - make_interval(secs => $1)
 order by c.received_at limit $2
"""
COUNT_OPEN_SQL = "select count(*) from transfers where closed_at is null"
OPEN_SQL = "select state from transfers where closed_at is null"


class Sweeper:
    def __init__(self, pool: asyncpg.Pool, client: Client, steps: Steps) -> None:
        self._pool = pool
        self._client = client
        self._steps = steps
        self._calendar = CalendarCache()
        self._recounted_by: str | None = None

    async def run(self) -> None:
        """Sweep until cancelled. A pass that fails, for PostgreSQL or Temporal is away, is followed by the next."""
        while True:
            try:
                await self.regrow_lost()
                await self.resend_commands()
                await self.recount_deadlines()
            except Exception:
                log.exception("this pass of the sweeper failed; the next comes in %.0f s", EVERY_SECONDS)
            await asyncio.sleep(EVERY_SECONDS)

    async def resend_commands(self, *, older_than_seconds: float = OLDER_THAN_SECONDS) -> int:
        """Carry out at most `AT_MOST` commands that have waited, and return how many were."""
        rows = await self._pool.fetch(PENDING_SQL, older_than_seconds, AT_MOST)
        gate = asyncio.Semaphore(AT_ONCE)

        async def resend(row: asyncpg.Record) -> bool:
            async with gate:
                return await self._resend(row)

        return sum(await asyncio.gather(*(resend(row) for row in rows)))

    async def regrow_lost(self) -> int:
        """Start the workflow of every open transfer that Temporal does not run, and return how many are open."""
        open_count: int = await self._pool.fetchval(COUNT_OPEN_SQL)
        running = await self._client.count_workflows(
            "WorkflowType = 'TransferWorkflow' and ExecutionStatus = 'Running'"
        )
        if running.count < open_count:
            log.warning("Temporal runs %d of %d open transfers: growing the others again", running.count, open_count)
            async with self._pool.acquire() as connection:
                async for state in _open_states(connection):
                    await regrow(self._client, state, timeout=PATIENCE)
        return open_count

    async def recount_deadlines(self) -> int:
        """Wake every open case whose deadlines an edition published since the last pass has moved; return how many.

        The case notes the revision and re-arms its clocks. Without a new edition this is one short query.
        """
        async with self._pool.acquire() as connection:
            calendar = await self._calendar.in_force(connection)
            if self._calendar.key == self._recounted_by:
                return 0
            moved = [state async for state in _open_states(connection) if is_out_of_date(state, calendar)]
        for state in moved:
            handle = self._client.get_workflow_handle_for(TransferWorkflow.run, workflow_id(state.no))
            await handle.signal(TransferWorkflow.recount, rpc_timeout=PATIENCE)
        self._recounted_by = self._calendar.key
        return len(moved)

    async def _resend(self, row: Any) -> bool:
        """Carry one command out. What cannot be done now is left for the next pass."""
        try:
            if row["kind"] == "REQUEST_CERTIFICATE":
                await self._steps.issue_certificate_alone(CertificateOrder(command_id=row["command_id"]))
                return True
            action = None if row["kind"] == "SUBMIT_TRANSFER" else TransferAction(row["kind"])
            state = TransferState.model_validate_json(row["state"]) if row["state"] not in (None, "{}") else None
            command = PendingCommand(row["command_id"], row["transfer_id"], row["transfer_no"], action, state)
            await dispatch(self._client, command, timeout=PATIENCE)
        except CaseClosedError:
            # Nobody runs this case any more: the step is refused, and its key released, by the same transaction as ever.
            order = StepOrder(transfer_id=row["transfer_id"], after_seq=0, command_id=row["command_id"])
            await self._steps.carry_out(order)
        except Exception:
            log.exception("command %s could not be carried out yet", row["command_id"])
            return False
        return True


async def _open_states(connection: Connection) -> AsyncIterator[TransferState]:
    """Every open transfer, a few at a time."""
    async with connection.transaction():
        async for row in connection.cursor(OPEN_SQL):
            yield TransferState.model_validate_json(row["state"])
