"""One case carried by its steps alone: called as the workflow calls them, on real PostgreSQL, without Temporal."""

import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import asyncpg

from activities.dispatch import PendingCommand
from activities.steps import Steps
from tests.cases import BALANCE_FEN, O_CLERK, O_FINANCE, R_CLERK, R_FINANCE, Cases, open_cases
from tests.conftest import Database
from workflows import commands as c
from workflows.actors import Actor
from workflows.deadlines import SHANGHAI
from workflows.fold import fold
from workflows.messages import BankWord, ClockOrder, StepOrder, StepResult
from workflows.state import TransferState

# A Monday: the form is due on 16 March, the continuation five working days after it.
MONDAY = datetime(2026, 3, 2, 9, 0, tzinfo=SHANGHAI)
TUESDAY, WEDNESDAY, THURSDAY = (MONDAY + timedelta(days=days) for days in (1, 2, 3))
RECEIPT = c.ConfirmReceipt(amount_fen=BALANCE_FEN, bank_reference="B-1", received_on=date(2026, 3, 5))

Tables = dict[str, list[str]]


async def snapshot(connection: asyncpg.Connection) -> Tables:
    """Every row of every table, as text."""
    tables = await connection.fetch("select tablename from pg_tables where schemaname = 'public' order by 1")
    rows: Tables = {}
    for (name,) in tables:
        found = await connection.fetch(f"select t::text from {name} t order by 1")  # noqa: S608 - our own tables' names
        rows[name] = [row[0] for row in found]
    return rows


def changed(before: Tables, after: Tables) -> set[str]:
    """The tables that differ."""
    return {name for name in after if before[name] != after[name]}


@dataclass
class Desk:
    """A case of the standard person, its application in the log."""

    cases: Cases
    steps: Steps
    transfer: PendingCommand

    @property
    def db(self) -> asyncpg.Connection:
        """The owner's connection."""
        return self.cases.owner

    async def row(self, sql: str, *values: object) -> asyncpg.Record:
        """The one row there is."""
        (row,) = await self.db.fetch(sql, *values)
        return row

    async def state(self) -> TransferState:
        return await self.cases.state(self.transfer.transfer_id)

    async def order(self, command: PendingCommand) -> StepOrder:
        """The workflow's order for a command, everything so far folded in."""
        seq = await self.db.fetchval("select revision from transfers where transfer_id = $1", self.transfer.transfer_id)
        return StepOrder(transfer_id=self.transfer.transfer_id, after_seq=seq or 0, command_id=command.command_id)

    async def open(self) -> StepResult:
        return await self.steps.open_transfer(await self.order(self.transfer))

    async def take(self, ask: c.Ask, actor: Actor, at: datetime = MONDAY) -> StepResult:
        command = await self.cases.ask(self.transfer, ask, actor, at=at)
        return await self.steps.carry_out(await self.order(command))

    async def clock(self, now: datetime = MONDAY) -> ClockOrder:
        state = await self.state()
        return ClockOrder(transfer_id=state.transfer_id, after_seq=state.revision, now=now)

    async def bank_word(self, now: datetime = WEDNESDAY) -> BankWord:
        state = await self.state()
        assert state.remittance is not None
        return BankWord(
            transfer_id=state.transfer_id, after_seq=state.revision, reference=state.remittance.reference, now=now
        )

    # ---------------------------------------------------------------- the way of a case, up to and with a step

    async def accepted(self) -> None:
        await self.open()
        await self.steps.issue_certificate(await self.clock())

    async def form_delivered(self) -> None:
        await self.accepted()
        await self.take(c.DeliverInformationForm(), O_CLERK, TUESDAY)

    async def remittance_ordered(self) -> None:
        await self.form_delivered()
        await self.take(c.RemitPersonalAccount(), O_FINANCE, WEDNESDAY)

    async def remitted(self) -> None:
        await self.remittance_ordered()
        await self.steps.note_bank_took_order(await self.bank_word())

    async def continued(self) -> None:
        await self.remitted()
        await self.take(c.ConfirmContinuation(), R_CLERK, WEDNESDAY)

    async def completed(self) -> None:
        await self.continued()
        await self.take(RECEIPT, R_FINANCE, THURSDAY)

    # ---------------------------------------------------------------- what the tables say

    async def enrolment(self, region: str) -> asyncpg.Record:
        return await self.row("select * from enrolments where region = $1", region)

    async def worklist(self) -> list[tuple[str, str, str]]:
        """(step, region, due date) of every open item."""
        rows = await self.db.fetch("select step, region, due_on from work_items order by step")
        return [(row["step"], row["region"], row["due_on"].isoformat()) for row in rows]

    async def balances(self) -> dict[tuple[str, str], int]:
        """Fen by account and region, accounts at zero left out."""
        rows = await self.db.fetch(
            "select account, region, sum(amount_fen)::bigint as fen from ledger_entries group by 1, 2 having sum(amount_fen) <> 0"
        )
        return {(row["account"], row["region"]): row["fen"] for row in rows}

    async def documents(self) -> list[tuple[str, str, bool]]:
        """(kind, number, voided) in the order of their issue."""
        rows = await self.db.fetch("select kind, number, voided_at from documents order by issued_at, kind, number")
        return [(row["kind"], row["number"], row["voided_at"] is not None) for row in rows]

    async def outcome(self, command_id: str) -> asyncpg.Record:
        return await self.row("select outcome, released from commands where command_id = $1", command_id)

    async def verify(self) -> None:
        """The case is whole: no hole, every hash right, the state and the read model what the events add up to."""
        rows = await self.db.fetch(
            "select * from transfer_events where transfer_id = $1 order by seq", self.transfer.transfer_id
        )
        assert [row["seq"] for row in rows] == list(range(1, len(rows) + 1))
        assert broken_link(rows) is None
        state = fold(await self.cases.events(self.transfer.transfer_id))
        assert await self.state() == state
        row = await self.row("select * from transfers where transfer_id = $1", self.transfer.transfer_id)
        shown = ("no", "person_id", "status", "funds_status", "revision", "from_region", "to_region", "closed_at")
        assert {name: row[name] for name in shown} == {name: getattr(state, name) for name in shown}
        assert row["completed_at"] == (state.closed_at if state.status == "COMPLETED" else None)
        items = {
            (step.kind, step.region, step.deadline.due_on.isoformat()) for step in state.open_steps if step.deadline
        }
        assert {(step, region, due) for step, region, due in await self.worklist()} == items


def broken_link(rows: list[asyncpg.Record]) -> int | None:
    """The first event whose hash is not that of its text and the event before it, computed from the tables alone."""
    last = b""
    for row in rows:
        text = json.dumps(json.loads(row["event"]), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        last = hashlib.sha256(last + text.encode()).digest()
        if last != row["hash"]:
            return int(row["seq"])
    return None


@asynccontextmanager
async def open_desk(
    database: Database, origin: dict[str, str] | None = None, *, request_stop: bool = False
) -> AsyncIterator[Desk]:
    """A desk with an application of Monday; `origin` changes the person's row in Beijing's register."""
    async with open_cases(database) as cases:
        await cases.standard_person(**(origin or {}))
        transfer = await cases.apply(request_stop=request_stop, at=MONDAY)
        yield Desk(cases, Steps(cases.worker_pool, cases.keyring), transfer)
