"""What the followers of a transfer read of it: one statement for all who ask at the same moment, one rendering for all alike.

Whether a follower may see the transfer is found out after each event, for each of them. Followers with the same rights share the
answer, and it serves for a second at most.
"""

# ruff: noqa: S608 - statements are put together from constants; every value is a parameter

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import asyncpg
import orjson

from gateway.caller_view import CallerView, caller_view
from gateway.context import RequestContext
from gateway.shared_answers import SharedAnswers
from gateway.types.transfer import TransferEvent
from gateway.visibility import Scope, tie_columns, visible
from workflows.state import TransferState

SERVES_FOR: Final = timedelta(seconds=1)
MAX_AT_ONCE: Final = 20


@dataclass
class SharedEvent:
    """One event as one caller sees it, and the answers that were made of it."""

    event: TransferEvent
    answers: SharedAnswers[Any] = field(default_factory=SharedAnswers)


@dataclass
class Reading:
    """A transfer as it was read at the instant `at` for all who have one scope; None for those who may not see it."""

    view: CallerView | None
    at: datetime
    events: SharedAnswers[SharedEvent] = field(default_factory=SharedAnswers)

    def serves(self, seq: int, now: datetime) -> bool:
        """Whether it was read after event `seq`, and shortly before `now`."""
        return self.view is not None and self.view.actual.revision >= seq and timedelta(0) <= now - self.at < SERVES_FOR

    async def event(
        self, seq: int, context: RequestContext, make: Callable[[], Awaitable[TransferEvent]]
    ) -> SharedEvent:
        """Event `seq` for the viewer and the language of `context`; of two tokens of one viewer only the end may differ."""

        async def made() -> SharedEvent:
            return SharedEvent(await make())

        return await self.events.get((seq, context.language, replace(context.viewer, expires_at=0.0)), made)


_Key = tuple[asyncpg.Pool, UUID, Hashable]


@dataclass
class _Batch:
    """The scopes for which one transfer is read in one statement, after its event `seq` at least."""

    seq: int
    scopes: dict[Hashable, Scope] = field(default_factory=dict)
    read: "asyncio.Future[dict[Hashable, Reading]]" = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class Readings:
    """The readings of this process that are less than a second old."""

    def __init__(self) -> None:
        self._kept: dict[_Key, Reading] = {}
        # What has yet to leave, by transfer, and what has not come back yet, by scope too.
        self._batches: dict[tuple[asyncpg.Pool, UUID], _Batch] = {}
        self._expected: dict[_Key, _Batch] = {}
        self._under_way: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._kept) + len(self._batches) + len(self._expected) + len(self._under_way)

    async def read(self, pool: asyncpg.Pool, scope: Scope, transfer_id: UUID, seq: int, now: datetime) -> Reading:
        """The transfer as it is after event `seq`, which it has. Raises what the statement raises."""
        mark = _hashable(scope)
        key = pool, transfer_id, mark
        kept = self._kept.get(key)
        if kept is not None and kept.serves(seq, now):
            return kept
        batch = self._expected.get(key)
        if batch is None or batch.seq < seq:
            batch = self._expected[key] = self._batch(pool, transfer_id, seq, now)
            batch.scopes[mark] = scope
        return (await asyncio.shield(batch.read))[mark]

    def _batch(self, pool: asyncpg.Pool, transfer_id: UUID, seq: int, now: datetime) -> _Batch:
        place = pool, transfer_id
        batch = self._batches.get(place)
        if batch is None or len(batch.scopes) >= MAX_AT_ONCE:
            batch = self._batches[place] = _Batch(seq)
            asyncio.get_running_loop().call_soon(self._leave, place, batch, now)
        batch.seq = max(batch.seq, seq)
        return batch

    def _leave(self, place: tuple[asyncpg.Pool, UUID], batch: _Batch, now: datetime) -> None:
        if self._batches.get(place) is batch:
            del self._batches[place]
        task = asyncio.create_task(self._read(*place, batch, now))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _read(self, pool: asyncpg.Pool, transfer_id: UUID, batch: _Batch, now: datetime) -> None:
        try:
            views = await _views(pool, transfer_id, list(batch.scopes.values()))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is theirs who asked
            batch.read.set_exception(error)
            # All who asked may have left.
            batch.read.exception()
            return
        finally:
            for mark in batch.scopes:
                if self._expected.get((pool, transfer_id, mark)) is batch:
                    del self._expected[pool, transfer_id, mark]
        readings = {mark: Reading(view, now) for mark, view in zip(batch.scopes, views, strict=True)}
        for mark, reading in readings.items():
            self._keep((pool, transfer_id, mark), reading)
        batch.read.set_result(readings)

    def _keep(self, key: _Key, reading: Reading) -> None:
        self._kept[key] = reading
        asyncio.get_running_loop().call_later(SERVES_FOR.total_seconds(), self._drop, key, reading)

    def _drop(self, key: _Key, reading: Reading) -> None:
        if self._kept.get(key) is reading:
            del self._kept[key]


async def _views(pool: asyncpg.Pool, transfer_id: UUID, scopes: list[Scope]) -> list[CallerView | None]:
    """The transfer for each scope that covers it, read and parsed once for all."""
    parameters: list[Any] = [transfer_id]
    ties = [
        f"(select to_json(s)::text from (select {visible(scope, parameters)} as covered, {tie_columns(scope, parameters)}) s)"
        for scope in scopes
    ]
    row = await pool.fetchrow(
        f"select t.state, array[{', '.join(ties)}] as ties from transfers t where t.transfer_id = $1", *parameters
    )
    found = [orjson.loads(each) for each in row["ties"]] if row is not None else []
    if row is None or not any(each["covered"] for each in found):
        return [None] * len(scopes)
    state = TransferState.model_validate_json(row["state"])
    return [
        await caller_view(pool, scope, state, tie) if tie["covered"] else None
        for scope, tie in zip(scopes, found, strict=True)
    ]


def _hashable(scope: Scope) -> Hashable:
    """What a scope covers, its instant apart."""
    return tuple(tuple(each) if isinstance(each, list) else each for each in scope._replace(at=None))
