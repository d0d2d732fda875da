"""Why a bank sent money back, what mends it and who must: in the words of the request's language."""

from typing import TYPE_CHECKING, NamedTuple

from workflows.remittance import Remittance
from workflows.state import TransferState
from workflows.vocabulary import FAULTS_OF_THE_ACCOUNT, BankReturnReason, RemittanceKind

if TYPE_CHECKING:
    from gateway.telling import Telling


class ReturnWords(NamedTuple):
    reason: str
    fix: str


def last_returned(state: TransferState) -> Remittance | None:
    """The last order of O of which money came back."""
    came_back = (each for each in reversed(state.remittances) if each.returned_fen and not each.comes_home)
    return next(came_back, None)


def return_words(order: Remittance, reason: BankReturnReason, state: TransferState, telling: "Telling") -> ReturnWords:
    """The reason, and its fix with the one who must act: whose account it is, or who ordered the money."""
    payer, payee = state.from_region, state.to_region
    if order.comes_home:
        payer, payee = payee, payer
    at_fault = payee if reason in FAULTS_OF_THE_ACCOUNT else payer
    person = order.kind is RemittanceKind.PAYOUT and at_fault == payee
    who = telling.say("bank_return.person") if person else telling.agency(at_fault).name
    key = f"bank_return.{reason}"
    return ReturnWords(telling.say(key), telling.say(f"{key}.fix", who=who))


def return_reason(order: Remittance, state: TransferState, telling: "Telling") -> str | None:
    """Reason and fix in one text; None for an order of which nothing came back."""
    if order.return_reason is None:
        return None
    words = return_words(order, order.return_reason, state, telling)
    return telling.say("bank_return.with_fix", reason=words.reason, fix=words.fix)
