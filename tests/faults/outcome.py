"""What a run has left behind, in a form in which two runs of the same can be compared: all but ids, seals and clocks."""

import json
import re
import sqlite3
from pathlib import Path
from typing import Any

import asyncpg

Outcome = dict[str, list[str]]

# What chance and the clock decide. A document's digest runs over its verification code, a hash over the digests.
BY_CHANCE = {
    *("document_id", "sha256", "digest", "content_sealed", "verification_code", "hash"),
    *("carried_out_at", "recorded_at", "written_in", "handed_in_at", "received_at", "created_at"),
    "next_attempt_at",
    "asked_at",
    *("document_sealed", "words_sealed", "visible_at", "message_id"),
}
# What a telling more makes another; whether it was told, and whether something was resolved, counts and not when.
OFTENER = {"attempts"}
WHENEVER = {"told_at", "resolved_at"}
# When a message of the bank was written, which it says itself.
WRITTEN_AT = re.compile("<CreDtTm>[^<]*</CreDtTm>")
# Numbers of a sequence: an attempt that died leaves a hole, so only their order counts.
FROM_A_SEQUENCE = ("posting_id", "movement_id")


async def outcome(connection: asyncpg.Connection, bank: Path) -> Outcome:
    """Every row of every table of the database, and every row that the bank keeps."""
    left: Outcome = {}
    tables = await connection.fetch("select tablename from pg_tables where schemaname = 'public' order by 1")
    for (table,) in tables:
        rows = await connection.fetch(f"select to_jsonb(t) from {table} t")  # noqa: S608 - our own tables' names
        left[table] = _comparable([json.loads(row[0]) for row in rows])
    return left | {f"bank.{table}": rows for table, rows in _kept_by(bank).items()}


def _kept_by(bank: Path) -> Outcome:
    if not bank.exists():
        return {}
    with sqlite3.connect(f"file:{bank}?mode=ro", uri=True) as memory:
        memory.row_factory = sqlite3.Row
        tables = [name for (name,) in memory.execute("select name from sqlite_master where type = 'table' order by 1")]
        return {
            name: _comparable([dict(row) for row in memory.execute(f"select * from {name}")])  # noqa: S608 - as above
            for name in tables
        }


def _comparable(rows: list[dict[str, Any]]) -> list[str]:
    for row in rows:
        for column in WHENEVER & row.keys():
            row[column] = row[column] is not None
        if "posted_at" in row and row["transfer_id"] is None:
            # Money that no case owns is booked when the bank's message is taken in.
            del row["posted_at"]
    for column in FROM_A_SEQUENCE:
        order = {number: at for at, number in enumerate(sorted({row[column] for row in rows if column in row}))}
        for row in rows:
            if column in row:
                row[column] = order[row[column]]
    return sorted(json.dumps(_without_chance(row), ensure_ascii=False, sort_keys=True) for row in rows)


def _without_chance(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_chance(each) for name, each in value.items() if name not in BY_CHANCE | OFTENER}
    if isinstance(value, str):
        return WRITTEN_AT.sub("", value)
    return [_without_chance(each) for each in value] if isinstance(value, list) else value


def differences(expected: Outcome, found: Outcome) -> dict[str, tuple[list[str], list[str]]]:
    """By table: the rows that are missing, and those that should not be there."""
    return {
        table: (
            [row for row in expected.get(table, []) if row not in found.get(table, [])],
            [row for row in found.get(table, []) if row not in expected.get(table, [])],
        )
        for table in expected.keys() | found.keys()
        if expected.get(table) != found.get(table)
    }
