"""What `yibao staff` does: load a directory or show the one that is held, and print what came of it."""

import asyncio
import json
from dataclasses import asdict
from pathlib import Path

import asyncpg
import click

from activities.register_load import today_in_shanghai
from activities.staff import ShownMember, staff_of
from activities.staff_load import StaffLoadError, StaffReport, load_staff
from stack.connection import database_and_keyring, on_database
from stack.errors import StackError
from stack.file_loading import refuse_faults


def load_and_print(file: Path, data_dir: Path, region: str, *, dry_run: bool) -> None:
    """Load `file` as the directory of `region` and print the report. Raises `StackError` when nothing was loaded."""
    database_url, _ = database_and_keyring(data_dir)
    try:
        report = asyncio.run(load_staff(database_url, file, region, today=today_in_shanghai(), dry_run=dry_run))
    except OSError as error:
        raise StackError(f"cannot read {file}, or the database does not answer: {error}") from None
    except (StaffLoadError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise StackError(f"nothing was loaded: {error}") from None
    _print_report(report, dry_run=dry_run)


def show_and_print(data_dir: Path, region: str, *, as_json: bool) -> None:
    """Print a line for each person of the directory. Raises `StackError` when the agency has none."""
    members = on_database(data_dir, lambda connection: staff_of(connection, region))
    if as_json:
        click.echo(json.dumps([_document(each) for each in members], ensure_ascii=False, default=str))
        return
    if not members:
        raise StackError(
            f"the agency of {region[:20]} has no directory of staff: `yibao staff load FILE --region CODE`"
        )
    for each in members:
        ends = f" until {each.ends_on}" if each.ends_on else ""
        subjects = ", ".join(each.subjects) or "no token of their own"
        click.echo(f"{each.staff_id}: {subjects}; from {each.valid_from}{ends}")


def _document(member: ShownMember) -> dict[str, object]:
    return asdict(member) | {"loaded_at": member.loaded_at.isoformat()}


def _print_report(report: StaffReport, *, dry_run: bool) -> None:
    refuse_faults(report.errors, report.error_count, report.rows)
    done = "would be" if dry_run else "were"
    click.echo(
        f"{report.rows:,} rows: {report.added:,} {done} added, {report.changed:,} changed, "
        f"{report.unchanged:,} unchanged, {report.removed:,} taken out"
    )
