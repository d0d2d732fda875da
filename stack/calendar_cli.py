"""`yibao calendar`: the working-day tables by which deadlines are counted."""

from pathlib import Path

import click

from stack.options import data_dir_option


@click.group()
def calendar() -> None:
    """The State Council's working-day tables, one edition a year and more when a year is changed in flight."""


@calendar.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@data_dir_option
def load(file: Path, data_dir: Path) -> None:
    """Publish or change a year's working days from FILE (JSON).

    Every open deadline is counted by it from then on.
    """
    from stack.calendar_commands import load_and_print

    load_and_print(file, data_dir)


@calendar.command()
@click.argument("year", type=click.IntRange(2000, 2199))
@data_dir_option
def show(year: int, data_dir: Path) -> None:
    """Show the editions of YEAR, the notice of each, and its days off and make-up working days."""
    from stack.calendar_commands import show_and_print

    show_and_print(year, data_dir)
