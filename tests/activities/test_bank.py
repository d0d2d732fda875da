"""An order's way to the bank: looked up before it is sent, handed in once, asked after until it is taken."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities import funds
from activities.bank import BankAwayError, BankStatus, NotAnsweredError, http
from activities.bank.http import HttpBank
from activities.bank.initiation import order_of
from activities.funds import send_to_bank
from stack import bank as sandbox
from stack.bank import bank_app
from stack.outside import outside_server
from stack.processes import free_port
from tests.activities.bank_messages import order
from tests.activities.desk import Desk, open_desk
from tests.activities.wire import Wire
from tests.cases import BALANCE_FEN, open_bank
from tests.conftest import Database
from workflows.deadlines import shanghai_date
from workflows.messages import BankOrder, BankSaid

ORDER = order("ZY-1-01")


@asynccontextmanager
async def _bank(folder: Path) -> AsyncIterator[tuple[HttpBank, Wire]]:
    wire = Wire(bank_app(folder))
    async with outside_server(wire) as url, open_bank(url) as bank:
        yield bank, wire


def _handed_in(wire: Wire) -> list[dict[str, Any]]:
    return [order_of(asked.content).model_dump(mode="json") for asked in wire.requests if asked.method == "PUT"]


async def _send(desk: Desk, bank: HttpBank) -> str:
    """One attempt of the activity, as the worker makes it."""
    state = await desk.state()
    assert state.remittance is not None
    order = BankOrder(transfer_id=state.transfer_id, reference=state.remittance.reference)
    answer: BankSaid = await ActivityEnvironment().run(
        send_to_bank, desk.cases.worker_pool, desk.cases.keyring, bank, order
    )
    assert answer.reference == order.reference
    return answer.said


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(funds, "QUICK_LOOK_SECONDS", 0.05)
    monkeypatch.setattr(sandbox, "SECONDS_TO_TAKE", 0.1)


async def test_an_order_is_looked_up_handed_in_once_and_taken(database: Database, tmp_path: Path) -> None:
    async with open_desk(database) as desk, _bank(tmp_path) as (bank, wire):
        await desk.remittance_ordered()
        assert await _send(desk, bank) == BankStatus.TAKEN
        assert [request.method for request in wire.requests[:2]] == ["GET", "PUT"]
        reference = f"{desk.transfer.transfer_no}-01"
        assert {request.path for request in wire.requests} == {f"/orders/{reference}"}
        # A second attempt, after a worker that died before it could say so, finds the order at the bank.
        wire.requests.clear()
        assert await _send(desk, bank) == BankStatus.TAKEN
        assert _handed_in(wire) == []


async def test_what_the_bank_is_told_names_no_person(database: Database, tmp_path: Path) -> None:
    async with open_desk(database) as desk, _bank(tmp_path) as (bank, wire):
        await desk.remittance_ordered()
        await _send(desk, bank)
        payee = await desk.row("select * from pooling_regions where code = '319900'")
        payer = await desk.row("select * from pooling_regions where code = '110000'")
        assert _handed_in(wire) == [
            {
                "reference": f"{desk.transfer.transfer_no}-01",
                "amount_fen": BALANCE_FEN,
                "execute_on": shanghai_date(datetime.now(UTC)).isoformat(),
                "payments": [{"end_to_end_id": f"{desk.transfer.transfer_no}-01", "amount_fen": BALANCE_FEN}],
                "payer_agency": payer["agency_code"],
                "payer_name": payer["receiving_account_name"],
                "payer_bank": payer["receiving_bank"],
                "payer_account": payer["receiving_account"],
                "payee_name": payee["receiving_account_name"],
                "payee_bank": payee["receiving_bank"],
                "payee_bank_code": payee["receiving_bank_code"],
                "payee_account": payee["receiving_account"],
            }
        ]
        sent = b"".join(request.content + repr(request.headers).encode() for request in wire.requests)
        assert "王思琪".encode() not in sent
        assert b"110101199003071233" not in sent


async def test_a_bank_that_is_away_is_an_attempt_to_be_made_again(database: Database, tmp_path: Path) -> None:
    port = free_port()
    wire = Wire(bank_app(tmp_path))
    async with open_desk(database) as desk, open_bank(f"http://127.0.0.1:{port}") as bank:
        await desk.remittance_ordered()
        for _ in range(2):
            with pytest.raises(BankAwayError, match=f"127.0.0.1:{port}"):
                await _send(desk, bank)
        async with outside_server(wire, port):
            assert await _send(desk, bank) == BankStatus.TAKEN
            # Its connections end with it.
            await bank.close()
        assert len(_handed_in(wire)) == 1


@pytest.mark.parametrize(("cuts", "raised"), [(False, TimeoutError), (True, NotAnsweredError)])
async def test_an_order_whose_answer_was_lost_is_not_handed_in_again(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cuts: bool, raised: type[OSError]
) -> None:
    monkeypatch.setattr(http, "SECONDS", 0.3)
    async with open_desk(database) as desk, _bank(tmp_path) as (bank, wire):
        await desk.remittance_ordered()
        wire.loses_answers_for, wire.cuts = 1, cuts
        with pytest.raises(raised):
            await _send(desk, bank)
        assert await _send(desk, bank) == BankStatus.TAKEN
        assert len(_handed_in(wire)) == 1


async def test_a_bank_that_takes_its_time_is_asked_again_later(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "SECONDS_TO_TAKE", 3600)
    async with open_desk(database) as desk, _bank(tmp_path) as (bank, wire):
        await desk.remittance_ordered()
        with pytest.raises(ApplicationError) as raised:
            await _send(desk, bank)
        assert (raised.value.type, raised.value.non_retryable) == ("NotYet", False)
        assert raised.value.next_retry_delay is not None
        monkeypatch.setattr(sandbox, "SECONDS_TO_TAKE", 0)
        assert await _send(desk, bank) == BankStatus.TAKEN
        assert len(_handed_in(wire)) == 1


async def test_the_bank_takes_one_order_under_a_reference_and_no_other(tmp_path: Path) -> None:
    async with _bank(tmp_path) as (bank, _):
        assert (await bank.status(ORDER.reference)).status is BankStatus.UNKNOWN
        await bank.hand_in(ORDER)
        await bank.hand_in(ORDER)
        with pytest.raises(NotAnsweredError, match="the bank answered 409"):
            await bank.hand_in(order("ZY-1-01", amount_fen=2))
    # A restarted bank remembers.
    async with _bank(tmp_path) as (again, _):
        assert (await again.status(ORDER.reference)).status in (BankStatus.PENDING, BankStatus.TAKEN)
        await again.hand_in(ORDER)


@pytest.mark.parametrize("reference", ["ZY/1 01", "50%", "a%2Fb", "号?#"])
async def test_a_reference_is_the_banks_and_ours_whatever_stands_in_it(tmp_path: Path, reference: str) -> None:
    async with _bank(tmp_path) as (bank, wire):
        assert (await bank.status(reference)).status is BankStatus.UNKNOWN
        assert [asked.path for asked in wire.requests] == [f"/orders/{reference}"]


async def test_places_in_the_outbox_are_the_banks_own(tmp_path: Path) -> None:
    """The sandbox knows numbers only, and says so of what it has read."""
    async with _bank(tmp_path) as (bank, wire):
        assert await bank.messages("", 10) == []
        with pytest.raises(NotAnsweredError, match="the bank answered 422"):
            await bank.messages("a&limit=1 %2F", 10)
        assert [asked.query for asked in wire.requests] == [
            b"after=&limit=10",
            b"after=a%26limit%3D1+%252F&limit=10",
        ]


async def test_a_region_without_a_receiving_account_is_said_so(database: Database, tmp_path: Path) -> None:
    async with open_desk(database) as desk, _bank(tmp_path) as (bank, wire):
        await desk.remittance_ordered()
        await desk.db.execute("update pooling_regions set receiving_account = null where code = '319900'")
        with pytest.raises(LookupError, match="region 319900 has no receiving account"):
            await _send(desk, bank)
        assert _handed_in(wire) == []


async def test_an_account_added_after_the_order_is_the_one_that_is_paid(database: Database, tmp_path: Path) -> None:
    async with open_desk(database) as desk, _bank(tmp_path) as (bank, wire):
        await desk.remittance_ordered()
        await desk.db.execute("update pooling_regions set receiving_account = null where code = '319900'")
        await desk.db.execute(
            """insert into pooling_regions
               select (jsonb_populate_record(r, '{"effective_from": "2026-03-05", "receiving_account": "9999000011112222"}')).*
                 from pooling_regions r where code = '319900'"""
        )
        assert await _send(desk, bank) == BankStatus.TAKEN
        assert [order["payee_account"] for order in _handed_in(wire)] == ["9999000011112222"]
