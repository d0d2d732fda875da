"""Canaries: words that nothing else holds, looked for in bytes in every encoding in which they could have been written down."""

import base64
import json
import re
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Final
from urllib.parse import quote

import asyncpg


def _base64(text: str) -> list[bytes]:
    """At each of the three places at which the text can begin; the characters that its neighbours share are left out."""
    data, found = text.encode(), []
    for offset, first in enumerate((0, 2, 3)):
        encoded = base64.b64encode(b"\0" * offset + data)[first : (offset + len(data)) * 8 // 6]
        found += [encoded, encoded.replace(b"+", b"-").replace(b"/", b"_")]
    return found


def _hex(text: str) -> list[bytes]:
    return [text.encode().hex().encode(), text.encode().hex().upper().encode()]


def _percent(text: str) -> list[bytes]:
    quoted = quote(text, safe="")
    return [quoted.encode(), re.sub("%..", lambda pair: pair.group().lower(), quoted).encode()]


def _json(text: str) -> list[bytes]:
    escaped = json.dumps(text)[1:-1]
    return [escaped.encode(), re.sub(r"\\u(....)", lambda code: f"\\u{code.group(1).upper()}", escaped).encode()]


# Nine: each gives every spelling of a text in its encoding.
ENCODINGS: Final[Mapping[str, Callable[[str], list[bytes]]]] = {
    "utf-8": lambda text: [text.encode()],
    "utf-16-le": lambda text: [text.encode("utf-16-le")],
    "utf-16-be": lambda text: [text.encode("utf-16-be")],
    "utf-32-le": lambda text: [text.encode("utf-32-le")],
    "gb18030": lambda text: [text.encode("gb18030")],
    "hex": _hex,
    "base64": _base64,
    "percent": _percent,
    "json": _json,
}


@cache
def spellings(text: str) -> dict[str, tuple[bytes, ...]]:
    """The bytes of `text` by encoding."""
    return {name: tuple(encode(text)) for name, encode in ENCODINGS.items()}


def found_in(data: bytes, *canaries: str) -> set[tuple[str, str]]:
    """Which canaries stand in `data`, and in which encodings."""
    return {
        (canary, name)
        for canary in canaries
        for name, written in spellings(canary).items()
        if any(each in data for each in written)
    }


async def dump(connection: asyncpg.Connection) -> dict[str, bytes]:
    """Every table as bytes, read through SQL, so that what is compressed or kept apart (TOAST) comes whole."""
    columns = await connection.fetch(
        """select c.relname as name, array_agg(a.attname order by a.attnum) as columns,
                  array_agg(a.atttypid = 'bytea'::regtype order by a.attnum) as raw
             from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
            where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' group by 1"""
    )
    tables = {}
    for name, names, raw in columns:
        listed = ", ".join(
            f'"{each}"' if binary else f'"{each}"::text' for each, binary in zip(names, raw, strict=True)
        )
        rows = await connection.fetch(f"select {listed} from {name}")  # noqa: S608 - our own tables' names
        cells = (cell for row in rows for cell in row if cell is not None)
        tables[name] = b"\0".join(cell if isinstance(cell, bytes) else cell.encode() for cell in cells)
    return tables


async def files(connection: asyncpg.Connection, since: str) -> dict[str, bytes]:
    """The database's files after a checkpoint, and the write-ahead log since `since`. As a superuser.

    What lies in the log's files beyond that was written by others: PostgreSQL uses them again.
    """
    await connection.execute("checkpoint")
    directory = Path(await connection.fetchval("show data_directory"))
    oid = await connection.fetchval("select oid from pg_database where datname = current_database()")
    places = await connection.fetchrow(
        """select a.file_name as first, a.file_offset as begins, b.file_name as last, b.file_offset as ends
             from pg_walfile_name_offset($1::text::pg_lsn) a, pg_walfile_name_offset(pg_current_wal_flush_lsn()) b""",
        since,
    )
    assert places is not None
    read = {f"base/{each.name}": each.read_bytes() for each in sorted((directory / "base" / str(oid)).iterdir())}
    for segment in sorted((directory / "pg_wal").iterdir()):
        if places["first"] <= segment.name <= places["last"]:
            begins = places["begins"] if segment.name == places["first"] else 0
            ends = places["ends"] if segment.name == places["last"] else None
            read[f"pg_wal/{segment.name}"] = segment.read_bytes()[begins:ends]
    return read
