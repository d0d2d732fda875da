"""Lists of transfers, newest first, in keyset pages."""

from datetime import datetime
from uuid import UUID

from gateway import reads
from gateway.case import show_case
from gateway.paging import check_page, cursor, cut, invalid, page_info, position
from gateway.scalars import FIRST_DAY, LAST_DAY
from gateway.telling import Telling
from gateway.types.inputs import TransferFilter
from gateway.types.transfer import TransferConnection, TransferEdge
from gateway.visibility import Scope
from workflows.deadlines import start_of
from workflows.identity import resident_id_fault


async def page_of_transfers(
    telling: Telling,
    operation: str,
    scope: Scope,
    conditions: reads.TransferConditions,
    first: int,
    after: str | None,
) -> TransferConnection:
    """A page of the transfers of `scope`, each of them a look through `operation`. Raises `InvalidArguments`."""
    check_page(first, telling.language)
    place = position(after, _key, telling.language)
    states = await reads.list_transfers(
        telling.context.pool, scope, conditions, today=telling.today, limit=first + 1, after=place
    )
    page, more = cut(states, first)
    edges = [
        TransferEdge(
            cursor=cursor(state.submitted_at.isoformat(), state.transfer_id), node=show_case(state, telling, operation)
        )
        for state in page
    ]
    return TransferConnection(edges=edges, page_info=page_info([edge.cursor for edge in edges], more=more, after=after))


def conditions_of(wanted: TransferFilter, telling: Telling) -> reads.TransferConditions:
    """A filter as the reads know it. Raises `InvalidArguments` for a number that is nobody's."""
    keys = None
    # An empty number is a wrong one, not the wish for everybody's.
    if isinstance(wanted.resident_id, str):
        fault = resident_id_fault(wanted.resident_id, today=telling.today)
        if fault is not None:
            said = telling.say(f"fault.{fault}")
            raise invalid(telling.language, ["filter", "residentId"], "RESIDENT_ID_INVALID", fault=said)
        keys = telling.context.keyring.person_keys(wanted.resident_id)
    since = wanted.submitted_on_or_after
    return reads.TransferConditions(
        person_keys=keys,
        status=wanted.status if isinstance(wanted.status, list) else None,
        funds_status=wanted.funds_status if isinstance(wanted.funds_status, list) else None,
        counterpart_region=wanted.counterpart_region if isinstance(wanted.counterpart_region, str) else None,
        overdue=wanted.overdue if isinstance(wanted.overdue, bool) else None,
        submitted_since=start_of(since) if since else None,
    )


def _key(submitted_at: str, transfer_id: str) -> tuple[datetime, UUID]:
    instant = datetime.fromisoformat(submitted_at)
    # PostgreSQL's driver cannot write an instant at the edge of what Python counts.
    if instant.tzinfo is None or not FIRST_DAY.year < instant.year < LAST_DAY.year:
        raise ValueError(submitted_at)
    return instant, UUID(transfer_id)
