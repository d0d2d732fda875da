"""The bank's words on their way to the cases: in order, until they are heard, and no oftener than they say something new."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from activities.bank.entries import EntryKind
from activities.bank.judging import leave_confirmed
from activities.bank.telling import NobodyListensError, Words
from activities.bank.unmatched import lay_apart, unmatched_funds
from activities.bank_words import note_bank_word
from activities.database import transaction
from activities.reopening import open_again
from tests.activities.bank_messages import DAY, PAYER_NAME, Inbox, advice, entry
from tests.activities.desk import RECEIPT, THURSDAY, TUESDAY, Desk, changed, open_desk, snapshot
from tests.cases import BALANCE_FEN, R_FINANCE
from tests.conftest import Database
from workflows.messages import BankNote, BankSaid, CommandOutcome
from workflows.vocabulary import BankReturnReason


class Listener:
    """A case's ear: it hears, or is away."""

    def __init__(self) -> None:
        self.heard: list[BankSaid] = []
        self.reopened: list[BankSaid] = []
        self.away = False

    async def tell(self, no: str, said: BankSaid) -> None:
        if self.away:
            raise NobodyListensError(no)
        self.heard.append(said)

    async def reopen(self, said: BankSaid) -> CommandOutcome:
        self.reopened.append(said)
        return CommandOutcome(kind="DONE")


class Line:
    def __init__(self, desk: Desk, payer: str, payee: str, payee_name: str) -> None:
        self.desk, self.payer, self.payee, self.payee_name = desk, payer, payee, payee_name
        self.inbox, self.listener = Inbox(desk), Listener()
        self.words = Words(desk.cases.worker_pool, self.listener, self.listener.reopen)
        self.reference = f"{desk.transfer.transfer_no}-01"

    async def at_once(self) -> None:
        """What waits for its time does no longer."""
        await self.desk.db.execute("update bank_words set next_attempt_at = now() - interval '1 second'")

    async def heard(self) -> list[tuple[str, int]]:
        """Everything that the case has been told by now."""
        for _ in range(4):
            await self.at_once()
            await self.words.tell_due()
        return [(each.said, each.amount_fen) for each in self.listener.heard]

    async def untold(self) -> list[str]:
        rows = await self.desk.db.fetch("select said from bank_words where told_at is null order by said")
        return [row["said"] for row in rows]


@pytest.fixture
async def line(database: Database) -> AsyncIterator[Line]:
    async with open_desk(database) as desk:
        await desk.remittance_ordered()
        payer = await desk.row("select * from pooling_regions where code = '110000'")
        payee = await desk.row("select * from pooling_regions where code = '319900'")
        names = payee["receiving_account_name"]
        yield Line(desk, payer["receiving_account"], payee["receiving_account"], names)


async def test_a_case_hears_that_the_money_left_before_it_hears_that_it_came_back(line: Line) -> None:
    back = entry(EntryKind.RETURN, "R1", line.payer, BALANCE_FEN, line.reference, code="AC04")
    await line.inbox.takes(advice("M1", back))
    assert await line.heard() == [("TAKEN", BALANCE_FEN), ("RETURNED", BALANCE_FEN)]
    (_, returned) = line.listener.heard
    assert (returned.reason, returned.bank_reference) == ("ACCOUNT_CLOSED", "R1")
    assert await line.untold() == []


async def test_who_sent_the_order_has_time_to_bring_its_word_and_then_nothing_is_told(line: Line) -> None:
    await line.inbox.takes(advice("M1", entry(EntryKind.DEBIT, "D1", line.payer, BALANCE_FEN, line.reference)))
    assert await line.words.tell_due() == 0
    assert await line.untold() == ["TAKEN"]
    await line.desk.steps.note_bank_took_order(await line.desk.bank_word())
    assert await line.heard() == []
    assert await line.untold() == []


async def test_a_word_that_nobody_hears_is_told_until_somebody_does(line: Line) -> None:
    await line.inbox.takes(advice("M1", entry(EntryKind.DEBIT, "D1", line.payer, BALANCE_FEN, line.reference)))
    line.listener.away = True
    assert await line.heard() == []
    kept = await line.desk.row("select attempts, last_error, told_at from bank_words")
    assert (kept["attempts"], kept["told_at"]) == (4, None)
    assert "NobodyListensError" in kept["last_error"]
    line.listener.away = False
    assert await line.heard() == [("TAKEN", BALANCE_FEN)]
    assert await line.heard() == [("TAKEN", BALANCE_FEN)]


async def test_an_advice_confirms_nothing_where_finance_does(line: Line) -> None:
    credit = entry(EntryKind.CREDIT, "C1", line.payee, BALANCE_FEN, line.reference, own_name=line.payee_name)
    await line.inbox.takes(advice("M1", credit))
    assert await line.heard() == [("TAKEN", BALANCE_FEN)]
    assert await line.untold() == []


