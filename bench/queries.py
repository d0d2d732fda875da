"""Progress, asked for by insured persons: through the gateway, and through the same answer made by hand."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

import orjson

from bench import figures
from bench.carry import Open, desks
from bench.figures import Figure
from bench.hand_written import QUERY
from bench.http_load import Connection, RequestError, graphql_request
from bench.machine import Measured, measured
from bench.system import ENVIRONMENT, System
from stack.processes import free_port, last_line, spawn

STARTS_WITHIN_SECONDS = 20.0


async def queries(system: System, *, repetitions: int, seconds: float, connections: int, cases: int) -> list[Figure]:
    """Ask both for `seconds` in each repetition. Every answer must be the expected one, and both must answer alike."""
    async with _by_hand(system) as (url, pid):
        transfers = await prepared(system, cases)
        requests = [graphql_request(each.token, QUERY, no=each.no) for each in transfers]
        answers, answers_by_hand = await _agreed(system, url, requests)
        gateway = Target(system.info.gateway, system.info.pids["gateway"], requests, answers)
        by_hand = Target(url, pid, requests, answers_by_hand)
        ours: list[Measured[int]] = []
        bare: list[Measured[int]] = []
        for _ in range(repetitions):
            ours.append(await gateway.measured(seconds, connections))
            bare.append(await by_hand.measured(seconds, connections))
    cpu, cpu_by_hand = ([cpu_us(each, "server") for each in runs] for runs in (ours, bare))
    rates, rates_by_hand = ([each.result / seconds for each in runs] for runs in (ours, bare))
    load = {
        "loadcpu_us": max(cpu_us(each, "load") for each in ours),
        "steal_percent_max": max(each.steal_percent for each in [*ours, *bare]),
        "others_percent_max": max(each.others_percent for each in [*ours, *bare]),
    }
    return [
        figures.of("progress query, CPU of the server", "µs", cpu, cpu_by_hand, goal="ratio ≤ 2", **load),
        figures.of("progress queries", "1/s", rates, rates_by_hand, connections=connections, cases=cases),
    ]


async def prepared(system: System, cases: int) -> list[Open]:
    """Transfers at every stage of their way."""
    with desks(system, 1) as (desk,):
        transfers = [await desk.submit(person) for person in system.take_persons(cases)]
        for number, transfer in enumerate(transfers):
            for step in (desk.deliver, desk.remit, desk.confirm_continuation, desk.funds_arrive)[: number % 5]:
                await step(transfer)
    return transfers


async def _agreed(system: System, url: str, requests: Sequence[bytes]) -> tuple[list[bytes], list[bytes]]:
    """The answers of the gateway and those made by hand, which have the same content."""
    gateway, by_hand = Connection(system.info.gateway), Connection(url)
    answers, made_by_hand = [], []
    for request in requests:
        answers.append(await gateway.send(request))
        made_by_hand.append(await by_hand.send(request))
        said, made = orjson.loads(answers[-1]), orjson.loads(made_by_hand[-1])
        if said != made or "errors" in said:
            raise RequestError(f"the answer made by hand differs: {made} instead of {said}")
    gateway.close()
    by_hand.close()
    return answers, made_by_hand


@dataclass(frozen=True)
class Target:
    """A server, its process, and the answer that each request must have."""

    url: str
    pid: int
    requests: Sequence[bytes]
    answers: Sequence[bytes]

    async def measured(self, seconds: float, connections: int) -> Measured[int]:
        """How many requests were answered in `seconds`, and what that took."""
        with a_core_of_its_own(self.pid):
            return await measured({"server": self.pid}, lambda: self._ask(seconds, connections))

    async def _ask(self, seconds: float, connections: int) -> int:
        until = time.perf_counter() + seconds
        return sum(await asyncio.gather(*(self._ask_over_and_over(turn, until) for turn in range(connections))))

    async def _ask_over_and_over(self, turn: int, until: float) -> int:
        connection, count = Connection(self.url), 0
        while time.perf_counter() < until:
            number = (turn + count) % len(self.requests)
            answer = await connection.send(self.requests[number])
            if answer != self.answers[number]:
                raise RequestError(f"another answer than before: {answer!r}")
            count += 1
        connection.close()
        return count


def cpu_us(run: Measured[int], part: str) -> float:
    return 1000 * run.cpu_ms_per(run.result, part)


@asynccontextmanager
async def _by_hand(system: System) -> AsyncIterator[tuple[str, int]]:
    """The endpoint made by hand, in a process of its own while the block lasts: its URL and pid."""
    port, log = free_port(), system.data_dir / "logs" / "hand_written.log"
    command = [sys.executable, "-m", "bench.hand_written", str(system.data_dir), str(port)]
    child = await spawn("hand-written endpoint", command, log, environment=ENVIRONMENT)
    try:
        deadline = time.monotonic() + STARTS_WITHIN_SECONDS
        while not await listens(port):
            if child.process.returncode is not None or time.monotonic() > deadline:
                raise RequestError(f"the endpoint made by hand does not start: {last_line(log)}")
            await asyncio.sleep(0.05)
        yield f"http://127.0.0.1:{port}", child.pid
    finally:
        await child.stop()


async def listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


@contextmanager
def a_core_of_its_own(pid: int) -> Iterator[None]:
    """The server on one core and the load on the others, where there are two or more and the system can do so."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if len(cores) < 2:
        yield
        return
    try:
        os.sched_setaffinity(pid, cores[:1])
        os.sched_setaffinity(0, cores[1:])
        yield
    finally:
        os.sched_setaffinity(pid, cores)
        os.sched_setaffinity(0, cores)
