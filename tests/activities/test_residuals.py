"""The sweep of late contributions on real PostgreSQL: booked, ordered, at both ends; once, whoever sweeps and how often."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from temporalio.client import Client

from activities import registers
from activities.contribution_load import load_contributions
from activities.registers import periods_of
from activities.residuals import ResidualSweep
from tests.activities.contribution_feeds import contribution, feed
from tests.activities.desk import THURSDAY, Desk, changed, open_desk, snapshot
from tests.cases import BALANCE_FEN, BEIJING, O_CLERK, O_FINANCE, PERSON, R_CLERK, R_FINANCE, SHANGHAI_POOL
from tests.conftest import Database
from workflows import commands as c
from workflows import events as e
from workflows.actors import PLATFORM
from workflows.contribution import format_months
from workflows.vocabulary import FundsStatus, RemittanceKind, TransferStatus

# A month after the case.
LATER = THURSDAY + timedelta(days=31)


class NoTemporal:
    """Temporal away: what is committed stays, and the sweeper of lost cases starts the workflow."""

    async def start_workflow(self, *_: object, **__: object) -> None:
        raise OSError("away")


def sweep_of(desk: Desk) -> ResidualSweep:
    away: Client = NoTemporal()  # type: ignore[assignment]
    return ResidualSweep(desk.cases.worker_pool, away, desk.cases.keyring)


async def arrive(desk: Desk, folder: Path, *lines: str, at: datetime = LATER) -> None:
    report = await load_contributions(desk.cases.database.worker_url, desk.cases.keyring, feed(folder, *lines), at=at)
    assert report.error_count == 0, report.errors


async def standing(desk: Desk) -> dict[str, tuple[str, int | None]]:
    rows = await desk.db.fetch("select contribution_id, state, seq from late_contributions order by 1")
    return {row["contribution_id"]: (row["state"], row["seq"]) for row in rows}


@asynccontextmanager
async def completed_desk(database: Database) -> AsyncIterator[Desk]:
    async with open_desk(database) as desk:
        await desk.completed()
        yield desk


async def test_what_arrived_late_is_booked_set_aside_and_ordered_and_its_month_counts_at_r(
    database: Database, tmp_path: Path
) -> None:
    async with completed_desk(database) as desk:
        before = await desk.balances()
        await arrive(
            desk,
            tmp_path,
            contribution(contribution_id="BJ-1", month="202512", amount_fen="1250"),
            contribution(contribution_id="BJ-2", month="202601", amount_fen="750"),
        )
        revision = (await desk.state()).revision
        assert await sweep_of(desk).sweep(LATER) == 1
        state = await desk.state()
        assert await standing(desk) == {
            "BJ-1": ("SWEPT_ALONG", revision + 2),
            "BJ-2": ("SWEPT_ALONG", revision + 3),
        }
        assert (state.status, state.funds_status) == (TransferStatus.AWAITING_FUNDS, FundsStatus.ORDERED)
        assert await desk.balances() == before | {
            ("CLEARING", BEIJING): -2_000,
            ("FROZEN", BEIJING): 2_000,
        }
        origin, destination = await desk.enrolment(BEIJING), await desk.enrolment(SHANGHAI_POOL)
        assert (origin["personal_account_fen"], origin["frozen_fen"]) == (0, 2_000)
        held = periods_of(destination["contribution_periods"])
        assert {(each.first_month, each.last_month) for each in held if each.region == BEIJING} >= {
            ("2025-12", "2026-01")
        }
        assert format_months(held) == "201501-202012;202203-202601"
        order = await desk.row("select * from remittances where kind = 'RESIDUAL'")
        assert (order["amount_fen"], order["ordered_by"], order["corrects"]) == (
            2_000,
            PLATFORM.subject,
            state.remittances[0].reference,
        )
        assert ("REMITTANCE_ORDER", order["reference"], False) in await desk.documents()
        assert await desk.db.fetchval("select reopened_at from transfers") == LATER
        await desk.verify()


async def test_r_confirms_it_as_always_and_the_case_is_completed_again(database: Database, tmp_path: Path) -> None:
    async with completed_desk(database) as desk:
        before = await desk.balances()
        await arrive(desk, tmp_path, contribution())
        await sweep_of(desk).sweep(LATER)
        await desk.steps.note_bank_took_order(await desk.bank_word(LATER))
        receipt = c.ConfirmReceipt(amount_fen=1_250, bank_reference="B-2", received_on=LATER.date())
        await desk.take(receipt, R_FINANCE, LATER)
        state = await desk.state()
        assert (state.status, state.funds_status, state.settled_fen) == (
            TransferStatus.COMPLETED,
            FundsStatus.CREDITED,
            BALANCE_FEN + 1_250,
        )
        assert await desk.balances() == before | {
            ("CLEARING", BEIJING): -1_250,
            ("PERSONAL_ACCOUNTS", SHANGHAI_POOL): BALANCE_FEN + 1_250,
        }
        assert (await desk.enrolment(SHANGHAI_POOL))["personal_account_fen"] == 10_000 + BALANCE_FEN + 1_250
        notices = [each for each in await desk.documents() if each[0] == "COMPLETION_NOTICE"]
        assert [void for _, _, void in notices] == [True, False]
        await desk.verify()


async def test_swept_again_and_loaded_again_nothing_changes(database: Database, tmp_path: Path) -> None:
    async with completed_desk(database) as desk:
        await arrive(desk, tmp_path, contribution())
        sweep = sweep_of(desk)
        await sweep.sweep(LATER)
        before = await snapshot(desk.db)
        await arrive(desk, tmp_path, contribution())
        await sweep.sweep(LATER)
        assert changed(before, await snapshot(desk.db)) == set()


async def test_two_workers_that_sweep_at_once_order_once(database: Database, tmp_path: Path) -> None:
    async with completed_desk(database) as desk:
        await arrive(desk, tmp_path, contribution())
        await asyncio.gather(*(sweep_of(desk).sweep(LATER) for _ in range(5)))
        assert await desk.db.fetchval("select count(*) from remittances") == 2
        assert await desk.db.fetchval("select count(*) from transfer_events where type = 'late_contribution.1'") == 1
        await desk.verify()


async def test_what_comes_while_an_order_is_on_its_way_waits_and_has_the_next(
    database: Database, tmp_path: Path
) -> None:
    async with completed_desk(database) as desk:
        await arrive(desk, tmp_path, contribution())
        sweep = sweep_of(desk)
        await sweep.sweep(LATER)
        await arrive(desk, tmp_path, contribution(contribution_id="BJ-2"))
        await sweep.sweep(LATER)
        assert (await standing(desk))["BJ-2"] == ("WAITS_FOR_COMPLETION", None)
        await desk.steps.note_bank_took_order(await desk.bank_word(LATER))
        receipt = c.ConfirmReceipt(amount_fen=1_250, bank_reference="B-2", received_on=LATER.date())
        await desk.take(receipt, R_FINANCE, LATER)
        await sweep.sweep(LATER)
        assert (await standing(desk))["BJ-2"][0] == "SWEPT_ALONG"
        assert [(each.kind, each.amount_fen) for each in (await desk.state()).remittances[1:]] == [
            (RemittanceKind.RESIDUAL, 1_250),
            (RemittanceKind.RESIDUAL, 1_250),
        ]
        await desk.verify()


async def test_what_waits_for_a_case_is_taken_once_that_is_completed_and_stands_anew_when_it_ends_otherwise(
    database: Database, tmp_path: Path
) -> None:
    async with open_desk(database) as desk:
        await desk.accepted()
        await arrive(desk, tmp_path, contribution())
        before = await snapshot(desk.db)
        await sweep_of(desk).sweep(LATER)
        assert changed(before, await snapshot(desk.db)) == set()
        await desk.take(c.WithdrawTransfer(reason="不转了"), PERSON)
        await sweep_of(desk).sweep(LATER)
        assert await standing(desk) == {"BJ-1": ("NO_TRANSFER", None)}
        assert (await desk.state()).status is TransferStatus.WITHDRAWN


async def test_what_came_in_time_is_taken_along_however_late_the_case_is_completed(
    database: Database, tmp_path: Path
) -> None:
    async with open_desk(database) as desk:
        await desk.form_delivered()
        await arrive(desk, tmp_path, contribution())
        await desk.take(c.RemitPersonalAccount(), O_FINANCE, LATER)
        await desk.steps.note_bank_took_order(await desk.bank_word(LATER))
        await desk.take(c.ConfirmContinuation(), R_CLERK, LATER)
        receipt = c.ConfirmReceipt(amount_fen=BALANCE_FEN, bank_reference="B-1", received_on=LATER.date())
        await desk.take(receipt, R_FINANCE, LATER)
        await sweep_of(desk).sweep(LATER)
        assert (await standing(desk))["BJ-1"][0] == "SWEPT_ALONG"
        await desk.verify()


async def test_what_is_too_late_stays_where_it_is(database: Database, tmp_path: Path) -> None:
    async with completed_desk(database) as desk:
        far = THURSDAY.replace(year=THURSDAY.year + 3) + timedelta(days=1)
        await arrive(desk, tmp_path, contribution(), at=far)
        before = await snapshot(desk.db)
        await sweep_of(desk).sweep(far)
        assert changed(before, await snapshot(desk.db)) == set()
        assert await standing(desk) == {"BJ-1": ("TOO_LATE", None)}


async def test_what_a_province_retains_is_booked_at_o_and_nothing_is_ordered(
    database: Database, tmp_path: Path
) -> None:
    async with open_desk(database) as desk:
        await desk.db.execute(
            """insert into region_policies (region, effective_from, policy)
               values ($1, '2020-01-01', '{"disposition": [{"disposition": "retain"}]}')""",
            BEIJING,
        )
        await desk.accepted()
        await desk.take(c.DeliverInformationForm(), O_CLERK)
        await desk.take(c.ConfirmContinuation(), R_CLERK)
        assert (await desk.state()).status is TransferStatus.COMPLETED
        before = await desk.balances()
        await arrive(desk, tmp_path, contribution())
        # It is at its end again: no workflow is started, and so Temporal is not asked.
        assert await sweep_of(desk).sweep(LATER) == 1
        assert (await standing(desk))["BJ-1"][0] == "RETAINED"
        assert await desk.balances() == before | {
            ("CLEARING", BEIJING): -1_250,
            ("PERSONAL_ACCOUNTS", BEIJING): before.get(("PERSONAL_ACCOUNTS", BEIJING), 0) + 1_250,
        }
        assert (await desk.enrolment(BEIJING))["personal_account_fen"] == BALANCE_FEN + 1_250
        assert await desk.db.fetchval("select count(*) from remittances") == 0
        await desk.verify()


async def test_a_case_that_cannot_be_booked_keeps_its_contributions_and_no_other_case_from_its_turn(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with completed_desk(database) as desk:
        await arrive(desk, tmp_path, contribution())
        before = await snapshot(desk.db)

        async def gone(*_: object) -> None:
            raise LookupError("the register of 319900 has no such enrolment any more")

        with monkeypatch.context() as broken:
            broken.setattr(registers, "set_months", gone)
            assert await sweep_of(desk).sweep(LATER) == 0
        assert changed(before, await snapshot(desk.db)) == set()
        await sweep_of(desk).sweep(LATER)
        assert (await standing(desk))["BJ-1"][0] == "SWEPT_ALONG"


async def test_a_case_reopened_for_this_keeps_nobody_from_the_next_transfer(database: Database, tmp_path: Path) -> None:
    async with completed_desk(database) as desk:
        await arrive(desk, tmp_path, contribution())
        await sweep_of(desk).sweep(LATER)
        row = await desk.row("select closed_at, reopened_at, completed_at from transfers")
        assert (row["closed_at"], row["reopened_at"], row["completed_at"]) == (None, LATER, None)
        opened = [
            each for each in await desk.cases.events(desk.transfer.transfer_id) if isinstance(each.fact, e.Reopened)
        ]
        assert len(opened) == 1
