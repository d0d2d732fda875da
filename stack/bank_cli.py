"""`yibao bank fault`: what the local stack's sandbox bank does wrong."""

from pathlib import Path
from typing import Any

import click

from stack.options import data_dir_option

KINDS = (
    *("LATE", "RETURN", "REFUSE", "WRONG_AMOUNT", "CUT_NAME", "NO_REFERENCE", "CUT_REFERENCE", "DUPLICATE", "REORDER"),
    *("SILENT", "CREDIT_TWICE"),
)


@click.group()
def bank() -> None:
    """The sandbox bank of the local stack."""


@bank.group()
def fault() -> None:
    """What it does wrong; nothing, unless it is told to."""


@fault.command()
@data_dir_option
@click.argument("kind", type=click.Choice(KINDS))
@click.option("--payee", metavar="ACCOUNT", help="Number or name of the account that is paid.")
@click.option("--reference", metavar="REF", help="Our reference, or how it begins.")
@click.option("--amount-fen", type=int, help="The order's amount.")
@click.option("--part", type=int, help="The number of a payment of a split order.")
@click.option("--code", metavar="CODE", help="Why it is refused or comes back, in ISO 20022; AC01 when left out.")
@click.option("--days", type=float, help="How many days later it arrives, or comes back.")
@click.option("--seconds", type=float, help="The same in seconds.")
@click.option("--after-credit", is_flag=True, default=None, help="It comes back after it had arrived.")
def add(data_dir: Path, kind: str, **given: Any) -> None:
    """Add a fault of KIND for the orders that the options name, all when there are none."""
    from stack.bank_faults import BankFault, FaultFile

    said = {name: value for name, value in given.items() if value is not None}
    file = FaultFile(data_dir)
    file.write([*file.faults(), BankFault.model_validate({"kind": kind} | said)])
    click.echo(f"{len(file.faults())} faults")


@fault.command("list")
@data_dir_option
def list_(data_dir: Path) -> None:
    """List them."""
    from stack.bank_faults import FaultFile

    for each in FaultFile(data_dir).faults():
        click.echo(each.model_dump_json(exclude_defaults=True))


@fault.command()
@data_dir_option
def clear(data_dir: Path) -> None:
    """Make it honest again."""
    from stack.bank_faults import FaultFile

    FaultFile(data_dir).write([])
    click.echo("no faults")
