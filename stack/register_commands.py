"""What `yibao register` does: find the database and the keyring, load or show, and print what came of it."""

import asyncio
import gc
import json
from dataclasses import asdict
from datetime import date
from pathlib import Path

import asyncpg
import click

from activities.csv_batches import SHOWN
from activities.csv_cells import resident_id_reason
from activities.keyring import Keyring, KeyringError
from activities.register_load import LoadReport, RegisterLoadError, load_register
from activities.register_show import ShownPerson, show_person
from stack.connection import database_and_keyring
from stack.errors import StackError
from stack.file_loading import refuse_faults, with_progress


def load_and_print(file: Path, data_dir: Path, *, as_of: date | None, dry_run: bool) -> None:
    """Load the extract `file` with a progress bar and print the report. Raises `StackError` when nothing was loaded."""
    database_url, keyring = database_and_keyring(data_dir)
    # What is imported by now stays: the collector need not look at it again for every batch of rows.
    gc.freeze()
    try:
        report = asyncio.run(
            with_progress(
                file,
                lambda on_progress: load_register(
                    database_url, keyring, file, as_of=as_of, dry_run=dry_run, on_progress=on_progress
                ),
            )
        )
    except OSError as error:
        raise StackError(f"cannot read {file}, or the database does not answer: {error}") from None
    except (RegisterLoadError, KeyringError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise StackError(f"nothing was loaded: {error}") from None
    _print_report(report, dry_run=dry_run)


def show_and_print(resident_id: str, data_dir: Path, *, as_json: bool) -> None:
    """Print what the registers hold about a person. Raises `StackError` for a bad number, and for an unknown person."""
    reason = resident_id_reason(resident_id)
    if reason is not None:
        raise StackError(f"--resident-id: {reason}")
    database_url, keyring = database_and_keyring(data_dir)
    try:
        person = asyncio.run(_show(database_url, keyring, resident_id))
    except (OSError, KeyringError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise StackError(f"the registers cannot be read: {error}") from None
    if as_json:
        enrolments = [asdict(enrolment) for enrolment in person.enrolments] if person else []
        click.echo(json.dumps({"enrolments": enrolments}, default=date.isoformat))
    elif person is None:
        raise StackError("no register holds anything about this person")
    else:
        _print_person(person)


async def _show(database_url: str, keyring: Keyring, resident_id: str) -> ShownPerson | None:
    connection = await asyncpg.connect(database_url)
    try:
        return await show_person(connection, keyring, resident_id)
    finally:
        await connection.close()


def _print_report(report: LoadReport, *, dry_run: bool) -> None:
    refuse_faults(report.errors, report.error_count, report.rows)
    for conflict in report.conflicts:
        click.echo(f"kept: {conflict}")
    if report.conflict_count > SHOWN:
        click.echo(f"and {report.conflict_count - SHOWN:,} more kept")
    done = "would be" if dry_run else "were"
    click.echo(
        f"{report.rows:,} rows: {report.inserted:,} {done} added, {report.updated:,} changed, "
        f"{report.unchanged:,} unchanged, {report.conflict_count:,} kept as conflicts"
    )


def _print_person(person: ShownPerson) -> None:
    click.echo(f"{person.resident_id}  {' / '.join(person.names)}")
    for enrolment in person.enrolments:
        stopped = f" on {enrolment.stopped_on}" if enrolment.stopped_on else ""
        frozen = f", {enrolment.frozen_fen:,} fen frozen" if enrolment.frozen_fen else ""
        click.echo(
            f"{enrolment.region} {enrolment.scheme} {enrolment.status}{stopped}: "
            f"{enrolment.personal_account_fen:,} fen{frozen}; months {enrolment.contribution_months or 'none'}"
        )
