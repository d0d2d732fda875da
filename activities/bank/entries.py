"""What the messages of a bank say, line by line: facts that hold for ever, each under the bank's own reference of it."""

import uuid
from datetime import date
from enum import StrEnum

from pydantic import BaseModel, Field

# Of the bank's own references; the same entry has the same id in whichever message it comes, and however often.
_ENTRIES = uuid.UUID("8f6c1b52-6d0c-4e0f-9a53-3a1a4b1f3f54")


class EntryKind(StrEnum):
    """ACCEPTED and REFUSED are a bank's word of a payment; the others are bookings on an account of its customer.

    DEBIT: the money left. CREDIT: money came. RETURN: what had left came back.
    """

    ACCEPTED = "ACCEPTED"
    REFUSED = "REFUSED"
    DEBIT = "DEBIT"
    CREDIT = "CREDIT"
    RETURN = "RETURN"


class BankEntry(BaseModel, frozen=True):
    """One line. `account` is the customer's own, empty for a word of a payment, which has no amount either.

    `other_name` and `other_account` are who paid, or was paid; `own_name` whom the money was meant for, as the bank has it.
    `code`: why it was refused or sent back, in the codes of ISO 20022.
    """

    kind: EntryKind
    entry_reference: str
    account: str = ""
    amount_fen: int = Field(default=0, ge=0)
    end_to_end_id: str | None = None
    booked_on: date
    value_on: date
    code: str | None = None
    own_name: str | None = None
    other_name: str | None = None
    other_account: str | None = None
    other_bank: str | None = None
    text: str | None = None

    @property
    def direction(self) -> str:
        """As the bank books it, and NONE for a word."""
        return {EntryKind.DEBIT: "DBIT", EntryKind.CREDIT: "CRDT", EntryKind.RETURN: "CRDT"}.get(self.kind, "NONE")

    @property
    def entry_id(self) -> uuid.UUID:
        return uuid.uuid5(_ENTRIES, f"{self.account}\n{self.direction}\n{self.entry_reference}")

    @property
    def remittance_reference(self) -> str | None:
        """Our reference, if it carries one: that of a part, `REF/2`, is its order's."""
        return None if self.end_to_end_id is None else self.end_to_end_id.partition("/")[0]
