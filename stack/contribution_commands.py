"""What `yibao contributions` does: load the feed or show what is held, and print what came of it."""

import asyncio
import gc
import json
from dataclasses import asdict
from pathlib import Path

import asyncpg
import click

from activities.contribution_load import ContributionLoadError, ContributionReport, load_contributions
from activities.contribution_show import ShownContribution, show_contributions
from activities.csv_cells import resident_id_reason
from activities.keyring import KeyringError
from stack.connection import database_and_keyring
from stack.errors import StackError
from stack.file_loading import refuse_faults, with_progress
from workflows.residuals import ContributionState

IN_WORDS = {
    ContributionState.AWAITS_SWEEP: "to be swept along",
    ContributionState.WAITS_FOR_COMPLETION: "waiting for the transfer's completion",
    ContributionState.SWEPT_ALONG: "swept along",
    ContributionState.RETAINED: "kept in the province",
    ContributionState.NO_TRANSFER: "of persons who have not moved from there",
    ContributionState.TOO_LATE: "more than 36 months after the transfer",
}


def load_and_print(file: Path, data_dir: Path, *, dry_run: bool) -> None:
    """Load the feed `file` with a progress bar and print the report. Raises `StackError` when nothing was loaded."""
    database_url, keyring = database_and_keyring(data_dir)
    # What is imported by now stays: the collector need not look at it again for every batch of rows.
    gc.freeze()
    try:
        report = asyncio.run(
            with_progress(
                file,
                lambda on_progress: load_contributions(
                    database_url, keyring, file, dry_run=dry_run, on_progress=on_progress
                ),
            )
        )
    except OSError as error:
        raise StackError(f"cannot read {file}, or the database does not answer: {error}") from None
    except (ContributionLoadError, KeyringError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise StackError(f"nothing was loaded: {error}") from None
    _print_report(report, dry_run=dry_run)


def show_and_print(
    data_dir: Path, states: tuple[str, ...], resident_id: str | None, limit: int, *, as_json: bool
) -> None:
    """Print a line for each contribution. Raises `StackError` for a bad number."""
    reason = resident_id_reason(resident_id) if resident_id is not None else None
    if reason is not None:
        raise StackError(f"--resident-id: {reason}")
    database_url, keyring = database_and_keyring(data_dir)
    wanted = tuple(map(ContributionState, states)) or tuple(ContributionState)

    async def read() -> tuple[ShownContribution, ...]:
        connection = await asyncpg.connect(database_url)
        try:
            return await show_contributions(connection, keyring, wanted, resident_id=resident_id, limit=limit)
        finally:
            await connection.close()

    try:
        shown = asyncio.run(read())
    except (OSError, KeyringError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise StackError(f"the contributions cannot be read: {error}") from None
    if as_json:
        click.echo(json.dumps({"contributions": [asdict(each) for each in shown]}, default=str))
        return
    for each in shown:
        click.echo(_line(each))
    if len(shown) == limit:
        click.echo(f"the first {limit:,}: --limit shows more")


def _print_report(report: ContributionReport, *, dry_run: bool) -> None:
    refuse_faults(report.errors, report.error_count, report.rows)
    done = "would be" if dry_run else "were"
    click.echo(f"{report.rows:,} rows: {report.taken.total():,} {done} taken, {report.repeated:,} known already")
    for state in ContributionState:
        if report.taken[state]:
            click.echo(f"{report.taken[state]:,} {IN_WORDS[state]} ({state})")


def _line(shown: ShownContribution) -> str:
    follows = f" {shown.transfer_no}" if shown.transfer_no else ""
    return (
        f"{shown.received_on} {shown.contribution_id}: {shown.region} {shown.scheme} {shown.month}, "
        f"{shown.amount_fen:,} fen, {IN_WORDS[shown.state]} ({shown.state}){follows}"
    )
