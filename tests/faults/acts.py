"""The money's activities, each with the case that it is asked to act on: one line each.

A case is carried up to the act by the real steps; the order that reaches the activity is made as the workflow makes it.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date

from pydantic import BaseModel
from temporalio.testing import ActivityEnvironment

from activities.bank.http import HttpBank
from activities.bank_words import note_bank_word
from activities.funds import send_to_bank
from activities.keyring import Keyring
from activities.reference import set_policy
from activities.steps import Steps
from tests.activities.desk import MONDAY, RECEIPT, THURSDAY, TUESDAY, WEDNESDAY, Desk
from tests.cases import (
    BALANCE_FEN,
    BEIJING,
    DESTINATION,
    O_CLERK,
    O_FINANCE,
    ORIGIN,
    PERSON,
    R_CLERK,
    R_FINANCE,
    SHANGHAI_POOL,
    open_cases,
    staff,
)
from tests.conftest import Database
from tests.faults.checker import Openings, openings
from tests.faults.dying_worker import Nothing, Reopening
from tests.office import PAYING_OUT, POLICIES, SUPERVISOR, payout_ask
from workflows import commands as c
from workflows.actors import Actor
from workflows.messages import BankNote, BankOrder, BankSaid
from workflows.policy import Receipt, RegionPolicy
from workflows.vocabulary import BankReturnReason, CorrectionReason, MatchDecision, Role

FROM_BEIJING, FROM_PAYING_OUT = (BEIJING, SHANGHAI_POOL), (PAYING_OUT, SHANGHAI_POOL)
P_CLERK, P_FINANCE = staff(Role.CLERK, PAYING_OUT), staff(Role.FINANCE, PAYING_OUT)
TOO_MUCH_FEN = 100_000
SMALLER_FORM = c.DeliverInformationForm(balance_fen=BALANCE_FEN - TOO_MUCH_FEN, note="多划")
A_PART_FEN = 120_000
RELEASING = {BEIJING: RegionPolicy(release_threshold_fen=A_PART_FEN)}
BY_ADVICE = {SHANGHAI_POOL: RegionPolicy(receipt=Receipt.BY_ADVICE)}
RELEASER = O_FINANCE.model_copy(update={"subject": "finance-2-110000"})
# What the sandbox bank needs until everything of an order stands in its outbox.
UNTIL_ADVISED_SECONDS = 1.5
HOME = c.ConfirmReceipt(amount_fen=TOO_MUCH_FEN, bank_reference="B-2", received_on=date(2026, 3, 5))


@dataclass
class MoneyDesk(Desk):
    """A desk with a bank, which really has what it is said to have taken."""

    bank: HttpBank
    openings: Openings

    async def bank_order(self) -> BankOrder:
        state = await self.state()
        assert state.on_its_way is not None
        return BankOrder(transfer_id=state.transfer_id, reference=state.on_its_way.reference)

    async def to_the_bank(self) -> None:
        order = await self.bank_order()
        await ActivityEnvironment().run(send_to_bank, self.cases.worker_pool, self.cases.keyring, self.bank, order)

    async def taken_by_the_bank(self) -> None:
        await self.to_the_bank()
        await self.steps.note_bank_took_order(await self.bank_word())

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
        await self.take(await _match(MatchDecision.SEND_HOME)(self), R_FINANCE, THURSDAY)

    async def accepted_fewer(self) -> None:
        await self.mismatched()
        await self.take(await _match(MatchDecision.ACCEPT_AMOUNT)(self), R_FINANCE, THURSDAY)

    async def prepared(self) -> None:
        await self.form_delivered()
        await self.take(c.RemitPersonalAccount(), O_FINANCE, WEDNESDAY)

    async def returned(self) -> None:
        await self.remitted()
        await note_bank_word(self.cases.worker_pool, self.cases.keyring, await self.note(BALANCE_FEN))

    async def advised(self) -> None:
        """The bank has taken the order, and says all there is to say of it in its outbox."""
        await self.sent()
        await asyncio.sleep(UNTIL_ADVISED_SECONDS)
        assert await self.bank.messages("", 100)

    async def note(self, amount_fen: int) -> BankNote:
        """The bank's word that so much of the last order came back."""
        state = await self.state()
        said = _came_back(state.remittances[-1].reference, amount_fen)
        return BankNote(transfer_id=state.transfer_id, after_seq=state.revision, said=said, now=THURSDAY)

    async def disputed(self) -> None:
        """The money is with R, and R says that it is too much."""
        await self.credited()
        dispute = c.RequestCorrection(reason=CorrectionReason.AMOUNT_DISPUTED, note="多划十万分")
        await self.take(dispute, R_CLERK, THURSDAY)

    async def reverse_proposed(self) -> None:
        await self.disputed()
        await self.take(SMALLER_FORM, O_CLERK, THURSDAY)

    async def reverse_ordered(self) -> None:
        await self.reverse_proposed()
        await self.take(await _approval(self), SUPERVISOR, THURSDAY)

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


