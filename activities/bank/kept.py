"""A line of the bank as it is kept: names, accounts and words sealed, everything else in columns."""

import json
from typing import Any, Final

import asyncpg

from activities.bank.entries import BankEntry
from activities.bank.matching import Ordered, Verdict
from activities.keyring import Keyring

OF_ENTRIES: Final = "bank entry"
_SAYS: Final = ("own_name", "other_name", "other_account", "other_bank", "text")


def row_of(
    keyring: Keyring, entry: BankEntry, region: str | None, order: Ordered | None, verdict: Verdict
) -> tuple[Any, ...]:
    """The row of `bank_entries`, in the order of the columns that `inbox` inserts."""
    said = {name: value for name in _SAYS if (value := getattr(entry, name)) is not None}
    key, sealed = keyring.seal(OF_ENTRIES, json.dumps(said, ensure_ascii=False).encode())
    return (
        *(entry.entry_id, entry.entry_reference, entry.account, entry.direction, entry.kind, region, entry.amount_fen),
        *(entry.end_to_end_id, order.reference if order is not None else None, entry.booked_on, entry.value_on),
        *(entry.code, key, sealed, verdict.state, verdict.why),
    )


def read_entry(keyring: Keyring, row: asyncpg.Record) -> BankEntry:
    """The entry of a row of `bank_entries`, its words opened."""
    words = json.loads(keyring.open(OF_ENTRIES, row["words_key"], row["words_sealed"]))
    plain = ("kind", "entry_reference", "account", "amount_fen", "end_to_end_id", "booked_on", "value_on", "code")
    return BankEntry(**{name: row[name] for name in plain}, **words)
