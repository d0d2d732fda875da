"""The money's acts, each with the case that it is asked to act on: one line each.

A case is carried up to the act by the real steps; the order that reaches the act is made as the workflow makes it.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from activities.bank.http import HttpBank
from activities.keyring import Keyring
from activities.reference import set_policy
from activities.steps import Steps
from tests.activities.desk import MONDAY, RECEIPT
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
from tests.faults import givens as g
from tests.faults.books import openings
from tests.faults.desk import HOME, K_CLERK, P_FINANCE, SMALLER_FORM, TOO_MUCH_FEN, MoneyDesk
from tests.faults.outside_desk import CONTRIBUTION_FEN, LATER, OutsideDesk
from tests.office import BY_POST as UNCONNECTED
from tests.office import PAYING_OUT, POLICIES, RETAINING, SUPERVISOR, WITH_CHECKER
from workflows import commands as c
from workflows.policy import Disposition, DispositionRule, Receipt, RegionPolicy
from workflows.vocabulary import MatchDecision, ReturnReason, Role

FROM_BEIJING, FROM_PAYING_OUT = (BEIJING, SHANGHAI_POOL), (PAYING_OUT, SHANGHAI_POOL)
FROM_RETAINING, WITH_A_CHECKER = (RETAINING, SHANGHAI_POOL), (WITH_CHECKER, SHANGHAI_POOL)
BY_POST = (UNCONNECTED, SHANGHAI_POOL)
A_PART_FEN = 120_000
PAY_OUT = DispositionRule(disposition=Disposition.PAY_OUT)
PAYING_BY_POST = {UNCONNECTED: RegionPolicy(connected=False, disposition=(PAY_OUT,))}
RELEASING = {BEIJING: RegionPolicy(release_threshold_fen=A_PART_FEN)}
LIMITED = {BEIJING: RegionPolicy(bank_limit_fen=A_PART_FEN)}
BY_ADVICE = {SHANGHAI_POOL: RegionPolicy(receipt=Receipt.BY_ADVICE)}
RELEASER = O_FINANCE.model_copy(update={"subject": "finance-2-110000"})
CHECKER = staff(Role.CHECKER, WITH_CHECKER)
TERMINATE = c.TerminateTransfer(reason="重复办理")
DECEASED = c.ReturnTransfer(reason=ReturnReason.DECEASED, note="已故")
LATE_RECEIPT = c.ConfirmReceipt(amount_fen=CONTRIBUTION_FEN, bank_reference="B-4", received_on=LATER.date())
UNCREDITED_HOME = HOME.model_copy(update={"amount_fen": BALANCE_FEN - 1})


@dataclass(frozen=True)
class Act:
    """An activity of the money: its name for Temporal, and what makes it this act and no other."""

    activity: str
    when: str
    before: Callable[[OutsideDesk], Awaitable[None]]
    given: g.Given
    between: tuple[str, str] = FROM_BEIJING
    policies: Mapping[str, RegionPolicy] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.activity}: {self.when}"


D, Out = MoneyDesk, OutsideDesk
ACTS = (
    Act("deliver_information_form", "the first", D.accepted, g.taken(c.DeliverInformationForm(), O_CLERK)),
    Act("deliver_information_form", "for less, all is with R", D.disputed, g.taken(SMALLER_FORM, O_CLERK)),
    Act("remit_personal_account", "to R", D.form_delivered, g.taken(c.RemitPersonalAccount(), O_FINANCE)),
    Act("send_to_bank", "to R", D.remittance_ordered, D.bank_order),
    Act("note_bank_took_order", "to R", D.sent, g.bank_word),
    Act("confirm_receipt", "the bank has said it", D.remitted, g.taken(RECEIPT, R_FINANCE)),
    Act("confirm_receipt", "the bank has not said it", D.sent, g.taken(RECEIPT, R_FINANCE)),
    Act("confirm_receipt", "the last of the case", D.continued, g.taken(RECEIPT, R_FINANCE)),
    Act(
        "confirm_receipt",
        "a fen too few",
        D.remitted,
        g.taken(RECEIPT.model_copy(update={"amount_fen": BALANCE_FEN - 1}), R_FINANCE),
    ),
    Act(
        "confirm_receipt",
        "corrected",
        D.mismatched,
        g.taken(RECEIPT.model_copy(update={"bank_reference": "B-3", "note": "银行更正"}), R_FINANCE),
    ),
    Act("confirm_receipt", "of a case that is ended", D.terminating, g.taken(RECEIPT, R_FINANCE)),
    Act("confirm_continuation", "the last of the case", D.credited, g.taken(c.ConfirmContinuation(), R_CLERK)),
    Act("approve_reverse_remittance", "a part", D.reverse_proposed, g.taken(D.approval, SUPERVISOR)),
    Act("send_to_bank", "home", D.reverse_ordered, D.bank_order),
    Act("note_bank_took_order", "home", D.reverse_sent, g.bank_word),
    Act("confirm_receipt", "home", D.reverse_remitted, g.taken(HOME, O_FINANCE)),
    Act(
        "terminate_transfer",
        "the balance is frozen",
        D.form_delivered,
        g.taken(TERMINATE, SUPERVISOR),
    ),
    Act("provide_payout_account", "the first", D.payout_asked, g.taken(g.account, PERSON), FROM_PAYING_OUT),
    Act(
        "remit_personal_account",
        "to the person",
        D.payout_account_known,
        g.taken(c.RemitPersonalAccount(), P_FINANCE),
        FROM_PAYING_OUT,
    ),
    Act("send_to_bank", "to the person", D.payout_ordered, D.bank_order, FROM_PAYING_OUT),
    Act("note_bank_took_order", "to the person", D.payout_sent, g.bank_word, FROM_PAYING_OUT),
    Act(
        "remit_personal_account",
        "over the threshold",
        D.form_delivered,
        g.taken(c.RemitPersonalAccount(), O_FINANCE),
        policies=RELEASING,
    ),
    Act("release_remittance", "by another person", D.prepared, g.taken(g.release, RELEASER), policies=RELEASING),
    Act("note_bank_word", "refused", D.remittance_ordered, g.came_back(BALANCE_FEN)),
    Act("note_bank_word", "returned", D.remitted, g.came_back(BALANCE_FEN)),
    Act("note_bank_word", "a part returned", D.remitted, g.came_back(A_PART_FEN)),
    Act("note_bank_word", "returned after the credit", D.credited, g.came_back(BALANCE_FEN)),
    Act("note_bank_word", "confirmed by the advice", D.sent, g.advice, policies=BY_ADVICE),
    Act("remit_personal_account", "again after a return", D.returned, g.taken(c.RemitPersonalAccount(), O_FINANCE)),
    Act("match_funds", "fewer, accepted", D.mismatched, g.taken(g.match(MatchDecision.ACCEPT_AMOUNT), R_FINANCE)),
    Act("match_funds", "more, accepted", D.came_more, g.taken(g.match(MatchDecision.ACCEPT_AMOUNT), R_FINANCE)),
    Act("match_funds", "sent home", D.mismatched, g.taken(g.match(MatchDecision.SEND_HOME), R_FINANCE)),
    Act("approve_reverse_remittance", "uncredited", D.sent_home, g.taken(D.approval, SUPERVISOR)),
    Act("remit_personal_account", "what was missing", D.accepted_fewer, g.taken(c.RemitPersonalAccount(), O_FINANCE)),
    Act("reopen_case", "a late return", D.completed, g.late_return),
    Act("reopen_case", "a payout that came back", D.paid_out, g.late_return, FROM_PAYING_OUT),
    Act("read_outbox", "debit and credit", D.advised, g.nothing),
    Act(
        "check_information_form",
        "by another person",
        D.form_prepared,
        g.taken(c.CheckInformationForm(), CHECKER),
        WITH_A_CHECKER,
    ),
    Act("deliver_information_form", "for less, all is frozen", D.form_disputed, g.taken(SMALLER_FORM, O_CLERK)),
    Act("return_transfer", "the balance is frozen", D.form_disputed, g.taken(DECEASED, O_CLERK)),
    Act(
        "confirm_continuation",
        "kept in the province",
        D.retained,
        g.taken(c.ConfirmContinuation(), R_CLERK),
        FROM_RETAINING,
    ),
    Act("terminate_transfer", "an order is prepared", D.prepared, g.taken(TERMINATE, SUPERVISOR), policies=RELEASING),
    Act("terminate_transfer", "the money has come back", D.returned, g.taken(TERMINATE, SUPERVISOR)),
    Act("terminate_transfer", "the money is on its way", D.remitted, g.taken(TERMINATE, SUPERVISOR)),
    Act("terminate_transfer", "the money is with R", D.credited, g.taken(TERMINATE, SUPERVISOR)),
    Act("send_to_bank", "in parts", D.remittance_ordered, D.bank_order, policies=LIMITED),
    Act("send_to_bank", "uncredited, home", D.uncredited_ordered, D.bank_order),
    Act("note_bank_took_order", "uncredited, home", D.uncredited_sent, g.bank_word),
    Act("confirm_receipt", "uncredited, home", D.uncredited_remitted, g.taken(UNCREDITED_HOME, O_FINANCE)),
    Act("note_bank_word", "home, refused", D.reverse_ordered, g.came_back(TOO_MUCH_FEN)),
    Act("note_bank_word", "home, returned", D.reverse_remitted, g.came_back(TOO_MUCH_FEN)),
    Act("note_bank_word", "uncredited, home, returned", D.uncredited_remitted, g.came_back(BALANCE_FEN - 1)),
    Act("note_bank_word", "returned and spent", Out.return_to_tell_spent, g.came_back(BALANCE_FEN)),
    Act(
        "match_funds",
        "fewer came home, accepted",
        D.fewer_came_home,
        g.taken(g.match(MatchDecision.ACCEPT_AMOUNT), O_FINANCE),
    ),
    Act("reopen_case", "a late return that is spent", Out.return_to_tell_late_spent, g.late_return),
    Act("read_outbox", "a credit without a reference", Out.advised_without_reference, g.nothing),
    Act("read_outbox", "a credit twice", Out.advised_twice, g.nothing),
    Act("read_outbox", "a credit that pays instead of another", Out.advised_after_another, g.nothing),
    Act("leave_confirmed", "it named no order", Out.stray_confirmed, g.nothing),
    Act("leave_confirmed", "its case sends it home", Out.stray_sent_home, g.nothing),
    Act("leave_confirmed", "another one had paid", Out.second_confirmed, g.nothing),
    Act("tell_due", "it came back", Out.return_to_tell, g.clock),
    Act("tell_due", "it came back late", Out.return_to_tell_late, g.clock),
    Act("tell_due", "it came back late and is spent", Out.return_to_tell_late_spent, g.clock),
    Act("tell_due", "it is on R's account", Out.advice_to_tell, g.clock, policies=BY_ADVICE),
    Act("send_funds_home", "it named no order", Out.asked_home, g.funds_home),
    Act("send_due_home", "it named no order", Out.going_home, g.nothing),
    Act("send_due_home", "it came beyond an order", Out.excess_going_home, g.nothing),
    Act("send_due_home", "the bank refuses", Out.refused_home, g.nothing),
    Act("load_contributions", "after the case", D.completed, g.contributions),
    Act("sweep_late_contributions", "it came after the case", Out.contribution_late, g.a_month_later),
    Act("sweep_late_contributions", "it had to wait", Out.contribution_waiting, g.a_month_later),
    Act("sweep_late_contributions", "kept in the province", Out.contribution_retained, g.a_month_later, FROM_RETAINING),
    Act("confirm_receipt", "what came late", Out.residual_remitted, g.taken(LATE_RECEIPT, R_FINANCE, at=LATER)),
    Act("remit_personal_account", "told by post", D.form_posted, g.taken(c.RemitPersonalAccount(), R_FINANCE), BY_POST),
    Act(
        "remit_personal_account",
        "told by post, to the person",
        D.payout_posted,
        g.taken(c.RemitPersonalAccount(), R_FINANCE),
        BY_POST,
        PAYING_BY_POST,
    ),
    Act("confirm_receipt", "told by post", D.remittance_posted, g.taken(RECEIPT, R_FINANCE), BY_POST),
    Act(
        "deliver_information_form",
        "kept in the province",
        D.accepted,
        g.taken(c.DeliverInformationForm(), K_CLERK),
        FROM_RETAINING,
    ),
)


@asynccontextmanager
async def open_money_desk(
    database: Database, keyring: Keyring, bank_url: str, bank_dir: Path, act: Act
) -> AsyncIterator[OutsideDesk]:
    """A desk with an application of Monday, between the regions of the act and under their policies."""
    bank, between = HttpBank(bank_url), act.between
    async with open_cases(database, keyring) as cases:
        policies = {code: policy for code, policy in POLICIES.items() if code in between} | dict(act.policies)
        for code, policy in policies.items():
            await set_policy(cases.owner, code, policy, date(2025, 1, 1))
        await cases.registers(ORIGIN | {"region": between[0]}, DESTINATION | {"region": between[1]})
        opened = await openings(cases.owner)
        transfer = await cases.apply(between=between, at=MONDAY)
        yield OutsideDesk(cases, Steps(cases.worker_pool, keyring), transfer, bank, bank_dir, opened, between)
    await bank.close()