async def test_an_advice_is_told_where_the_region_trusts_it(line: Line) -> None:
    await line.desk.db.execute(
        """insert into region_policies (region, effective_from, policy)
           values ('319900', '2020-01-01', '{"receipt": "by_advice"}')"""
    )
    credit = entry(EntryKind.CREDIT, "C1", line.payee, BALANCE_FEN, line.reference, own_name=line.payee_name)
    await line.inbox.takes(advice("M1", credit))
    assert await line.heard() == [("TAKEN", BALANCE_FEN), ("CREDITED", BALANCE_FEN)]


async def test_a_further_part_that_comes_back_is_told_alone(line: Line) -> None:
    await line.desk.db.execute(
        "insert into bank_payments select $1 || '/' || n, $1, $2::bigint / 2 from generate_series(1, 2) n",
        line.reference,
        BALANCE_FEN,
    )
    half = BALANCE_FEN // 2
    first, second = (
        entry(EntryKind.RETURN, f"R{part}", line.payer, half, f"{line.reference}/{part}", code="AC01")
        for part in (1, 2)
    )
    left = entry(EntryKind.DEBIT, "D2", line.payer, half, f"{line.reference}/2")
    await line.inbox.takes(advice("M1", first, left))
    assert await line.heard() == [("TAKEN", BALANCE_FEN), ("RETURNED", half)]
    await line.inbox.takes(advice("M2", second))
    assert await line.heard() == [("TAKEN", BALANCE_FEN), ("RETURNED", half), ("RETURNED", half)]
    assert [each.bank_reference for each in line.listener.heard[1:]] == ["R1", "R2"]


async def test_a_word_that_its_case_closed_upon_is_told_again_until_the_case_has_heard_it(line: Line) -> None:
    await line.inbox.takes(
        advice("M1", entry(EntryKind.RETURN, "R1", line.payer, BALANCE_FEN, line.reference, code="AC04"))
    )
    assert await line.heard() == [("TAKEN", BALANCE_FEN), ("RETURNED", BALANCE_FEN)]
    # The signals were accepted, and the case noted nothing: it closed.
    await line.desk.db.execute("update transfers set closed_at = now()")
    assert await line.heard() == [("TAKEN", BALANCE_FEN), ("RETURNED", BALANCE_FEN)]
    assert line.listener.reopened == []
    await line.desk.db.execute("update bank_words set told_at = told_at - interval '2 hours'")
    await line.heard()
    assert [(each.said, each.amount_fen, each.told_fen) for each in line.listener.reopened] == [
        ("RETURNED", BALANCE_FEN, 0)
    ]
    assert await line.untold() == []


async def test_what_a_case_has_heard_is_not_told_again(line: Line) -> None:
    await line.inbox.takes(
        advice("M1", entry(EntryKind.RETURN, "R1", line.payer, BALANCE_FEN, line.reference, code="AC04"))
    )
    assert await line.heard() == [("TAKEN", BALANCE_FEN), ("RETURNED", BALANCE_FEN)]
    for said in line.listener.heard:
        state = await line.desk.state()
        note = BankNote(transfer_id=state.transfer_id, after_seq=state.revision, said=said, now=THURSDAY)
        await note_bank_word(line.desk.cases.worker_pool, line.inbox.keyring, note)
    assert (await line.desk.state()).funds_status == "RETURNED"
    await line.desk.db.execute("update bank_words set told_at = told_at - interval '2 hours'")
    before = await snapshot(line.desk.db)
    assert len(await line.heard()) == 2
    changes = changed(before, await snapshot(line.desk.db))
    assert changes <= {"bank_words"}
    assert await line.untold() == []


@pytest.mark.parametrize("spent", [False, True])
async def test_a_late_return_opens_a_closed_case_or_lies_apart_when_it_was_spent(
    database: Database, spent: bool
) -> None:
    async with open_desk(database) as desk:
        await desk.completed()
        if spent:
            await _spend(desk)
        inbox, listener = Inbox(desk), Listener()

        async def reopen(said: BankSaid) -> CommandOutcome:
            return (await open_again(desk.cases.worker_pool, inbox.keyring, said, THURSDAY)).outcome

        words = Words(desk.cases.worker_pool, listener, reopen)
        await _came_back(inbox)
        for _ in range(2):
            await words.tell_due()
        assert listener.heard == []
        status = (await desk.state()).status
        assert status == ("COMPLETED" if spent else "AWAITING_FUNDS")
        await _lies_apart(inbox, spent=spent)
        # What the bank says of the same order later does not take it off, and what was said is not told again.
        left = entry(EntryKind.DEBIT, "D1", await _account(desk, "110000"), BALANCE_FEN, _reference(desk))
        await inbox.takes(advice("M2", left))
        await desk.db.execute("update bank_words set told_at = told_at - interval '2 hours'")
        before = await snapshot(desk.db)
        assert await words.tell_due() == 0
        assert await snapshot(desk.db) == before
        await _lies_apart(inbox, spent=spent)


