"""Money that comes back, comes short, comes over or comes late: what ledger, registers, orders and worklist make of it."""

from datetime import timedelta

from activities.bank.unmatched import unmatched_funds
from activities.bank_words import note_bank_word
from activities.reference import set_policy
from activities.reopening import open_again
from tests.activities.desk import MONDAY, RECEIPT, THURSDAY, WEDNESDAY, Desk, open_desk, snapshot
from tests.cases import BALANCE_FEN, BEIJING, O_FINANCE, R_FINANCE, SHANGHAI_POOL, staff
from tests.conftest import Database
from workflows import commands as c
from workflows.messages import BankNote, BankSaid, CommandOutcome, StepResult
from workflows.policy import RegionPolicy
from workflows.vocabulary import BankReturnReason, FundsStatus, MatchDecision, RemittanceStatus, Role, TransferStatus

R_HELD_FEN = 10_000
SUPERVISOR = staff(Role.SUPERVISOR, BEIJING)
FRIDAY = THURSDAY + timedelta(days=1)


def came_back(reference: str, amount_fen: int = BALANCE_FEN) -> BankSaid:
    return BankSaid(
        reference=reference,
        said="RETURNED",
        amount_fen=amount_fen,
        reason=BankReturnReason.ACCOUNT_CLOSED,
        bank_reference=f"R-{reference}-{amount_fen}",
        on=THURSDAY.date(),
    )


async def note(desk: Desk, said: BankSaid) -> StepResult:
    state = await desk.state()
    order = BankNote(transfer_id=state.transfer_id, after_seq=state.revision, said=said, now=THURSDAY)
    return await note_bank_word(desk.cases.worker_pool, desk.cases.keyring, order)


async def held(desk: Desk) -> dict[str, tuple[int, int]]:
    """Usable and frozen fen by region."""
    rows = await desk.db.fetch("select region, personal_account_fen, frozen_fen from enrolments")
    return {row["region"]: (row["personal_account_fen"], row["frozen_fen"]) for row in rows}


async def orders(desk: Desk) -> list[tuple[str, str, str | None, str | None]]:
    rows = await desk.db.fetch("select kind, status, corrects, return_reason from remittances order by reference")
    return [tuple(row) for row in rows]


async def test_money_that_comes_back_is_set_aside_again_and_goes_by_a_linked_order(database: Database) -> None:
    async with open_desk(database) as desk:
        await desk.continued()
        first = f"{desk.transfer.transfer_no}-01"
        result = await note(desk, came_back(first))
        assert [event.fact.type for event in result.events] == ["funds_returned.1", "step_opened.1"]
        state = await desk.state()
        assert (state.status, state.funds_status) == (TransferStatus.AWAITING_FUNDS, FundsStatus.RETURNED)
        assert await desk.balances() == {
            ("PERSONAL_ACCOUNTS", BEIJING): -BALANCE_FEN,
            ("RETURNED", BEIJING): BALANCE_FEN,
        }
        assert await held(desk) == {BEIJING: (0, BALANCE_FEN), SHANGHAI_POOL: (R_HELD_FEN, 0)}
        # R's finance looks for nothing any more; O's is asked again, within five working days.
        assert await desk.worklist() == [("REMIT_PERSONAL_ACCOUNT", BEIJING, "2026-03-12")]
        before = await snapshot(desk.db)
        assert (await note(desk, came_back(first))).events == ()
        assert await snapshot(desk.db) == before
        await desk.take(c.RemitPersonalAccount(), O_FINANCE, THURSDAY)
        assert await desk.balances() == {("PERSONAL_ACCOUNTS", BEIJING): -BALANCE_FEN, ("FROZEN", BEIJING): BALANCE_FEN}
        await desk.steps.note_bank_took_order(await desk.bank_word(THURSDAY))
        await desk.take(RECEIPT, R_FINANCE, THURSDAY)
        assert await orders(desk) == [
            ("TRANSFER", "RETURNED", None, "ACCOUNT_CLOSED"),
            ("TRANSFER", "CREDITED", first, None),
        ]
        assert (await desk.state()).status is TransferStatus.COMPLETED
        assert await held(desk) == {BEIJING: (0, 0), SHANGHAI_POOL: (R_HELD_FEN + BALANCE_FEN, 0)}
        await desk.verify()


