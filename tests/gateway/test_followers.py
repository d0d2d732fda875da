"""The followers of one case: what they need is read once and made once, and each sees no more than it may at that moment."""

import asyncio
import gc
from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from gateway.auth import Viewer
from gateway.execution import Answer
from gateway.faults import Language
from gateway.operations import GraphQLRequest
from gateway.readings import Reading, Readings
from gateway.subscriptions import READINGS
from gateway.telling import telling_of
from tests.cases import DESTINATION
from tests.cases import O_CLERK as O_CLERK_ACTOR
from tests.cases import R_CLERK as R_CLERK_ACTOR
from tests.conftest import Database
from tests.gateway.window import O_CLERK, O_FINANCE, PERSON, R_CLERK, Window, open_window
from workflows import commands as c
from workflows.vocabulary import Role

FOLLOW = """subscription ($id: ID!, $after: Int! = 0) { transferProgress(transferId: $id, afterSeq: $after) { seq message
    transfer { revision allowedActions documents { number } } } }"""
# One line that is another document.
FOLLOW_TOO = FOLLOW.replace("seq message", "seq")


# The transfer-in side's, which employs the person now.
NEW_EMPLOYER = Viewer(DESTINATION["employer_id"], (Role.EMPLOYER,))


class Follower:
    """A subscription, and what it has heard."""

    def __init__(self, window: Window, viewer: Viewer, identifier: str, language: Language, query: str) -> None:
        self.heard: list[dict[str, Any]] = []
        self.answers: list[Answer] = []
        self.task = asyncio.create_task(self._follow(window, viewer, identifier, language, query))

    async def _follow(self, window: Window, viewer: Viewer, identifier: str, language: Language, query: str) -> None:
        engine, variables = window.engine, {"id": identifier}
        operation = engine.operations.find(GraphQLRequest(query, None, variables), viewer)
        async for answer in engine.stream(operation, variables, window.services.context(viewer, language)):
            self.answers.append(answer)
            self.heard.append(answer.body())

    @property
    def seqs(self) -> list[int]:
        return [each["data"]["transferProgress"]["seq"] for each in self.heard]

    @property
    def last(self) -> Any:
        return self.heard[-1]["data"]["transferProgress"]


@pytest.fixture
async def accepted(database: Database) -> AsyncIterator[Window]:
    async with open_window(database) as window:
        await window.desk.accepted()
        await asyncio.wait_for(window.services.progress.listening.wait(), 5)
        yield window


async def followers(
    window: Window, viewer: Viewer, number: int = 1, language: Language = "zh-CN", query: str = FOLLOW
) -> list[Follower]:
    """So many subscriptions that have heard all there is until now."""
    identifier = await window.node_id()
    started = [Follower(window, viewer, identifier, language, query) for _ in range(number)]
    await hear(started, (await window.desk.state()).revision)
    return started


async def hear(several: list[Follower], seq: int) -> None:
    """Waits until each has heard event `seq` or has ended."""
    async with asyncio.timeout(10):
        while not all(each.task.done() or (each.heard and each.seqs[-1] == seq) for each in several):
            await asyncio.sleep(0.01)
    # They ask once more whether there is more.
    await asyncio.sleep(0.05)


async def leave(several: list[Follower]) -> None:
    for each in several:
        each.task.cancel()
    await asyncio.gather(*(each.task for each in several), return_exceptions=True)


async def test_all_followers_alike_cost_one_read_and_one_rendering(accepted: Window) -> None:
    again = replace(PERSON, expires_at=PERSON.expires_at + 60)
    alike = await followers(accepted, PERSON, 40) + await followers(accepted, again, 40)
    english = await followers(accepted, PERSON, 10, "en")
    others = [
        *await followers(accepted, NEW_EMPLOYER),
        *await followers(accepted, O_CLERK),
        *await followers(accepted, O_FINANCE),
        *await followers(accepted, R_CLERK),
    ]
    too = await followers(accepted, PERSON, 10, query=FOLLOW_TOO)
    everybody = alike + english + others + too
    before = (await accepted.desk.state()).revision
    accepted.pool.statements.clear()
    await accepted.desk.take(c.DeliverInformationForm(), O_CLERK_ACTOR)
    state = await accepted.desk.state()
    await hear(everybody, state.revision)

    def run(part: str) -> int:
        return sum(part in each for each in accepted.pool.statements)

    # The new events, and that there are no more; the case for all who follow it; and what each event is made of for each kind
    # of follower, whatever they select. The employer's has no documents.
    new = state.revision - before
    assert new == 3
    assert run("select event from transfer_events") == 2
    assert run("select t.state, array[") == 1
    assert run("from documents") == 5 * new
    assert len(accepted.pool.statements) == 2 + 1 + 5 * new
    assert all(each.seqs == list(range(1, state.revision + 1)) for each in everybody)
    # Not only alike, but the same answer.
    assert all(each.answers[-1] is alike[0].answers[-1] for each in alike)
    assert {each.last["message"] for each in english} != {alike[0].last["message"]}
    assert [each.last["transfer"]["allowedActions"] for each in (alike[0], *others)] == [
        (
            await accepted.data(
                viewer, "query ($no: TransferNo!) { transfer(no: $no) { allowedActions } }", no=accepted.no
            )
        )["transfer"]["allowedActions"]
        for viewer in (PERSON, NEW_EMPLOYER, O_CLERK, O_FINANCE, R_CLERK)
    ]
    assert "message" not in too[0].last
    await leave(everybody)


