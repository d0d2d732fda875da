"""Steps that come at once: one effect for each command, and no two tracks in each other's way."""

import asyncio

import pytest

from tests.activities.desk import MONDAY, RECEIPT, THURSDAY, TUESDAY, WEDNESDAY, open_desk, snapshot
from tests.cases import BALANCE_FEN, BEIJING, O_CLERK, O_FINANCE, R_CLERK, R_FINANCE
from tests.conftest import Database
from workflows import commands as c
from workflows.actors import Actor
from workflows.vocabulary import TransferStatus

WAITS_SQL = "select exists (select from pg_locks where not granted)"


async def test_one_command_carried_out_by_many_at_once_takes_effect_once(database: Database) -> None:
    async with open_desk(database) as desk:
        opening = await desk.order(desk.transfer)
        opened = await asyncio.gather(*(desk.steps.open_transfer(opening) for _ in range(4)))
        assert opened == [opened[0]] * 4
        order = await desk.order(await desk.cases.ask(desk.transfer, c.DeliverInformationForm(), O_CLERK, at=TUESDAY))
        taken = await asyncio.gather(*(desk.steps.carry_out(order) for _ in range(4)))
        assert taken == [taken[0]] * 4
        assert (await desk.enrolment(BEIJING))["frozen_fen"] == BALANCE_FEN
        assert [kind for kind, _, _ in await desk.documents()] == ["ACCEPTANCE_NOTICE", "INFORMATION_FORM"]
        await desk.verify()


async def test_the_certificate_is_issued_once_however_many_ask(database: Database) -> None:
    async with open_desk(database) as desk:
        await desk.open()
        clock = await desk.clock()
        issued = await asyncio.gather(*(desk.steps.issue_certificate(clock) for _ in range(4)))
        assert issued == [issued[0]] * 4
        assert [kind for kind, _, _ in await desk.documents()] == ["ACCEPTANCE_NOTICE", "ENROLMENT_CERTIFICATE"]
        await desk.verify()


async def test_the_two_tracks_do_not_race(database: Database) -> None:
    async with open_desk(database) as desk:
        await desk.form_delivered()
        asks = ((c.RemitPersonalAccount(), O_FINANCE), (c.ConfirmContinuation(), R_CLERK))
        commands = [await desk.cases.ask(desk.transfer, ask, actor, at=WEDNESDAY) for ask, actor in asks]
        orders = [await desk.order(command) for command in commands]
        results = await asyncio.gather(*(desk.steps.carry_out(order) for order in orders))
        assert [result.outcome.kind for result in results] == ["DONE", "DONE"]
        state = await desk.state()
        assert (state.continued, state.remittance is not None) == (True, True)
        await desk.verify()
        await desk.take(RECEIPT, R_FINANCE, THURSDAY)
        assert (await desk.state()).status is TransferStatus.COMPLETED


async def test_a_step_that_waited_for_another_still_finds_the_end_of_the_chain(database: Database) -> None:
    async with open_desk(database) as desk:
        await desk.form_delivered()
        order = await desk.order(await desk.cases.ask(desk.transfer, c.ConfirmContinuation(), R_CLERK, at=WEDNESDAY))
        first = await desk.order(await desk.cases.ask(desk.transfer, c.RemitPersonalAccount(), O_FINANCE, at=WEDNESDAY))
        async with desk.db.transaction():
            await desk.db.execute("select from transfers for update")
            waiting = [asyncio.create_task(desk.steps.carry_out(each)) for each in (first, order)]
            await asyncio.sleep(0.2)
        assert [(await each).outcome.kind for each in waiting] == ["DONE", "DONE"]
        await desk.verify()


async def test_two_applications_of_a_person_at_once_leave_the_earlier_one_open(database: Database) -> None:
    async with open_desk(database) as desk:
        later = await desk.cases.apply(at=MONDAY)
        earlier = desk.transfer if desk.transfer.command_id < later.command_id else later
        other = later if earlier is desk.transfer else desk.transfer
        assert (await desk.steps.open_transfer(await desk.order(other))).events[-1].fact.type == "declined.1"
        assert (await desk.steps.open_transfer(await desk.order(earlier))).events[-1].fact.type == "step_opened.1"
        rows = await desk.db.fetch("select no, status from transfers order by status")
        assert [tuple(row) for row in rows] == [
            (other.transfer_no, "DECLINED"),
            (earlier.transfer_no, "TRANSFERRING_OUT"),
        ]


async def test_a_bank_advice_entered_twice_at_once_is_credited_once(database: Database) -> None:
    async with open_desk(database) as desk:
        await desk.remitted()
        orders = [
            await desk.order(await desk.cases.ask(desk.transfer, RECEIPT, R_FINANCE, at=THURSDAY)) for _ in range(2)
        ]
        results = await asyncio.gather(*(desk.steps.carry_out(order) for order in orders))
        assert sorted(result.outcome.kind for result in results) == ["DONE", "NOT_ALLOWED"]
        before = await snapshot(desk.db)
        assert [await desk.steps.carry_out(order) for order in orders] == results
        assert await snapshot(desk.db) == before
        await desk.verify()


@pytest.mark.parametrize(
    ("ask", "actor"), [(c.DeliverInformationForm(), O_CLERK), (c.ConfirmContinuation(), R_CLERK), (RECEIPT, R_FINANCE)]
)
async def test_a_step_locks_the_registers_in_the_order_of_a_load_so_that_neither_fails(
    database: Database, ask: c.Ask, actor: Actor
) -> None:
    async with open_desk(database) as desk:
        await desk.accepted()
        if not isinstance(ask, c.DeliverInformationForm):
            await desk.take(c.DeliverInformationForm(), O_CLERK, TUESDAY)
            await desk.take(c.RemitPersonalAccount(), O_FINANCE, WEDNESDAY)
        order = await desk.order(await desk.cases.ask(desk.transfer, ask, actor, at=THURSDAY))
        async with desk.db.transaction():
            rows = await desk.db.fetch("select region from enrolments order by person_id, region, scheme")
            lock = "select from enrolments where region = $1 for update"
            await desk.db.execute(lock, rows[0]["region"])
            step = asyncio.create_task(desk.steps.carry_out(order))
            while not await desk.cases.gateway_pool.fetchval(WAITS_SQL):
                assert not step.done()
                await asyncio.sleep(0.02)
            await desk.db.execute(lock, rows[1]["region"])
        assert (await step).outcome.kind == "DONE"
        await desk.verify()
