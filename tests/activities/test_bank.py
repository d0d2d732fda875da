"""An order's way to the bank: looked up before it is sent, handed in once, asked after until it is taken."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities import funds
from activities.bank import BankStatus, Payment, PaymentOrder
from activities.bank.http import HttpBank
from activities.bank.initiation import order_of
from activities.funds import send_to_bank
from stack import bank as sandbox
from stack.bank import bank_app
from tests.activities.desk import Desk, open_desk
from tests.cases import BALANCE_FEN
from tests.conftest import Database
from workflows.deadlines import shanghai_date
from workflows.messages import BankOrder, BankSaid

ORDER = PaymentOrder(
    reference="ZY-1-01",
    amount_fen=1,
    execute_on=date(2026, 3, 4),
    payments=(Payment(end_to_end_id="ZY-1-01", amount_fen=1),),
    payer_agency="110000-YB",
    payer_name="北京市医疗保障事务中心",
    payer_bank="示例银行",
    payer_account="87654321",
    payee_name="上海市医疗保险事业管理中心",
    payee_bank="示例银行",
    payee_bank_code=None,
    payee_account="12345678",
)


class Wire(httpx.AsyncBaseTransport):
    """The wire to the real sandbox bank: it notes what goes over it, and breaks when told to."""

    def __init__(self, folder: Path) -> None:
        self._bank = httpx.ASGITransport(app=bank_app(folder))
        self.requests: list[httpx.Request] = []
        self.broken_for = 0
        self.lose_answers_for = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if self.broken_for:
            self.broken_for -= 1
            raise httpx.ConnectError("the bank is away")
        response = await self._bank.handle_async_request(request)
        if request.method == "PUT" and self.lose_answers_for:
            self.lose_answers_for -= 1
            raise httpx.ReadTimeout("the answer was lost")
        return response

    def handed_in(self) -> list[dict[str, Any]]:
        return [
            order_of(request.content).model_dump(mode="json") for request in self.requests if request.method == "PUT"
        ]


def _bank(folder: Path) -> tuple[HttpBank, Wire]:
    wire = Wire(folder)
    bank = HttpBank("http://bank")
    bank._client = httpx.AsyncClient(base_url="http://bank", transport=wire)
    return bank, wire


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
    async with open_desk(database) as desk:
        await desk.remittance_ordered()
        bank, wire = _bank(tmp_path)
        assert await _send(desk, bank) == BankStatus.TAKEN
        assert [request.method for request in wire.requests[:2]] == ["GET", "PUT"]
        reference = f"{desk.transfer.transfer_no}-01"
        assert {request.url.path for request in wire.requests} == {f"/orders/{reference}"}
        # A second attempt, after a worker that died before it could say so, finds the order at the bank.
        wire.requests.clear()
        assert await _send(desk, bank) == BankStatus.TAKEN
        assert wire.handed_in() == []


async def test_what_the_bank_is_told_names_no_person(database: Database, tmp_path: Path) -> None:
    async with open_desk(database) as desk:
        await desk.remittance_ordered()
        bank, wire = _bank(tmp_path)
        await _send(desk, bank)
        payee = await desk.row("select * from pooling_regions where code = '319900'")
        payer = await desk.row("select * from pooling_regions where code = '110000'")
        assert wire.handed_in() == [
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
        sent = b"".join(request.content + str(request.headers).encode() for request in wire.requests)
        assert "王思琪".encode() not in sent
        assert b"110101199003071233" not in sent


async def test_a_bank_that_is_away_is_an_attempt_to_be_made_again(database: Database, tmp_path: Path) -> None:
    async with open_desk(database) as desk:
        await desk.remittance_ordered()
        bank, wire = _bank(tmp_path)
        wire.broken_for = 2
        for _ in range(2):
            with pytest.raises(httpx.ConnectError):
                await _send(desk, bank)
        assert await _send(desk, bank) == BankStatus.TAKEN
        assert len(wire.handed_in()) == 1


async def test_an_order_whose_answer_was_lost_is_not_handed_in_again(database: Database, tmp_path: Path) -> None:
    async with open_desk(database) as desk:
        await desk.remittance_ordered()
        bank, wire = _bank(tmp_path)
        wire.lose_answers_for = 1
        with pytest.raises(httpx.ReadTimeout):
            await _send(desk, bank)
        assert await _send(desk, bank) == BankStatus.TAKEN
        assert len(wire.handed_in()) == 1


async def test_a_bank_that_takes_its_time_is_asked_again_later(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "SECONDS_TO_TAKE", 3600)
    async with open_desk(database) as desk:
        await desk.remittance_ordered()
        bank, wire = _bank(tmp_path)
        with pytest.raises(ApplicationError) as raised:
            await _send(desk, bank)
        assert (raised.value.type, raised.value.non_retryable) == ("NotYet", False)
        assert raised.value.next_retry_delay is not None
        monkeypatch.setattr(sandbox, "SECONDS_TO_TAKE", 0)
        assert await _send(desk, bank) == BankStatus.TAKEN
        assert len(wire.handed_in()) == 1


async def test_the_bank_takes_one_order_under_a_reference_and_no_other(tmp_path: Path) -> None:
    bank, _ = _bank(tmp_path)
    assert (await bank.status(ORDER.reference)).status is BankStatus.UNKNOWN
    await bank.hand_in(ORDER)
    await bank.hand_in(ORDER)
    with pytest.raises(httpx.HTTPStatusError, match="409"):
        await bank.hand_in(
            ORDER.model_copy(update={"amount_fen": 2, "payments": (Payment(end_to_end_id="ZY-1-01", amount_fen=2),)})
        )
    # A restarted bank remembers.
    again, _ = _bank(tmp_path)
    assert (await again.status(ORDER.reference)).status in (BankStatus.PENDING, BankStatus.TAKEN)
    await again.hand_in(ORDER)


async def test_a_region_without_a_receiving_account_is_said_so(database: Database, tmp_path: Path) -> None:
    async with open_desk(database) as desk:
        await desk.remittance_ordered()
        await desk.db.execute("update pooling_regions set receiving_account = null where code = '319900'")
        bank, wire = _bank(tmp_path)
        with pytest.raises(LookupError, match="region 319900 has no receiving account"):
            await _send(desk, bank)
        assert wire.handed_in() == []


async def test_an_account_added_after_the_order_is_the_one_that_is_paid(database: Database, tmp_path: Path) -> None:
    async with open_desk(database) as desk:
        await desk.remittance_ordered()
        await desk.db.execute("update pooling_regions set receiving_account = null where code = '319900'")
        await desk.db.execute(
            """insert into pooling_regions
               select (jsonb_populate_record(r, '{"effective_from": "2026-03-05", "receiving_account": "9999000011112222"}')).*
                 from pooling_regions r where code = '319900'"""
        )
        bank, wire = _bank(tmp_path)
        assert await _send(desk, bank) == BankStatus.TAKEN
        assert [order["payee_account"] for order in wire.handed_in()] == ["9999000011112222"]
