"""The three streams that are compared. Amounts are whole fen; `on` is a day in Asia/Shanghai.

Each stream is sorted by `reference`, in the order of its code points; lines of one reference may come in any order.
"""

from datetime import date
from enum import StrEnum
from typing import NamedTuple


class Booked(StrEnum):
    """What the ledger says of an order. CREDITED: to the person, on their personal account or on their own.

    GIVEN_UP: it ended before any money left. SUSPENDED: it arrived, and lies under search on the payee's side.
    MISSED: it is missing, and lies under search on the payer's side. What leaves an account again is a negative line:
    what was RECEIVED and is CREDITED is received no more.
    """

    ORDERED = "ORDERED"
    GIVEN_UP = "GIVEN_UP"
    REMITTED = "REMITTED"
    RETURNED = "RETURNED"
    RECEIVED = "RECEIVED"
    SUSPENDED = "SUSPENDED"
    MISSED = "MISSED"
    CREDITED = "CREDITED"


class BankDirection(StrEnum):
    """Of an entry on an agency's account. RETURN: a debit of before has come back (退汇)."""

    DEBIT = "DEBIT"
    CREDIT = "CREDIT"
    RETURN = "RETURN"


class RegisterDirection(StrEnum):
    OUT = "OUT"
    IN = "IN"


class LedgerLine(NamedTuple):
    """`payer` and `payee` are regions; the payee is None where the money goes to the person's own account.

    `debit_seen`, `credit_seen`: the bank tells us of that side's account. It does not where an agency ordered by post,
    or has no statements yet. `comes_home`: the payer is R.
    """

    reference: str
    what: Booked
    amount_fen: int
    on: date
    transfer_no: str
    payer: str
    payee: str | None
    comes_home: bool = False
    uncredited: bool = False
    debit_seen: bool = True
    credit_seen: bool = True


class BankLine(NamedTuple):
    """`reference` is our order's, empty where the bank names none; `payment` is the bank's, of a part where it was split.

    `account` is the region whose agency holds the account, `entry` the bank's own number of the entry.
    """

    reference: str
    account: str
    direction: BankDirection
    amount_fen: int
    on: date
    entry: str
    payment: str


class RegisterLine(NamedTuple):
    """A movement of a person's account in the register of `region`."""

    reference: str
    region: str
    direction: RegisterDirection
    amount_fen: int
    on: date


Line = LedgerLine | BankLine | RegisterLine
