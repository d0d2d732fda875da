"""The accounts of the ledger: for each agency, scheme and purpose.

Those of one transfer, or of money that no case owns yet, are never below zero. PERSONAL_ACCOUNTS of an agency is what it
owes its insured, derived over all transfers; CLEARING is the world outside, the counter-account of money that came
without an order of ours. Only the employee scheme keeps personal accounts: money without a case stands under it.
"""

from typing import Final, Literal, NamedTuple

from workflows.vocabulary import InsuranceScheme

AccountName = Literal[
    "PERSONAL_ACCOUNTS",  # owed to the insured
    "FROZEN",  # set aside for a transfer
    "IN_TRANSIT",  # left with the bank
    "RECEIVED",  # arrived, not yet credited
    "SUSPENSE",  # arrived or missing, and under search
    "RETURNED",  # came back from the bank, not ordered again yet
    "PAID_OUT",  # on the person's own bank account
    "CLEARING",  # the world outside
]
MAY_BE_NEGATIVE: Final = frozenset[AccountName]({"PERSONAL_ACCOUNTS", "CLEARING"})


class Account(NamedTuple):
    name: AccountName
    region: str
    scheme: InsuranceScheme


class Entry(NamedTuple):
    """One line of a posting; a negative amount leaves the account.

    `unmatched` is the bank's id of money that no case owns: the entry is then the money's own, not the transfer's.
    """

    account: Account
    amount_fen: int
    unmatched: str | None = None
