"""`yibao register`: load an extract of the agencies' registers, and show what they hold about one person.

The database is that of YIBAO_DATABASE_URL with the keyring of YIBAO_KEYRING, or else the local stack's.
"""

from datetime import datetime
from pathlib import Path

import click

from stack.options import data_dir_option


@click.group()
def register() -> None:
    """The registers of the agencies, as their extracts give them."""


@register.command()
@click.argument("file", type=click.Path(path_type=Path))
@data_dir_option
@click.option("--dry-run", is_flag=True, help="Say what would happen and change nothing.")
@click.option("--as-of", type=click.DateTime(["%Y-%m-%d"]), help="How fresh the extract is; today when left out.")
def load(file: Path, data_dir: Path, dry_run: bool, as_of: datetime | None) -> None:
    """Load the register extract FILE (CSV), all of it or nothing.

    Bad rows are listed by line, field and reason. Rows that a transfer has moved past are kept and listed as conflicts.
    """
    from stack.register_commands import load_and_print

    load_and_print(file, data_dir, as_of=as_of.date() if as_of else None, dry_run=dry_run)


@register.command()
@data_dir_option
@click.option("--resident-id", metavar="ID", required=True, help="The person's resident identity number.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def show(data_dir: Path, resident_id: str, as_json: bool) -> None:
    """Show what the registers hold about one person, masked."""
    from stack.register_commands import show_and_print

    show_and_print(resident_id, data_dir, as_json=as_json)
