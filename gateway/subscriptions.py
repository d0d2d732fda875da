"""Subscriptions: a case's events, from where the client stopped, then live."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from typing import cast
from uuid import UUID

import strawberry

from gateway import reads
from gateway.access_model import event_shown
from gateway.authorisation import check_signed_in, subscription
from gateway.caller_view import CallerView
from gateway.case import Case
from gateway.case_events import public_kind, tell_event
from gateway.context import RequestContext
from gateway.free_text import open_texts
from gateway.loaders import Loaders
from gateway.paging import invalid
from gateway.query_faults import NotFound
from gateway.readings import Readings
from gateway.telling import Telling, telling_of
from gateway.types.reference import node_key
from gateway.types.transfer import TransferEvent
from workflows import events as e

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
        # Once for the stream, not for each event.
        (await telling_of(context)).note_case(known.actual, "transferProgress")
        case_id = known.state.transfer_id
        if (known.state.closed or known.as_of is not None) and after_seq >= known.state.revision:
            return
        async with aclosing(_events(context, case_id, after_seq)) as events:
            async for stored in events:
                view, event = await _event(context, case_id, stored)
                if view.as_of is not None and stored.seq > view.state.revision:
                    # It has stopped being the employer: what comes now is not for it.
                    return
                if event is not None:
                    yield event
                if isinstance(stored.fact, LAST_WORDS) or _is_last_of(view, stored):
                    return


def _is_last_of(view: CallerView, stored: e.TransferEvent) -> bool:
    """Whether a former employer has been told all that there is for it."""
    return view.as_of is not None and stored.seq >= view.state.revision


async def _event(
    context: RequestContext, case_id: UUID, stored: e.TransferEvent
) -> tuple[CallerView, TransferEvent | None]:
    """The case as its caller may still see it, and the event, None where it is not for the caller.

    Raises `NotFound` when the caller may not see the case any more. The event is made once for all subscriptions of one viewer in
    one language, who then share what they select of it.
    """
    telling = await telling_of(context)
    reading = await READINGS.read(context.pool, telling.scope, case_id, stored.seq, telling.now)
    view = reading.view
    if view is None:
        raise NotFound
    if not event_shown(public_kind(stored), view.relations):
        return view, None
    shared = await reading.event(stored.seq, context, lambda: _tell(stored, view, context, telling))
    context.shared = shared.answers
    return view, shared.event


async def _tell(stored: e.TransferEvent, view: CallerView, context: RequestContext, telling: Telling) -> TransferEvent:
    """The event with loaders of its own: what a subscription has read for an earlier event is not this one's."""
    own = replace(telling, context=replace(context, loaders=Loaders(context.pool)))
    # An employer is shown no text.
    readable = [stored] if view.limited else await open_texts(own.context, view.state.transfer_id, [stored])
    return tell_event(readable[0], Case(view, own), own)


def _events(context: RequestContext, transfer_id: UUID, after_seq: int) -> AsyncGenerator[e.TransferEvent, None]:
    async def fetch(case_id: UUID, seq: int) -> list[e.TransferEvent]:
        return await reads.events_after(context.pool, case_id, seq)

    stream: AsyncIterator[e.TransferEvent] = context.progress.events_after(transfer_id, after_seq, fetch)
    return cast("AsyncGenerator[e.TransferEvent, None]", stream)


async def _visible(context: RequestContext, node: str) -> CallerView:
    """The transfer that a node's id names. Raises `NotFound` when the caller may not see it, or there is none."""
    named = node_key(node)
    try:
        transfer_id = UUID(named[1]) if named is not None and named[0] == "Transfer" else None
    except ValueError:
        transfer_id = None
    telling = await telling_of(context)
    view = await reads.transfer_by_id(context.pool, telling.scope, transfer_id) if transfer_id is not None else None
    if view is None:
        raise NotFound
    return view
