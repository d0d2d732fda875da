"""`yibao staff`: the directory of an agency's staff, by which two names of one person are known to be one.

The database is that of YIBAO_DATABASE_URL with the keyring of YIBAO_KEYRING, or else the local stack's.
"""

from pathlib import Path

import click

from stack.options import data_dir_option

region_option = click.option("--region", metavar="CODE", required=True, help="Pooling region of the agency.")


@click.group()
def staff() -> None:
    """The directories of the agencies' staff."""


@staff.command()
@click.argument("file", type=click.Path(path_type=Path))
@data_dir_option
@region_option
@click.option("--dry-run", is_flag=True, help="Say what would happen and change nothing.")
def load(file: Path, data_dir: Path, region: str, dry_run: bool) -> None:
    """Load FILE (CSV: staff_id, subjects, ends_on) as the whole directory of the agency, all of it or nothing.

    `subjects` are those of the person's own tokens, apart by `;`; `ends_on` is the last day of service, empty for none. Who
    is not in the file is taken out. Bad rows are listed by line, field and reason.
    """
    from stack.staff_commands import load_and_print

    load_and_print(file, data_dir, region, dry_run=dry_run)


@staff.command()
@data_dir_option
@region_option
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def show(data_dir: Path, region: str, as_json: bool) -> None:
    """Show the directory of an agency's staff."""
    from stack.staff_commands import show_and_print

    show_and_print(data_dir, region, as_json=as_json)
