"""`yibao contributions`: load the feed of contributions that came after a transfer, and show where each stands.

The database is that of YIBAO_DATABASE_URL with the keyring of YIBAO_KEYRING, or else the local stack's.
"""

from pathlib import Path

import click

from stack.options import data_dir_option

STATES = ("AWAITS_SWEEP", "WAITS_FOR_COMPLETION", "SWEPT_ALONG", "RETAINED", "NO_TRANSFER", "TOO_LATE")


@click.group()
def contributions() -> None:
    """Contributions that arrive at the old region after the money has moved."""


@contributions.command()
@click.argument("file", type=click.Path(path_type=Path))
@data_dir_option
@click.option("--dry-run", is_flag=True, help="Say what would happen and change nothing.")
def load(file: Path, data_dir: Path, dry_run: bool) -> None:
    """Load the feed FILE (CSV), all of it or nothing; each contribution once, by its id.

    What follows a transfer completed within 36 months is swept along by the worker; nobody is asked for anything.
    """
    from stack.contribution_commands import load_and_print

    load_and_print(file, data_dir, dry_run=dry_run)


@contributions.command()
@data_dir_option
@click.option("--state", "states", type=click.Choice(STATES), multiple=True, help="Only these; may be given again.")
@click.option("--resident-id", metavar="ID", help="Only those of the person with this number.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=1_000, show_default=True, help="At most so many.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def show(data_dir: Path, states: tuple[str, ...], resident_id: str | None, limit: int, as_json: bool) -> None:
    """Show the contributions that were loaded, oldest first, and where each of them stands."""
    from stack.contribution_commands import show_and_print

    show_and_print(data_dir, states, resident_id, limit, as_json=as_json)
