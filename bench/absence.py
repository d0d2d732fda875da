"""What a caller may not see takes as long as what is not there: medians over interleaved pairs. `python -m bench.absence`."""

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Final

from bench import figures
from bench.carry import desks
from bench.figures import Figure
from bench.http_load import Connection, RequestError, graphql_request
from bench.system import System, running_system
from gateway.types.reference import node_id
from workflows.vocabulary import Role

BY_NO: Final = "query ($no: TransferNo!) { transfer(no: $no) { no status } }"
NODE: Final = "query ($id: ID!) { node(id: $id) { id } }"
LIST: Final = "query ($of: ResidentId!) { transfers(filter: {residentId: $of}) { edges { cursor } } }"
STEP: Final = """mutation ($id: ID!) { acceptTransfer(input: {idempotencyKey: "0123456789abcdef", transferId: $id}) {
    __typename ... on UserError { code message } } }"""
NO_NUMBER: Final = "ZY-319900-20000101-999999"
NO_ID: Final = node_id("Transfer", "00000000-0000-4000-8000-000000000001")
ELSEWHERE: Final = "440300"


async def absence(system: System, *, pairs: int) -> list[Figure]:
    """Medians in µs of answers about a transfer that is another's, beside those about one that there is not.

    Raises `RequestError` when the two answers differ in a single byte.
    """
    with desks(system, 1) as (desk,):
        [person, stranger, unknown] = system.take_persons(3)
        transfer = await desk.submit(person)
    own = system.token(Role.INSURED_PERSON, resident_id=stranger.resident_id)
    clerk = system.token(Role.CLERK, region=ELSEWHERE)
    probes = {
        "transfer": [graphql_request(own, BY_NO, no=each) for each in (transfer.no, NO_NUMBER)],
        "node": [graphql_request(clerk, NODE, id=each) for each in (transfer.id, NO_ID)],
        "transfers": [graphql_request(clerk, LIST, of=each) for each in (person.resident_id, unknown.resident_id)],
        "step": [graphql_request(clerk, STEP, id=each) for each in (transfer.id, NO_ID)],
    }
    found = []
    for name, requests in probes.items():
        unseen, absent = await _interleaved(system.info.gateway, requests, pairs)
        ratio = median(unseen) / median(absent)
        more = {"ratio_of_medians": ratio, "pairs": pairs}
        found.append(
            Figure(f"unseen beside absent, {name}", median(unseen), "µs", median(absent), goal="ratio 0.95 to 1.05", more=more)
        )  # fmt: skip
    return found


async def _interleaved(url: str, requests: Sequence[bytes], pairs: int) -> tuple[list[float], list[float]]:
    """The microseconds of each of the two requests, sent in turn on one connection, each as often first as second."""
    connection = Connection(url)
    answers = [await connection.send(each) for each in requests]
    if answers[0] != answers[1]:
        raise RequestError(
            f"what is unseen answers otherwise than what is not there: {answers[0]!r} and {answers[1]!r}"
        )
    took: tuple[list[float], list[float]] = ([], [])
    for number in range(pairs):
        for which in (0, 1) if number % 2 else (1, 0):
            began = time.perf_counter()
            await connection.send(requests[which])
            took[which].append(1e6 * (time.perf_counter() - began))
    connection.close()
    return took


async def _alone() -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="yibao-bench-") as folder:
        async with running_system(Path(folder) / "stack") as system:
            await system.load_registers(10)
            return await absence(system, pairs=2_000)


if __name__ == "__main__":
    figures.show(asyncio.run(_alone()))
    sys.stdout.flush()
    # A process that used a Temporal client can crash in the interpreter's own exit.
    os._exit(0)
