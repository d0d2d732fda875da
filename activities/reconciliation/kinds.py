"""A difference: what it is, whose it is to clear, and what it rests on."""

from datetime import date
from enum import StrEnum
from typing import NamedTuple

from activities.reconciliation.lines import BankLine, Line, RegisterLine
from workflows.words import Language, day, say, yuan


class DifferenceKind(StrEnum):
    """The closed list; each has its words under `difference.KIND`."""

    ORDERED_NOT_AT_BANK = "ORDERED_NOT_AT_BANK"
    REMITTED_NOT_DEBITED = "REMITTED_NOT_DEBITED"
    DEBIT_NOT_BOOKED = "DEBIT_NOT_BOOKED"
    DEBIT_WITHOUT_ORDER = "DEBIT_WITHOUT_ORDER"
    GIVEN_UP_BUT_DEBITED = "GIVEN_UP_BUT_DEBITED"
    CREDIT_WITHOUT_ORDER = "CREDIT_WITHOUT_ORDER"
    RETURN_WITHOUT_ORDER = "RETURN_WITHOUT_ORDER"
    RETURNED_YET_CREDITED = "RETURNED_YET_CREDITED"
    WRONG_PAYER_ACCOUNT = "WRONG_PAYER_ACCOUNT"
    WRONG_PAYEE_ACCOUNT = "WRONG_PAYEE_ACCOUNT"
    PAID_TWICE = "PAID_TWICE"
    BANK_CREDITED_TWICE = "BANK_CREDITED_TWICE"
    DEBIT_AMOUNT_DIFFERS = "DEBIT_AMOUNT_DIFFERS"
    CREDIT_AMOUNT_DIFFERS = "CREDIT_AMOUNT_DIFFERS"
    VALUE_DATE_BEFORE_ORDER = "VALUE_DATE_BEFORE_ORDER"
    CREDIT_LATE = "CREDIT_LATE"
    CREDITED_WITHOUT_BANK = "CREDITED_WITHOUT_BANK"
    CREDIT_NOT_BOOKED = "CREDIT_NOT_BOOKED"
    RECEIVED_NOT_CREDITED = "RECEIVED_NOT_CREDITED"
    RETURN_NOT_BOOKED = "RETURN_NOT_BOOKED"
    RETURNED_WITHOUT_BANK = "RETURNED_WITHOUT_BANK"
    RETURN_AMOUNT_DIFFERS = "RETURN_AMOUNT_DIFFERS"
    REGISTER_NOT_DEBITED = "REGISTER_NOT_DEBITED"
    REGISTER_DEBITED_TWICE = "REGISTER_DEBITED_TWICE"
    REGISTER_DEBIT_DIFFERS = "REGISTER_DEBIT_DIFFERS"
    REGISTER_NOT_CREDITED = "REGISTER_NOT_CREDITED"
    REGISTER_CREDITED_TWICE = "REGISTER_CREDITED_TWICE"
    REGISTER_CREDIT_DIFFERS = "REGISTER_CREDIT_DIFFERS"
    REGISTER_NOT_GIVEN_BACK = "REGISTER_NOT_GIVEN_BACK"
    REGISTER_GIVEN_BACK_DIFFERS = "REGISTER_GIVEN_BACK_DIFFERS"
    REGISTER_WITHOUT_LEDGER = "REGISTER_WITHOUT_LEDGER"
    LEDGER_NOT_WHOLE = "LEDGER_NOT_WHOLE"
    # What the table of causes lacks is a difference too, never passed over.
    COMBINATION_UNKNOWN = "COMBINATION_UNKNOWN"


class Party(StrEnum):
    """Who must clear a difference."""

    O_FINANCE = "O_FINANCE"
    R_FINANCE = "R_FINANCE"
    BANK = "BANK"
    PLATFORM = "PLATFORM"


class Difference(NamedTuple):
    """`region` is the agency whose account or register it lies in; None where it is the platform's own.

    `on` is the day of its newest line: it has stood since then. `ordered_on` is the day of the order, or of the bank's
    entry where there is no order. `entry` is the bank's number of an entry without a reference.
    """

    kind: DifferenceKind
    reference: str
    transfer_no: str | None
    party: Party
    region: str | None
    expected_fen: int
    found_fen: int
    on: date
    ordered_on: date
    entry: str
    basis: tuple[Line, ...]

    @property
    def cause(self) -> str:
        """The same text for the same difference, whenever it is found."""
        figures = (self.kind, self.reference, self.entry, self.region or "", self.expected_fen, self.found_fen)
        return "|".join(str(each) for each in figures)

    @property
    def basis_texts(self) -> list[str]:
        return [_text(each) for each in self.basis]


def explained(
    kind: str,
    reference: str,
    *,
    expected_fen: int,
    found_fen: int,
    on: date,
    ordered_on: date,
    language: Language = "zh-CN",
) -> str:
    """What the matter is, in a sentence with its figures."""
    return say(
        language,
        f"difference.{kind}",
        reference=reference or "–",
        expected=yuan(expected_fen),
        found=yuan(found_fen),
        on=day(language, on),
        ordered_on=day(language, ordered_on),
    )


def _text(line: Line) -> str:
    """A line as it is kept with its difference: a few words and no personal data."""
    if isinstance(line, BankLine):
        return f"bank {line.account} {line.direction} {line.amount_fen} {line.on} {line.entry}"
    if isinstance(line, RegisterLine):
        return f"register {line.region} {line.direction} {line.amount_fen} {line.on}"
    return f"ledger {line.what} {line.amount_fen} {line.on}"
