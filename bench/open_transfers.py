"""Memory and the latency of a step with few and with many transfers open: neither should grow with what only waits.

And what all of them do at once: note a new date when the year's table changes.
"""

import asyncio
from collections.abc import Sequence

from bench import figures
from bench.carry import desks
from bench.figures import Figure
from bench.latency import percentile, steps_alone
from bench.machine import memory_mb
from bench.recounting import recount, recounting
from bench.system import System
from bench.throughput import one_by_one

SUBMITTED_AT_ONCE = 20


async def open_transfers(system: System, *, few: int, some: int, many: int, steps_of: int) -> list[Figure]:
    """The figures at `many` open transfers, with those at `few` as the baseline; of a new table, those at `some`."""
    await _submit(system, few)
    memory, alone = memory_mb(system.parts), await steps_alone(system, steps_of)
    await _submit(system, some - few)
    recounted = await recount(system, 3)
    await _submit(system, many - some)
    memory_many, alone_many = memory_mb(system.parts), await steps_alone(system, steps_of)
    parts = ("worker", "gateway", "temporal", "postgres")
    said = f"with {many:,} open"
    made = [
        figures.of(f"{part} memory {said}", "MB", [memory_many[part]], [memory[part]], baseline_is=f"{few} open")
        for part in parts
    ]
    made += [
        figures.of(f"step {said}, p{percent}", "ms", *_pair(alone_many, alone, percent), baseline_is=f"{few} open")
        for percent in (50, 99)
    ]
    return [*made, *recounting(recounted, await recount(system, 4))]


async def _submit(system: System, count: int) -> None:
    persons = iter(system.take_persons(count))
    with desks(system, SUBMITTED_AT_ONCE) as at_work:
        await asyncio.gather(*(one_by_one(desk.submit, persons) for desk in at_work))


def _pair(many: Sequence[float], few: Sequence[float], percent: int) -> tuple[list[float], list[float]]:
    return [percentile(many, percent)], [percentile(few, percent)]
