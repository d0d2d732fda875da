"""Unmatched money goes home: decided once, paid by the bank once, and out of SUSPENSE when the bank has taken it."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from activities.bank import Answer, BankAwayError, BankStatus, http, sending_home
from activities.bank.entries import BankEntry, EntryKind
from activities.bank.sending_home import reference_home, send_due_home
from activities.bank.unmatched import unmatched_funds
from activities.ledger.auditor import open_auditor
from activities.reconciliation.keeping import open_differences
from stack import bank as sandbox
from stack.bank_faults import BankFault, FaultFile, FaultKind
from stack.outside import outside_server
from stack.processes import free_port
from tests.activities.bank_messages import PAYER_NAME, Inbox, advice, ask_home, entry
from tests.activities.desk import RECEIPT, THURSDAY, TUESDAY, Desk, open_desk
from tests.activities.reconciliation.statements import run
from tests.activities.wire import cut_short, until_given_up
from tests.cases import BALANCE_FEN, R_FINANCE, open_bank, sandbox_bank
from tests.conftest import Database
from workflows.commands import MatchFunds
from workflows.deadlines import shanghai_date
from workflows.messages import UnmatchedFundsOrder
from workflows.vocabulary import MatchDecision

PAYER_ACCOUNT = "9999110000871090000"


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "SECONDS_TO_TAKE", 0.0)


async def _stray(desk: Desk) -> tuple[Inbox, BankEntry]:
    """Money on Shanghai's account that belongs to nobody, asked to go home by its finance under the command C."""
    payee = await desk.row("select receiving_account from pooling_regions where code = '319900'")
    said = {"other_name": PAYER_NAME, "other_account": PAYER_ACCOUNT}
    stray = entry(EntryKind.CREDIT, "C1", payee["receiving_account"], BALANCE_FEN, None, **said)
    inbox = Inbox(desk)
    await inbox.takes(advice("M1", stray))
    await ask_home(desk, stray.entry_id)
    return inbox, stray


async def test_it_is_decided_once_paid_once_and_then_off_the_books(database: Database, tmp_path: Path) -> None:
    async with open_desk(database) as desk, sandbox_bank(tmp_path) as bank:
        inbox, stray = await _stray(desk)
        pool = desk.cases.worker_pool
        order = UnmatchedFundsOrder(command_id="C")
        assert await sending_home.carry_out(pool, order) == await sending_home.carry_out(pool, order)
        assert await inbox.entries() == {"C1": ("GOING_HOME", "NO_REFERENCE")}
        assert (await inbox.suspense())["SUSPENSE", "319900"] == BALANCE_FEN
        assert await send_due_home(pool, inbox.keyring, bank) == 0
        assert await send_due_home(pool, inbox.keyring, bank) == 1
        assert await send_due_home(pool, inbox.keyring, bank) == 0
        assert await inbox.entries() == {"C1": ("SENT_HOME", "NO_REFERENCE")}
        assert await inbox.suspense() == {}
        row = await desk.row("select resolved_by, resolution, resolved_at from bank_entries")
        assert tuple(row) == (R_FINANCE.subject, "付款行重复入账", TUESDAY)
        outbox = await bank.messages("", 10)
        paid = f"<EndToEndId>{reference_home(stray.entry_id)}<".encode()
        assert sum(each.document.count(paid) for each in outbox) == 1
        assert len(reference_home(stray.entry_id)) <= 35
        # Neither what came nor what went is a difference: who sent it home has said why.
        await inbox.takes(*outbox)
        await run(desk, shanghai_date(datetime.now(UTC)) + timedelta(days=14))
        assert [each.kind for each in await open_differences(desk.db)] == []


async def test_what_the_bank_refuses_to_take_home_is_on_the_list_again(database: Database, tmp_path: Path) -> None:
    async with open_desk(database) as desk, sandbox_bank(tmp_path) as bank:
        inbox, stray = await _stray(desk)
        pool = desk.cases.worker_pool
        FaultFile(tmp_path).write(
            [BankFault(kind=FaultKind.REFUSE, reference=reference_home(stray.entry_id), code="AC04")]
        )
        await sending_home.carry_out(pool, UnmatchedFundsOrder(command_id="C"))
        for _ in range(2):
            assert await send_due_home(pool, inbox.keyring, bank) == 0
        assert await inbox.entries() == {"C1": ("UNMATCHED", "NO_REFERENCE")}
        assert (await inbox.suspense())["SUSPENSE", "319900"] == BALANCE_FEN
        assert (await desk.row("select resolution from bank_entries"))["resolution"] == "付款行重复入账 (AC04)"
        # The bank refuses that reference for ever: the next try has its own.
        await desk.db.execute("update bank_entries set state = 'GOING_HOME'")
        assert [await send_due_home(pool, inbox.keyring, bank) for _ in range(3)] == [0, 1, 0]
        assert await inbox.suspense() == {}


