"""What a fact makes of an order of money, in the list of orders."""

from datetime import date
from typing import NamedTuple

from workflows.vocabulary import BankReturnReason, RemittanceStatus


class OrderMark(NamedTuple):
    """The order's status, and what the fact adds to it; None leaves what is there. The amount is in fen."""

    status: RemittanceStatus
    bank_reference: str | None = None
    received_fen: int | None = None
    received_on: date | None = None
    reason: BankReturnReason | None = None


def set_order(first: int) -> str:
    """The assignments of an update of `remittances` whose parameters are a mark's, from `$first` on."""
    columns = ("bank_reference", "received_fen", "received_on", "return_reason")
    added = (f"{column} = coalesce(${number}, {column})" for number, column in enumerate(columns, first + 1))
    return ", ".join([f"status = ${first}", *added])
