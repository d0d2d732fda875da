"""Lists of transfers, newest first, in keyset pages."""

from datetime import date, datetime
from typing import Final
from uuid import UUID

from gateway import reads
from gateway.caller_view import CallerView
from gateway.case import show_case
from gateway.paging import check_page, cursor, cut, invalid, page_info, position
from gateway.scalars import FIRST_DAY, LAST_DAY
from gateway.telling import Telling
from gateway.types.enums import FundsStatus
from gateway.types.inputs import TransferFilter
from gateway.types.transfer import TransferConnection, TransferEdge
from gateway.visibility import Scope
from workflows.deadlines import shanghai_date, start_of
from workflows.identity import resident_id_fault

NO_FILTER: Final = (None, None, None)
# So many of an employer's transfers are read at once where the filter decides on what it is shown of them.
EMPLOYER_CHUNK: Final = 100


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
    page, more = cut(await _list(telling, scope, conditions, first + 1, place), first)
    edges = [
        TransferEdge(
            cursor=cursor(view.state.submitted_at.isoformat(), view.state.transfer_id),
            node=show_case(view, telling, operation),
        )
        for view in page
    ]
    return TransferConnection(edges=edges, page_info=page_info([edge.cursor for edge in edges], more=more, after=after))


async def _list(
    telling: Telling,
    scope: Scope,
    conditions: reads.TransferConditions,
    limit: int,
    after: tuple[datetime, UUID] | None,
) -> list[CallerView]:
    """At most `limit` transfers. What an employer is shown of each is known only once it has been read: then it is filtered."""
    filtered = (
        scope.employer is not None and (conditions.status, conditions.funds_status, conditions.overdue) != NO_FILTER
    )
    size = max(limit, EMPLOYER_CHUNK) if filtered else limit
    found: list[CallerView] = []
    while True:
        chunk = await reads.list_transfers(
            telling.context.pool, scope, conditions, today=telling.today, limit=size, after=after
        )
        found += [each for each in chunk if not each.limited or _shows(each, conditions, telling.today)]
        if len(chunk) < size or len(found) >= limit:
            return found[:limit]
        after = chunk[-1].state.submitted_at, chunk[-1].state.transfer_id


def _shows(view: CallerView, conditions: reads.TransferConditions, today: date) -> bool:
    """Whether what an employer is shown of the transfer meets the conditions on it."""
    state = view.state
    day = shanghai_date(view.as_of) if view.as_of is not None else today
    late = any(step.deadline is not None and step.deadline.due_on < day for step in state.open_steps)
    return (
        (conditions.status is None or state.status in conditions.status)
        and (conditions.funds_status is None or FundsStatus.NOT_SHOWN in conditions.funds_status)
        and (conditions.overdue is None or late is conditions.overdue)
    )


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
