"""Hand a recorded command to the workflow that carries it out. The gateway does it at once, the sweeper after a crash."""

import asyncio
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

from temporalio.client import (
    Client,
    WithStartWorkflowOperation,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from workflows.messages import TASK_QUEUE, CommandOutcome, StepRequest, TransferCase, workflow_id
from workflows.operator_view import static_summary
from workflows.state import TransferState
from workflows.transfer import TransferWorkflow
from workflows.vocabulary import TransferAction


class PendingCommand(NamedTuple):
    """A command of the log that asks something of a transfer. `action` is None for its submission.

    `state` is the transfer as PostgreSQL has it: what its workflow is regrown from should Temporal have lost it.
    """

    command_id: str
    transfer_id: UUID
    transfer_no: str
    action: TransferAction | None = None
    state: TransferState | None = None


class CaseClosedError(Exception):
    """The transfer ended before the command reached it; its step can never be carried out."""


async def dispatch(client: Client, command: PendingCommand, *, timeout: timedelta) -> CommandOutcome:
    """Have `command` carried out, and return what came of it.

    Idempotent: the command's id is the update's id, and its outcome is kept in PostgreSQL. Raises `CaseClosedError`;
    `TimeoutError` when the answer takes longer than `timeout`; `temporalio.service.RPCError` when Temporal is away.
    """
    try:
        # The client tries again for ten seconds by itself when Temporal is away, whatever the time limit of its calls.
        async with asyncio.timeout(timeout.total_seconds()):
            if command.action is None:
                return await _submit(client, command, timeout)
            try:
                return await _step(client, command, timeout)
            except RPCError as error:
                if error.status is not RPCStatusCode.NOT_FOUND:
                    raise
                return await _regrow(client, command, timeout)
    except WorkflowUpdateRPCTimeoutOrCancelledError as error:
        raise TimeoutError(f"command {command.command_id} was not carried out in time") from error
    except WorkflowUpdateFailedError as error:
        if isinstance(error.cause, ApplicationError) and error.cause.type == "CaseClosed":
            raise CaseClosedError(command.transfer_no) from error
        raise


async def regrow(client: Client, state: TransferState, *, timeout: timedelta) -> None:
    """Start the workflow of an open transfer from its state, unless it runs."""
    await client.start_workflow(
        TransferWorkflow.run,
        TransferCase(transfer_id=state.transfer_id, no=state.no, command_id="", state=state, local_bookkeeping=True),
        id=workflow_id(state.no),
        task_queue=TASK_QUEUE,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        static_summary=static_summary(state.no),
        rpc_timeout=timeout,
    )


async def _submit(client: Client, command: PendingCommand, timeout: timedelta) -> CommandOutcome:
    case = TransferCase(
        transfer_id=command.transfer_id,
        no=command.transfer_no,
        command_id=command.command_id,
        state=command.state,
        local_bookkeeping=True,
    )
    start = WithStartWorkflowOperation(
        TransferWorkflow.run,
        case,
        id=workflow_id(command.transfer_no),
        task_queue=TASK_QUEUE,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        static_summary=static_summary(command.transfer_no),
    )
    return await client.execute_update_with_start_workflow(
        TransferWorkflow.submitted, start_workflow_operation=start, id=command.command_id, rpc_timeout=timeout
    )


async def _step(client: Client, command: PendingCommand, timeout: timedelta) -> CommandOutcome:
    if command.action is None:
        raise ValueError("a submission is no step")
    handle = client.get_workflow_handle_for(TransferWorkflow.run, workflow_id(command.transfer_no))
    return await handle.execute_update(
        TransferWorkflow.step,
        StepRequest(command_id=command.command_id, action=command.action),
        id=command.command_id,
        rpc_timeout=timeout,
    )


async def _regrow(client: Client, command: PendingCommand, timeout: timedelta) -> CommandOutcome:
    """Temporal does not run this case: it has ended, or Temporal has lost it and it is grown again from its state."""
    if command.state is None or command.state.closed:
        raise CaseClosedError(command.transfer_no)
    await regrow(client, command.state, timeout=timeout)
    return await _step(client, command, timeout)
