"""Subscriptions: a case's events, from where the client stopped, then live."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from typing import cast
from uuid import UUID

import strawberry

from gateway import reads
from gateway.authorisation import check_signed_in, subscription
from gateway.case import Case
from gateway.case_events import tell_event
from gateway.context import RequestContext
from gateway.loaders import Loaders
from gateway.paging import invalid
from gateway.query_faults import NotFound
from gateway.readings import Readings
from gateway.telling import Telling, telling_of
from gateway.types.reference import node_key
from gateway.types.transfer import TransferEvent
from workflows import events as e
from workflows.state import TransferState

Info = strawberry.Info[RequestContext, None]
# After these a case has no more events.
LAST_WORDS = (e.Declined, e.Withdrawn, e.Completed)
READINGS = Readings()


@strawberry.type
class Subscription:
    @subscription(
        "Everything after `afterSeq`, then live. A client that reconnects with its last `seq` loses nothing and "
        "sees nothing twice."
    )
    async def transfer_progress(
        self, info: Info, transfer_id: strawberry.ID, after_seq: int = 0
    ) -> AsyncGenerator[TransferEvent, None]:
        context = info.context
        check_signed_in(context)
        if after_seq < 0:
            raise invalid(context.language, ["afterSeq"], "NEGATIVE")
        known = await _visible(context, transfer_id)
        case_id = known.transfer_id
        if known.closed and after_seq >= known.revision:
            return
        async with aclosing(_events(context, case_id, after_seq)) as events:
            async for stored in events:
                yield await _event(context, case_id, stored)
                if isinstance(stored.fact, LAST_WORDS):
                    return


async def _event(context: RequestContext, case_id: UUID, stored: e.TransferEvent) -> TransferEvent:
    """The event, with the case as its caller may still see it. Raises `NotFound` when the caller may not any more.

    Made once for all subscriptions of one viewer in one language, who then share what they select of it.
    """
    telling = await telling_of(context)
    reading = await READINGS.read(context.pool, telling.scope, case_id, stored.seq, telling.now)
    state = reading.state
    if state is None:
        raise NotFound
    shared = reading.event(stored.seq, context, lambda: _tell(stored, state, context, telling))
    context.shared = shared.answers
    return shared.event


def _tell(stored: e.TransferEvent, state: TransferState, context: RequestContext, telling: Telling) -> TransferEvent:
    """The event with loaders of its own: what a subscription has read for an earlier event is not this one's."""
    own = replace(telling, context=replace(context, loaders=Loaders(context.pool)))
    return tell_event(stored, Case(state, own), own)


def _events(context: RequestContext, transfer_id: UUID, after_seq: int) -> AsyncGenerator[e.TransferEvent, None]:
    async def fetch(case_id: UUID, seq: int) -> list[e.TransferEvent]:
        return await reads.events_after(context.pool, case_id, seq)

    stream: AsyncIterator[e.TransferEvent] = context.progress.events_after(transfer_id, after_seq, fetch)
    return cast("AsyncGenerator[e.TransferEvent, None]", stream)


async def _visible(context: RequestContext, node: str) -> TransferState:
    """The transfer that a node's id names. Raises `NotFound` when the caller may not see it, or there is none."""
    named = node_key(node)
    try:
        transfer_id = UUID(named[1]) if named is not None and named[0] == "Transfer" else None
    except ValueError:
        transfer_id = None
    telling = await telling_of(context)
    state = await reads.transfer_by_id(context.pool, telling.scope, transfer_id) if transfer_id is not None else None
    if state is None:
        raise NotFound
    return state
