"""Workflows as they are run at work: without the sandbox, and spared the questions whose answer never changes.

What the sandbox would find is found in the tests (docs/decisions/0016). And for every payload of every activation the worker asks
the workflow, several times, for the context that a converter or an external store might want. Ours want none: all payloads
are sealed alike and stay in the history. The asking took a tenth of the time that a case's activations take.
"""

from typing import Any

from temporalio.converter import StorageDriverStoreContext
from temporalio.worker import UnsandboxedWorkflowRunner, WorkflowInstance, WorkflowInstanceDetails
from temporalio.workflow import Info

_NOWHERE = StorageDriverStoreContext()


class ContextFreeRunner(UnsandboxedWorkflowRunner):
    """Runs workflows for converters that take no context, without an external store."""

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        return _ContextFree(super().create_instance(det))


class _ContextFree(WorkflowInstance):
    def __init__(self, instance: WorkflowInstance) -> None:
        self._instance = instance

    def activate(self, act: Any) -> Any:
        return self._instance.activate(act)

    def get_serialization_context(self, command_info: Any) -> None:  # noqa: ARG002 - the question is the SDK's
        return None

    def get_external_store_context(self, command_info: Any) -> StorageDriverStoreContext:  # noqa: ARG002 - as above
        return _NOWHERE

    def get_info(self) -> Info:
        return self._instance.get_info()

    def get_thread_id(self) -> int | None:
        return self._instance.get_thread_id()