async def test_a_return_that_was_spent_in_an_open_case_lies_apart_for_the_supervisor_once(database: Database) -> None:
    async with open_desk(database) as desk:
        await desk.remitted()
        await desk.take(RECEIPT, R_FINANCE, THURSDAY)
        assert (await desk.state()).status == "TRANSFERRING_IN"
        await _spend(desk)
        inbox = Inbox(desk)
        await _came_back(inbox)
        said = BankSaid(
            reference=_reference(desk),
            said="RETURNED",
            amount_fen=BALANCE_FEN,
            reason=BankReturnReason.ACCOUNT_CLOSED,
            bank_reference="R1",
            on=DAY,
        )
        state = await desk.state()
        note = BankNote(transfer_id=state.transfer_id, after_seq=state.revision, said=said, now=THURSDAY)
        for _ in range(2):
            result = await note_bank_word(desk.cases.worker_pool, inbox.keyring, note)
            assert (result.outcome.why, result.events) == ("RETURN_AFTER_SPENT", ())
            assert await desk.state() == state
            await _lies_apart(inbox, spent=True)
        await desk.verify()


async def test_the_part_that_came_last_lies_apart_whatever_day_the_bank_counts_it_from(line: Line) -> None:
    first = entry(
        EntryKind.RETURN, "R1", line.payer, 100, line.reference, code="AC04", value_on=DAY + timedelta(days=3)
    )
    await line.inbox.takes(advice("M1", first))
    await line.inbox.takes(advice("M2", entry(EntryKind.RETURN, "R2", line.payer, 200, line.reference, code="AC04")))
    pool, said = line.desk.cases.worker_pool, BankSaid(reference=line.reference, said="RETURNED", amount_fen=200)
    async with transaction(pool) as connection:
        await lay_apart(connection, said, THURSDAY)
    listed = await unmatched_funds(line.desk.cases.gateway_pool, line.inbox.keyring, ["110000"], limit=9)
    assert [each.entry.entry_reference for each in listed] == ["R2"]
    assert await line.inbox.suspense() == {("CLEARING", "110000"): -200, ("SUSPENSE", "110000"): 200}


async def _spend(desk: Desk) -> None:
    await desk.db.execute("update enrolments set personal_account_fen = 1 where region = '319900'")


def _reference(desk: Desk) -> str:
    return f"{desk.transfer.transfer_no}-01"


async def _account(desk: Desk, region: str) -> str:
    return str(await desk.db.fetchval("select receiving_account from pooling_regions where code = $1", region))


async def _came_back(inbox: Inbox) -> None:
    account, reference = await _account(inbox.desk, "110000"), _reference(inbox.desk)
    await inbox.takes(advice("M1", entry(EntryKind.RETURN, "R1", account, BALANCE_FEN, reference, code="AC04")))


async def _lies_apart(inbox: Inbox, *, spent: bool) -> None:
    aside = {("CLEARING", "110000"): -BALANCE_FEN, ("SUSPENSE", "110000"): BALANCE_FEN}
    assert await inbox.suspense() == (aside if spent else {})
    listed = await unmatched_funds(inbox.desk.cases.gateway_pool, inbox.keyring, ["110000"], limit=9)
    assert [each.why for each in listed] == (["RETURN_AFTER_SPENT"] if spent else [])


async def test_unmatched_money_is_listed_with_its_likeliest_orders_and_leaves_when_confirmed(line: Line) -> None:
    stray = entry(
        *(EntryKind.CREDIT, "C1", line.payee, BALANCE_FEN - 30, line.reference[:-3]),
        other_name=PAYER_NAME,
        other_account="9999110000871090000",
    )
    await line.inbox.takes(advice("M1", stray))
    pool, keyring = line.desk.cases.gateway_pool, line.inbox.keyring
    (found,) = await unmatched_funds(pool, keyring, ["319900"], limit=9)
    assert (found.why, found.age_days(stray.booked_on), found.age_days(TUESDAY.date())) == ("UNKNOWN_REFERENCE", 0, -1)
    assert [(each.candidate.reference, each.because) for each in found.proposals] == [
        (line.reference, ("NEAR_AMOUNT", "REFERENCE_CUT", "PAYER_NAME"))
    ]
    assert await unmatched_funds(pool, keyring, ["110000"], limit=9) == []
    assert (await line.inbox.suspense())["SUSPENSE", "319900"] == BALANCE_FEN - 30
    await line.desk.db.execute("update remittances set bank_reference = 'C1', status = 'CREDITED'")
    assert await unmatched_funds(pool, keyring, ["319900"], limit=9) == []
    assert await leave_confirmed(line.desk.cases.worker_pool, keyring) == 1
    assert await line.inbox.suspense() == {}
    assert await leave_confirmed(line.desk.cases.worker_pool, keyring) == 0
