"""What the followers of a transfer read of it: one statement for all who ask at the same moment, one rendering for all alike.

Whether a follower may see the transfer is found out after each event, for each of them. Followers with the same rights share the
answer, and it serves for a second at most.
"""

# ruff: noqa: S608 - statements are put together from constants; every value is a parameter

import asyncio
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import asyncpg

from gateway.context import RequestContext
from gateway.shared_answers import SharedAnswers
from gateway.types.transfer import TransferEvent
from gateway.visibility import Scope, visible
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

    state: TransferState | None
    at: datetime
    events: dict[Hashable, SharedEvent] = field(default_factory=dict)

    def serves(self, seq: int, now: datetime) -> bool:
        """Whether it was read after event `seq`, and shortly before `now`."""
        return self.state is not None and self.state.revision >= seq and timedelta(0) <= now - self.at < SERVES_FOR

    def event(self, seq: int, context: RequestContext, make: Callable[[], TransferEvent]) -> SharedEvent:
        """Event `seq` for the viewer and the language of `context`; of two tokens of one viewer only the end may differ."""
        key = seq, context.language, replace(context.viewer, expires_at=0.0)
        shared = self.events.get(key)
        if shared is None:
            shared = self.events[key] = SharedEvent(make())
        return shared


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
            states = await _states(pool, transfer_id, list(batch.scopes.values()))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is theirs who asked
            batch.read.set_exception(error)
            # All who asked may have left.
            batch.read.exception()
            return
        finally:
            for mark in batch.scopes:
                if self._expected.get((pool, transfer_id, mark)) is batch:
                    del self._expected[pool, transfer_id, mark]
        readings = {mark: Reading(state, now) for mark, state in zip(batch.scopes, states, strict=True)}
        for mark, reading in readings.items():
            self._keep((pool, transfer_id, mark), reading)
        batch.read.set_result(readings)

    def _keep(self, key: _Key, reading: Reading) -> None:
        self._kept[key] = reading
        asyncio.get_running_loop().call_later(SERVES_FOR.total_seconds(), self._drop, key, reading)

    def _drop(self, key: _Key, reading: Reading) -> None:
        if self._kept.get(key) is reading:
            del self._kept[key]


async def _states(pool: asyncpg.Pool, transfer_id: UUID, scopes: list[Scope]) -> list[TransferState | None]:
    """The transfer for each scope that covers it, read and parsed once for all."""
    parameters: list[Any] = [transfer_id]
    conditions = [visible(scope, parameters) for scope in scopes]
    row = await pool.fetchrow(
        f"""select t.covered, case when true = any(t.covered) then t.state end
              from (select array[{", ".join(conditions)}] as covered, t.state from transfers t where t.transfer_id = $1) t""",
        *parameters,
    )
    if row is None or row[1] is None:
        return [None] * len(scopes)
    state = TransferState.model_validate_json(row[1])
    return [state if covered else None for covered in row[0]]


def _hashable(scope: Scope) -> Hashable:
    """What a scope covers, its instant apart."""
    return tuple(tuple(each) if isinstance(each, list) else each for each in scope._replace(at=None))
