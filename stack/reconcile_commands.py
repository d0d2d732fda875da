"""What `yibao reconcile` does: a run as the database's owner, what stands open, and a difference cleared by hand."""

import asyncio
import getpass
import json
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import asyncpg
import click

from activities.free_text import open_without_person, seal_without_person
from activities.keyring import KeyringError
from activities.reconciliation import keeping
from activities.reconciliation.keeping import NotOpenError, OpenDifference, Run
from activities.reconciliation.report import grouped, sentence
from activities.register_load import today_in_shanghai
from stack.connection import database_and_keyring, on_database
from stack.errors import StackError
from workflows.deadlines import SHANGHAI
from workflows.personal_numbers import has_personal_number
from workflows.words import yuan

# What a terminal is shown of a long list.
SHOWN = 50


def reconcile_and_print(data_dir: Path, since: date | None, until: date | None, *, as_json: bool) -> None:
    """Make a run and print it with what stands open. Raises `StackError` for days that cannot be looked at."""
    today = today_in_shanghai()
    last = until or today
    if last > today:
        raise StackError(f"{last} is not over: today is {today}")
    if since is not None and since > last:
        raise StackError(f"{since} is after {last}: the first day comes first")
    url, _ = database_and_keyring(data_dir)
    try:
        run, differences = asyncio.run(_reconcile(url, since, last))
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise StackError(f"the database does not answer: {error}") from None
    if as_json:
        click.echo(json.dumps({"run": run.model_dump(mode="json")} | _document(differences, today), ensure_ascii=False))
        return
    lines = (
        f"{run.ledger_lines:,} lines of the ledger, {run.bank_lines:,} of the bank, {run.register_lines:,} of registers"
    )
    click.echo(f"{run.since} to {run.until}: {lines}")
    click.echo(f"{run.found:,} differences found, {run.new:,} of them new; {run.gone:,} are gone")
    _print(differences, today)


def open_and_print(data_dir: Path, *, as_json: bool) -> None:
    """Print what stands open. Raises `StackError`."""
    differences, today = on_database(data_dir, keeping.open_differences), today_in_shanghai()
    if as_json:
        click.echo(json.dumps(_document(differences, today), ensure_ascii=False))
    else:
        _print(differences, today)


def clear_and_print(data_dir: Path, difference_id: int, *, reason: str, cleared_by: str) -> None:
    """Clear a difference. Raises `StackError` when it is not open, or nothing is said."""
    if not reason.strip() or not cleared_by.strip():
        raise StackError("a difference is cleared by somebody, for a reason: neither may be blank")
    if has_personal_number(reason):
        raise StackError("the reason has an identity or phone number: leave it out, or write its last four digits only")
    _, keyring = database_and_keyring(data_dir)
    sealed = seal_without_person(keyring, reason.strip())

    async def act(connection: asyncpg.Connection) -> None:
        await keeping.clear(connection, difference_id, reason=sealed, cleared_by=cleared_by.strip())

    try:
        on_database(data_dir, act)
    except NotOpenError as error:
        raise StackError(f"{error}: `yibao reconcile open` lists what is") from None
    click.echo(f"difference {difference_id} is cleared by {cleared_by.strip()}: {reason.strip()}")


def cleared_and_print(data_dir: Path) -> None:
    """Print what was cleared by hand, the latest first, with the reasons. Raises `StackError`."""
    _, keyring = database_and_keyring(data_dir)
    rows = on_database(data_dir, keeping.cleared_by_hand)
    if not rows:
        click.echo("nothing was cleared by hand")
    for row in rows:
        try:
            reason = open_without_person(keyring, row.reason)
        except KeyringError as error:
            reason = f"not readable: {error}"
        click.echo(
            f"{row.difference_id}  {row.cleared_at.astimezone(SHANGHAI):%Y-%m-%d %H:%M}  {row.cleared_by}: {reason}"
        )


async def _reconcile(url: str, since: date | None, until: date) -> tuple[Run, list[OpenDifference]]:
    reader, keeper = await asyncpg.connect(url), await asyncpg.connect(url)
    try:
        async with keeper.transaction():
            first = since or await keeping.first_day(keeper, until)
            run = await keeping.reconcile(
                reader, keeper, since=first, until=until, why="ON_DEMAND", started_by=getpass.getuser()
            )
        return run, await keeping.open_differences(keeper)
    finally:
        await reader.close()
        await keeper.close()


def _document(differences: Sequence[OpenDifference], today: date) -> dict[str, object]:
    return {
        "groups": [each.model_dump(mode="json") for each in grouped(differences, today)],
        "open": [
            each.model_dump(mode="json")
            | {"age_days": (today - each.stands_since).days}
            | {"explanation": {"zh-CN": sentence(each, "zh-CN"), "en": sentence(each, "en")}}
            for each in differences
        ],
    }


def _print(differences: Sequence[OpenDifference], today: date) -> None:
    if not differences:
        click.echo("nothing stands open")
        return
    click.echo(f"{len(differences):,} stand open:")
    for group in grouped(differences, today):
        holder = f"{group.party} {group.region}" if group.region else group.party
        amount = f"{yuan(group.difference_fen)} yuan"
        click.echo(
            f"  {holder}  {group.kind}  {group.count:,}, {amount}, {group.newest_days} to {group.oldest_days} days"
        )
    for each in differences[:SHOWN]:
        click.echo(f"#{each.difference_id}  {each.kind}  {sentence(each, 'en')}")
    if len(differences) > SHOWN:
        click.echo(f"… and {len(differences) - SHOWN:,} more: --json lists all")