@pytest.mark.parametrize("advised", [False, True])
async def test_what_came_beyond_an_order_goes_home_and_the_order_stays_as_it_was(
    database: Database, tmp_path: Path, advised: bool
) -> None:
    async with open_desk(database) as desk, sandbox_bank(tmp_path) as bank:
        inbox, pool = Inbox(desk), desk.cases.worker_pool
        reference = f"{desk.transfer.transfer_no}-01"
        await desk.continued()
        payee = await desk.row("select * from pooling_regions where code = '319900'")
        said = {"own_name": payee["receiving_account_name"], "other_account": PAYER_ACCOUNT}
        over = entry(EntryKind.CREDIT, "B-1", payee["receiving_account"], BALANCE_FEN + 5, reference, **said)
        if advised:
            await inbox.takes(advice("M1", over))
        await desk.take(RECEIPT.model_copy(update={"amount_fen": BALANCE_FEN + 5}), R_FINANCE, THURSDAY)
        match = MatchFunds(remittance_reference=reference, decision=MatchDecision.ACCEPT_AMOUNT, reason="多到五分")
        await desk.take(match, R_FINANCE, THURSDAY)
        (listed,) = await unmatched_funds(pool, inbox.keyring, ["319900"], limit=9)
        payer = await desk.row("select receiving_account from pooling_regions where code = '110000'")
        from_account = PAYER_ACCOUNT if advised else payer["receiving_account"]
        assert (listed.entry.amount_fen, listed.entry.other_account) == (5, from_account)
        # A further line of the order does not take it off, and it is no line of the order's.
        words = await inbox.words()
        debit = entry(EntryKind.DEBIT, "D1", payer["receiving_account"], BALANCE_FEN, reference)
        await inbox.takes(advice("M2", debit))
        assert [each for each in await inbox.words() if each[0] != "TAKEN"] == [w for w in words if w[0] != "TAKEN"]
        assert (await inbox.suspense())["SUSPENSE", "319900"] == 5
        await ask_home(desk, listed.entry.entry_id)
        await sending_home.carry_out(pool, UnmatchedFundsOrder(command_id="C"))
        assert [await send_due_home(pool, inbox.keyring, bank) for _ in range(3)] == [0, 1, 0]
        assert (await inbox.entries())["B-1/excess"] == ("SENT_HOME", "EXCESS")
        assert await inbox.suspense() == {}
        assert await unmatched_funds(pool, inbox.keyring, ["319900"], limit=9) == []
        await desk.verify()
        async with open_auditor(database.owner_url, told=False) as auditor:
            assert (await auditor.verify()).broken == ()
        if advised:
            # The order's own line of the bank is all that came, and what went home was ours to send.
            await inbox.takes(*await bank.messages("", 10))
            assert (await inbox.entries())[f"D{reference_home(listed.entry.entry_id)}-1"] == ("FOREIGN", None)
            await run(desk, shanghai_date(datetime.now(UTC)) + timedelta(days=14))
            assert [each.kind for each in await open_differences(desk.db)] == []


class Faulty:
    """The sandbox bank, which answers requests about one reference as it is told to: a status and a body, half of one, or no word at all."""

    def __init__(self, folder: Path, method: str, answer: ASGIApp | None) -> None:
        self._bank, self._met, self._answer = sandbox.bank_app(folder), (method, ""), answer

    def meets(self, reference: str) -> None:
        self._met = (self._met[0], f"/orders/{reference}")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or (scope["method"], scope["path"]) != self._met:
            await self._bank(scope, receive, send)
        elif self._answer is not None:
            await self._answer(scope, receive, send)
        else:
            await until_given_up(receive)


@pytest.mark.parametrize(
    ("method", "answer"),
    [
        ("GET", Response("overloaded", 503)),
        ("GET", Response("<html>sign in</html>")),
        ("GET", cut_short),
        ("GET", None),
        ("PUT", Response("no", 422)),
        ("PUT", Response("overloaded", 503)),
        ("PUT", cut_short),
        ("PUT", None),
    ],
)
async def test_a_payment_without_an_answer_keeps_no_other_from_going_and_is_asked_after_again(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, answer: ASGIApp | None
) -> None:
    monkeypatch.setattr(http, "SECONDS", 0.3)
    app = Faulty(tmp_path, method, answer)
    async with (
        open_desk(database) as desk,
        outside_server(app) as url,
        open_bank(url) as faulty,
        sandbox_bank(tmp_path) as honest,
    ):
        inbox, first = await _stray(desk)
        app.meets(reference_home(first.entry_id))
        pool = desk.cases.worker_pool
        await sending_home.carry_out(pool, UnmatchedFundsOrder(command_id="C"))
        second = first.model_copy(update={"entry_reference": "C2"})
        await inbox.takes(advice("M2", second))
        await desk.db.execute(
            """update bank_entries set state = 'GOING_HOME', resolution = '重复', resolved_by = $1, resolved_at = $2
                where entry_reference = 'C2'""",
            *(R_FINANCE.subject, THURSDAY),
        )
        assert [await send_due_home(pool, inbox.keyring, faulty) for _ in range(3)] == [0, 1, 0]
        assert await inbox.entries() == {"C1": ("GOING_HOME", "NO_REFERENCE"), "C2": ("SENT_HOME", "NO_REFERENCE")}
        assert await inbox.suspense() == {("SUSPENSE", "319900"): BALANCE_FEN, ("CLEARING", "319900"): -BALANCE_FEN}
        left = await desk.row("select tries, resolution from bank_entries where entry_reference = 'C1'")
        assert tuple(left) == (1, "付款行重复入账")
        # Once there is an answer it goes, under the reference that it may have gone under before.
        assert sum([await send_due_home(pool, inbox.keyring, honest) for _ in range(2)]) == 1
        assert await inbox.entries() == dict.fromkeys(("C1", "C2"), ("SENT_HOME", "NO_REFERENCE"))
        outbox = await honest.messages("", 10)
        paid = f"<EndToEndId>{reference_home(first.entry_id)}<".encode()
        assert sum(each.document.count(paid) for each in outbox) == 1


