"""The three streams as PostgreSQL has them: server-side cursors, read in pages that end at the same reference."""

from bisect import bisect_left
from collections.abc import AsyncIterator, Callable
from datetime import date
from typing import Any, Final, Generic, NamedTuple, TypeVar

import asyncpg

from activities.database import Connection
from activities.reconciliation.lines import (
    BankDirection,
    BankLine,
    Booked,
    LedgerLine,
    RegisterDirection,
    RegisterLine,
)
from activities.reconciliation.statements import BANK_SQL, LEDGER_SQL, REGISTERS_SQL

Streamed = TypeVar("Streamed", LedgerLine, BankLine, RegisterLine)

PAGE: Final = 2_000
# The first page waits for PostgreSQL to sort.
PAGE_SECONDS: Final = 600

_BOOKED_AS: Final = {str(each): each for each in Booked}
_AT_THE_BANK: Final = {str(each): each for each in BankDirection}
_IN_A_REGISTER: Final = {str(each): each for each in RegisterDirection}


class Page(NamedTuple):
    """Whole orders only: no reference has lines in two pages."""

    ledger: list[LedgerLine]
    bank: list[BankLine]
    registers: list[RegisterLine]


async def pages(reader: Connection, since: date, until: date, *, size: int = PAGE) -> AsyncIterator[Page]:
    """All lines of the days, in pages, as of the instant at which the reader's transaction began.

    The reader is in a transaction of its own, repeatable read. Raises `asyncpg.PostgresError`.
    """
    # The plan that reads everything, not the one that has the first rows soonest.
    await reader.execute("set local cursor_tuple_fraction = 1")
    ledger = _Stream(await reader.cursor(LEDGER_SQL, since, until, timeout=PAGE_SECONDS), _ledger_line, size)
    bank = _Stream(await reader.cursor(BANK_SQL, since, until, timeout=PAGE_SECONDS), _bank_line, size)
    registers = _Stream(await reader.cursor(REGISTERS_SQL, since, until, timeout=PAGE_SECONDS), _register_line, size)
    while True:
        for stream in (ledger, bank, registers):
            await stream.fill()
        unread = [each.horizon for each in (ledger, bank, registers) if not each.at_its_end]
        horizon = min(unread) if unread else None
        yield Page(ledger.until(horizon), bank.until(horizon), registers.until(horizon))
        if horizon is None:
            return
        for stream in (ledger, bank, registers):
            # What ends the page may have more lines than these.
            if not stream.at_its_end and stream.horizon == horizon:
                await stream.more()


class _Stream(Generic[Streamed]):
    """One cursor, and what of it has been read and not yet handed on."""

    def __init__(self, cursor: Any, line: Callable[[asyncpg.Record], Streamed], size: int) -> None:
        self._cursor = cursor
        self._line: Callable[[asyncpg.Record], Streamed] = line
        self._size = size
        self._held: list[Streamed] = []
        self.at_its_end = False

    @property
    def horizon(self) -> str:
        """Every line before this reference has been read."""
        return self._held[-1].reference if self._held else ""

    async def fill(self) -> None:
        if not self._held and not self.at_its_end:
            await self.more()

    async def more(self) -> None:
        rows = await self._cursor.fetch(self._size, timeout=PAGE_SECONDS)
        self._held += map(self._line, rows)
        self.at_its_end = len(rows) < self._size

    def until(self, horizon: str | None) -> list[Streamed]:
        """What lies before `horizon`; lines without a reference are whole by themselves."""
        if horizon is None:
            end = len(self._held)
        else:
            end = bisect_left(self._held, horizon or "\x00", key=lambda each: each.reference)
        handed_on, self._held = self._held[:end], self._held[end:]
        return handed_on


def _ledger_line(row: asyncpg.Record) -> LedgerLine:
    reference, what, *rest = row
    return LedgerLine(reference, _BOOKED_AS[what], *rest)


def _bank_line(row: asyncpg.Record) -> BankLine:
    reference, account, kind, *rest = row
    return BankLine(reference, account, _AT_THE_BANK[kind], *rest)


def _register_line(row: asyncpg.Record) -> RegisterLine:
    reference, region, direction, *rest = row
    return RegisterLine(reference, region, _IN_A_REGISTER[direction], *rest)