Given = Callable[[MoneyDesk], Awaitable[BaseModel]]


async def _approval(desk: MoneyDesk) -> c.Ask:
    order = (await desk.state()).on_its_way
    assert order is not None
    return c.ApproveReverseRemittance(remittance_reference=order.reference)


async def _release(desk: MoneyDesk) -> c.Ask:
    prepared = (await desk.state()).to_release
    assert prepared is not None
    return c.ReleaseRemittance(remittance_reference=prepared.reference)


def _match(decision: MatchDecision) -> Callable[[MoneyDesk], Awaitable[c.Ask]]:
    async def ask(desk: MoneyDesk) -> c.Ask:
        order = await desk.bank_order()
        return c.MatchFunds(remittance_reference=order.reference, decision=decision, reason="银行已核")

    return ask


def _came_back(reference: str, amount_fen: int) -> BankSaid:
    return BankSaid(
        reference=reference,
        said="RETURNED",
        amount_fen=amount_fen,
        reason=BankReturnReason.ACCOUNT_CLOSED,
        bank_reference="R-1",
        on=THURSDAY.date(),
    )


def came_back(amount_fen: int) -> Given:
    """The bank's word that so much of the last order came back, or did not leave."""

    async def given(desk: MoneyDesk) -> BaseModel:
        return await desk.note(amount_fen)

    return given


async def advice(desk: MoneyDesk) -> BaseModel:
    """The bank's word that the order is on R's account."""
    note = await desk.note(BALANCE_FEN)
    said = note.said.model_copy(update={"said": "CREDITED", "reason": None, "bank_reference": "C-1"})
    return note.model_copy(update={"said": said})


async def late_return(desk: MoneyDesk) -> BaseModel:
    """The same of a case that is completed."""
    note = await desk.note(BALANCE_FEN)
    return Reopening(no=desk.transfer.transfer_no, said=note.said, now=THURSDAY)


async def nothing(_: MoneyDesk) -> BaseModel:
    return Nothing()


async def _account(desk: MoneyDesk) -> c.Ask:
    return await payout_ask(desk.cases, await desk.state())


def taken(ask: c.Ask | Callable[[MoneyDesk], Awaitable[c.Ask]], actor: Actor) -> Given:
    """A step of Thursday, recorded by the gateway and not yet carried out."""

    async def given(desk: MoneyDesk) -> BaseModel:
        said = ask if isinstance(ask, c.Ask) else await ask(desk)
        return await desk.order(await desk.cases.ask(desk.transfer, said, actor, at=THURSDAY))

    return given


async def bank_word(desk: MoneyDesk) -> BaseModel:
    """What the workflow notes when the bank has taken the order on its way."""
    state, order = await desk.state(), await desk.bank_order()
    return (await desk.bank_word(THURSDAY)).model_copy(
        update={"reference": order.reference, "after_seq": state.revision}
    )


@dataclass(frozen=True)
class Act:
    """An activity of the money: its name for Temporal, and what makes it this act and no other."""

    activity: str
    when: str
    before: Callable[[MoneyDesk], Awaitable[None]]
    given: Given
    between: tuple[str, str] = FROM_BEIJING
    policies: Mapping[str, RegionPolicy] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.activity}: {self.when}"


