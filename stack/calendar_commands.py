"""What `yibao calendar` does: publish an edition of a year's working days, and show the editions there are."""

from pathlib import Path

import asyncpg
import click

from activities.calendar_data import CalendarFileError, parse_calendar_year
from activities.reference import CalendarCache, add_edition, editions_of
from activities.register_load import today_in_shanghai
from activities.worklist import redate_worklist
from stack.connection import on_database
from stack.errors import StackError
from workflows.workdays import CalendarYear


def load_and_print(file: Path, data_dir: Path) -> None:
    """Add the edition in `file`, and give every open step the due date that it has from now on.

    Raises `StackError` for a bad file and for an edition that is published already.
    """
    try:
        edition = parse_calendar_year(file.read_text("utf-8"))
    except CalendarFileError as error:
        raise StackError(f"{file}: {error}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise StackError(f"cannot read {file}: {error}") from None

    async def act(connection: asyncpg.Connection) -> int:
        if not await add_edition(connection, edition):
            raise StackError(
                f"edition {edition.edition} is published already: a change to {edition.year} is a new edition"
            )
        today = today_in_shanghai()
        try:
            await CalendarCache().in_force(connection, today)
        except ValueError as error:
            raise StackError(f"{file}: with this edition the table does not hold together: {error}") from None
        return await redate_worklist(connection, today)

    moved = on_database(data_dir, act)
    click.echo(f"edition {edition.edition} of {edition.year} is in force ({edition.notice or 'no notice number'})")
    if moved:
        click.echo(f"open steps with another due date: {moved:,}")


def show_and_print(year: int, data_dir: Path) -> None:
    """Print every edition of `year`, the newest last. Raises `StackError` for a year that is not published."""

    async def act(connection: asyncpg.Connection) -> list[CalendarYear]:
        return await editions_of(connection, year)

    editions = on_database(data_dir, act)
    if not editions:
        raise StackError(
            f"{year} is not published yet: deadlines in it are provisional, counted by statutory days only"
        )
    for edition in editions:
        click.echo(f"{edition.edition}  {edition.notice or 'no notice number'}, published on {edition.published_on}")
        for day in edition.days_off:
            click.echo(f"  off   {day.date} {day.name}")
        for make_up in edition.make_up_days:
            click.echo(f"  work  {make_up}")
