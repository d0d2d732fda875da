"""The workflows' sandbox, spared the questions whose answer never changes.

For every payload of every activation the worker asks the workflow, several times and each time by way of the sandbox,
for the context that a converter or an external store might want. Ours want none: all payloads are sealed alike and stay
in the history. The asking took a sixth of the worker's processor time.
"""

from dataclasses import dataclass
from typing import Any

from temporalio.converter import StorageDriverStoreContext
from temporalio.worker import WorkflowInstance, WorkflowInstanceDetails
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner
from temporalio.workflow import Info

_NOWHERE = StorageDriverStoreContext()


@dataclass(frozen=True)
class ContextFreeRunner(SandboxedWorkflowRunner):
    """Runs workflows in the sandbox, for converters that take no context, without an external store."""

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        return _ContextFree(super().create_instance(det))


class _ContextFree(WorkflowInstance):
    def __init__(self, sandboxed: WorkflowInstance) -> None:
        self._sandboxed = sandboxed

    def activate(self, act: Any) -> Any:
        return self._sandboxed.activate(act)

    def get_serialization_context(self, command_info: Any) -> None:  # noqa: ARG002 - the question is the SDK's
        return None

    def get_external_store_context(self, command_info: Any) -> StorageDriverStoreContext:  # noqa: ARG002 - as above
        return _NOWHERE

    def get_info(self) -> Info:
        return self._sandboxed.get_info()

    def get_thread_id(self) -> int | None:
        return self._sandboxed.get_thread_id()
