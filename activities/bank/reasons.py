"""Why a bank sends money back, from the codes of ISO 20022 (external status and return reasons) to the closed list of the law."""

from typing import Final

NAME_MISMATCH, ACCOUNT_UNKNOWN, ACCOUNT_CLOSED = "NAME_MISMATCH", "ACCOUNT_UNKNOWN", "ACCOUNT_CLOSED"
AMOUNT_MISMATCH, DUPLICATE, UNPRINTABLE_NAME = "AMOUNT_MISMATCH", "DUPLICATE", "UNPRINTABLE_NAME"

_CODES: Final[dict[str, str]] = {
    # The account: its number, its owner's bank, its state.
    "AC01": ACCOUNT_UNKNOWN,  # IncorrectAccountNumber
    "AC02": ACCOUNT_UNKNOWN,  # InvalidDebtorAccountNumber
    "AC03": ACCOUNT_UNKNOWN,  # InvalidCreditorAccountNumber
    "RC01": ACCOUNT_UNKNOWN,  # BankIdentifierIncorrect
    "RC04": ACCOUNT_UNKNOWN,  # InvalidCreditorBankIdentifier
    "BE06": ACCOUNT_UNKNOWN,  # UnknownEndCustomer
    "AC04": ACCOUNT_CLOSED,  # ClosedAccountNumber
    "AC05": ACCOUNT_CLOSED,  # ClosedDebtorAccountNumber
    "AC06": ACCOUNT_CLOSED,  # BlockedAccount
    "AC07": ACCOUNT_CLOSED,  # ClosedCreditorAccountNumber
    "AG01": ACCOUNT_CLOSED,  # TransactionForbidden
    # The amount.
    "AM01": AMOUNT_MISMATCH,  # ZeroAmount
    "AM02": AMOUNT_MISMATCH,  # NotAllowedAmount
    "AM03": AMOUNT_MISMATCH,  # NotAllowedCurrency
    "AM04": AMOUNT_MISMATCH,  # InsufficientFunds
    "AM06": AMOUNT_MISMATCH,  # TooLowAmount
    "AM09": AMOUNT_MISMATCH,  # WrongAmount
    "AM10": AMOUNT_MISMATCH,  # InvalidControlSum
    "AM12": AMOUNT_MISMATCH,  # InvalidAmount
    "AM14": AMOUNT_MISMATCH,  # AmountExceedsAgreedLimit
    # The same payment again.
    "AM05": DUPLICATE,  # Duplication
    "DUPL": DUPLICATE,  # DuplicatePayment
    "DU01": DUPLICATE,  # DuplicateMessageID
    "DU02": DUPLICATE,  # DuplicatePaymentInformationID
    "DU03": DUPLICATE,  # DuplicateTransaction
    "DU04": DUPLICATE,  # DuplicateEndToEndID
    # The name.
    "BE01": NAME_MISMATCH,  # InconsistentWithEndCustomer
    "BE22": UNPRINTABLE_NAME,  # MissingCreditorName: nothing was left of it
    "RR03": UNPRINTABLE_NAME,  # MissingCreditorNameOrAddress
}
# A bank may say the law's own words, as a proprietary code.
LAW_REASON: Final = _CODES | {reason: reason for reason in set(_CODES.values())}
# A code that the list does not have: somebody compares the order with the account, as for a name.
OTHERWISE: Final = NAME_MISMATCH


def law_reason(code: str | None) -> str:
    """The reason of the closed list; `OTHERWISE` for a code that the list does not have, and for none."""
    return LAW_REASON.get(code or "", OTHERWISE)
