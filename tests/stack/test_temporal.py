"""The Temporal development server: skipped time, and what survives its end."""

import asyncio
import os
import signal
import uuid
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client, WorkflowHandle
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from stack import temporal
from stack.errors import StackError
from stack.processes import free_port
from tests.stack.sleeper_workflow import Sleeper


async def _rings(handle: WorkflowHandle[Sleeper, list[str]], expected: list[str]) -> None:
    async with asyncio.timeout(20):
        while await handle.query(Sleeper.rung) != expected:
            await asyncio.sleep(0.05)


async def test_time_skips_for_one_workflow_up_to_the_given_duration_and_no_further(temporal_client: Client) -> None:
    queue = f"sleeper-{uuid.uuid4()}"
    async with Worker(temporal_client, task_queue=queue, workflows=[Sleeper]):
        skipped = await temporal_client.start_workflow(Sleeper.run, id=f"{queue}-skipped", task_queue=queue)
        other = await temporal_client.start_workflow(Sleeper.run, id=f"{queue}-other", task_queue=queue)
        await temporal.skip_time(temporal_client, skipped.id, timedelta(days=16))
        await _rings(skipped, ["fifteen days"])
        assert await other.query(Sleeper.rung) == []
        await temporal.skip_time(temporal_client, skipped.id, timedelta(days=30))
        assert await asyncio.wait_for(skipped.result(), 20) == ["fifteen days", "thirty more"]
        assert await other.query(Sleeper.rung) == []
        await other.terminate()


async def test_search_attributes_are_registered_and_histories_are_kept_for_ninety_days(temporal_client: Client) -> None:
    attributes = await temporal_client.operator_service.list_search_attributes(
        ListSearchAttributesRequest(namespace="default")
    )
    assert set(temporal.SEARCH_ATTRIBUTES) <= set(attributes.custom_attributes)
    described = await temporal_client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace="default"))
    assert described.config.workflow_execution_retention_ttl.ToTimedelta() == timedelta(days=90)


async def test_a_workflow_in_flight_goes_on_after_kill_9_of_the_server(tmp_path: Path) -> None:
    port, ui_port = free_port(), free_port()
    server = await temporal.start(tmp_path, port, ui_port)
    client = await Client.connect(server.address)
    handle = await client.start_workflow(Sleeper.run, id="sleeper", task_queue="sleepers")
    os.kill(server.pid, signal.SIGKILL)
    assert await server.wait() == -signal.SIGKILL

    server = await temporal.start(tmp_path, port, ui_port)
    try:
        async with Worker(client, task_queue="sleepers", workflows=[Sleeper]):
            await temporal.skip_time(client, handle.id, timedelta(days=60))
            assert await asyncio.wait_for(handle.result(), 30) == ["fifteen days", "thirty more"]
    finally:
        await server.stop()


async def test_a_missing_temporal_program_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YIBAO_TEMPORAL_BINARY", "/nowhere/temporal")
    with pytest.raises(StackError) as raised:
        await temporal.start(tmp_path, free_port(), free_port())
    assert str(raised.value) == (
        "The `temporal` program is missing: /nowhere/temporal: "
        "run `make up` to install it, or name one in YIBAO_TEMPORAL_BINARY"
    )
    assert list(tmp_path.iterdir()) == []


async def test_the_time_skipping_server_passes_weeks_at_once(time_skipping: WorkflowEnvironment) -> None:
    async with Worker(time_skipping.client, task_queue="sleepers", workflows=[Sleeper]):
        rung = await time_skipping.client.execute_workflow(Sleeper.run, id="sleeper", task_queue="sleepers")
    assert rung == ["fifteen days", "thirty more"]
