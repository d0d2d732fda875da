"""What the checker reads: PostgreSQL by statements of its own and the bank's file. It shares no code with the system."""

import itertools
import json
import sqlite3
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg

# Whose account: person, region, scheme.
Held = tuple[str, str, str]


class Damage(NamedTuple):
    """`rule`: which of the checker's rules is broken; `what`: by what."""

    rule: str
    what: str


class Opening(NamedTuple):
    """What a register held before anything moved, in fen."""

    usable_fen: int
    frozen_fen: int


Openings = dict[Held, Opening]


async def openings(connection: asyncpg.Connection) -> Openings:
    """The registers before the first transfer of the persons in them."""
    rows = await connection.fetch("select person_id, region, scheme, personal_account_fen, frozen_fen from enrolments")
    return {(str(row[0]), row[1], row[2]): Opening(row[3], row[4]) for row in rows}


@dataclass(frozen=True)
class Books:
    transfers: dict[str, Any]
    events: dict[str, list[Any]]
    # By posting: its row, and its entries.
    postings: dict[int, tuple[Any, list[Any]]]
    strays: list[Any]
    remittances: list[Any]
    commands: list[Any]
    # Late contributions, and by order of how many payments it consists at the bank where it was split.
    contributions: list[Any]
    payments: Counter[str]
    # What the border with the bank keeps, and what it has told the cases.
    bank_entries: list[Any]
    bank_words: list[Any]
    bank_orders: list[dict[str, Any]]
    # The orders of which the bank has paid nothing.
    bank_refused: set[str]

    def facts(self, transfer_id: str, kind: str) -> list[tuple[int, dict[str, Any]]]:
        return [(each["seq"], each["fact"]) for each in self.events[transfer_id] if each["type"] == kind]

    def moved_by(self, transfer_id: str, seq: int) -> Counter[str]:
        """Fen by account that the postings of an event moved."""
        moved: Counter[str] = Counter()
        for posting, entries in self.postings.values():
            if (posting["id"], posting["seq"]) == (transfer_id, seq):
                for entry in entries:
                    moved[entry["account"]] += entry["amount_fen"]
        return moved


async def read(connection: asyncpg.Connection, bank: Path, no: str | None) -> Books:
    async def rows(table: str, columns: str = "*", order: str = "1") -> list[Any]:
        whose = "$1::text is null or transfer_id = (select transfer_id from transfers where no = $1)"
        sql = f"select {columns}, transfer_id::text as id from {table} where {whose} order by {order}"  # noqa: S608 - our own
        return list(await connection.fetch(sql, no))

    async def of_the_border(table: str, order: str = "1") -> list[Any]:
        """Its lines name an order, if anything."""
        whose = "$1::text is null or starts_with(reference, $1)"
        return list(await connection.fetch(f"select * from {table} where {whose} order by {order}", no))  # noqa: S608 - our own

    transfers = {row["id"]: row for row in await rows("transfers")}
    events: dict[str, list[Any]] = defaultdict(list)
    for row in await rows("transfer_events", order="transfer_id, seq"):
        document = json.loads(row["event"])
        # An event keeps its kind when its form is a newer one.
        kind = row["type"].partition(".")[0]
        events[row["id"]].append(dict(row) | {"type": kind, "document": document, "fact": document["fact"]})
    entries: dict[int, list[Any]] = defaultdict(list)
    owner = "*, coalesce(transfer_id::text, unmatched) as owner"
    for row in await rows("ledger_entries", owner, "posting_id, line"):
        entries[row["posting_id"]].append(row)
    heads = await rows("ledger_postings", order="posting_id")
    postings = {row["posting_id"]: (row, entries.pop(row["posting_id"], [])) for row in heads}
    return Books(
        transfers=transfers,
        events=events,
        postings=postings,
        strays=list(itertools.chain(*entries.values())),
        remittances=await rows("remittances"),
        commands=await rows("commands"),
        contributions=await rows("late_contributions"),
        payments=Counter(row["reference"] for row in await of_the_border("bank_payments")),
        bank_entries=await of_the_border("bank_entries"),
        bank_words=await of_the_border("bank_words"),
        bank_orders=[each for each in _at_the_bank(bank, "orders") if no is None or each["reference"].startswith(no)],
        bank_refused={
            each["reference"] for each in _at_the_bank(bank, "carried_out") if all(code for *_, code in each["lines"])
        },
    )


def _at_the_bank(bank: Path, table: str) -> list[dict[str, Any]]:
    """The orders as they were handed in, or what became of the payments of each."""
    if not bank.exists():
        return []
    columns = {"orders": "document", "carried_out": "json_object('reference', reference, 'lines', json(lines))"}
    with sqlite3.connect(f"file:{bank}?mode=ro", uri=True) as memory:
        return [json.loads(row) for (row,) in memory.execute(f"select {columns[table]} from {table}")]  # noqa: S608 - our own
