"""Notices: written with their event, once; delivered whatever dies or is away; kept once by a real HTTP receiver."""

import asyncio
import logging
import os
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from activities import records
from activities.mandate_notices import deliver_notices
from activities.notices import AT_ONCE, FIRST_WAIT, HttpNotices, Notifier, NotTakenError, Tally
from stack.notice_board import notice_app
from stack.outside import outside_server
from stack.processes import free_port
from tests.activities.desk import MONDAY, TUESDAY, Desk, open_desk, snapshot
from tests.cases import BEIJING, O_CLERK, PERSON, SHANGHAI_POOL
from tests.conftest import Database
from workflows import commands as c
from workflows import events as e
from workflows.actors import PLATFORM
from workflows.deadlines import SHANGHAI, Pause, PauseReason
from workflows.fold import advance
from workflows.law import ESCALATION_WORKING_DAYS
from workflows.notices import Notice, event_name
from workflows.state import TransferState
from workflows.vocabulary import TransferStepKind

FORM = TransferStepKind.DELIVER_INFORMATION_FORM
O_AGENCY, O_BUREAU, R_AGENCY = f"agency:{BEIJING}", f"supervisor:{BEIJING}", f"agency:{SHANGHAI_POOL}"
ACCEPTED_TO = [O_AGENCY, R_AGENCY, "person"]
AT_ONCE_AGAIN = timedelta(0)
# One for each rung beyond the deadline itself, once escalation is an event.
ESCALATIONS = ["escalated"] * (len(ESCALATION_WORKING_DAYS) if hasattr(e, "Escalated") else 0)
DYING = Path(__file__).with_name("dying_notifier.py")

Row = dict[str, Any]


@pytest.fixture
async def desk(database: Database) -> AsyncIterator[Desk]:
    """A case accepted on Monday: its three notices wait."""
    async with open_desk(database) as desk:
        await desk.open()
        yield desk


async def rows(desk: Desk) -> list[Row]:
    return [dict(row) for row in await desk.db.fetch("select * from notices order by seq, recipient")]


async def told(desk: Desk) -> list[tuple[int, str, str]]:
    return [(row["seq"], row["kind"], row["recipient"]) for row in await rows(desk)]


async def received(url: str, no: str) -> list[Row]:
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(f"{url}/notices", params={"transfer": no})
    notices: list[Row] = answer.raise_for_status().json()["notices"]
    return notices


async def deliver(desk: Desk, url: str) -> Tally:
    """One pass of a notifier whose next attempt may come at once."""
    async with aclosing(HttpNotices(url)) as port:
        return await Notifier(desk.cases.worker_pool, port, first_wait=AT_ONCE_AGAIN).deliver_due()


@asynccontextmanager
async def loops(desk: Desk, url: str, *, number: int = 1, first_wait: timedelta = FIRST_WAIT) -> AsyncIterator[None]:
    """That many notifiers at work while the block lasts."""
    async with aclosing(HttpNotices(url)) as port:
        notifiers = [Notifier(desk.cases.worker_pool, port, first_wait=first_wait) for _ in range(number)]
        running = [asyncio.create_task(each.run(every_seconds=0.05)) for each in notifiers]
        try:
            yield
        finally:
            for each in running:
                each.cancel()
            await asyncio.wait(running)


async def all_delivered(desk: Desk) -> None:
    async with asyncio.timeout(20):
        while not all(row["delivered_at"] for row in await rows(desk)):
            await asyncio.sleep(0.05)


# ---------------------------------------------------------------- written with the event, once


async def test_an_acceptance_is_to_be_told_to_both_agencies_and_the_person(desk: Desk) -> None:
    assert await told(desk) == [(2, "accepted", whom) for whom in ACCEPTED_TO]
    assert {(row["attempts"], row["delivered_at"], row["last_error"]) for row in await rows(desk)} == {(0, None, None)}


async def test_a_step_that_tells_nobody_runs_no_statement_for_it(database: Database) -> None:
    async with open_desk(database) as desk:
        await desk.accepted()
        before = await rows(desk)
        await desk.take(c.DeliverInformationForm(), O_CLERK, TUESDAY)
        assert await rows(desk) == before


async def test_a_command_recorded_twice_tells_once(desk: Desk) -> None:
    withdrawal = await desk.cases.ask(desk.transfer, c.WithdrawTransfer(reason="不转了"), PERSON, at=TUESDAY)
    order = await desk.order(withdrawal)
    await desk.steps.carry_out(order)
    after = await snapshot(desk.db)
    await desk.steps.carry_out(order)
    await desk.steps.open_transfer(await desk.order(desk.transfer))
    assert await snapshot(desk.db) == after
    assert [(kind, whom) for _, kind, whom in await told(desk)] == [
        *(("accepted", whom) for whom in ACCEPTED_TO),
        *(("withdrawn", whom) for whom in ACCEPTED_TO),
    ]


