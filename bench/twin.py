"""The twin's worker, a process of its own on the same Temporal, and its client, which asks for the same steps."""

import asyncio
import os
import signal
import sys
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import uvloop
from temporalio import activity
from temporalio.client import Client, WithStartWorkflowOperation, WorkflowHandle
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.worker import PollerBehaviorAutoscaling, Worker

from bench.system import ENVIRONMENT, System
from bench.twin_workflow import TwinWorkflow
from stack.processes import spawn

TASK_QUEUE: Final = "twins"
STEPS: Final = ("deliver_information_form", "remit_personal_account", "confirm_continuation", "confirm_receipt")
BY_THEMSELVES: Final = ("open_transfer", "issue_certificate", "send_to_bank", "note_bank_took_order")


@dataclass
class Twins:
    """The client of the twins. `latencies` are the seconds of every step that was asked for."""

    client: Client
    worker_pid: int
    latencies: list[float] = field(default_factory=list)

    async def submit(self) -> WorkflowHandle[TwinWorkflow, None]:
        start = WithStartWorkflowOperation(
            TwinWorkflow.run,
            id=f"twin-{uuid.uuid4().hex}",
            task_queue=TASK_QUEUE,
            id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
        )
        await self.client.execute_update_with_start_workflow(TwinWorkflow.submitted, start_workflow_operation=start)
        return await start.workflow_handle()

    async def step(self, twin: WorkflowHandle[TwinWorkflow, None], name: str) -> None:
        began = time.perf_counter()
        await twin.execute_update(TwinWorkflow.step, name, id=uuid.uuid4().hex)
        self.latencies.append(time.perf_counter() - began)

    async def carry(self) -> str:
        """From its start to its last step; the workflow's id."""
        twin = await self.submit()
        for name in STEPS:
            await self.step(twin, name)
        return twin.id


@asynccontextmanager
async def running_twins(system: System) -> AsyncIterator[Twins]:
    """A worker of twins on the system's Temporal, in a process of its own while the block lasts."""
    log = system.data_dir / "logs" / "twins.log"
    child = await spawn(
        "twins", [sys.executable, "-m", "bench.twin", system.info.temporal], log, environment=ENVIRONMENT
    )
    try:
        client = await Client.connect(system.info.temporal)
        twins = Twins(client, child.pid)
        # Its first workflow waits for the worker, and warms it up.
        await twins.carry()
        twins.latencies.clear()
        yield twins
    finally:
        await child.stop()


def _activity(name: str) -> Callable[[], Any]:
    async def nothing() -> None:
        pass

    return activity.defn(name=name)(nothing)


async def _work(address: str) -> None:
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    # As `activities.worker` has it.
    worker = Worker(
        await Client.connect(address),
        task_queue=TASK_QUEUE,
        workflows=[TwinWorkflow],
        activities=[_activity(name) for name in (*STEPS, *BY_THEMSELVES)],
        workflow_task_poller_behavior=PollerBehaviorAutoscaling(),
        activity_task_poller_behavior=PollerBehaviorAutoscaling(),
    )
    async with worker:
        await stopping.wait()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_work(sys.argv[1]))
    # A process that used a Temporal client can crash in the interpreter's own exit.
    os._exit(0)