D = MoneyDesk
ACTS = (
    Act("deliver_information_form", "the first", D.accepted, taken(c.DeliverInformationForm(), O_CLERK)),
    Act("deliver_information_form", "for less, all is with R", D.disputed, taken(SMALLER_FORM, O_CLERK)),
    Act("remit_personal_account", "to R", D.form_delivered, taken(c.RemitPersonalAccount(), O_FINANCE)),
    Act("send_to_bank", "to R", D.remittance_ordered, D.bank_order),
    Act("note_bank_took_order", "to R", D.sent, bank_word),
    Act("confirm_receipt", "the bank has said it", D.remitted, taken(RECEIPT, R_FINANCE)),
    Act("confirm_receipt", "the bank has not said it", D.sent, taken(RECEIPT, R_FINANCE)),
    Act("confirm_receipt", "the last of the case", D.continued, taken(RECEIPT, R_FINANCE)),
    Act(
        "confirm_receipt",
        "a fen too few",
        D.remitted,
        taken(RECEIPT.model_copy(update={"amount_fen": BALANCE_FEN - 1}), R_FINANCE),
    ),
    Act(
        "confirm_receipt",
        "corrected",
        D.mismatched,
        taken(RECEIPT.model_copy(update={"bank_reference": "B-3", "note": "银行更正"}), R_FINANCE),
    ),
    Act("confirm_receipt", "of a case that is ended", D.terminating, taken(RECEIPT, R_FINANCE)),
    Act("confirm_continuation", "the last of the case", D.credited, taken(c.ConfirmContinuation(), R_CLERK)),
    Act("approve_reverse_remittance", "a part", D.reverse_proposed, taken(_approval, SUPERVISOR)),
    Act("send_to_bank", "home", D.reverse_ordered, D.bank_order),
    Act("note_bank_took_order", "home", D.reverse_sent, bank_word),
    Act("confirm_receipt", "home", D.reverse_remitted, taken(HOME, O_FINANCE)),
    Act(
        "terminate_transfer",
        "the balance is frozen",
        D.form_delivered,
        taken(c.TerminateTransfer(reason="重复办理"), SUPERVISOR),
    ),
    Act("provide_payout_account", "the first", D.payout_asked, taken(_account, PERSON), FROM_PAYING_OUT),
    Act(
        "remit_personal_account",
        "to the person",
        D.payout_account_known,
        taken(c.RemitPersonalAccount(), P_FINANCE),
        FROM_PAYING_OUT,
    ),
    Act("send_to_bank", "to the person", D.payout_ordered, D.bank_order, FROM_PAYING_OUT),
    Act("note_bank_took_order", "to the person", D.payout_sent, bank_word, FROM_PAYING_OUT),
    Act(
        "remit_personal_account",
        "over the threshold",
        D.form_delivered,
        taken(c.RemitPersonalAccount(), O_FINANCE),
        policies=RELEASING,
    ),
    Act("release_remittance", "by another person", D.prepared, taken(_release, RELEASER), policies=RELEASING),
    Act("note_bank_word", "refused", D.remittance_ordered, came_back(BALANCE_FEN)),
    Act("note_bank_word", "returned", D.remitted, came_back(BALANCE_FEN)),
    Act("note_bank_word", "a part returned", D.remitted, came_back(A_PART_FEN)),
    Act("note_bank_word", "returned after the credit", D.credited, came_back(BALANCE_FEN)),
    Act("note_bank_word", "confirmed by the advice", D.sent, advice, policies=BY_ADVICE),
    Act("remit_personal_account", "again after a return", D.returned, taken(c.RemitPersonalAccount(), O_FINANCE)),
    Act("match_funds", "fewer, accepted", D.mismatched, taken(_match(MatchDecision.ACCEPT_AMOUNT), R_FINANCE)),
    Act("match_funds", "more, accepted", D.came_more, taken(_match(MatchDecision.ACCEPT_AMOUNT), R_FINANCE)),
    Act("match_funds", "sent home", D.mismatched, taken(_match(MatchDecision.SEND_HOME), R_FINANCE)),
    Act("approve_reverse_remittance", "uncredited", D.sent_home, taken(_approval, SUPERVISOR)),
    Act("remit_personal_account", "what was missing", D.accepted_fewer, taken(c.RemitPersonalAccount(), O_FINANCE)),
    Act("reopen_case", "a late return", D.completed, late_return),
    Act("reopen_case", "a payout that came back", D.paid_out, late_return, FROM_PAYING_OUT),
    Act("read_outbox", "debit and credit", D.advised, nothing),
)


@asynccontextmanager
async def open_money_desk(database: Database, keyring: Keyring, bank_url: str, act: Act) -> AsyncIterator[MoneyDesk]:
    """A desk with an application of Monday, between the regions of the act and under their policies."""
    bank, between = HttpBank(bank_url), act.between
    async with open_cases(database, keyring) as cases:
        policies = {code: policy for code, policy in POLICIES.items() if code in between} | dict(act.policies)
        for code, policy in policies.items():
            await set_policy(cases.owner, code, policy, date(2025, 1, 1))
        await cases.registers(ORIGIN | {"region": between[0]}, DESTINATION | {"region": between[1]})
        opened = await openings(cases.owner)
        transfer = await cases.apply(between=between, at=MONDAY)
        yield MoneyDesk(cases, Steps(cases.worker_pool, keyring), transfer, bank, opened)
    await bank.close()