async def test_the_same_events_cannot_be_recorded_and_told_a_second_time(desk: Desk) -> None:
    before = await desk.state()
    missed = e.DeadlineMissed(step=FORM, round=1, due_on=MONDAY.date(), told=(O_AGENCY, O_AGENCY, O_BUREAU))
    events, after = advance(before, (missed,), at=TUESDAY, actor=PLATFORM)

    async def record() -> None:
        async with desk.cases.worker_pool.acquire() as connection, connection.transaction():
            await records.record(connection, before, after, events, last_hash=b"")

    await record()
    recorded = await snapshot(desk.db)
    assert (await told(desk))[3:] == [(4, "deadline_missed", O_AGENCY), (4, "deadline_missed", O_BUREAU)]
    with pytest.raises(asyncpg.UniqueViolationError):
        await record()
    assert await snapshot(desk.db) == recorded


async def test_a_step_that_comes_to_nothing_tells_nobody(desk: Desk) -> None:
    before = await rows(desk)
    await desk.take(c.WithdrawTransfer(reason="不转了"), O_CLERK, TUESDAY)
    assert await rows(desk) == before


async def test_each_rung_that_the_clock_climbs_is_told_to_those_whom_it_names_and_only_once(desk: Desk) -> None:
    deadline = (await desk.state()).step(FORM).deadline
    assert deadline is not None
    instants = [deadline.due_soon_at, deadline.due_at, *(_start(day) for day in deadline.escalate_on)]
    for instant in instants:
        for moment in (instant, instant + timedelta(hours=1)):
            await desk.steps.note_deadlines(await desk.clock(moment))
    events = await desk.cases.events(desk.transfer.transfer_id)
    rungs = [(event.seq, event_name(type(event.fact)), getattr(event.fact, "told", ())) for event in events]
    clocked = [rung for rung in rungs if rung[2]]
    assert [name for _, name, _ in clocked] == ["deadline_due_soon", "deadline_missed", *ESCALATIONS]
    assert (await told(desk))[3:] == [(seq, name, whom) for seq, name, named in clocked for whom in sorted(named)]
    reminders = [row for row in await rows(desk) if row["kind"] != "accepted"]
    assert {(row["step"], row["due_on"]) for row in reminders} == {(FORM, deadline.due_on)}


def _start(day: Any) -> datetime:
    return datetime.combine(day, datetime.min.time(), SHANGHAI)


# ---------------------------------------------------------------- delivered


async def test_what_is_delivered_is_marked_and_not_sent_again(desk: Desk, tmp_path: Path) -> None:
    async with outside_server(notice_app(tmp_path)) as url:
        assert await deliver(desk, url) == Tally(delivered=3)
        assert await deliver(desk, url) == Tally()
        kept = await received(url, desk.transfer.transfer_no)
    assert [(each["recipient"], each["times_received"]) for each in kept] == [(whom, 1) for whom in ACCEPTED_TO]
    expected = {
        "transfer_id": str(desk.transfer.transfer_id),
        "transfer_no": desk.transfer.transfer_no,
        "seq": 2,
        "recipient": "person",
        "kind": "accepted",
        "step": None,
        "due_on": None,
    }
    assert {name: kept[-1][name] for name in kept[-1] if name not in {"received_at", "times_received"}} == expected
    assert all(row["delivered_at"] and row["attempts"] == 1 for row in await rows(desk))


async def test_a_notifier_killed_between_sending_and_marking_makes_the_receiver_see_it_twice_and_keep_one(
    desk: Desk, database: Database, tmp_path: Path
) -> None:
    async with outside_server(notice_app(tmp_path)) as url:
        dying = await asyncio.create_subprocess_exec(
            sys.executable, DYING, database.worker_url, url, "2.0",
            stdout=asyncio.subprocess.PIPE, env={**os.environ, "NO_PROXY": "127.0.0.1"},
        )  # fmt: skip
        assert dying.stdout is not None
        async with asyncio.timeout(30):
            sent = {(await dying.stdout.readline()).decode().strip() for _ in ACCEPTED_TO}
        dying.kill()
        await dying.wait()
        assert sent == {f"{desk.transfer.transfer_id}:2:{whom}" for whom in ACCEPTED_TO}
        assert [(row["attempts"], row["delivered_at"]) for row in await rows(desk)] == [(1, None)] * 3

        async with asyncio.timeout(10):
            while (tally := await deliver(desk, url)) == Tally():
                await asyncio.sleep(0.1)
        assert tally == Tally(delivered=3)
        kept = await received(url, desk.transfer.transfer_no)
    assert [(each["recipient"], each["times_received"]) for each in kept] == [(whom, 2) for whom in ACCEPTED_TO]
    assert all(row["delivered_at"] for row in await rows(desk))


