"""How long the history of a transfer is, in events and bytes, and what each event above the bare twin's is for."""

from collections import Counter
from statistics import median
from typing import Final

from temporalio.api.enums.v1 import EventType
from temporalio.client import Client

from bench import figures
from bench.carry import desks
from bench.figures import Figure
from bench.system import System
from bench.twin import Twins
from workflows.messages import workflow_id

REASONS: Final = {
    "UPSERT_WORKFLOW_SEARCH_ATTRIBUTES": "what operators list and filter transfers by has changed",
    "WORKFLOW_TASK_SCHEDULED": "the bank's word and the agencies' steps come one after the other",
    "WORKFLOW_TASK_STARTED": "as above",
    "WORKFLOW_TASK_COMPLETED": "as above",
}


async def history(system: System, twins: Twins, *, repetitions: int) -> list[Figure]:
    """The histories of as many transfers and twins, each alone on the machine."""
    ours, bare = [], []
    with desks(system, 1) as (desk,):
        for person in system.take_persons(repetitions):
            no = await desk.carry(person)
            ours.append(await _read(twins.client, workflow_id(no)))
            bare.append(await _read(twins.client, await twins.carry()))
    events, bytes_ = zip(*ours, strict=True)
    bare_events, bare_bytes = zip(*bare, strict=True)
    above = _by_type(events)
    above.subtract(_by_type(bare_events))
    accounted = {name: f"{count:+g}: {REASONS.get(name, 'unaccounted for')}" for name, count in above.items() if count}
    counts, bare_counts = [each.total() for each in events], [each.total() for each in bare_events]
    return [
        figures.of("history of a transfer", "events", counts, bare_counts, goal="≤ 100", above_the_twin=accounted),
        figures.of("size of that history", "bytes", bytes_, bare_bytes, goal="≤ 60,000"),
    ]


async def _read(client: Client, of: str) -> tuple[Counter[str], int]:
    handle = client.get_workflow_handle(of)
    events = (await handle.fetch_history()).events
    said = (await handle.describe()).raw_description.workflow_execution_info
    types = Counter(EventType.Name(event.event_type).removeprefix("EVENT_TYPE_") for event in events)
    return types, said.history_size_bytes


def _by_type(histories: tuple[Counter[str], ...]) -> Counter[str]:
    names = {name for each in histories for name in each}
    return Counter({name: int(median(each[name] for each in histories)) for name in sorted(names)})
