"""What a crash left behind: commands recorded but not carried out, and transfers whose workflow Temporal has lost."""

import asyncio
import logging
from datetime import timedelta
from typing import Any

import asyncpg
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
)

from activities.dispatch import CaseClosedError, PendingCommand, dispatch, regrow
from activities.steps import Steps
from workflows.messages import TASK_QUEUE, CertificateOrder, StepOrder, SweepOrder
from workflows.state import TransferState
from workflows.sweep import SweepWorkflow
from workflows.vocabulary import TransferAction

log = logging.getLogger(__name__)

EVERY = timedelta(seconds=30)
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

    async def resend_commands(self, order: SweepOrder) -> int:
        """Carry out what has waited, and return how many commands that were."""
        rows = await self._pool.fetch(PENDING_SQL, order.older_than_seconds, order.limit)
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
            async with self._pool.acquire() as connection, connection.transaction():
                async for row in connection.cursor(OPEN_SQL):
                    await regrow(self._client, TransferState.model_validate_json(row["state"]), timeout=PATIENCE)
        return open_count

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


async def schedule_sweeps(client: Client) -> None:
    """Have the sweeper run for as long as Temporal does; a second call changes nothing."""
    try:
        await client.create_schedule(
            "sweep",
            Schedule(
                action=ScheduleActionStartWorkflow(
                    SweepWorkflow.run,
                    SweepOrder(),
                    id="sweep",
                    task_queue=TASK_QUEUE,
                    static_summary="补送未完成的指令",
                ),
                spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=EVERY)]),
                policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP),
            ),
        )
    except ScheduleAlreadyRunningError:
        return
