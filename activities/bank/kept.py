"""A line of the bank as it is kept: names, accounts and words sealed, everything else in columns."""

import json
from collections.abc import Sequence
from typing import Any, Final

import asyncpg

from activities.bank.entries import BankEntry
from activities.bank.matching import Verdict
from activities.keyring import Keyring

OF_ENTRIES: Final = "bank entry"
KEEP_ENTRIES_SQL: Final = """
insert into bank_entries (entry_id, entry_reference, account, direction, kind, region, amount_fen, end_to_end_id, reference,
                          booked_on, value_on, code, words_key, words_sealed, state, why)
select * from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::text[],
                     $9::text[], $10::date[], $11::date[], $12::text[], $13::text[], $14::bytea[], $15::text[], $16::text[])
"""
_SAYS: Final = ("own_name", "other_name", "other_account", "other_bank", "text")


def row_of(
    keyring: Keyring, entry: BankEntry, region: str | None, reference: str | None, verdict: Verdict
) -> tuple[Any, ...]:
    """The row of `bank_entries`, as `KEEP_ENTRIES_SQL` takes it; `reference` is that of the order it belongs to."""
    said = {name: value for name in _SAYS if (value := getattr(entry, name)) is not None}
    key, sealed = keyring.seal(OF_ENTRIES, json.dumps(said, ensure_ascii=False).encode())
    return (
        *(entry.entry_id, entry.entry_reference, entry.account, entry.direction, entry.kind, region, entry.amount_fen),
        *(entry.end_to_end_id, reference, entry.booked_on, entry.value_on),
        *(entry.code, key, sealed, verdict.state, verdict.why),
    )


def read_entry(keyring: Keyring, row: asyncpg.Record) -> BankEntry:
    """The entry of a row of `bank_entries`, its words opened."""
    words = json.loads(keyring.open(OF_ENTRIES, row["words_key"], row["words_sealed"]))
    plain = ("kind", "entry_reference", "account", "amount_fen", "end_to_end_id", "booked_on", "value_on", "code")
    return BankEntry(**{name: row[name] for name in plain}, **words)


def columns(rows: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
    """Rows as the arrays that `unnest` takes."""
    return [list(column) for column in zip(*rows, strict=True)]
