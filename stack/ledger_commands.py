"""What `yibao ledger` prints: statements as people read them, and what the auditor finds."""

import asyncio
import contextlib
import json
import time
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import click

from activities.ledger.accounts import AccountName
from activities.ledger.auditor import Auditor, open_auditor, snapshots
from activities.ledger.invariants import Broken
from activities.ledger.statement import AccountStatement, Scope, Statement, draw_statement
from stack.connection import database_and_keyring
from stack.errors import StackError
from workflows.deadlines import SHANGHAI
from workflows.vocabulary import InsuranceScheme
from workflows.words import yuan

Answer = TypeVar("Answer")

REPORT_EVERY_SECONDS = 10.0


@dataclass(frozen=True)
class Wanted:
    """Which statement; an instant without an offset is China's."""

    region: str
    scheme: InsuranceScheme | None
    account: AccountName | None
    transfer_no: str | None
    at: datetime | None
    since: datetime | None
    drawn_by: str | None


def statement_and_print(data_dir: Path, wanted: Wanted, *, as_json: bool) -> None:
    """Print the statement. Raises `StackError` for an unknown transfer, or when there is no database."""
    statement = _run(_statement(database_and_keyring(data_dir)[0], wanted))
    if as_json:
        click.echo(statement.model_dump_json(indent=2))
        return
    click.echo(f"{wanted.region} at {_time(statement.at)}, entries after {_time(statement.since)}")
    for account in statement.accounts:
        for line in _account_lines(account):
            click.echo(line)
    if not statement.accounts:
        click.echo("no account holds or moved anything")
    click.echo(f"drawn by {statement.drawn_by}")


def audit_and_print(data_dir: Path, *, watch: bool, as_json: bool) -> None:
    """Verify and print what is broken, each thing once. Raises `StackError` at the end when anything was."""
    broken = _run(_audit(database_and_keyring(data_dir)[0], watch=watch, as_json=as_json))
    if broken:
        raise StackError(f"{broken} broken: the ledger is not to be relied on until they are explained")


async def _statement(url: str, wanted: Wanted) -> Statement:
    connection = await asyncpg.connect(url)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            transfer_id = None
            if wanted.transfer_no is not None:
                transfer_id = await connection.fetchval(
                    "select transfer_id from transfers where no = $1", wanted.transfer_no
                )
                if transfer_id is None:
                    raise StackError(f"there is no transfer {wanted.transfer_no}")
            at = _instant(wanted.at or datetime.now(UTC))
            day = at.astimezone(SHANGHAI).replace(hour=0, minute=0, second=0, microsecond=0)
            scope = Scope(
                region=wanted.region, scheme=wanted.scheme, account=wanted.account, transfer_id=transfer_id
            )  # fmt: skip
            since = _instant(wanted.since) if wanted.since else day
            return await draw_statement(connection, scope, at=at, since=since, drawn_by=wanted.drawn_by)
    finally:
        await connection.close()


async def _audit(url: str, *, watch: bool, as_json: bool) -> int:
    async with open_auditor(url, told=watch) as auditor:
        told = set[Broken]()
        # Ctrl-C ends a watch, and what it has found is its answer.
        with contextlib.suppress(asyncio.CancelledError):
            await _verify(auditor, told, watch=watch, as_json=as_json)
        return len(told)


async def _verify(auditor: Auditor, told: set[Broken], *, watch: bool, as_json: bool) -> None:
    count, postings, reported = 0, 0, time.monotonic()
    async for snapshot in snapshots(auditor):
        count, postings = count + 1, postings + snapshot.postings
        for each in snapshot.broken:
            if each not in told:
                told.add(each)
                click.echo(json.dumps(each._asdict(), ensure_ascii=False) if as_json else _broken_line(each))
        seconds, whole = time.monotonic() - reported, snapshot.number == 1
        if not as_json and (whole or seconds >= REPORT_EVERY_SECONDS):
            verified = f"all {snapshot.cases} cases" if whole else f"{count / seconds:.1f} snapshots a second"
            click.echo(f"verified {verified}, {postings} postings: {len(told) or 'nothing'} broken so far")
            count, postings, reported = 0, 0, time.monotonic()
        if not watch:
            return


def _broken_line(broken: Broken) -> str:
    where = f"posting {broken.posting_id}" if broken.posting_id is not None else "no posting"
    return f"BROKEN {broken.invariant}  {where}  {broken.transfer_no or '-'}  {broken.says}"


def _account_lines(account: AccountStatement) -> list[str]:
    lines = [f"{account.account} {account.scheme}", f"  {'opening':<52}{_fen(account.opening_fen)}"]
    for line in account.lines:
        about = line.reference or line.unmatched or ""
        late = "  late" if line.late else ""
        undoes = f"  undoes {line.reverses}" if line.reverses is not None else ""
        lines.append(
            f"  {_time(line.posted_at)}  {line.posting_id:>8}  {line.transfer_no or '-'} #{line.seq or '-'} {about}"
            f"  {_fen(line.amount_fen)}{_fen(line.balance_fen)}{late}{undoes}"
        )
    return [*lines, f"  {'closing':<52}{_fen(account.closing_fen)}"]


def _fen(amount_fen: int) -> str:
    return f"{'-' if amount_fen < 0 else ''}{yuan(abs(amount_fen))}".rjust(18)


def _instant(given: datetime) -> datetime:
    return given if given.tzinfo else given.replace(tzinfo=SHANGHAI)


def _time(instant: datetime | None) -> str:
    return f"{instant.astimezone(SHANGHAI):%Y-%m-%d %H:%M:%S}" if instant else "the beginning"


def _run(work: Coroutine[Any, Any, Answer]) -> Answer:
    try:
        return asyncio.run(work)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise StackError(f"the database does not answer: {error}") from None
