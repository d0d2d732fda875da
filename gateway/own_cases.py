"""Persons' look-ups of their own cases: those that are asked for at the same moment are one statement.

Progress is what people ask for by the thousand, and the round trip to PostgreSQL is the dearest part of its answer. Nothing waits
for it: a look-up leaves in the turn of the event loop in which it was asked, with those that were asked in the same turn.
"""

import asyncio
from typing import Final, NamedTuple

import asyncpg

MAX_AT_ONCE: Final = 100
# As `visibility.visible` has it for a person, for each look-up by its own keys.
SQL: Final = """
select wanted.place, t.state
  from unnest($1::int[], $2::text[], $3::bytea[]) as wanted (place, no, person_key)
  join persons p on p.person_key = wanted.person_key
  join transfers t on t.person_id = p.person_id and t.no = wanted.no
"""


class _Lookup(NamedTuple):
    no: str
    person_keys: list[bytes]
    found: asyncio.Future[str | None]


class OwnCases:
    """The look-ups of this process that have not left yet, by the pool that they are for."""

    def __init__(self) -> None:
        self._asked: dict[asyncpg.Pool, list[_Lookup]] = {}
        self._under_way: set[asyncio.Task[None]] = set()

    async def state(self, pool: asyncpg.Pool, person_keys: list[bytes], no: str) -> str | None:
        """The stored state of the transfer `no`, if it is of the person whose number has one of these keyed hashes.

        Raises what the statement raises, for every look-up that is in it.
        """
        loop = asyncio.get_running_loop()
        lookup = _Lookup(no, person_keys, loop.create_future())
        asked = self._asked.get(pool)
        if asked is None or len(asked) >= MAX_AT_ONCE:
            asked = self._asked[pool] = []
            loop.call_soon(self._leave, pool, asked)
        asked.append(lookup)
        return await lookup.found

    def _leave(self, pool: asyncpg.Pool, lookups: list[_Lookup]) -> None:
        if self._asked.get(pool) is lookups:
            del self._asked[pool]
        task = asyncio.create_task(_look_up(pool, lookups))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)


async def _look_up(pool: asyncpg.Pool, lookups: list[_Lookup]) -> None:
    wanted = [(place, each.no, key) for place, each in enumerate(lookups) for key in each.person_keys]
    try:
        rows = await pool.fetch(SQL, *map(list, zip(*wanted, strict=True)))
    except Exception as error:  # noqa: BLE001 - whatever it is, it is theirs who asked
        for each in lookups:
            if not each.found.done():
                each.found.set_exception(error)
        return
    states = {row["place"]: row["state"] for row in rows}
    for place, each in enumerate(lookups):
        # Who asked may have left.
        if not each.found.done():
            each.found.set_result(states.get(place))
