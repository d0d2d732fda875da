"""Two contents under one reference of the bank's: the first holds, the other is kept for people, who ask the bank which is right."""

import hashlib
import logging
from collections.abc import Sequence
from datetime import date
from typing import Final, NamedTuple

from activities.bank.entries import BankEntry
from activities.bank.kept import columns
from activities.database import Connection
from activities.keyring import Keyring

log = logging.getLogger(__name__)

OF_CONFLICTS: Final = "bank entry conflict"
KEEP_SQL: Final = """
insert into bank_entry_conflicts
       (entry_id, digest, entry_reference, region, amount_fen, kept_fen, booked_on, entry_key, entry_sealed)
select said.entry_id, digest, entry_reference, (select min(code) from pooling_regions where receiving_account = said.account),
       amount_fen, kept_fen, booked_on, entry_key, entry_sealed
  from unnest($1::uuid[], $2::bytea[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::date[], $8::text[], $9::bytea[])
       as said (entry_id, digest, entry_reference, account, amount_fen, kept_fen, booked_on, entry_key, entry_sealed)
on conflict do nothing
"""
LIST_SQL: Final = """
select entry_reference, region, amount_fen, kept_fen, booked_on from bank_entry_conflicts
 where $1::text is null or region = $1 order by received_at desc, entry_id, digest limit $2
"""


class Conflict(NamedTuple):
    """`kept_fen` is what the first content says, which holds; `amount_fen` the other. They may differ in more than that."""

    entry_reference: str
    region: str | None
    amount_fen: int
    kept_fen: int
    booked_on: date


async def keep_conflicts(
    connection: Connection, keyring: Keyring, differing: Sequence[tuple[BankEntry, BankEntry]]
) -> None:
    """Keep each, with the content that stands; once, however often it is said."""
    rows = []
    for entry, first in differing:
        document = entry.model_dump_json().encode()
        key, sealed = keyring.seal(OF_CONFLICTS, document)
        figures = (entry.account, entry.amount_fen, first.amount_fen, entry.booked_on)
        digest = hashlib.sha256(document).digest()
        rows.append((entry.entry_id, digest, entry.entry_reference, *figures, key, sealed))
        log.error("entry %s of the bank was said with another content before: the first holds", entry.entry_reference)
    if rows:
        await connection.execute(KEEP_SQL, *columns(rows))


async def conflicts(connection: Connection, region: str | None, limit: int) -> list[Conflict]:
    """Those on the account of `region`, or all of them; the newest first."""
    return [Conflict(*row) for row in await connection.fetch(LIST_SQL, region, limit)]
