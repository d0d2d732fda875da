"""What came of a step, written in its transaction and told to the workflow."""

from activities import records
from activities.effects import complete
from activities.records import Locked
from activities.scene import Scene
from workflows import events as e
from workflows.fold import Facts
from workflows.messages import CommandOutcome, Order, StepResult

DONE = CommandOutcome(kind="DONE")


async def record_step(
    scene: Scene,
    locked: Locked,
    facts: Facts,
    order: Order,
    *,
    command_id: str | None = None,
) -> StepResult:
    """Carry the facts out and record them; the answer has every event that the workflow has not folded in yet."""
    connection = scene.connection
    events, after = await complete(scene, facts)
    # Only a command asks which event records it. A credit may first prove what the bank has not said yet, and an end
    # first gives back what was frozen.
    before_it = (e.FundsRemitted, e.FundsReleased)
    records_it = next((each for each in events if not isinstance(each.fact, before_it)), events[0])
    outcome = CommandOutcome(kind="DONE", seq=records_it.seq) if command_id else DONE
    await records.record(
        connection,
        locked.state,
        after,
        events,
        last_hash=locked.last_hash,
        documents=scene.issued,
        command_id=command_id,
        outcome=outcome,
    )
    missed = locked.state.revision != order.after_seq
    return step_result(
        outcome, await records.events_after(connection, order.transfer_id, order.after_seq) if missed else events
    )


def step_result(outcome: CommandOutcome, events: tuple[e.TransferEvent, ...]) -> StepResult:
    return StepResult(outcome=outcome, events=tuple(event.without_words() for event in events))