async def test_a_receiver_that_is_down_for_a_while_gets_all_of_it_when_it_is_back(desk: Desk, tmp_path: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    async with loops(desk, url, first_wait=timedelta(milliseconds=100)):
        async with asyncio.timeout(10):
            while min(row["attempts"] for row in await rows(desk)) < 2:
                await asyncio.sleep(0.05)
        waiting = await rows(desk)
        assert [row["delivered_at"] for row in waiting] == [None] * 3
        nobody = (
            f"ClientConnectorError: Cannot connect to host 127.0.0.1:{port} ssl:default "
            f"[Connect call failed ('127.0.0.1', {port})]"
        )
        assert {row["last_error"] for row in waiting} == {nobody}
        async with outside_server(notice_app(tmp_path), port):
            await all_delivered(desk)
            kept = await received(url, desk.transfer.transfer_no)
    assert [(each["recipient"], each["times_received"]) for each in kept] == [(whom, 1) for whom in ACCEPTED_TO]
    assert {row["last_error"] for row in await rows(desk)} == {None}


async def test_each_failed_attempt_waits_twice_as_long_as_the_one_before_up_to_five_minutes(desk: Desk) -> None:
    waits = []
    async with aclosing(HttpNotices(f"http://127.0.0.1:{free_port()}")) as nobody:
        notifier = Notifier(desk.cases.worker_pool, nobody)
        for _ in range(7):
            assert await notifier.deliver_due() == Tally(failed=3)
            assert await notifier.deliver_due() == Tally()
            waits.append(await desk.db.fetchval("select min(extract(epoch from next_attempt_at - now())) from notices"))
            await desk.db.execute("update notices set next_attempt_at = now()")
    assert [round(float(each)) for each in waits] == pytest.approx([10, 20, 40, 80, 160, 300, 300], abs=2)


async def test_a_notice_that_the_receiver_refuses_is_recorded_with_its_answer_and_stops_no_other(
    desk: Desk, tmp_path: Path
) -> None:
    async with outside_server(notice_app(tmp_path)) as url:
        row = (await rows(desk))[0]
        other = Notice.model_validate({**row, "transfer_no": desk.transfer.transfer_no, "kind": "completed"})
        async with aclosing(HttpNotices(url)) as port:
            assert await port.put([other]) == {}
        assert await deliver(desk, url) == Tally(delivered=2, failed=1)
        kept = await received(url, desk.transfer.transfer_no)
    assert [each["kind"] for each in kept] == ["completed", "accepted", "accepted"]
    assert [each["last_error"] for each in await rows(desk)] == ["another notice stands under this id", None, None]


async def test_a_notice_that_the_receiver_cannot_swallow_goes_alone_the_next_time_and_holds_up_no_other(
    desk: Desk,
) -> None:
    companies: list[list[str]] = []

    class Choking:
        async def put(self, notices: Sequence[Notice]) -> Mapping[str, str]:
            companies.append(sorted(notice.recipient for notice in notices))
            if any(notice.recipient == "person" for notice in notices):
                raise NotTakenError("the receiver answered 500")
            return {}

    notifier = Notifier(desk.cases.worker_pool, Choking(), first_wait=AT_ONCE_AGAIN)
    assert await notifier.deliver_due() == Tally(failed=3)
    assert await notifier.deliver_due() == Tally(delivered=2, failed=1)
    assert await notifier.deliver_due() == Tally(failed=1)
    assert companies[0] == ACCEPTED_TO
    assert sorted(companies[1:]) == sorted([[whom] for whom in ACCEPTED_TO] + [["person"]])
    assert [(row["recipient"], row["attempts"], row["last_error"]) for row in await rows(desk)] == [
        (O_AGENCY, 2, None), (R_AGENCY, 2, None), ("person", 3, "NotTakenError: the receiver answered 500"),
    ]  # fmt: skip


@pytest.mark.parametrize("said", [{"id": "of one"}, {"taken": []}])
async def test_what_an_answer_does_not_name_as_taken_is_sent_again(desk: Desk, said: dict[str, Any]) -> None:
    async def put(_request: Request) -> JSONResponse:
        return JSONResponse(said)

    async with outside_server(Starlette(routes=[Route("/notices", put, methods=["PUT"])])) as url:
        assert await deliver(desk, url) == Tally(failed=3)
    why = "not taken" if "taken" in said else "NotTakenError: the receiver does not say which notices it has taken"
    assert [(row["delivered_at"], row["last_error"]) for row in await rows(desk)] == [(None, why)] * 3


async def test_two_loops_at_once_send_each_notice_once(desk: Desk, tmp_path: Path) -> None:
    await desk.db.execute(
        """insert into notices (transfer_id, seq, recipient, kind)
           select transfer_id, 1, 'agency:' || n, 'accepted' from transfers, generate_series(1, 60) n"""
    )
    async with outside_server(notice_app(tmp_path)) as url:
        async with loops(desk, url, number=2):
            await all_delivered(desk)
        kept = await received(url, desk.transfer.transfer_no)
    assert len(kept) == 63
    assert {each["times_received"] for each in kept} == {1}


async def test_the_notices_in_hand_are_no_other_loops(desk: Desk) -> None:
    """While one loop waits for its receiver, another finds nothing to do."""
    entered, leave = asyncio.Event(), asyncio.Event()
    sent: list[str] = []

    class Slow:
        async def put(self, notices: Sequence[Notice]) -> Mapping[str, str]:
            sent.extend(notice.id for notice in notices)
            entered.set()
            await leave.wait()
            return {}

    pool = desk.cases.worker_pool
    first = asyncio.create_task(Notifier(pool, Slow()).deliver_due())
    await entered.wait()
    assert await Notifier(pool, Slow()).deliver_due() == Tally()
    leave.set()
    assert await first == Tally(delivered=3)
    assert len(sent) == len(set(sent)) == 3 <= AT_ONCE


async def test_a_reminder_is_not_sent_while_its_clock_stands_still_and_is_sent_when_it_runs_again(
    desk: Desk, tmp_path: Path
) -> None:
    state = await desk.state()
    deadline = state.step(FORM).deadline
    assert deadline is not None
    async with outside_server(notice_app(tmp_path)) as url:
        await deliver(desk, url)
        await desk.steps.note_deadlines(await desk.clock(deadline.due_soon_at))
        await _write(desk, _with_pause(await desk.state(), Pause(from_on=MONDAY.date(), reason=PauseReason.CORRECTION)))
        assert await deliver(desk, url) == Tally(held=1)
        assert await deliver(desk, url) == Tally()
        assert len(await received(url, desk.transfer.transfer_no)) == 3
        held = (await rows(desk))[-1]
        assert (held["kind"], held["attempts"], held["delivered_at"]) == ("deadline_due_soon", 0, None)

        ended = Pause(from_on=MONDAY.date(), to_on=TUESDAY.date(), reason=PauseReason.CORRECTION)
        await _write(desk, _with_pause(await desk.state(), ended))
        await desk.db.execute("update notices set next_attempt_at = now()")
        assert await deliver(desk, url) == Tally(delivered=1)
        assert [each["kind"] for each in await received(url, desk.transfer.transfer_no)][3:] == ["deadline_due_soon"]


def _with_pause(state: TransferState, pause: Pause) -> TransferState:
    steps = tuple(
        step.model_copy(update={"deadline": step.deadline.model_copy(update={"pauses": (pause,)})})
        if step.kind is FORM and step.deadline
        else step
        for step in state.steps
    )
    return state.model_copy(update={"steps": steps})


async def _write(desk: Desk, state: TransferState) -> None:
    await desk.db.execute("update transfers set state = $1", state.model_dump_json())


async def test_without_a_receiver_the_notices_stay_recorded_and_that_is_said_once(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    before = await rows(desk)
    with caplog.at_level(logging.INFO):
        await deliver_notices(desk.cases.worker_pool, None)
    assert [record.message for record in caplog.records] == [
        "YIBAO_NOTICE_URL is not set: notices are recorded, and wait until it is"
    ]
    assert await rows(desk) == before


async def test_a_board_remembers_after_a_restart_and_refuses_what_is_no_notice(desk: Desk, tmp_path: Path) -> None:
    no = desk.transfer.transfer_no
    async with outside_server(notice_app(tmp_path)) as url:
        await deliver(desk, url)
        async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
            assert (await client.put("/notices", content=b"[{}]")).status_code == 422
            notice = (await received(url, no))[0]
            body = {name: notice[name] for name in Notice.model_fields}
            assert (await client.put("/notices", json=body)).status_code == 422
            assert len((await client.get("/notices")).json()["notices"]) == 3
    async with outside_server(notice_app(tmp_path)) as url:
        assert [each["recipient"] for each in await received(url, no)] == ACCEPTED_TO
        assert await received(url, "ZY-319900-20200101-999999") == []