async def test_a_payment_that_the_bank_never_answers_leaves_others_their_turn(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending_home, "AT_ONCE", 1)
    app = Faulty(tmp_path, "PUT", Response("no", 422))
    async with open_desk(database) as desk, outside_server(app) as url, open_bank(url) as faulty:
        inbox, first = await _stray(desk)
        app.meets(reference_home(first.entry_id))
        await sending_home.carry_out(desk.cases.worker_pool, UnmatchedFundsOrder(command_id="C"))
        await inbox.takes(advice("M2", first.model_copy(update={"entry_reference": "C2"})))
        await desk.db.execute(
            "update bank_entries set state = 'GOING_HOME', resolution = '重复', resolved_by = 'x', resolved_at = now()"
        )
        assert [await send_due_home(desk.cases.worker_pool, inbox.keyring, faulty) for _ in range(4)] == [0, 0, 0, 1]
        assert {reference: state for reference, (state, _) in (await inbox.entries()).items()} == {
            "C1": "GOING_HOME",
            "C2": "SENT_HOME",
        }


async def test_money_that_is_decided_about_at_the_same_moment_is_not_paid_on_an_older_word(
    database: Database, tmp_path: Path
) -> None:
    async with open_desk(database) as desk, sandbox_bank(tmp_path) as bank:
        inbox, stray = await _stray(desk)
        pool = desk.cases.worker_pool
        await sending_home.carry_out(pool, UnmatchedFundsOrder(command_id="C"))
        async with desk.db.transaction():
            await desk.db.execute("update bank_entries set state = 'UNMATCHED'")
            sending = asyncio.create_task(send_due_home(pool, inbox.keyring, bank))
            waiting = "select count(*) from pg_stat_activity where wait_event_type = 'Lock'"
            while not await desk.db.fetchval(waiting):
                await asyncio.sleep(0.01)
        assert await sending == 0
        assert await bank.status(reference_home(stray.entry_id)) == Answer(BankStatus.UNKNOWN)
        assert await inbox.entries() == {"C1": ("UNMATCHED", "NO_REFERENCE")}


async def test_while_the_bank_is_away_everything_stays_as_it_is(database: Database) -> None:
    async with open_desk(database) as desk, open_bank(f"http://127.0.0.1:{free_port()}") as bank:
        inbox, _ = await _stray(desk)
        pool = desk.cases.worker_pool
        await sending_home.carry_out(pool, UnmatchedFundsOrder(command_id="C"))
        with pytest.raises(BankAwayError):
            await send_due_home(pool, inbox.keyring, bank)
        assert await inbox.entries() == {"C1": ("GOING_HOME", "NO_REFERENCE")}
        assert (await desk.row("select tries from bank_entries"))["tries"] == 1


async def test_money_that_a_receipt_has_credited_does_not_go_home(database: Database) -> None:
    async with open_desk(database) as desk:
        await desk.remittance_ordered()
        inbox, _ = await _stray(desk)
        await desk.db.execute("update remittances set bank_reference = 'C1', status = 'CREDITED'")
        await sending_home.carry_out(desk.cases.worker_pool, UnmatchedFundsOrder(command_id="C"))
        assert await inbox.entries() == {"C1": ("UNMATCHED", "NO_REFERENCE")}


async def test_money_that_goes_home_is_credited_by_no_receipt(database: Database) -> None:
    async with open_desk(database) as desk:
        await desk.remittance_ordered()
        inbox, _ = await _stray(desk)
        await sending_home.carry_out(desk.cases.worker_pool, UnmatchedFundsOrder(command_id="C"))
        outcome = (await desk.take(RECEIPT.model_copy(update={"bank_reference": "C1"}), R_FINANCE, THURSDAY)).outcome
        assert [(each.field, each.code) for each in outcome.violations] == [("bankReference", "ALREADY_USED")]
        assert await inbox.entries() == {"C1": ("GOING_HOME", "NO_REFERENCE")}
