"""The desk of the money's acts: each way carries a new case, by the real steps and the bank, up to where an act is due."""

import asyncio
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from temporalio.testing import ActivityEnvironment

from activities.bank.http import HttpBank
from activities.bank_words import note_bank_word
from activities.funds import send_to_bank
from tests.activities.desk import RECEIPT, THURSDAY, TUESDAY, WEDNESDAY, Desk
from tests.cases import BALANCE_FEN, O_CLERK, O_FINANCE, PERSON, R_CLERK, R_FINANCE, staff
from tests.faults.books import Openings
from tests.office import PAYING_OUT, RETAINING, SUPERVISOR, WITH_CHECKER, payout_ask
from workflows import commands as c
from workflows.messages import BankNote, BankOrder, BankSaid
from workflows.vocabulary import BankReturnReason, CorrectionReason, MatchDecision, Role

P_CLERK, P_FINANCE = staff(Role.CLERK, PAYING_OUT), staff(Role.FINANCE, PAYING_OUT)
C_CLERK, K_CLERK = staff(Role.CLERK, WITH_CHECKER), staff(Role.CLERK, RETAINING)
TOO_MUCH_FEN = 100_000
SMALLER_FORM = c.DeliverInformationForm(balance_fen=BALANCE_FEN - TOO_MUCH_FEN, note="多划")
# What the sandbox bank needs until everything of an order stands in its outbox.
UNTIL_ADVISED_SECONDS = 1.5
HOME = c.ConfirmReceipt(amount_fen=TOO_MUCH_FEN, bank_reference="B-2", received_on=date(2026, 3, 5))


def came_back(reference: str, amount_fen: int) -> BankSaid:
    return BankSaid(
        reference=reference,
        said="RETURNED",
        amount_fen=amount_fen,
        reason=BankReturnReason.ACCOUNT_CLOSED,
        bank_reference="R-1",
        on=THURSDAY.date(),
    )


