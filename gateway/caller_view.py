"""A transfer as one caller sees it: as it is now, or for a former employer as it was when it stopped being the employer."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg

from gateway.access_model import Relation, Relations, Row, Show, acts_as, is_limited, show
from gateway.visibility import Employment, Scope, Tie, office_tie, tie_of
from workflows import events as e
from workflows.actors import Actor, ActorKind
from workflows.deadlines import start_of
from workflows.event_actor import event_actor
from workflows.fold import fold
from workflows.state import TransferState
from workflows.vocabulary import Side

SELF = Tie(frozenset({Relation.SELF}))


class CallerView(NamedTuple):
    """`state` is what is shown, `actual` what the rules decide on. `as_of`: the instant of which `state` is, None for now.

    `own_sides` are those of an employer: whose register names it.
    """

    state: TransferState
    relations: Relations
    actual: TransferState
    own_sides: frozenset[Side] = frozenset()
    as_of: datetime | None = None

    @property
    def limited(self) -> bool:
        """Whether it is an employer's."""
        return is_limited(self.relations)

    def shows(self, table: Mapping[str, Row], field: str) -> Show:
        return show(table, field, self.relations)

    def acting(self, actor: Actor) -> Actor:
        """The caller of this view as the rules and the record know it."""
        kind = acts_as(self.relations)
        return actor if kind is None else actor.acting_as(kind)


def own_view(state: TransferState) -> CallerView:
    """The person's view of their own transfer."""
    return CallerView(state, SELF.relations, state)


def office_view(scope: Scope, state: TransferState) -> CallerView:
    """The view of an office on whose list the transfer stands."""
    return CallerView(state, office_tie(scope, state).relations, state)


async def caller_views(pool: asyncpg.Pool, scope: Scope, rows: Sequence[asyncpg.Record]) -> list[CallerView]:
    """The views of rows with `state` and `tie_columns`, which `scope` covers; one further statement where one is a former employer's."""
    states = [TransferState.model_validate_json(row["state"]) for row in rows]
    ties = [tie_of(scope, state, dict(row)) for state, row in zip(states, rows, strict=True)]
    past = [state.transfer_id for state, tie in zip(states, ties, strict=True) if _is_past(tie)]
    events = await _events_of(pool, past) if past else {}
    return [_view_of(state, tie, events.get(state.transfer_id), scope) for state, tie in zip(states, ties, strict=True)]


async def caller_view(pool: asyncpg.Pool, scope: Scope, state: TransferState, row: Mapping[str, Any]) -> CallerView:
    """The view of a transfer that `scope` covers; `row` has `tie_columns`."""
    tie = tie_of(scope, state, row)
    events = (await _events_of(pool, [state.transfer_id]))[state.transfer_id] if _is_past(tie) else None
    return _view_of(state, tie, events, scope)


async def first_view(pool: asyncpg.Pool, scope: Scope, row: asyncpg.Record | None) -> CallerView | None:
    """The view of the one row of `one_transfer`; None where it found nothing."""
    return (await caller_views(pool, scope, [row]))[0] if row is not None and row["state"] is not None else None


def last_seen(events: Sequence[e.TransferEvent], employment: Employment, employer: str) -> int:
    """The `seq` of the last event that a former employer sees.

    To the end of its last day, or to the stop of coverage; what it did itself it knows. The first event is always seen: the
    register names the employer still.
    """
    if employment.until is None:
        raise ValueError("the employment lasts")
    end = start_of(employment.until + timedelta(days=1))
    meanwhile = [each.seq for each in takewhile(lambda each: each.occurred_at < end, events)]
    stops = Side.TRANSFER_OUT in employment.sides
    own = [
        each.seq
        for each in events
        if (stops and isinstance(each.fact, e.CoverageStopped)) or _is_act_of(employer, each)
    ]
    return max((*meanwhile, *own), default=1)


def _is_act_of(employer: str, event: e.TransferEvent) -> bool:
    return event_actor(event) is ActorKind.EMPLOYER and event.actor.subject == employer


def _is_past(tie: Tie) -> bool:
    return is_limited(tie.relations) and Relation.FORMER_EMPLOYER in tie.relations


def _view_of(state: TransferState, tie: Tie, events: list[e.TransferEvent] | None, scope: Scope) -> CallerView:
    employment = tie.employment
    own_sides = employment.sides if employment is not None else frozenset[Side]()
    if events is None or employment is None or employment.until is None:
        return CallerView(state, tie.relations, state, own_sides)
    last = last_seen(events, employment, scope.employer or "")
    seen = events[:last]
    end = start_of(employment.until + timedelta(days=1))
    return CallerView(fold(seen), tie.relations, state, own_sides, as_of=max(end, seen[-1].occurred_at))


async def _events_of(pool: asyncpg.Pool, transfer_ids: list[UUID]) -> dict[UUID, list[e.TransferEvent]]:
    rows = await pool.fetch(
        "select transfer_id, event from transfer_events where transfer_id = any($1::uuid[]) order by transfer_id, seq",
        transfer_ids,
    )
    found: defaultdict[UUID, list[e.TransferEvent]] = defaultdict(list)
    for row in rows:
        found[row["transfer_id"]].append(e.TransferEvent.model_validate_json(row["event"]))
    return found
