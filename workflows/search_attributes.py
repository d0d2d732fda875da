"""What operators list and filter transfers by in Temporal: the single source of these names."""

from typing import Any, Final

from temporalio.common import SearchAttributeKey, SearchAttributeUpdate

from workflows.state import Step, TransferState
from workflows.vocabulary import DeadlineState, FundsStatus, RemittanceStatus, StepState

STATUS_KEY: Final = SearchAttributeKey.for_keyword("TransferStatus")
OUT_REGION_KEY: Final = SearchAttributeKey.for_keyword("TransferOutRegion")
IN_REGION_KEY: Final = SearchAttributeKey.for_keyword("TransferInRegion")
HOLDER_KEY: Final = SearchAttributeKey.for_keyword("TransferHolder")
DEADLINE_STATE_KEY: Final = SearchAttributeKey.for_keyword("TransferDeadlineState")
NEXT_DEADLINE_KEY: Final = SearchAttributeKey.for_datetime("TransferNextDeadline")
NEEDS_ATTENTION_KEY: Final = SearchAttributeKey.for_bool("TransferNeedsAttention")


KEYS: Final[tuple[SearchAttributeKey[Any], ...]] = (
    STATUS_KEY,
    OUT_REGION_KEY,
    IN_REGION_KEY,
    HOLDER_KEY,
    DEADLINE_STATE_KEY,
    NEXT_DEADLINE_KEY,
    NEEDS_ATTENTION_KEY,
)


def shown(state: TransferState) -> tuple[Any, ...]:
    """What operators list and filter transfers by, in the order of `KEYS`; None where there is nothing to show."""
    opened = state.open_steps
    holding = next((step for step in opened if step.deadline), None)
    # A supervisor's approval has no period: it is waited for where nothing else is.
    holder = holding or next((each for each in state.approvals if each.state is StepState.OPEN), None)
    return (
        state.status.value,
        state.from_region,
        state.to_region,
        holder.region if holder else None,
        _deadline_state(opened),
        holding.deadline.due_at if holding and holding.deadline else None,
        needs_attention(state),
    )


def changed(before: tuple[Any, ...], after: tuple[Any, ...]) -> list[SearchAttributeUpdate[Any]]:
    """What Temporal is to be told once `after` is shown and no longer `before`; all of it where that is empty."""
    return [
        key.value_unset() if value is None else key.value_set(value)
        for position, (key, value) in enumerate(zip(KEYS, after, strict=True))
        if not before or before[position] != value
    ]


def needs_attention(state: TransferState) -> bool:
    """A step is overdue, money does not match its order or came back, or a supervisor must approve its way home."""
    order = state.on_its_way
    unapproved = order is not None and order.status is RemittanceStatus.AWAITING_RELEASE
    late = any(step.missed_noted for step in state.open_steps)
    return (
        late
        or unapproved
        or (state.funds_status in (FundsStatus.MISMATCHED, FundsStatus.RETURNED) and not state.closed)
    )


def _deadline_state(opened: tuple[Step, ...]) -> str:
    running = [step for step in opened if step.deadline is None or step.deadline.paused_since is None]
    if any(step.missed_noted for step in running):
        return DeadlineState.OVERDUE
    if any(step.due_soon_noted for step in running):
        return DeadlineState.DUE_SOON
    if running:
        return DeadlineState.ON_TRACK
    return DeadlineState.PAUSED if opened else "NONE"