async def test_an_order_that_the_bank_refuses_never_left(database: Database) -> None:
    async with open_desk(database) as desk:
        await desk.remittance_ordered()
        await note(desk, came_back(f"{desk.transfer.transfer_no}-01"))
        assert (await desk.state()).funds_status is FundsStatus.RETURNED
        assert await desk.balances() == {("PERSONAL_ACCOUNTS", BEIJING): -BALANCE_FEN, ("FROZEN", BEIJING): BALANCE_FEN}
        await desk.take(c.RemitPersonalAccount(), O_FINANCE, THURSDAY)
        assert [each.status for each in (await desk.state()).remittances] == ["RETURNED", "ORDERED"]
        await desk.verify()


async def test_less_than_ordered_is_accepted_and_the_rest_is_searched_for_and_sent_again(database: Database) -> None:
    async with open_desk(database) as desk:
        await desk.continued()
        short = RECEIPT.model_copy(update={"amount_fen": BALANCE_FEN - 1})
        await desk.take(short, R_FINANCE, THURSDAY)
        first = f"{desk.transfer.transfer_no}-01"
        match = c.MatchFunds(remittance_reference=first, decision=MatchDecision.ACCEPT_AMOUNT, reason="对账单为准")
        await desk.take(match, R_FINANCE, THURSDAY)
        state = await desk.state()
        assert (state.status, state.funds_status) == (TransferStatus.AWAITING_FUNDS, FundsStatus.PENDING)
        assert await desk.balances() == {
            ("PERSONAL_ACCOUNTS", BEIJING): -BALANCE_FEN,
            ("PERSONAL_ACCOUNTS", SHANGHAI_POOL): BALANCE_FEN - 1,
            ("SUSPENSE", BEIJING): 1,
        }
        assert await held(desk) == {BEIJING: (0, 1), SHANGHAI_POOL: (R_HELD_FEN + BALANCE_FEN - 1, 0)}
        await desk.take(c.RemitPersonalAccount(), O_FINANCE, THURSDAY)
        await desk.steps.note_bank_took_order(await desk.bank_word(THURSDAY))
        rest = RECEIPT.model_copy(update={"amount_fen": 1, "bank_reference": "B-2"})
        await desk.take(rest, R_FINANCE, THURSDAY)
        assert await orders(desk) == [("TRANSFER", "CREDITED", None, None), ("TRANSFER", "CREDITED", first, None)]
        assert (await desk.state()).status is TransferStatus.COMPLETED
        assert await held(desk) == {BEIJING: (0, 0), SHANGHAI_POOL: (R_HELD_FEN + BALANCE_FEN, 0)}
        await desk.verify()


async def test_of_more_than_ordered_the_order_is_credited_and_the_rest_is_nobodys(database: Database) -> None:
    async with open_desk(database) as desk:
        await desk.continued()
        over = RECEIPT.model_copy(update={"amount_fen": BALANCE_FEN + 5})
        await desk.take(over, R_FINANCE, THURSDAY)
        first = f"{desk.transfer.transfer_no}-01"
        match = c.MatchFunds(remittance_reference=first, decision=MatchDecision.ACCEPT_AMOUNT, reason="多到五分")
        await desk.take(match, R_FINANCE, THURSDAY)
        assert (await desk.state()).status is TransferStatus.COMPLETED
        assert await desk.balances() == {
            ("PERSONAL_ACCOUNTS", BEIJING): -BALANCE_FEN,
            ("PERSONAL_ACCOUNTS", SHANGHAI_POOL): BALANCE_FEN,
            ("CLEARING", SHANGHAI_POOL): -5,
            ("SUSPENSE", SHANGHAI_POOL): 5,
        }
        # It is on R's list with its order, though the bank has advised nothing here.
        (listed,) = await unmatched_funds(
            desk.cases.gateway_pool, desk.cases.keyring, [SHANGHAI_POOL, BEIJING], limit=9
        )
        unmatched = await desk.row("select unmatched from ledger_entries where account = 'SUSPENSE'")
        assert unmatched["unmatched"] == str(listed.entry.entry_id)
        payer = await desk.row("select * from pooling_regions where code = $1", BEIJING)
        excess = listed.entry
        assert (listed.region, listed.why, listed.going_home) == (SHANGHAI_POOL, "EXCESS", False)
        assert (excess.amount_fen, excess.end_to_end_id, excess.booked_on) == (5, first, RECEIPT.received_on)
        assert (excess.entry_reference, excess.other_account) == ("B-1/excess", payer["receiving_account"])
        await desk.verify()


