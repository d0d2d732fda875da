"""The turnstile before a case: so many of its steps are in Temporal's hands, the others wait, and other cases do not."""

import asyncio
from uuid import UUID, uuid4

from temporalio.client import Client

from gateway.temporal_link import UPDATES_OF_A_CASE_AT_ONCE, TemporalLink


async def _never() -> Client:
    raise AssertionError("nobody connects to wait for a turn")


async def test_a_crowd_at_one_case_takes_turns_and_another_case_is_not_kept_waiting() -> None:
    link, case = TemporalLink(_never), uuid4()
    leave, inside = asyncio.Event(), 0

    async def step(transfer_id: UUID) -> None:
        nonlocal inside
        async with link.turn(transfer_id):
            inside += 1
            await leave.wait()

    crowd = [asyncio.create_task(step(case)) for _ in range(50)]
    await asyncio.sleep(0.01)
    assert inside == UPDATES_OF_A_CASE_AT_ONCE
    other = asyncio.create_task(step(uuid4()))
    await asyncio.sleep(0.01)
    assert inside == UPDATES_OF_A_CASE_AT_ONCE + 1
    leave.set()
    await asyncio.gather(*crowd, other)
    assert inside == 51
