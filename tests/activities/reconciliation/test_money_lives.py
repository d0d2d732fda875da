"""Money that came back, came with another amount or went in parts: once it is booked, nothing of it is a difference."""

from datetime import date

from activities.bank_words import note_bank_word
from activities.reconciliation.keeping import open_differences
from activities.reconciliation.kinds import DifferenceKind as Kind
from activities.reconciliation.lines import BankDirection
from tests.activities.desk import THURSDAY, Desk, open_desk
from tests.activities.reconciliation.statements import bank_says, run
from tests.cases import BALANCE_FEN, BEIJING, O_CLERK, O_FINANCE, R_CLERK, R_FINANCE, SHANGHAI_POOL
from tests.conftest import Database
from tests.office import SUPERVISOR
from workflows import commands as c
from workflows.messages import BankNote, BankSaid
from workflows.vocabulary import BankReturnReason, CorrectionReason, MatchDecision

DEBIT, CREDIT, RETURN = BankDirection
ORDERED_ON, CAME_ON, UNTIL = date(2026, 3, 4), date(2026, 3, 5), date(2026, 3, 20)
LESS_FEN = BALANCE_FEN - 100


async def _reference(desk: Desk) -> str:
    return str(await desk.db.fetchval("select reference from remittances order by reference limit 1"))


async def _booked(desk: Desk, direction: BankDirection, amount_fen: int, *, part: str = "", entry: str = "1") -> None:
    region = SHANGHAI_POOL if direction is CREDIT else BEIJING
    on = ORDERED_ON if direction is DEBIT else CAME_ON
    await bank_says(desk, direction, region, amount_fen, on, f"{await _reference(desk)}{part}", f"{direction}-{entry}")


async def _came_back(desk: Desk, amount_fen: int) -> None:
    state = await desk.state()
    said = BankSaid(
        reference=await _reference(desk),
        said="RETURNED",
        amount_fen=amount_fen,
        reason=BankReturnReason.ACCOUNT_CLOSED,
        bank_reference="RETURN-1",
        on=CAME_ON,
    )
    note = BankNote(transfer_id=state.transfer_id, after_seq=state.revision, said=said, now=THURSDAY)
    await note_bank_word(desk.cases.worker_pool, desk.cases.keyring, note)


async def _kinds(desk: Desk) -> list[Kind]:
    await run(desk, UNTIL)
    return [each.kind for each in await open_differences(desk.db)]


async def _lines(desk: Desk) -> list[tuple[str, str, int]]:
    """What the registers moved, oldest first."""
    rows = await desk.db.fetch("select region, direction, amount_fen from register_movements order by movement_id")
    return [tuple(row) for row in rows]


async def test_money_that_the_bank_sent_back_is_a_difference_until_it_is_booked(database: Database) -> None:
    async with open_desk(database) as desk:
        await desk.remitted()
        await _booked(desk, DEBIT, BALANCE_FEN)
        await _booked(desk, RETURN, BALANCE_FEN)
        assert await _kinds(desk) == [Kind.RETURN_NOT_BOOKED]
        await _came_back(desk, BALANCE_FEN)
        assert await _kinds(desk) == []
        assert await _lines(desk) == [(BEIJING, "OUT", BALANCE_FEN), (BEIJING, "IN", BALANCE_FEN)]


async def test_a_part_that_came_back_and_the_rest_that_arrived_are_no_difference(database: Database) -> None:
    async with open_desk(database) as desk:
        await desk.remitted()
        await _booked(desk, DEBIT, LESS_FEN, part="/1")
        await _booked(desk, DEBIT, 100, part="/2", entry="2")
        await _booked(desk, CREDIT, LESS_FEN, part="/1")
        await _booked(desk, RETURN, 100, part="/2")
        await _came_back(desk, 100)
        assert await _kinds(desk) == [Kind.CREDIT_NOT_BOOKED]
        receipt = c.ConfirmReceipt(amount_fen=LESS_FEN, bank_reference="B-1", received_on=CAME_ON)
        await desk.take(receipt, R_FINANCE, THURSDAY)
        assert await _kinds(desk) == []


