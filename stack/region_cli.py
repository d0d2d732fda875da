"""`yibao region`: what a pooling region decides for itself, as effective-dated data."""

from datetime import date, datetime
from pathlib import Path

import click

from stack.options import data_dir_option


@click.group()
def region() -> None:
    """The directory of pooling regions and their policies."""


@region.command(name="set")
@click.argument("code")
@click.argument("changes", nargs=-1, required=True, metavar="KEY=VALUE...")
@data_dir_option
@click.option("--from", "effective_from", type=click.DateTime(["%Y-%m-%d"]), help="In force from; today when left out.")
def set_(code: str, changes: tuple[str, ...], data_dir: Path, effective_from: datetime | None) -> None:
    """Change the policy of region CODE, e.g. `arrears=block` or `connected=no`.

    The difference to the edition in force is printed. Dotted keys reach inside: `shortened_periods.CONFIRM_CONTINUATION=3`,
    `waiting.months=3`. `receiving_account=none` takes the agency's bank account out of the directory.
    """
    from stack.region_commands import set_and_print

    set_and_print(code, changes, data_dir, effective_from.date() if effective_from else None)


@region.command()
@click.argument("code")
@data_dir_option
@click.option("--on", "day", type=click.DateTime(["%Y-%m-%d"]), help="The day to look at; today when left out.")
def show(code: str, data_dir: Path, day: datetime | None) -> None:
    """Show region CODE: its agency and the policy in force."""
    from stack.region_commands import show_and_print

    on: date | None = day.date() if day else None
    show_and_print(code, data_dir, on)
