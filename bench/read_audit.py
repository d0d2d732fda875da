"""What the read audit costs: progress queries through a gateway that keeps the access log, and through one that does not."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import urlsplit

from bench import figures
from bench.figures import Figure
from bench.hand_written import QUERY
from bench.http_load import Connection, RequestError, graphql_request
from bench.machine import Measured
from bench.queries import STARTS_WITHIN_SECONDS, Target, cpu_us, listens, prepared
from bench.system import ENVIRONMENT, System
from gateway.access_log import AccessLog
from gateway.app import serve
from stack.issuer import AUDIENCE, ISSUER
from stack.processes import free_port, last_line, spawn
from workflows.vocabulary import Role

WITH: Final = "with"
WITHOUT: Final = "without"


async def read_audit(
    system: System, *, repetitions: int, seconds: float, connections: int, cases: int, callers: int
) -> list[Figure]:
    """Ask both for `seconds` in each repetition. Each case is asked for by `callers` subjects, so that few looks are equal."""
    transfers = await prepared(system, cases)
    requests = [
        graphql_request(
            system.token(Role.INSURED_PERSON, resident_id=each.person.resident_id, subject=f"session-{number}"),
            QUERY,
            no=each.no,
        )
        for number in range(callers)
        for each in transfers
    ]
    audited: list[Measured[int]] = []
    plain: list[Measured[int]] = []
    async with _gateway(system, WITH) as one, _gateway(system, WITHOUT) as other:
        targets = [await _known(url, pid, requests) for url, pid in (one, other)]
        if targets[0].answers != targets[1].answers:
            raise RequestError("the two gateways answer differently")
        for _ in range(repetitions):
            for target, runs in zip(targets, (audited, plain), strict=True):
                runs.append(await target.measured(seconds, connections))
    cpu, cpu_without = ([cpu_us(each, "server") for each in runs] for runs in (audited, plain))
    more = {
        "looks_a_second": max(each.result for each in audited) / seconds,
        "cases": cases,
        "callers_of_each": callers,
    }
    name = "progress query with the read audit, CPU of the gateway"
    return [figures.of(name, "µs", cpu, cpu_without, goal="ratio ≤ 1.05", **more)]


async def _known(url: str, pid: int, requests: list[bytes]) -> Target:
    """A gateway that has seen every token."""
    connection = Connection(url)
    answers = [await connection.send(request) for request in requests]
    connection.close()
    return Target(url, pid, requests, answers)


@asynccontextmanager
async def _gateway(system: System, audit: str) -> AsyncIterator[tuple[str, int]]:
    """A gateway beside the stack's own while the block lasts: its URL and pid."""
    port, log = free_port(), system.data_dir / "logs" / f"gateway_{audit}_audit.log"
    address = urlsplit(system.info.postgres)
    secret = (system.data_dir / "yibao_gateway.password").read_text("utf-8").strip()
    environment = ENVIRONMENT | {
        "YIBAO_DATABASE_URL": f"postgresql://yibao_gateway:{secret}@{address.hostname}:{address.port}{address.path}",
        "YIBAO_KEYRING": str(system.data_dir / "keyring.json"),
        "YIBAO_OIDC_ISSUER": ISSUER,
        "YIBAO_OIDC_AUDIENCE": AUDIENCE,
        "YIBAO_OIDC_JWKS": str(system.data_dir / "jwks.json"),
        "YIBAO_ENV": "development",
        "YIBAO_PORT": str(port),
        "TEMPORAL_ADDRESS": system.info.temporal,
    }
    child = await spawn(
        f"gateway {audit} audit", [sys.executable, "-m", "bench.read_audit", audit], log, environment=environment
    )
    try:
        deadline = time.monotonic() + STARTS_WITHIN_SECONDS
        while not await listens(port):
            if child.process.returncode is not None or time.monotonic() > deadline:
                raise RequestError(f"the gateway {audit} the audit does not start: {last_line(log)}")
            await asyncio.sleep(0.05)
        yield f"http://127.0.0.1:{port}", child.pid
    finally:
        await child.stop()


def _forget(_log: AccessLog, _look: object) -> None:
    """What a gateway without the audit does of a look."""


if __name__ == "__main__":
    if sys.argv[1] == WITHOUT:
        AccessLog.note = _forget  # type: ignore[method-assign, assignment]
    os._exit(serve(os.environ))