async def test_each_follower_sees_what_it_may_when_the_event_is_read(accepted: Window) -> None:
    """One read for all; who has lost the right meanwhile gets NOT_FOUND, and nobody else does."""
    staying = await followers(accepted, PERSON, 3) + await followers(accepted, O_CLERK, 2)
    leaving = await followers(accepted, NEW_EMPLOYER, 3)
    # The employer is none any more.
    await accepted.desk.db.execute("update transfers set employer_ids = '{}'")
    accepted.pool.statements.clear()
    await accepted.desk.take(c.DeliverInformationForm(), O_CLERK_ACTOR)
    revision = (await accepted.desk.state()).revision
    await hear(staying + leaving, revision)
    assert sum("select t.state, array[" in each for each in accepted.pool.statements) == 1
    assert all(each.seqs[-1] == revision for each in staying)
    for each in leaving:
        assert each.task.done()
        assert each.heard[-1]["errors"][0]["extensions"] == {"code": "NOT_FOUND"}
        assert "data" not in each.heard[-1]
    await leave(staying)


async def test_a_reading_serves_for_a_second_and_never_for_a_later_event(accepted: Window) -> None:
    [follower] = await followers(accepted, PERSON)
    for command, actor in ((c.DeliverInformationForm(), O_CLERK_ACTOR), (c.ConfirmContinuation(), R_CLERK_ACTOR)):
        await accepted.desk.take(command, actor)
        revision = (await accepted.desk.state()).revision
        await hear([follower], revision)
        assert follower.last["transfer"]["revision"] == revision
    await leave([follower])
    # Nothing of a reading outlives its second.
    assert len(READINGS) > 0
    await asyncio.sleep(1.1)
    gc.collect()
    assert len(READINGS) == 0
    assert not [each for each in gc.get_objects() if isinstance(each, Reading)]


async def test_a_follower_that_leaves_takes_nothing_from_the_others(accepted: Window) -> None:
    """The first of many starts the read and the rendering that all wait for."""
    many = await followers(accepted, PERSON, 30)
    hub = accepted.services.progress
    assert hub.follower_count == 30
    await accepted.desk.take(c.DeliverInformationForm(), O_CLERK_ACTOR)
    revision = (await accepted.desk.state()).revision
    while not hub._pages:
        await asyncio.sleep(0)
    await leave(many[:10])
    await hear(many[10:], revision)
    assert all(each.seqs == list(range(1, revision + 1)) for each in many[10:])
    await leave(many)
    assert (hub.follower_count, hub._pages) == (0, {})


async def test_requests_are_served_between_the_followers_that_a_notice_wakes(accepted: Window) -> None:
    many = await followers(accepted, PERSON, 400)
    hub = accepted.services.progress
    turns: list[int] = []

    async def count_turns() -> None:
        while True:
            turns.append(len(hub._to_wake))
            await asyncio.sleep(0)

    counting = asyncio.create_task(count_turns())
    await accepted.desk.take(c.DeliverInformationForm(), O_CLERK_ACTOR)
    await hear(many, (await accepted.desk.state()).revision)
    counting.cancel()
    assert max(turns) >= 380
    assert all(before - after <= 20 for before, after in pairwise(turns))
    await leave(many)


async def test_who_asks_while_a_read_is_under_way_waits_for_it_unless_it_is_for_a_later_event(accepted: Window) -> None:
    readings, pool = Readings(), accepted.pool
    telling = await telling_of(accepted.services.context(PERSON, "zh-CN"))
    transfer_id, seq = accepted.desk.transfer.transfer_id, (await accepted.desk.state()).revision

    async def read(after: int) -> Reading:
        return await readings.read(accepted.services.pool, telling.scope, transfer_id, after, telling.now)

    pool.statements.clear()
    first = asyncio.create_task(read(seq - 1))
    while not pool.statements:
        await asyncio.sleep(0)
    # The statement has left: it was before event `seq` for all that is known.
    second, third = asyncio.create_task(read(seq - 1)), asyncio.create_task(read(seq))
    one, same, other = await asyncio.gather(first, second, third)
    assert one is same
    assert other is not one
    assert len(pool.statements) == 2
