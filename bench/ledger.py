"""The ledger's auditor at work beside complete transfers: snapshots a second, and what one takes. Nothing may be broken."""

import asyncio
import time

from activities.ledger.auditor import Auditor, Snapshot, open_auditor, snapshots
from bench import figures
from bench.figures import Figure
from bench.http_load import RequestError
from bench.latency import percentile
from bench.system import System
from bench.throughput import carry_many


async def audit(system: System, *, repetitions: int, transfers: int, in_flight: int) -> list[Figure]:
    """Carry `transfers` in each repetition with the auditor watching; its first snapshot, of everything, comes before."""
    async with open_auditor(system.info.postgres, told=True) as auditor:
        whole = await auditor.verify()
        rates, seconds, postings, carried = list[float](), list[float](), list[float](), list[float]()
        for _ in range(repetitions):
            carrying, began = asyncio.create_task(carry_many(system, transfers, in_flight)), time.perf_counter()
            made = await _watch(auditor, carrying)
            lasted = time.perf_counter() - began
            carried.append(await carrying)
            rates.append(len(made) / lasted)
            seconds += [each.seconds for each in made]
            postings.append(sum(each.postings for each in made) / lasted)
    return [
        figures.of(
            "ledger audit, snapshots under load", "1/s", rates, goal="≥ 10",
            p50_ms=percentile(seconds, 50), p99_ms=percentile(seconds, 99),
            transfers_per_second=min(carried), postings_verified_per_second=min(postings),
        ),
        figures.of("ledger audit, everything", "s", [whole.seconds], cases=whole.cases, postings=whole.postings),
    ]  # fmt: skip


async def _watch(auditor: Auditor, work: asyncio.Task[float]) -> list[Snapshot]:
    """The snapshots of the time that `work` takes. Raises `RequestError` when something is broken in one."""
    made: list[Snapshot] = []
    async for snapshot in snapshots(auditor):
        if snapshot.broken:
            raise RequestError(f"the ledger is broken: {snapshot.broken}")
        made.append(snapshot)
        if work.done():
            break
    return made
