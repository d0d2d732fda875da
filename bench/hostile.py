"""What one hostile caller does to the others: an honest caller's p99 and the gateway's memory, with the attack and without."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from statistics import quantiles
from typing import Final

import orjson

from bench import figures
from bench.attack import Target
from bench.carry import Open, desks
from bench.figures import Figure
from bench.hand_written import QUERY
from bench.http_load import Connection, graphql_request
from bench.machine import memory_mb
from bench.queries import a_core_of_its_own
from bench.system import ENVIRONMENT, System

HONEST_REQUESTS_PER_SECOND: Final = 100
HONEST_CONNECTIONS: Final = 10
# In which the hostile caller spends its budgets: what it could do at once is measured apart.
FIRST_SECONDS: Final = 6.0
REST_SECONDS: Final = 3.0


async def hostile(system: System, *, repetitions: int, seconds: float, honest_callers: int) -> list[Figure]:
    """Progress queries of honest callers at a fixed rate for `seconds`, in turn without and with the attack.

    With it, what the hostile caller does in its first seconds is a figure of its own.
    """
    attacker, *honest = await _transfers(system, 1 + honest_callers)
    requests = [graphql_request(each.token, QUERY, no=each.no) for each in honest]
    target = Target(system.info.gateway, attacker.token, attacker.no, attacker.id, QUERY)
    gateway = {"gateway": system.info.pids["gateway"]}
    with a_core_of_its_own(gateway["gateway"]):
        await _latencies(system.info.gateway, requests, 1.0)
        return await _in_turn(system, target, requests, repetitions=repetitions, seconds=seconds)


async def _in_turn(
    system: System, target: Target, requests: Sequence[bytes], *, repetitions: int, seconds: float
) -> list[Figure]:
    gateway = {"gateway": system.info.pids["gateway"]}
    first: list[float] = []
    attacked: list[float] = []
    calm: list[float] = []
    memory_before = memory_mb(gateway)["gateway"]
    grown: list[float] = []
    sent: dict[str, int] = {}
    for _ in range(repetitions):
        calm.append(_p99(await _latencies(system.info.gateway, requests, seconds)))
        async with _attack(target, FIRST_SECONDS + seconds) as attack:
            first.append(_p99(await _latencies(system.info.gateway, requests, FIRST_SECONDS)))
            attacked.append(_p99(await _latencies(system.info.gateway, requests, seconds)))
            grown.append(memory_mb(gateway)["gateway"] - memory_before)
        sent = attack
        await asyncio.sleep(REST_SECONDS)
    after = memory_mb(gateway)["gateway"] - memory_before
    return [
        figures.of("honest progress query under attack, p99", "ms", attacked, calm, goal="ratio ≤ 1.1", sent=sent),
        figures.of("honest progress query as an attack begins, p99", "ms", first, calm, seconds=FIRST_SECONDS),
        figures.of("gateway memory, grown by the attack", "MB", grown, goal="≤ 100", afterwards=after),
    ]


async def _transfers(system: System, count: int) -> Sequence[Open]:
    with desks(system, 1) as (desk,):
        return [await desk.submit(person) for person in system.take_persons(count)]


async def _latencies(url: str, requests: Sequence[bytes], seconds: float) -> list[float]:
    """Milliseconds from the instant at which each request was due to its answer: a wait for a connection counts."""
    free: asyncio.Queue[Connection] = asyncio.Queue()
    for _ in range(HONEST_CONNECTIONS):
        free.put_nowait(Connection(url))
    began, pause = time.perf_counter(), 1 / HONEST_REQUESTS_PER_SECOND

    async def ask(number: int) -> float:
        due = began + number * pause
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        connection = await free.get()
        await connection.send(requests[number % len(requests)])
        free.put_nowait(connection)
        return 1000 * (time.perf_counter() - due)

    taken = await asyncio.gather(*(ask(number) for number in range(int(seconds / pause))))
    while not free.empty():
        free.get_nowait().close()
    return taken


def _p99(milliseconds: Sequence[float]) -> float:
    return quantiles(milliseconds, n=100)[-1]


@asynccontextmanager
async def _attack(target: Target, seconds: float) -> AsyncIterator[dict[str, int]]:
    """The attack while the block lasts; afterwards the answer says how much was sent. It ends by itself."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.attack", str(seconds),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, env=ENVIRONMENT,
    )  # fmt: skip
    sent: dict[str, int] = {}
    assert process.stdin is not None
    process.stdin.write(orjson.dumps(asdict(target)))
    process.stdin.close()
    try:
        yield sent
        output, _ = await asyncio.wait_for(process.communicate(), seconds + 20)
        sent.update(orjson.loads(output))
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
