"""The border with the bank: payment orders out, status reports, advices and statements in, all of them ISO 20022.

The port is two calls, both safe to repeat: look a reference up, and hand an order in. What is asked twice is done once.
What the bank says by itself is polled from its outbox (`inbox`), each message once, and told to the cases (`telling`).
"""

from collections.abc import Sequence
from datetime import date
from enum import StrEnum
from typing import NamedTuple, Protocol

from pydantic import BaseModel, Field


class BankStatus(StrEnum):
    """UNKNOWN: the bank has never seen the reference. PENDING: handed in. TAKEN: the money has left. REFUSED: it never will."""

    UNKNOWN = "UNKNOWN"
    PENDING = "PENDING"
    TAKEN = "TAKEN"
    REFUSED = "REFUSED"


class Payee(BaseModel, frozen=True):
    """Whose account the money goes to: an agency's, or that of a person whose balance is paid out."""

    payee_name: str
    payee_bank: str
    payee_bank_code: str | None
    payee_account: str


class Payer(BaseModel, frozen=True):
    """The agency whose account the money leaves."""

    payer_agency: str
    payer_name: str
    payer_bank: str
    payer_account: str


class Payment(BaseModel, frozen=True):
    """One payment of an order: the whole of it under its own reference, or a part within the bank's limit."""

    end_to_end_id: str
    amount_fen: int = Field(gt=0)


class PaymentOrder(Payee, Payer, frozen=True):
    """What the bank is told: amount in fen, both accounts, and our reference, carried unchanged.

    `payments` sum to the amount; one, unless the payer's bank has a limit.
    """

    reference: str
    amount_fen: int = Field(gt=0)
    execute_on: date
    payments: tuple[Payment, ...]


class Answer(NamedTuple):
    """What the bank knows of an order. `reason`: the code of ISO 20022 with which it was refused, all of it or `refused_fen`."""

    status: BankStatus
    reason: str | None = None
    refused_fen: int = 0


class Posted(NamedTuple):
    """A message in the bank's outbox, as it came. `cursor` is its place there."""

    cursor: str
    message_id: str
    document: bytes


class BankAwayError(OSError):
    """Nobody takes a connection at the bank's address."""


class NotAnsweredError(OSError):
    """The bank is there, and its answer is an error, not as agreed, cut short or missing: what it was asked may be done."""


class Bank(Protocol):
    async def status(self, reference: str) -> Answer:
        """What the bank knows of a reference. Raises `BankAwayError`, `NotAnsweredError` or `TimeoutError`, all of them `OSError`."""
        ...

    async def hand_in(self, order: PaymentOrder) -> None:
        """Hand an order in; a second time under the same reference changes nothing. Raises as `status` does."""
        ...

    async def messages(self, after: str, limit: int) -> Sequence[Posted]:
        """At most `limit` messages of the outbox behind the place `after`, in its order. Raises as `status` does."""
        ...