async def test_what_is_not_accepted_goes_home_uncredited_and_is_sent_again(database: Database) -> None:
    async with open_desk(database) as desk:
        await desk.continued()
        short = RECEIPT.model_copy(update={"amount_fen": BALANCE_FEN - 1})
        await desk.take(short, R_FINANCE, THURSDAY)
        first, home = (f"{desk.transfer.transfer_no}-0{each}" for each in (1, 2))
        match = c.MatchFunds(remittance_reference=first, decision=MatchDecision.SEND_HOME, reason="金额不符")
        await desk.take(match, R_FINANCE, THURSDAY)
        assert await desk.balances() == {
            ("PERSONAL_ACCOUNTS", BEIJING): -BALANCE_FEN,
            ("SUSPENSE", SHANGHAI_POOL): BALANCE_FEN - 1,
            ("SUSPENSE", BEIJING): 1,
        }
        # Nothing of it was ever the person's at R, whatever the account there holds.
        await desk.take(c.ApproveReverseRemittance(remittance_reference=home), SUPERVISOR, THURSDAY)
        await desk.steps.note_bank_took_order(await desk.bank_word(THURSDAY))
        back = RECEIPT.model_copy(update={"amount_fen": BALANCE_FEN - 1, "bank_reference": "B-2"})
        await desk.take(back, O_FINANCE, THURSDAY)
        assert await held(desk) == {BEIJING: (0, BALANCE_FEN), SHANGHAI_POOL: (R_HELD_FEN, 0)}
        await desk.take(c.RemitPersonalAccount(), O_FINANCE, THURSDAY)
        await desk.steps.note_bank_took_order(await desk.bank_word(THURSDAY))
        await desk.take(RECEIPT.model_copy(update={"bank_reference": "B-3"}), R_FINANCE, THURSDAY)
        assert await orders(desk) == [
            ("TRANSFER", "RETURNED", None, "AMOUNT_MISMATCH"),
            ("REVERSE", "CREDITED", first, None),
            ("TRANSFER", "CREDITED", first, None),
        ]
        assert (await desk.state()).status is TransferStatus.COMPLETED
        assert await desk.balances() == {
            ("PERSONAL_ACCOUNTS", BEIJING): -BALANCE_FEN,
            ("PERSONAL_ACCOUNTS", SHANGHAI_POOL): BALANCE_FEN,
        }
        await desk.verify()


async def test_an_order_over_the_threshold_is_released_by_another_person(database: Database) -> None:
    async with open_desk(database) as desk:
        policy = RegionPolicy(release_threshold_fen=BALANCE_FEN - 1)
        await set_policy(desk.db, BEIJING, policy, MONDAY.date())
        await desk.form_delivered()
        await desk.take(c.RemitPersonalAccount(), O_FINANCE, WEDNESDAY)
        assert await orders(desk) == [("TRANSFER", "AWAITING_RELEASE", None, None)]
        assert ("REMIT_PERSONAL_ACCOUNT", BEIJING, "2026-03-16") in await desk.worklist()
        release = c.ReleaseRemittance(remittance_reference=f"{desk.transfer.transfer_no}-01")
        own = await desk.take(release, O_FINANCE, WEDNESDAY)
        assert own.outcome == CommandOutcome(kind="NOT_ALLOWED", why="SAME_PERSON")
        other = O_FINANCE.model_copy(update={"subject": "finance-o-2"})
        assert (await desk.take(release, other, WEDNESDAY)).outcome.kind == "DONE"
        state = await desk.state()
        assert (state.funds_status, state.remittances[0].prepared_by) == (FundsStatus.ORDERED, O_FINANCE.subject)
        await desk.verify()


