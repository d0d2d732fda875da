"""Subscriptions: a case's events, from where the client stopped, then live."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
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
from gateway.paging import invalid
from gateway.query_faults import NotFound
from gateway.telling import telling_of
from gateway.types.reference import node_key
from gateway.types.transfer import TransferEvent
from workflows import events as e

Info = strawberry.Info[RequestContext, None]
# After these a case has no more events.
LAST_WORDS = (e.Declined, e.Withdrawn, e.Completed)


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
                # The case as it is when the event is told, and as its caller may still see it.
                telling = await telling_of(context)
                view = await reads.transfer_by_id(context.pool, telling.scope, case_id)
                if view is None:
                    raise NotFound
                if view.as_of is not None and stored.seq > view.state.revision:
                    # It has stopped being the employer: what comes now is not for it.
                    return
                if event_shown(public_kind(stored), view.relations):
                    readable = [stored] if view.limited else await open_texts(context, case_id, [stored])
                    yield tell_event(readable[0], Case(view, telling), telling)
                if isinstance(stored.fact, LAST_WORDS) or _is_last_of(view, stored):
                    return


def _is_last_of(view: CallerView, stored: e.TransferEvent) -> bool:
    """Whether a former employer has been told all that there is for it."""
    return view.as_of is not None and stored.seq >= view.state.revision


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
