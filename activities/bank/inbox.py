"""The bank's messages, taken in: each once, all of it or nothing, in whatever order and however often it comes.

A batch is one transaction, under the lock of the outbox's place. What was taken in before is known by its id and digest, and
each line by the bank's own reference of it: a message that comes again changes nothing.
"""

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

import asyncpg

from activities.bank import Posted, advices, reports
from activities.bank.conflicts import keep_conflicts
from activities.bank.entries import BankEntry
from activities.bank.judging import Kept, change, kept_lines, line_of
from activities.bank.kept import KEEP_ENTRIES_SQL, columns, row_of
from activities.bank.matching import CONFIRMED, MATCHED, Line, Ordered, Word, joined, judged
from activities.bank.orders import orders_of
from activities.bank.suspense import set_aside
from activities.bank.wire import ADVICE, REPORT, STATEMENT, RefusedMessageError, kind_of, read
from activities.database import Connection, transaction
from activities.keyring import Keyring

log = logging.getLogger(__name__)

# The one who sent the order asks after it too, and is told in that time.
TAKEN_IS_TOLD_AFTER: Final = timedelta(seconds=15)
OF_MESSAGES: Final = "bank message"

PLACE_SQL = "select place from bank_cursors where bank = 'bank'"
MOVE_SQL = "update bank_cursors set place = $1 where bank = 'bank'"
KNOWN_SQL = "select message_id, digest, state from bank_messages where message_id = any($1::text[])"
KEEP_MESSAGES_SQL = """
insert into bank_messages (message_id, digest, kind, state, fault, document_key, document_sealed)
select * from unnest($1::text[], $2::bytea[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bytea[])
"""
# A case is told again when the bank says more of the same order: a further part that came back.
WORDS_SQL = """
insert into bank_words as w (reference, said, amount_fen, reason, bank_reference, said_on, next_attempt_at)
select reference, said, amount_fen, reason, bank_reference, said_on,
       clock_timestamp() + case when said = 'TAKEN' then $7::interval else interval '0' end
  from unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::date[])
       as word (reference, said, amount_fen, reason, bank_reference, said_on)
on conflict (reference, said) do update
   set amount_fen = excluded.amount_fen, reason = excluded.reason, bank_reference = excluded.bank_reference,
       said_on = excluded.said_on,
       told_at = case when excluded.amount_fen = w.told_fen then w.told_at end
 where (w.amount_fen, w.reason, w.bank_reference, w.said_on)
       is distinct from (excluded.amount_fen, excluded.reason, excluded.bank_reference, excluded.said_on)
"""
REGIONS_SQL = (
    "select receiving_account, min(code) as code from pooling_regions where receiving_account = any($1) group by 1"
)


class Tally(NamedTuple):
    """What came of the messages of a batch: of those that were not known, and of the lines in them that were not."""

    processed: int = 0
    refused: int = 0
    conflicts: int = 0
    entries: int = 0


@dataclass
class _Opened:
    """A message as it was read: its lines, or what is wrong with it."""

    posted: Posted
    digest: bytes
    kind: str | None = None
    entries: Sequence[BankEntry] = ()
    fault: str | None = None


@dataclass
class _Batch:
    """The messages that are new, each with its state, and their lines by id."""

    kept: list[tuple[_Opened, str]] = field(default_factory=list)
    entries: dict[UUID, BankEntry] = field(default_factory=dict)
    # Another content of a line that stands in the batch already, and the first one's.
    others: list[tuple[BankEntry, BankEntry]] = field(default_factory=list)

    def add(self, entries: Sequence[BankEntry]) -> None:
        for each in entries:
            first = self.entries.setdefault(each.entry_id, each)
            if first != each:
                self.others.append((each, first))


async def take_in(pool: asyncpg.Pool, keyring: Keyring, after: str, posted: Sequence[Posted]) -> Tally | None:
    """Take a batch of the outbox in, which was read from the place `after`; None when another reader has moved on from there.

    Raises `asyncpg.PostgresError` or `OSError`, and then nothing of the batch is taken.
    """
    opened = [open_message(each) for each in posted]
    async with transaction(pool) as connection:
        place = await connection.fetchval(f"{PLACE_SQL} for update")
        if place != after:
            return None
        tally = await _take(connection, keyring, opened)
        await connection.execute(MOVE_SQL, posted[-1].cursor)
    for each in opened:
        if each.fault is not None:
            log.error("message %s of the bank is not taken: %s", each.posted.message_id[:60], each.fault)
    return tally


def open_message(posted: Posted) -> _Opened:
    """Read a message. Whatever is wrong with it is said in its `fault`, and none of its lines is there then."""
    opened = _Opened(posted, hashlib.sha256(posted.document).digest())
    try:
        opened.kind = kind_of(posted.document)
        message = read(posted.document, REPORT, ADVICE, STATEMENT)
        _require_own_id(message, posted.message_id)
        lines = reports.entries_of(message) if opened.kind == REPORT else advices.entries_of(message)
        opened.entries = _once(lines)
    except RefusedMessageError as refused:
        opened.fault = str(refused)
    return opened