async def test_less_than_was_ordered_is_a_difference_until_finance_accepts_it(database: Database) -> None:
    async with open_desk(database) as desk:
        await _came_short(desk)
        assert await _kinds(desk) == [Kind.CREDIT_AMOUNT_DIFFERS]
        await _match(desk, MatchDecision.ACCEPT_AMOUNT)
        assert await _kinds(desk) == []
        assert await _lines(desk) == [
            (BEIJING, "OUT", BALANCE_FEN),
            (BEIJING, "IN", 100),
            (SHANGHAI_POOL, "IN", LESS_FEN),
        ]


async def test_less_than_was_ordered_is_no_difference_once_it_is_to_go_home(database: Database) -> None:
    async with open_desk(database) as desk:
        await _came_short(desk)
        await _match(desk, MatchDecision.SEND_HOME)
        assert await _kinds(desk) == []
        assert await _lines(desk) == [(BEIJING, "OUT", BALANCE_FEN), (BEIJING, "IN", 100)]


async def _came_short(desk: Desk) -> None:
    await desk.remitted()
    await _booked(desk, DEBIT, BALANCE_FEN)
    await _booked(desk, CREDIT, LESS_FEN)
    receipt = c.ConfirmReceipt(amount_fen=LESS_FEN, bank_reference="CREDIT-1", received_on=CAME_ON)
    await desk.take(receipt, R_FINANCE, THURSDAY)


async def _match(desk: Desk, decision: MatchDecision) -> None:
    ask = c.MatchFunds(remittance_reference=await _reference(desk), decision=decision, reason="the bank kept a fee")
    await desk.take(ask, R_FINANCE, THURSDAY)


async def test_an_order_that_the_bank_refused_is_given_up_and_waits_for_nothing(database: Database) -> None:
    async with open_desk(database) as desk:
        await desk.remittance_ordered()
        # The bank does tell of this account.
        await bank_says(desk, DEBIT, BEIJING, 1, ORDERED_ON, None, "FEE-1")
        assert await _kinds(desk) == [Kind.DEBIT_WITHOUT_ORDER, Kind.ORDERED_NOT_AT_BANK]
        await _came_back(desk, BALANCE_FEN)
        assert await _kinds(desk) == [Kind.DEBIT_WITHOUT_ORDER]
        assert await _lines(desk) == []


async def test_money_that_is_set_aside_as_it_comes_home_was_credited_once(database: Database) -> None:
    """A form that came while it was on its way asks for it again."""
    async with open_desk(database) as desk:
        await desk.remitted()
        await _booked(desk, DEBIT, BALANCE_FEN)
        await _booked(desk, CREDIT, BALANCE_FEN)
        await desk.take(
            c.ConfirmReceipt(amount_fen=BALANCE_FEN, bank_reference="B-1", received_on=CAME_ON), R_FINANCE, THURSDAY
        )
        await _corrected(desk, LESS_FEN)
        home = (await desk.state()).on_its_way
        assert home is not None
        await desk.take(c.ApproveReverseRemittance(remittance_reference=home.reference), SUPERVISOR, THURSDAY)
        await desk.steps.note_bank_took_order(
            (await desk.bank_word(THURSDAY)).model_copy(update={"reference": home.reference})
        )
        await _corrected(desk, BALANCE_FEN)
        await bank_says(desk, DEBIT, SHANGHAI_POOL, 100, CAME_ON, home.reference, "DEBIT-H")
        await bank_says(desk, CREDIT, BEIJING, 100, CAME_ON, home.reference, "CREDIT-H")
        receipt = c.ConfirmReceipt(amount_fen=100, bank_reference="CREDIT-H", received_on=CAME_ON)
        await desk.take(receipt, O_FINANCE, THURSDAY)
        assert (await desk.balances())["FROZEN", BEIJING] == 100
        assert await _kinds(desk) == []


async def _corrected(desk: Desk, balance_fen: int) -> None:
    dispute = c.RequestCorrection(reason=CorrectionReason.AMOUNT_DISPUTED, note="再核")
    await desk.take(dispute, R_CLERK, THURSDAY)
    await desk.take(c.DeliverInformationForm(balance_fen=balance_fen, note="更正"), O_CLERK, THURSDAY)
