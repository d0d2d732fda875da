"""Every committed history replays on the workflow as it is: no change breaks the transfers that are under way."""

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner
from temporalio.workflow import NondeterminismError

from activities.temporal import data_converter
from tests.workflows.endings import ENDINGS
from tests.workflows.meddling_workflow import MeddlingWorkflow
from tests.workflows.record_histories import COMMAND, HISTORIES, keyring
from workflows.transfer import TransferWorkflow

FILES = sorted(path for path in HISTORIES.glob("*.json") if path.name != "keyring.json")
MARKER = EventType.EVENT_TYPE_MARKER_RECORDED
WHAT_TO_DO = f"""
The workflow no longer gives the commands that {{name}} recorded: every transfer now under way would stop there.
Guard the change with `workflow.patched`. Only if no such transfer can exist anywhere, record the histories anew:
    {COMMAND}
"""


def _history(name: str) -> WorkflowHistory:
    return WorkflowHistory.from_json("transfer-recorded", (HISTORIES / f"{name}.json").read_text("utf-8"))


def _replayer(workflow: type) -> Replayer:
    # In the SDK's sandbox, which the worker goes without: what it forbids is found here.
    return Replayer(
        workflows=[workflow], data_converter=data_converter(keyring()), workflow_runner=SandboxedWorkflowRunner()
    )


@pytest.mark.parametrize("name", [path.stem for path in FILES])
async def test_a_committed_history_replays(name: str) -> None:
    replayed = await _replayer(TransferWorkflow).replay_workflow(_history(name), raise_on_replay_failure=False)
    if replayed.replay_failure is not None:
        pytest.fail(f"{replayed.replay_failure}{WHAT_TO_DO.format(name=name)}")


def test_there_is_one_history_for_each_ending() -> None:
    assert [path.stem for path in FILES] == sorted(ending.__name__ for ending in ENDINGS), f"record them: {COMMAND}"


@pytest.mark.parametrize("name", [path.stem for path in FILES])
async def test_a_recorded_history_ends_as_its_name_says(name: str) -> None:
    last = _history(name).events[-1].workflow_execution_completed_event_attributes
    (status,) = await data_converter(keyring()).decode(last.result.payloads, [str])
    assert name.upper().startswith(status)


def test_cases_are_kept_from_before_and_since_the_banks_word_is_noted_locally() -> None:
    kept = ("completed_money_first", "completed_with_local_bookkeeping")
    markers = [[event.event_type for event in _history(name).events].count(MARKER) for name in kept]
    assert markers == [0, 1]


async def test_a_deliberate_extra_activity_is_caught() -> None:
    with pytest.raises(NondeterminismError):
        await _replayer(MeddlingWorkflow).replay_workflow(_history("completed_money_first"))
