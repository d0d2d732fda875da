"""What operators list and filter transfers by in Temporal: the single source of these names."""

from typing import Any, Final

from temporalio.common import SearchAttributeKey, SearchAttributeUpdate

from workflows.state import TransferState
from workflows.vocabulary import DeadlineState, FundsStatus, RemittanceStatus

STATUS_KEY: Final = SearchAttributeKey.for_keyword("TransferStatus")
OUT_REGION_KEY: Final = SearchAttributeKey.for_keyword("TransferOutRegion")
IN_REGION_KEY: Final = SearchAttributeKey.for_keyword("TransferInRegion")
HOLDER_KEY: Final = SearchAttributeKey.for_keyword("TransferHolder")
DEADLINE_STATE_KEY: Final = SearchAttributeKey.for_keyword("TransferDeadlineState")
NEXT_DEADLINE_KEY: Final = SearchAttributeKey.for_datetime("TransferNextDeadline")
NEEDS_ATTENTION_KEY: Final = SearchAttributeKey.for_bool("TransferNeedsAttention")


def search_attributes(state: TransferState) -> list[SearchAttributeUpdate[Any]]:
    """What operators list and filter transfers by."""
    holding = next((step for step in state.open_steps if step.deadline), None)
    deadline = holding.deadline if holding else None
    return [
        STATUS_KEY.value_set(state.status.value),
        OUT_REGION_KEY.value_set(state.from_region),
        IN_REGION_KEY.value_set(state.to_region),
        HOLDER_KEY.value_set(holding.region) if holding else HOLDER_KEY.value_unset(),
        DEADLINE_STATE_KEY.value_set(_deadline_state(state)),
        NEXT_DEADLINE_KEY.value_set(deadline.due_at) if deadline else NEXT_DEADLINE_KEY.value_unset(),
        NEEDS_ATTENTION_KEY.value_set(needs_attention(state)),
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


def _deadline_state(state: TransferState) -> str:
    running = [step for step in state.open_steps if step.deadline is None or step.deadline.paused_since is None]
    if any(step.missed_noted for step in running):
        return DeadlineState.OVERDUE
    if any(step.due_soon_noted for step in running):
        return DeadlineState.DUE_SOON
    if running:
        return DeadlineState.ON_TRACK
    return DeadlineState.PAUSED if state.open_steps else "NONE"