@dataclass
class MoneyDesk(Desk):
    """A desk with a bank, which really has what it is said to have taken."""

    bank: HttpBank
    # Where that bank keeps what it knows, and is told what to do wrong.
    bank_dir: Path
    openings: Openings
    # O and R.
    between: tuple[str, str]

    async def bank_order(self) -> BankOrder:
        state = await self.state()
        assert state.on_its_way is not None
        return BankOrder(transfer_id=state.transfer_id, reference=state.on_its_way.reference)

    async def to_the_bank(self) -> None:
        order = await self.bank_order()
        await ActivityEnvironment().run(send_to_bank, self.cases.worker_pool, self.cases.keyring, self.bank, order)

    async def taken_by_the_bank(self, now: datetime = WEDNESDAY) -> None:
        await self.to_the_bank()
        await self.steps.note_bank_took_order(await self.bank_word(now))

    async def sent(self) -> None:
        await self.remittance_ordered()
        await self.to_the_bank()

    async def remitted(self) -> None:
        await self.remittance_ordered()
        await self.taken_by_the_bank()

    async def credited(self) -> None:
        await self.remitted()
        await self.take(RECEIPT, R_FINANCE, THURSDAY)

    async def mismatched(self) -> None:
        await self.remitted()
        await self.take(RECEIPT.model_copy(update={"amount_fen": BALANCE_FEN - 1}), R_FINANCE, THURSDAY)

    async def came_more(self) -> None:
        await self.remitted()
        await self.take(RECEIPT.model_copy(update={"amount_fen": BALANCE_FEN + 1}), R_FINANCE, THURSDAY)

    async def sent_home(self) -> None:
        """R never credited what came: a supervisor is to let it go home."""
        await self.mismatched()
        await self.take(await self.match(MatchDecision.SEND_HOME), R_FINANCE, THURSDAY)

    async def accepted_fewer(self) -> None:
        await self.mismatched()
        await self.take(await self.match(MatchDecision.ACCEPT_AMOUNT), R_FINANCE, THURSDAY)

    async def prepared(self) -> None:
        await self.form_delivered()
        await self.take(c.RemitPersonalAccount(), O_FINANCE, WEDNESDAY)

    async def returned(self) -> None:
        await self.remitted()
        await note_bank_word(self.cases.worker_pool, self.cases.keyring, await self.note(BALANCE_FEN))

    async def advised(self) -> None:
        """The bank has taken the order, and says all there is to say of it in its outbox."""
        await self.sent()
        await self.until_advised()

    async def until_advised(self) -> None:
        await asyncio.sleep(UNTIL_ADVISED_SECONDS)
        assert await self.bank.messages("", 100)

    async def note(self, amount_fen: int) -> BankNote:
        """The bank's word that so much of the last order came back."""
        state = await self.state()
        said = came_back(state.remittances[-1].reference, amount_fen)
        return BankNote(transfer_id=state.transfer_id, after_seq=state.revision, said=said, now=THURSDAY)

    async def disputed(self) -> None:
        """The money is with R, and R says that it is too much."""
        await self.credited()
        await self.dispute()

    async def reverse_proposed(self) -> None:
        await self.disputed()
        await self.take(SMALLER_FORM, O_CLERK, THURSDAY)

    async def reverse_ordered(self) -> None:
        await self.reverse_proposed()
        await self.take(await self.approval(), SUPERVISOR, THURSDAY)

    async def reverse_sent(self) -> None:
        await self.reverse_ordered()
        await self.to_the_bank()

    async def reverse_remitted(self) -> None:
        await self.reverse_ordered()
        await self.taken_by_the_bank()

    async def terminating(self) -> None:
        """Ended by a supervisor with the money on its way: it arrives first, and goes home then."""
        await self.remitted()
        await self.take(c.TerminateTransfer(reason="重复办理"), SUPERVISOR, THURSDAY)

    async def payout_asked(self) -> None:
        await self.accepted()
        await self.take(c.DeliverInformationForm(), P_CLERK, TUESDAY)
        await self.take(c.ConfirmContinuation(), R_CLERK, TUESDAY)

    async def payout_account_known(self) -> None:
        await self.payout_asked()
        await self.take(await payout_ask(self.cases, await self.state()), PERSON, TUESDAY)

    async def payout_ordered(self) -> None:
        await self.payout_account_known()
        await self.take(c.RemitPersonalAccount(), P_FINANCE, WEDNESDAY)

    async def payout_sent(self) -> None:
        await self.payout_ordered()
        await self.to_the_bank()

    async def paid_out(self) -> None:
        await self.payout_ordered()
        await self.taken_by_the_bank()

    async def form_disputed(self) -> None:
        """Nothing is ordered yet, and R says that the form is wrong."""
        await self.form_delivered()
        await self.dispute()

    async def uncredited_ordered(self) -> None:
        await self.sent_home()
        await self.take(await self.approval(), SUPERVISOR, THURSDAY)

    async def uncredited_sent(self) -> None:
        await self.uncredited_ordered()
        await self.to_the_bank()

    async def uncredited_remitted(self) -> None:
        await self.uncredited_ordered()
        await self.taken_by_the_bank()

    async def fewer_came_home(self) -> None:
        await self.reverse_remitted()
        await self.take(HOME.model_copy(update={"amount_fen": TOO_MUCH_FEN - 1}), O_FINANCE, THURSDAY)

    async def form_prepared(self) -> None:
        """Another person of O is to check the form."""
        await self.accepted()
        await self.take(c.DeliverInformationForm(), C_CLERK, TUESDAY)

    async def retained(self) -> None:
        """What the person has stays in the province."""
        await self.accepted()
        await self.take(c.DeliverInformationForm(), K_CLERK, TUESDAY)

    # ---------------------------------------------------------------- what is asked next

    async def dispute(self) -> None:
        dispute = c.RequestCorrection(reason=CorrectionReason.AMOUNT_DISPUTED, note="多划十万分")
        await self.take(dispute, R_CLERK, THURSDAY)

    async def approval(self) -> c.Ask:
        order = (await self.state()).on_its_way
        assert order is not None
        return c.ApproveReverseRemittance(remittance_reference=order.reference)

    async def match(self, decision: MatchDecision) -> c.Ask:
        order = await self.bank_order()
        return c.MatchFunds(remittance_reference=order.reference, decision=decision, reason="银行已核")
