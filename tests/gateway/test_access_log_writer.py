"""The access log's writer: batches, months, a database that goes away, rows that cannot be written, a stop."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID

import asyncpg
import pytest
from prometheus_client import generate_latest

from gateway.access_log import BATCH, AccessLog
from gateway.access_log_rows import AccessLogWriter
from gateway.access_looks import Look, coalesced, role_of
from gateway.app import create_app
from gateway.auth import Viewer
from gateway.metrics import Metrics
from gateway.settings import Settings
from stack.processes import free_port
from tests.activities.desk import MONDAY
from tests.activities.register_extracts import WANG
from tests.cases import Cases, open_cases
from tests.conftest import Database
from workflows.deadlines import SHANGHAI
from workflows.vocabulary import Role

CLERK = Viewer("clerk-110000", (Role.CLERK,), region="110000")
ABSENT = UUID("0192f0c1-2222-7000-8000-000000000001")


@dataclass
class Desk:
    """A person of the registers, and looks at them."""

    cases: Cases
    person_id: UUID

    def look(
        self, number: int = 0, *, at: datetime = MONDAY, viewer: Viewer = CLERK, operation: str = "transfer"
    ) -> Look:
        """Another look for each `number`."""
        return Look(at, viewer, operation, self.person_id, transfer_no=f"ZY-{number}")

    def log(self, pool: asyncpg.Pool | None = None, **options: Any) -> AccessLog:
        return AccessLog(pool or self.cases.gateway_pool, self.cases.keyring, **options)

    async def numbers(self) -> list[int]:
        """Those of the looks that are written."""
        rows = await self.cases.owner.fetch("select transfer_no from access_log")
        return sorted(int(row[0][3:]) for row in rows)


@pytest.fixture
async def desk(database: Database) -> AsyncIterator[Desk]:
    async with open_cases(database) as cases:
        await cases.standard_person()
        yield Desk(cases, await cases.owner.fetchval("select person_id from persons"))


class Line:
    """A way to PostgreSQL that can be cut: a port that passes everything on while it is open."""

    def __init__(self, database: Database) -> None:
        self._to = urlsplit(database.gateway_url)
        self.port = free_port()
        self.url = urlunsplit(self._to._replace(netloc=f"yibao_gateway:gateway@127.0.0.1:{self.port}"))

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        writers: list[asyncio.StreamWriter] = []

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            there, back = await asyncio.open_connection("127.0.0.1", self._to.port)
            writers.extend((writer, back))
            await asyncio.gather(_pass_on(reader, back), _pass_on(there, writer))

        server = await asyncio.start_server(connected, "127.0.0.1", self.port)
        try:
            yield
        finally:
            server.close()
            for each in writers:
                each.close()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65_536):
            writer.write(data)
    except OSError:
        pass
    writer.close()


@asynccontextmanager
async def pool_through(line: Line) -> AsyncIterator[asyncpg.Pool]:
    pool = asyncpg.create_pool(line.url, min_size=0, max_size=2, timeout=2)
    await pool
    try:
        yield pool
    finally:
        pool.terminate()


def test_equal_looks_of_a_batch_are_one_entry_with_their_count_and_the_first_instant() -> None:
    later = MONDAY + timedelta(milliseconds=300)
    other = Viewer("clerk-2", (Role.CLERK,), region="110000")
    looks = [
        Look(MONDAY, CLERK, "transfer", ABSENT),
        Look(later, CLERK, "transfer", ABSENT),
        Look(MONDAY + timedelta(seconds=1), CLERK, "transfer", ABSENT),
        Look(later, CLERK, "transfers", ABSENT),
        Look(later, other, "transfer", ABSENT),
        Look(later, CLERK, "transfer", ABSENT, acting_person="lee"),
        # The same caller again, with another token.
        Look(later, Viewer("clerk-110000", (Role.CLERK,), region="110000"), "transfer", ABSENT),
    ]
    entries = coalesced(looks)
    assert [(entry.look, entry.looks) for entry in entries] == [
        (looks[0], 2),
        (looks[2], 1),
        (looks[3], 1),
        (looks[4], 1),
        (looks[5], 1),
        (looks[6], 1),
    ]
    assert len({entry.entry_id for entry in entries}) == 6


BOTH = (Role.CLERK, Role.SUPERVISOR)
CASE = ("110000", "319900")


@pytest.mark.parametrize(
    ("viewer", "own", "expected"),
    [
        (Viewer("x", BOTH, region="319900"), False, Role.CLERK),
        # Staff of no agency of the case, and its supervisor.
        (Viewer("x", BOTH, region="310000"), False, Role.SUPERVISOR),
        (Viewer("x", (Role.INSURED_PERSON, Role.CLERK), region="110000", resident_id=WANG), False, Role.CLERK),
        (Viewer("x", (Role.INSURED_PERSON, Role.CLERK), region="110000", resident_id=WANG), True, Role.INSURED_PERSON),
        # By a mandate: the clerk's own agency has nothing to do with the case.
        (Viewer("x", (Role.INSURED_PERSON, Role.CLERK), region="440300", resident_id=WANG), False, Role.INSURED_PERSON),
        (Viewer("x", (Role.EMPLOYER,)), False, Role.EMPLOYER),
        (Viewer("x", (Role.OPERATOR,)), False, Role.OPERATOR),
    ],
)
def test_a_look_says_the_role_that_gave_the_sight(viewer: Viewer, own: bool, expected: Role) -> None:
    assert role_of(viewer, own=own, regions=CASE) is expected


async def test_looks_are_written_within_a_second_or_so_without_being_asked_for(desk: Desk) -> None:
    log = desk.log()
    log.start()
    for number in range(BATCH + 3):
        log.note(desk.look(number))
    async with asyncio.timeout(5):
        while await desk.numbers() != list(range(BATCH + 3)):
            await asyncio.sleep(0.05)
    await log.stop()


async def test_a_clean_stop_loses_none(desk: Desk, settings: Settings) -> None:
    app = create_app(settings)
    log: AccessLog = app.state.services.access_log
    async with app.router.lifespan_context(app):
        for number in range(3 * BATCH + 17):
            log.note(desk.look(number))
        assert log.waiting == 3 * BATCH + 17
    assert await desk.numbers() == list(range(3 * BATCH + 17))
    assert log.dropped == 0


async def test_a_months_partition_is_made_before_its_first_row_and_again_when_it_was_removed(desk: Desk) -> None:
    turn = datetime(2026, 4, 1, 0, 0, tzinfo=SHANGHAI)
    one, two = desk.log(), desk.log()
    for log, numbers in ((one, (1, 2)), (two, (3, 4))):
        log.note(desk.look(numbers[0], at=turn - timedelta(microseconds=1)))
        log.note(desk.look(numbers[1], at=turn))
    # Two gateways at the turn of the month.
    assert all(await asyncio.gather(one.flush(), two.flush()))
    owner = desk.cases.owner
    march = "select array_agg(transfer_no order by transfer_no) from access_log_2026_03"
    april = march.replace("03", "04")
    assert await owner.fetchval(march) == ["ZY-1", "ZY-3"]
    assert await owner.fetchval(april) == ["ZY-2", "ZY-4"]
    await owner.execute("drop table access_log_2026_03")
    one.note(desk.look(5, at=turn - timedelta(days=1)))
    assert await one.flush()
    assert await owner.fetchval(march) == ["ZY-5"]
    assert (one.dropped, two.dropped) == (0, 0)
    with pytest.raises(asyncpg.DatetimeFieldOverflowError):
        await desk.cases.gateway_pool.execute("select ensure_access_log_partition('2150-01-01')")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await desk.cases.worker_pool.execute("select ensure_access_log_partition('2026-05-01')")


async def test_while_postgresql_is_away_looks_are_kept_and_written_once_it_is_back(
    desk: Desk, database: Database
) -> None:
    line = Line(database)
    async with pool_through(line) as pool:
        log = desk.log(pool)
        for number in range(BATCH + 40):
            log.note(desk.look(number))
        assert not await log.flush()
        log.note(desk.look(BATCH + 40))
        assert not await log.flush()
        async with line.open():
            assert await log.flush()
        assert (log.waiting, log.dropped) == (0, 0)
    assert await desk.numbers() == list(range(BATCH + 41))


async def test_an_entry_that_is_sent_again_is_there_once(desk: Desk) -> None:
    """After a time-out nobody knows whether the statement arrived."""
    writer = AccessLogWriter(desk.cases.gateway_pool, desk.cases.keyring)
    entries = coalesced([desk.look(1), desk.look(1), desk.look(2)])
    assert [await writer.write(entries), await writer.write(entries)] == [0, 0]
    rows = await desk.cases.owner.fetch("select transfer_no, looks from access_log order by 1")
    assert [tuple(row) for row in rows] == [("ZY-1", 2), ("ZY-2", 1)]


async def test_over_its_capacity_the_oldest_are_dropped_logged_and_counted(
    desk: Desk, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    line = Line(database)
    async with pool_through(line) as pool:
        log = desk.log(pool, capacity=1_000)
        with caplog.at_level(logging.ERROR, "gateway.access_log"):
            for number in range(1_050):
                log.note(desk.look(number))
        assert (log.dropped, log.waiting) == (101, 949)
        assert caplog.messages == ["101 looks at personal data are not in the access log: PostgreSQL is away"]
        async with line.open():
            assert await log.flush()
    assert await desk.numbers() == list(range(101, 1_050))
    shown = generate_latest(Metrics(lambda: 0, lambda: log.dropped).registry).decode()
    assert "\nyibao_access_log_dropped_total 101.0\n" in shown


async def test_what_is_left_at_a_stop_without_postgresql_is_logged(
    desk: Desk, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    async with pool_through(Line(database)) as pool:
        log = desk.log(pool)
        log.note(desk.look(1))
        await log.stop()
    assert log.dropped == 1
    assert caplog.messages[-1] == (
        "1 looks at personal data are not in the access log: the gateway stops while PostgreSQL is away"
    )


async def test_a_row_that_cannot_be_written_keeps_no_other_from_it(desk: Desk) -> None:
    log = desk.log()
    for number in range(40):
        log.note(desk.look(number))
    for bad in (
        desk.look(100, operation="a\x00b"),
        desk.look(101, viewer=Viewer("lone \ud800", (Role.CLERK,), region="110000")),
        desk.look(102, at=datetime(2150, 1, 1, tzinfo=SHANGHAI)),
    ):
        log.note(bad)
    for number in range(40, 60):
        log.note(desk.look(number))
    assert await log.flush()
    assert await desk.numbers() == list(range(60))
    assert log.dropped == 3
    # A look at nobody is no look, and no fault.
    log.note(Look(MONDAY, CLERK, "transfer", ABSENT))
    log.note(Look(MONDAY, CLERK, "documents", document_id=ABSENT))
    assert await log.flush()
    assert await desk.numbers() == list(range(60))
    assert log.dropped == 3


@pytest.mark.parametrize("table", ["access_log", "access_lookers"])
async def test_nobody_changes_or_removes_an_entry(desk: Desk, table: str) -> None:
    log = desk.log()
    log.note(desk.look(1))
    assert await log.flush()
    owner = desk.cases.owner
    before = await owner.fetch(f"select t::text from {table} t")  # noqa: S608 - our own tables
    assert len(before) == 1
    for connection in (owner, desk.cases.gateway_pool, desk.cases.worker_pool):
        for statement in (f"update {table} set looker_key = ''", f"delete from {table}", f"truncate {table}"):  # noqa: S608
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
    for statement in (
        "update access_log_2026_03 set looks = 9",
        "delete from access_log_2026_03",
        "drop table access_log",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await desk.cases.gateway_pool.execute(statement)
    assert await owner.fetch(f"select t::text from {table} t") == before  # noqa: S608


async def test_an_insured_persons_key_is_their_number_whatever_the_token_says(desk: Desk) -> None:
    log = desk.log()
    for subject in ("session-1", "session-2"):
        log.note(desk.look(1, viewer=Viewer(subject, (Role.INSURED_PERSON,), resident_id=WANG)))
    assert await log.flush()
    rows = await desk.cases.owner.fetch("select own, looker_key from access_log")
    assert [row["own"] for row in rows] == [True, True]
    assert rows[0]["looker_key"] == rows[1]["looker_key"]
    assert await desk.cases.owner.fetchval("select count(*) from access_lookers") == 0
