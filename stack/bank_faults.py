"""What the sandbox bank does wrong when it is told to: which orders a fault meets, and what it does to them.

The list is `bank-faults.json` in the data directory, read anew whenever it has changed; `yibao bank fault` edits it.
"""

import json
from enum import StrEnum
from pathlib import Path
from typing import Final

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from activities.bank import PaymentOrder
from stack.atomic_files import write_atomically

FILE: Final = "bank-faults.json"


class FaultKind(StrEnum):
    """LATE: the credit is advised later. RETURN: the money leaves and comes back for `code`.

    A return `after_credit` comes once the money had arrived: the payee's account is debited again. REFUSE: it never leaves. WRONG_AMOUNT: one fen less arrives. CUT_NAME: the payee's name loses its last character on the
    advice, or the first that is outside the common ones. NO_REFERENCE: the credit does not carry ours. CUT_REFERENCE: it
    carries less of it. DUPLICATE: every message comes twice. REORDER: the credit is advised before the debit. SILENT: no
    answer at all, to questions and orders. CREDIT_TWICE: the credit is booked twice.
    """

    LATE = "LATE"
    RETURN = "RETURN"
    REFUSE = "REFUSE"
    WRONG_AMOUNT = "WRONG_AMOUNT"
    CUT_NAME = "CUT_NAME"
    NO_REFERENCE = "NO_REFERENCE"
    CUT_REFERENCE = "CUT_REFERENCE"
    DUPLICATE = "DUPLICATE"
    REORDER = "REORDER"
    SILENT = "SILENT"
    CREDIT_TWICE = "CREDIT_TWICE"


class BankFault(BaseModel, frozen=True, extra="forbid"):
    """A fault and whom it meets; what is left out meets everything.

    `payee`: the account's number or name. `reference`: ours, or how it begins. `part`: the number of a payment of a split
    order. `code`: of ISO 20022. `days` and `seconds`: how much later.
    """

    kind: FaultKind
    payee: str | None = None
    reference: str | None = None
    amount_fen: int | None = None
    part: int | None = None
    code: str = Field(default="AC01", min_length=1, max_length=35)
    days: float = Field(default=0, ge=0)
    seconds: float = Field(default=0, ge=0)
    after_credit: bool = False

    @property
    def later_seconds(self) -> float:
        return self.days * 86_400 + self.seconds

    def meets_reference(self, reference: str) -> bool:
        """Whether it meets an order that is known by its reference alone."""
        return self.reference is not None and reference.startswith(self.reference)

    def meets(self, order: PaymentOrder, part: int) -> bool:
        """Whether it meets this payment, the first of an order being 1."""
        return (
            self.payee in (None, order.payee_account, order.payee_name)
            and (self.reference is None or order.reference.startswith(self.reference))
            and self.amount_fen in (None, order.amount_fen)
            and self.part in (None, part)
        )


_FAULTS: Final = TypeAdapter(list[BankFault])


class FaultFile:
    """The faults of a data directory."""

    def __init__(self, data_dir: Path) -> None:
        self._file = data_dir / FILE
        self._read: tuple[int, list[BankFault]] = (0, [])

    def faults(self) -> list[BankFault]:
        """Those in force. Raises `ValueError` when the file is not as it must be."""
        try:
            changed = self._file.stat().st_mtime_ns
        except FileNotFoundError:
            return []
        if changed != self._read[0]:
            try:
                self._read = (changed, _FAULTS.validate_json(self._file.read_bytes()))
            except ValidationError as invalid:
                raise ValueError(f"{self._file} is not a list of faults: {invalid}") from None
        return self._read[1]

    def write(self, faults: list[BankFault]) -> None:
        documents = [each.model_dump(mode="json", exclude_defaults=True) for each in faults]
        write_atomically(self._file, json.dumps(documents, ensure_ascii=False, indent=2) + "\n", 0o600)