async def test_a_late_return_opens_the_completed_case_again_until_the_money_is_there(database: Database) -> None:
    async with open_desk(database) as desk:
        await desk.completed()
        said = came_back(f"{desk.transfer.transfer_no}-01")
        pool, keyring = desk.cases.worker_pool, desk.cases.keyring
        reopened = await open_again(pool, keyring, said, FRIDAY)
        assert reopened.state == await desk.state()
        state = await desk.state()
        assert (state.status, state.funds_status, state.closed_at) == ("AWAITING_FUNDS", "RETURNED", None)
        row = await desk.row("select closed_at, reopened_at, completed_at from transfers")
        assert (row["closed_at"], row["reopened_at"], row["completed_at"]) == (None, FRIDAY, None)
        assert await held(desk) == {BEIJING: (0, BALANCE_FEN), SHANGHAI_POOL: (R_HELD_FEN, 0)}
        before = await snapshot(desk.db)
        assert (await open_again(pool, keyring, said, FRIDAY)).state is None
        assert await snapshot(desk.db) == before
        await desk.take(c.RemitPersonalAccount(), O_FINANCE, FRIDAY)
        await desk.steps.note_bank_took_order(await desk.bank_word(FRIDAY))
        last = RECEIPT.model_copy(update={"bank_reference": "B-2", "received_on": FRIDAY.date()})
        await desk.take(last, R_FINANCE, FRIDAY)
        assert [each[0] for each in await orders(desk)] == ["TRANSFER", "RESIDUAL"]
        assert (await desk.state()).status is TransferStatus.COMPLETED
        notices = [void for kind, _, void in await desk.documents() if kind == "COMPLETION_NOTICE"]
        assert sorted(notices) == [False, True]
        await desk.verify()


async def test_a_late_return_that_the_person_has_spent_changes_nothing(database: Database) -> None:
    async with open_desk(database) as desk:
        await desk.completed()
        await desk.db.execute(
            "update enrolments set personal_account_fen = $1 where region = $2", BALANCE_FEN - 1, SHANGHAI_POOL
        )
        before = await snapshot(desk.db)
        said = came_back(f"{desk.transfer.transfer_no}-01")
        reopened = await open_again(desk.cases.worker_pool, desk.cases.keyring, said, FRIDAY)
        assert (reopened.outcome.why, reopened.state) == ("RETURN_AFTER_SPENT", None)
        assert await snapshot(desk.db) == before


async def test_parts_that_come_back_are_taken_once_in_any_order_and_however_often_they_are_told(
    database: Database,
) -> None:
    part_fen = BALANCE_FEN // 4
    async with open_desk(database) as desk:
        await desk.continued()
        reference = f"{desk.transfer.transfer_no}-01"

        async def returned_fen(amount_fen: int, in_all_fen: int, name: str) -> int:
            word = came_back(reference, amount_fen)
            await note(desk, word.model_copy(update={"bank_reference": name, "in_all_fen": in_all_fen}))
            return (await desk.state()).remittances[0].returned_fen

        assert await returned_fen(part_fen, part_fen, "R1") == part_fen
        # Told again, and then a second part under the first one's name: the bank's latest value date is still that one's.
        assert await returned_fen(part_fen, part_fen, "R1") == part_fen
        assert await returned_fen(part_fen, 2 * part_fen, "R1") == 2 * part_fen
        # The mark of that telling was lost, and a third part has come: the word brings the sum of all three.
        assert await returned_fen(3 * part_fen, 3 * part_fen, "R3") == 3 * part_fen
        state = await desk.state()
        assert (state.remittances[0].status, state.returned_fen) == (RemittanceStatus.REMITTED, 3 * part_fen)
