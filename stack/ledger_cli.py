"""`yibao ledger`: statements of the accounts, and the auditor that verifies them."""

from datetime import datetime
from pathlib import Path
from typing import get_args

import click

from activities.ledger.accounts import AccountName
from stack.options import data_dir_option
from workflows.vocabulary import InsuranceScheme

INSTANTS = ["%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%S.%f%z", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d"]


@click.group()
def ledger() -> None:
    """The ledger of the agencies' money: double entry in whole fen."""


@ledger.command()
@data_dir_option
@click.option("--region", metavar="CODE", required=True, help="The agency's pooling region.")
@click.option("--scheme", type=click.Choice([each.value for each in InsuranceScheme]), help="Both when left out.")
@click.option("--account", type=click.Choice(get_args(AccountName)), help="All when left out.")
@click.option("--transfer", metavar="NO", help="Only what belongs to this transfer.")
@click.option(
    "--at",
    type=click.DateTime(INSTANTS),
    help="What was held at this instant; now when left out. China's time where none is said; a day means its beginning.",
)
@click.option(
    "--since", type=click.DateTime(INSTANTS), help="List entries after this instant; the day's when left out."
)
@click.option("--drawn-by", metavar="SNAPSHOT", help="Draw again what a statement said, by the snapshot that it names.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def statement(
    data_dir: Path,
    region: str,
    scheme: str | None,
    account: AccountName | None,
    transfer: str | None,
    at: datetime | None,
    since: datetime | None,
    drawn_by: str | None,
    as_json: bool,
) -> None:
    """Print the statement of an agency's accounts: opening balance, entries, closing balance.

    Entries count from when the act they book was asked for. One that was written after the statement's end is marked
    `late`; with --drawn-by the statement is as it was before it came.
    """
    from stack.ledger_commands import Wanted, statement_and_print

    wanted = Wanted(
        region=region,
        scheme=InsuranceScheme(scheme) if scheme else None,
        account=account,
        transfer_no=transfer,
        at=at,
        since=since,
        drawn_by=drawn_by,
    )
    statement_and_print(data_dir, wanted, as_json=as_json)


@ledger.command()
@data_dir_option
@click.option("--watch", is_flag=True, help="Verify snapshot after snapshot until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="For programs: a line for each thing that is broken.")
def audit(data_dir: Path, watch: bool, as_json: bool) -> None:
    """Verify every invariant of the ledger, and name the posting that broke one; exit 1 when one is broken.

    Each snapshot of the database is verified as it is, while work goes on. --watch verifies the whole once, then what has
    changed since, and goes round the rest again and again.
    """
    from stack.ledger_commands import audit_and_print

    audit_and_print(data_dir, watch=watch, as_json=as_json)
