"""`yibao funds`: money that came and is nobody's yet, with the orders that it may belong to."""

from pathlib import Path

import click

from stack.options import data_dir_option


@click.group()
def funds() -> None:
    """Money at the border with the bank."""


@funds.command()
@data_dir_option
@click.option("--region", metavar="CODE", help="Of one agency; of all when left out.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def unmatched(data_dir: Path, region: str | None, as_json: bool) -> None:
    """List the money that belongs to nobody yet, oldest first, and the bank's messages that could not be taken."""
    from stack.funds_commands import list_unmatched

    list_unmatched(data_dir, region, as_json=as_json)