def _require_own_id(message: Any, message_id: str) -> None:
    own = next(iter(vars(message).values())).grp_hdr.msg_id
    if own != message_id:
        raise RefusedMessageError(f"its own id is {own}: send it under that")


def _once(entries: Sequence[BankEntry]) -> list[BankEntry]:
    by_id: dict[UUID, BankEntry] = {}
    for each in entries:
        if by_id.setdefault(each.entry_id, each) != each:
            raise RefusedMessageError(f"entry {each.entry_reference} stands in it twice, with two contents: send one")
    return list(by_id.values())


async def _take(connection: Connection, keyring: Keyring, opened: Sequence[_Opened]) -> Tally:
    known = await connection.fetch(KNOWN_SQL, [each.posted.message_id for each in opened])
    digests = {row["message_id"]: row["digest"] for row in known if row["state"] != "CONFLICT"}
    seen = {(row["message_id"], row["digest"]) for row in known}
    batch = _Batch()
    for each in opened:
        key = (each.posted.message_id, each.digest)
        if key in seen:
            continue
        seen.add(key)
        if digests.setdefault(*key) != each.digest:
            each.fault, each.entries = "another content under a known id: the bank says which of the two holds", ()
            batch.kept.append((each, "CONFLICT"))
            continue
        batch.kept.append((each, "REFUSED" if each.fault is not None else "PROCESSED"))
        batch.add(each.entries)
    if not batch.kept:
        return Tally()
    added = await _enter(connection, keyring, batch.entries, batch.others) if batch.entries else 0
    await _keep_messages(connection, keyring, batch)
    states = [state for _, state in batch.kept]
    return Tally(states.count("PROCESSED"), states.count("REFUSED"), states.count("CONFLICT"), added)


async def _keep_messages(connection: Connection, keyring: Keyring, batch: _Batch) -> None:
    rows = []
    for each, state in batch.kept:
        key, sealed = keyring.seal(OF_MESSAGES, each.posted.document)
        rows.append((each.posted.message_id, each.digest, each.kind, state, each.fault, key, sealed))
    await connection.execute(KEEP_MESSAGES_SQL, *columns(rows))


async def _enter(
    connection: Connection,
    keyring: Keyring,
    entries: dict[UUID, BankEntry],
    others: Sequence[tuple[BankEntry, BankEntry]],
) -> int:
    """Keep the lines that are new, say of each what it is, and what the orders that they name have come to."""
    named = sorted({each.remittance_reference for each in entries.values() if each.remittance_reference is not None})
    orders = await orders_of(connection, named)
    kept = await kept_lines(connection, keyring, list(entries), list(orders))
    differing = [(entry, kept[entry_id][0]) for entry_id, entry in entries.items() if entry_id in kept]
    differing += [(each, kept[each.entry_id][0] if each.entry_id in kept else first) for each, first in others]
    await keep_conflicts(connection, keyring, [(entry, first) for entry, first in differing if entry != first])
    new = {entry_id: entry for entry_id, entry in entries.items() if entry_id not in kept}
    if not new:
        return 0
    regions = await _regions(connection, {each.account for each in new.values() if each.account})
    lines = _by_order(kept, new, regions, orders)
    inserted, aside, words = [], [], []
    now = datetime.now(UTC)
    for reference, of_order in lines.items():
        order = orders.get(reference) if reference is not None else None
        verdicts = judged(order, of_order)
        for entry, region, _ in of_order:
            if entry.entry_id in new:
                inserted.append(row_of(keyring, entry, region, order and order.reference, verdicts[entry]))
                if verdicts[entry].state == "UNMATCHED" and region is not None:
                    aside.append((entry.entry_id, region, entry.amount_fen))
            else:
                await change(connection, kept[entry.entry_id][1], verdicts[entry], now)
        if order is not None:
            matched = [entry for entry, verdict in verdicts.items() if verdict in {MATCHED, CONFIRMED}]
            words += [(order.reference, word) for word in joined(order, matched)]
    await connection.execute(KEEP_ENTRIES_SQL, *columns(inserted))
    await set_aside(connection, aside, now)
    await _keep_words(connection, words)
    return len(inserted)


def _by_order(
    kept: Kept,
    new: dict[UUID, BankEntry],
    regions: dict[str, str],
    orders: dict[str, Ordered],
) -> dict[str | None, list[Line]]:
    """The lines of each order, and under None those of none."""
    lines: dict[str | None, list[Line]] = {}
    for entry, row in kept.values():
        lines.setdefault(row["reference"], []).append(line_of(entry, row))
    for entry in new.values():
        named = entry.remittance_reference if entry.remittance_reference in orders else None
        lines.setdefault(named, []).append(Line(entry, regions.get(entry.account)))
    return lines


async def _keep_words(connection: Connection, words: Sequence[tuple[str, Word]]) -> None:
    rows = [
        (reference, word.said, word.amount_fen, word.reason, word.bank_reference, word.said_on)
        for reference, word in words
    ]
    if rows:
        await connection.execute(WORDS_SQL, *columns(rows), TAKEN_IS_TOLD_AFTER)


async def _regions(connection: Connection, accounts: set[str]) -> dict[str, str]:
    rows = await connection.fetch(REGIONS_SQL, sorted(accounts))
    return {row["receiving_account"]: row["code"] for row in rows}
